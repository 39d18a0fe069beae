"""The catalogue of a live archive, whatever the archive's interface is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TypeVar

import shapely
from shapely.geometry.base import BaseGeometry

from sen12ts_pipeline.catalogues.archive import OUTLINE_SLACK, square
from sen12ts_pipeline.catalogues.bursts import BurstRecord
from sen12ts_pipeline.catalogues.entries import UNKNOWN_IPF
from sen12ts_pipeline.catalogues.questions import Answer, Kind, Question, Record, complete, questions
from sen12ts_pipeline.domain.granules import Granule
from sen12ts_pipeline.domain.passes import Slice
from sen12ts_pipeline.domain.seasons import Interval
from sen12ts_pipeline.errors import BadProduct, ConfigurationError

log = logging.getLogger(__name__)

T = TypeVar("T", Slice, Granule, BurstRecord)

TIME_SLACK = {Kind.SLICE: timedelta(minutes=1), Kind.BURST: timedelta(minutes=1), Kind.GRANULE: timedelta(hours=1)}
"""How far an archive's time of a product may lie from the start that counts here.

Some archives date a granule by its own sensing, up to most of an hour after the datatake's start.
"""


class Offline(Exception):
    """A product that is listed and cannot be had at once."""


class Interface:
    """How an archive is asked, and how its entries are read; base of all interfaces.

    Attributes
    ----------
    archive : str
        Name of the archive.
    kinds : frozenset of Kind
        What it has.
    """

    archive: str
    kinds: frozenset[Kind]

    def ask(self, question: Question) -> Answer:
        """One request; Passing for a fault that may be gone at once, ConfigurationError for others."""
        raise NotImplementedError

    def slice_of(self, entry: Record) -> Slice | None:  # noqa: ARG002 - for archives that have them
        """The slice of an entry; None if it is something else; BadProduct, Offline."""
        return None

    def granule_of(self, entry: Record) -> Granule | None:  # noqa: ARG002 - for archives that have them
        """The granule of an entry; None if it is something else; BadProduct, Offline."""
        return None

    def burst_of(self, entry: Record) -> BurstRecord | None:  # noqa: ARG002 - for archives that have them
        """The burst of an entry; None if it is something else; BadProduct."""
        return None


class LiveCatalogue:
    """Implements `ports.Catalogue` over an archive's interface.

    Everything is found or there is an error; nothing is held back for its cloud cover, processing or age, and no rule
    of the domain is applied. Products come in order of time, each name once.

    Parameters
    ----------
    interface : Interface
        Asks and reads.

    Attributes
    ----------
    broken : dict of str to str
        Products whose entries lack what a search needs, and what that is.
    notes : list of str
        What a person should know of the answers: products that are listed and cannot be had now.
    """

    def __init__(self, interface: Interface) -> None:
        self.broken: dict[str, str] = {}
        self.notes: list[str] = []
        self._interface = interface

    @property
    def archive(self) -> str:
        """Name of the archive."""
        return self._interface.archive

    @property
    def kinds(self) -> frozenset[Kind]:
        """What the archive has."""
        return self._interface.kinds

    def granules(self, over: BaseGeometry, during: Interval) -> Iterator[Granule]:
        """Sentinel-2 L2A granules that meet an area (degrees) and whose datatake starts in the interval.

        Raises
        ------
        Retryable, ConfigurationError
            When the answer is not complete; see `questions.complete`.
        """
        for one in self._found(Kind.GRANULE, over, during, self._interface.granule_of):
            if one.datatake_start in during and square(one).intersects(over):
                yield one

    def slices(self, over: BaseGeometry, during: Interval) -> Iterator[Slice]:
        """Sentinel-1 IW SLC products that may meet an area (degrees) and start in the interval; errors as above."""
        for one in self._found(Kind.SLICE, over.buffer(OUTLINE_SLACK), during, self._interface.slice_of):
            if one.start in during and shapely.dwithin(shapely.from_wkt(one.footprint), over, OUTLINE_SLACK):
                yield one

    def bursts(self, over: BaseGeometry, during: Interval) -> Iterator[BurstRecord]:
        """Bursts of IW SLC products, one entry a polarisation, that meet an area and start in the interval.

        In order of time. Errors as above.
        """
        for one in self._found(Kind.BURST, over, during, self._interface.burst_of):
            if one.start in during and shapely.from_wkt(one.footprint).intersects(over):
                yield one

    def _found(
        self, kind: Kind, over: BaseGeometry, during: Interval, read: Callable[[Record], T | None]
    ) -> Iterator[T]:
        """Products question by question, so that whoever wants but the first does not wait for all."""
        if kind not in self.kinds:
            has = " and ".join(sorted(self.kinds)) or "nothing"
            rule = f"must be an archive of {kind}; {self.archive} has {has}: name another one, or a chain"
            raise ConfigurationError("area", "catalogue.kind", rule, self.archive)
        seen: set[object] = set()
        for question in questions(self.archive, kind, over, during, TIME_SLACK[kind]):
            found = [self._read(entry, read) for entry in complete(question, self._interface.ask).values()]
            for one in sorted((one for one in found if one), key=_order):
                identity = one if isinstance(one, BurstRecord) else one.product
                if identity not in seen:
                    seen.add(identity)
                    yield one

    def _read(self, entry: Record, read: Callable[[Record], T | None]) -> T | None:
        try:
            return read(entry)
        except BadProduct as error:
            self.broken[error.product] = f"{self.archive}: {error.reason}"
            log.warning("broken entry", extra={"product": error.product, "reason": self.broken[error.product]})
        except Offline as error:
            note = f"{self.archive} lists {error} and cannot deliver it now; it is left out"
            if note not in self.notes:
                self.notes.append(note)
                log.warning("product is not online", extra={"product": str(error), "archive": self.archive})
        return None


def _order(one: Slice | Granule | BurstRecord) -> tuple[object, ...]:
    """By time and name; of a product that is listed twice first the entry that says more."""
    if isinstance(one, Granule):
        return one.datatake_start, one.product, one.cloud_percent is None, not one.datastrip
    if isinstance(one, Slice):
        return one.start, one.product, one.ipf == UNKNOWN_IPF
    return one.start, one.product, one.burst, one.polarisation
