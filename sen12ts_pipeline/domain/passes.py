"""Slices and passes of Sentinel-1, and a pass as one tile sees it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

KNOWN_FAULTS = (
    (
        "S1B",
        datetime(2016, 10, 12, tzinfo=UTC),
        datetime(2016, 10, 14, tzinfo=UTC),
        "was taken while the instrument's clock was wrong, 7 km off along the orbit (mission disclaimer 20)",
    ),
)
"""Platform, first and last time, and reason of products that look sound and are not (sar-mpc.eu, disclaimers)."""


@dataclass(frozen=True, slots=True, order=True)
class Slice:
    """One IW SLC product.

    Attributes
    ----------
    start, stop : datetime
        UTC sensing times of the product.
    platform : str
        ``S1A`` to ``S1D``.
    datatake : int
        Mission datatake number.
    relative_orbit : int
        The product's own attribute; near the equator it differs from the track of some of its bursts.
    direction : str
        ``A`` ascending or ``D`` descending.
    polarisations : tuple of str
        For example ``("VH", "VV")``, sorted.
    processed : datetime
        When the product was made.
    ipf : tuple of int
        Processor version (major, minor); (0, 0) if unknown.
    product : str
        Name without ``.SAFE``.
    footprint : str
        Outline as WKT, (longitude, latitude) in degrees.
    orbit : str
        Name of the orbit file that replaces the product's own state vectors; empty for these.
    """

    start: datetime
    stop: datetime
    platform: str
    datatake: int
    relative_orbit: int
    direction: str
    polarisations: tuple[str, ...]
    processed: datetime
    ipf: tuple[int, int]
    product: str
    footprint: str
    orbit: str = ""

    @property
    def dual_polarised(self) -> bool:
        """Whether the slice has VV and VH, as every triplet needs."""
        return {"VV", "VH"} <= set(self.polarisations)

    @property
    def known_fault(self) -> str:
        """Why no pass may be made of the slice, from what its makers have announced; empty if nothing is known."""
        for platform, first, last, reason in KNOWN_FAULTS:
            if self.platform == platform and first <= self.start < last:
                return reason
        return ""

    @property
    def keeps_antenna_phase(self) -> bool:
        """Whether the processor left the elevation antenna pattern's phase in the samples, a step between subswaths.

        It was taken off from IPF 2.43 on.
        """
        return (0, 0) < self.ipf < (2, 43)


@dataclass(frozen=True, slots=True, order=True)
class Pass:
    """All slices of one datatake, in order of time."""

    slices: tuple[Slice, ...]

    def __post_init__(self) -> None:
        if len({(s.platform, s.datatake) for s in self.slices}) != 1:
            raise ValueError("a pass is one datatake of one platform")

    @property
    def id(self) -> str:
        """Platform and datatake, for example ``S1A_03C421``; unique for the life of the mission."""
        first = self.slices[0]
        return f"{first.platform}_{first.datatake:06X}"

    @property
    def platform(self) -> str:
        """``S1A`` to ``S1D``."""
        return self.slices[0].platform

    @property
    def direction(self) -> str:
        """``A`` ascending or ``D`` descending."""
        return self.slices[0].direction

    @property
    def start(self) -> datetime:
        """Start of the first slice."""
        return self.slices[0].start

    @property
    def products(self) -> tuple[str, ...]:
        """Names of the slices."""
        return tuple(s.product for s in self.slices)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of all that a pass is made of: its products, and its orbit files where it has some."""
        return (*self.products, *self.orbits)

    @property
    def orbits(self) -> tuple[str, ...]:
        """Orbit files of the slices, in order of time; empty unless every slice has one, for orbits are not mixed."""
        names = tuple(dict.fromkeys(s.orbit for s in self.slices))
        return names if all(names) else ()

    def with_annotated_orbit(self) -> Pass:
        """The same pass with its products' own state vectors."""
        return Pass(tuple(replace(s, orbit="") for s in self.slices))


def passes_of(slices: Iterable[Slice]) -> tuple[Pass, ...]:
    """Group slices to passes; of slices made twice from the same data the latest processing stays.

    Two products are the same slice when their platform, datatake and start, to two seconds, are the same.
    """
    datatakes: dict[tuple[str, int], list[Slice]] = defaultdict(list)
    for one in sorted(set(slices)):
        datatakes[one.platform, one.datatake].append(one)
    return tuple(sorted(Pass(_latest_processing(parts)) for parts in datatakes.values()))


def same_slice(one: Slice, other: Slice) -> bool:
    """Whether two products were made from the same data."""
    same = (one.platform, one.datatake) == (other.platform, other.datatake)
    return same and abs(one.start - other.start) < timedelta(seconds=2)


def _latest_processing(parts: Sequence[Slice]) -> tuple[Slice, ...]:
    kept: list[Slice] = []
    for one in parts:
        if kept and same_slice(one, kept[-1]):
            kept[-1] = max(kept[-1], one, key=lambda s: (s.processed, s.ipf, s.product))
        else:
            kept.append(one)
    return tuple(kept)


@dataclass(frozen=True, slots=True, order=True)
class Visit:
    """One pass as seen from one tile.

    Attributes
    ----------
    time : datetime
        UTC zero-Doppler time at the tile's centre.
    pass_id : str
        Identity of the pass.
    platform : str
        ``S1A`` to ``S1D``.
    """

    time: datetime
    pass_id: str
    platform: str

    @property
    def date(self) -> date:
        """UTC date: the s1date of files."""
        return self.time.date()
