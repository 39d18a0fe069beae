"""Sentinel-2 granules, and scenes: the one granule, with its split datastrips, that serves a tile on a date."""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from sen12ts_pipeline.domain.lattice import SOUTHERN_FALSE_NORTHING_M, TileId

MADE_ELSEWHERE = (99, 99)
"""Baseline of products that others than ESA made, with a processor of their own choice."""

WARP_MARGIN_M = 60.0
"""What a granule must hold around a tile of another zone: pixels of 60 m are interpolated between neighbours."""

_SENSED = re.compile(r"_S(\d{8}T\d{6})(?:_|$)")


@dataclass(frozen=True, slots=True, order=True)
class Granule:
    """One Sentinel-2 L2A product: a 110 km MGRS tile of one datatake.

    Attributes
    ----------
    datatake_start : datetime
        UTC start of the datatake, as in the product's name.
    mgrs : str
        MGRS tile without the leading T, ``31TDG``.
    product : str
        Name without ``.SAFE``.
    mission : str
        ``S2A`` to ``S2C``.
    relative_orbit : int
        1 to 143.
    baseline : tuple of int
        Processing baseline (major, minor), compared as numbers.
    discriminator : str
        Last field of the name, a time in most products.
    datastrip : str
        Identity of the datastrip; empty if unknown.
    cloud_percent : float or None
        Share of cloud among the valid pixels, percent; None if the product does not say.
    epsg : int
        326zz or, for southern granules, 327zz.
    ulx_m, uly_m : float
        Upper left corner in `epsg`.
    size_m : float
        Edge of the square granule, metres.
    """

    datatake_start: datetime
    mgrs: str
    product: str
    mission: str
    relative_orbit: int
    baseline: tuple[int, int]
    discriminator: str
    datastrip: str
    cloud_percent: float | None
    epsg: int
    ulx_m: float
    uly_m: float
    size_m: float

    @property
    def north_m(self) -> float:
        """Northing of the upper edge in the zone's northern system."""
        return self.uly_m - (SOUTHERN_FALSE_NORTHING_M if self.epsg >= 32700 else 0.0)

    def contains(self, tile: TileId) -> bool:
        """Whether the whole tile lies in the granule and in its zone."""
        grid = tile.grid
        return (
            self.epsg % 100 == tile.zone
            and self.ulx_m <= grid.west
            and grid.east <= self.ulx_m + self.size_m
            and grid.north <= self.north_m
            and self.north_m - self.size_m <= grid.south
        )

    def contains_across(self, tile: TileId) -> bool:
        """Whether the whole tile, which belongs to a neighbouring zone, lies in the granule with a margin around it."""
        zone = self.epsg % 100
        if abs(zone - tile.zone) not in (1, 59):
            return False
        west, south, east, north = _outline(tile, zone)
        return (
            self.ulx_m + WARP_MARGIN_M <= west
            and east <= self.ulx_m + self.size_m - WARP_MARGIN_M
            and north <= self.north_m - WARP_MARGIN_M
            and self.north_m - self.size_m + WARP_MARGIN_M <= south
        )


@functools.lru_cache(maxsize=100_000)
def _outline(tile: TileId, zone: int) -> tuple[float, float, float, float]:
    """West, south, east and north of a tile in another zone; asked for each of its granules."""
    return tile.grid.bounds_in(32600 + zone)


@dataclass(frozen=True, slots=True, order=True)
class Scene:
    """Split datastrips of one granule of one datatake, best first."""

    granules: tuple[Granule, ...]

    @property
    def id(self) -> str:
        """Mission, datatake start and MGRS tile: ``S2A_20200914T012345_01VCG``."""
        first = self.granules[0]
        return f"{first.mission}_{first.datatake_start:%Y%m%dT%H%M%S}_{first.mgrs}"

    @property
    def date(self) -> date:
        """UTC date of the datatake start: the s2date of files."""
        return self.granules[0].datatake_start.date()

    @property
    def cloud_percent(self) -> float | None:
        """Highest cloud cover of the parts; None when any is unknown."""
        parts = [g.cloud_percent for g in self.granules]
        known = [p for p in parts if p is not None]
        return max(known) if len(known) == len(parts) else None

    @property
    def products(self) -> tuple[str, ...]:
        """Names of the parts."""
        return tuple(g.product for g in self.granules)

    def contains(self, tile: TileId) -> bool:
        """Whether the whole tile lies in the granule and in its zone."""
        return self.granules[0].contains(tile)

    def contains_across(self, tile: TileId) -> bool:
        """Whether the whole tile lies in the granule, but belongs to a neighbouring zone."""
        return self.granules[0].contains_across(tile)


def needed_granules(granules: Iterable[Granule]) -> tuple[Granule, ...]:
    """Granules without those that were made again at the same baseline, in order of time.

    Two products of one tile, datatake and baseline are halves of it when their datastrips were sensed from different
    times on, and the same data processed twice when from the same; of these the latest is kept. A datastrip's identity
    also holds the time of processing: it differs for data that are the same. Of products whose datastrip is not known
    each is kept.
    """
    newest: dict[object, Granule] = {}
    for one in sorted(set(granules), key=lambda g: (g.discriminator, g.product, _said(g))):
        sensed = _SENSED.search(one.datastrip)
        data = sensed[1] if sensed else one.datastrip or one.product
        newest[one.mission, one.datatake_start, one.relative_orbit, one.mgrs, one.baseline, data] = one
    return tuple(sorted(newest.values(), key=lambda g: (g.datatake_start, g.mgrs, g.product)))


def scenes_of(granules: Iterable[Granule]) -> tuple[Scene, ...]:
    """Group granules to scenes.

    Of reprocessed products those of the highest baseline stay, and of these `needed_granules`: halves of one granule
    are kept together. Of a product that is listed twice the entry that says more counts.
    """
    products = {one.product: one for one in sorted(granules, key=_said)}
    groups: dict[tuple[str, datetime, int, str], list[Granule]] = defaultdict(list)
    for one in products.values():
        groups[one.mission, one.datatake_start, one.relative_orbit, one.mgrs].append(one)
    return tuple(sorted(Scene(_current(parts)) for parts in groups.values()))


def _said(one: Granule) -> tuple[str, bool, float]:
    return one.datastrip, one.cloud_percent is not None, one.cloud_percent or 0.0


def _rank(one: Granule) -> tuple[bool, tuple[int, int]]:
    """Baselines in their order; what others than ESA made comes last, whatever its number."""
    return one.baseline != MADE_ELSEWHERE, one.baseline


def _current(parts: Iterable[Granule]) -> tuple[Granule, ...]:
    """Needed parts of the highest baseline, the latest first."""
    listed = list(parts)
    highest = max(map(_rank, listed))
    needed = needed_granules(one for one in listed if _rank(one) == highest)
    return tuple(sorted(needed, key=lambda g: (g.discriminator, g.product), reverse=True))
