"""Several archives, asked one after the other until one answers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

from shapely.geometry.base import BaseGeometry

from sen12ts_pipeline.catalogues.bursts import BurstRecord
from sen12ts_pipeline.catalogues.questions import Kind
from sen12ts_pipeline.domain.granules import Granule
from sen12ts_pipeline.domain.passes import Slice
from sen12ts_pipeline.domain.seasons import Interval
from sen12ts_pipeline.errors import ConfigurationError, Retryable

log = logging.getLogger(__name__)

T = TypeVar("T")


class Link(Protocol):
    """A catalogue that knows its archive: a live one, or a chain."""

    broken: dict[str, str]
    notes: list[str]

    @property
    def archive(self) -> str:
        """Name of the archive."""
        ...

    @property
    def kinds(self) -> frozenset[Kind]:
        """What the archive has."""
        ...

    def granules(self, over: BaseGeometry, during: Interval) -> Iterator[Granule]:
        """See `ports.Catalogue`."""
        ...

    def slices(self, over: BaseGeometry, during: Interval) -> Iterator[Slice]:
        """See `ports.Catalogue`."""
        ...

    def bursts(self, over: BaseGeometry, during: Interval) -> Iterator[BurstRecord]:
        """See `LiveCatalogue`."""
        ...


class ChainCatalogue:
    """Implements `ports.Catalogue`: each question is answered by the first archive that has it and gives something.

    One answer comes from one archive alone. The next one is asked when an archive does not answer, or finds nothing;
    that nothing was found is an answer only when every archive says so.

    Parameters
    ----------
    archive : str
        Name of the chain, for messages.
    links : sequence of Link
        In the order in which they are asked.

    Attributes
    ----------
    broken : dict of str to str
        Products whose entries cannot be used, of the archives that were asked.
    notes : list of str
        Which archive answered each question, which did not and why, and what the archives noted themselves.
    """

    def __init__(self, archive: str, links: Sequence[Link]) -> None:
        if not links:
            raise ConfigurationError("area", "catalogue.chain", "must name at least one archive", [])
        self._archive, self._links = archive, tuple(links)
        self.broken: dict[str, str] = {}
        self.notes: list[str] = []

    @property
    def archive(self) -> str:
        """Name of the chain."""
        return self._archive

    @property
    def kinds(self) -> frozenset[Kind]:
        """What any of the archives has."""
        return frozenset().union(*(link.kinds for link in self._links))

    def granules(self, over: BaseGeometry, during: Interval) -> Iterator[Granule]:
        """Sentinel-2 L2A granules that meet an area (degrees) and whose datatake starts in the interval.

        Raises
        ------
        Retryable
            When an archive did not answer and no other one found anything; names the fault of each.
        ConfigurationError
            When none of the archives has such products, or one must be set up otherwise.
        """
        yield from self._first(Kind.GRANULE, during, lambda link: link.granules(over, during))

    def slices(self, over: BaseGeometry, during: Interval) -> Iterator[Slice]:
        """Sentinel-1 IW SLC products that may meet an area (degrees) and start in the interval; errors as above."""
        yield from self._first(Kind.SLICE, during, lambda link: link.slices(over, during))

    def bursts(self, over: BaseGeometry, during: Interval) -> Iterator[BurstRecord]:
        """Bursts that meet an area and start in the interval; errors as above."""
        yield from self._first(Kind.BURST, during, lambda link: link.bursts(over, during))

    def _first(self, kind: Kind, during: Interval, ask: Callable[[Link], Iterable[T]]) -> list[T]:
        able = [link for link in self._links if kind in link.kinds]
        if not able:
            names = ", ".join(link.archive for link in self._links)
            raise ConfigurationError("area", "catalogue.chain", f"must name an archive of {kind}", names)
        what, faults = f"{kind} from {during.start:%Y-%m-%d} to {during.end:%Y-%m-%d}", []
        for link in able:
            try:
                found = list(ask(link))
            except Retryable as error:
                faults.append(str(error))
                self._note(f"{what}: {link.archive} did not answer ({error})")
                continue
            finally:
                self._take_over(link)
            self._note(f"{what}: {link.archive} gave {len(found)}")
            if found:
                return found
        if faults:
            raise Retryable("; ".join(faults))
        return []

    def _take_over(self, link: Link) -> None:
        self.broken |= link.broken
        for note in link.notes:
            self._note(note)

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)
            log.info("catalogue", extra={"archive": self._archive, "note": note})
