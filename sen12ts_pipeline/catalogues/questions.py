"""What an archive is asked, and what makes its answer a complete one.

No answer is read page by page: pages repeat records, lose some, or end early and look like the end. An interval whose
products do not fit into one answer is asked for in two halves instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import shapely
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from sen12ts_pipeline.domain.seasons import Interval
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.passing import Passing, patiently

Record = Mapping[str, Any]
"""An entry of an answer, as the archive wrote it."""

LONGEST_QUESTION = timedelta(days=150)
"""Archives answer quickly when the time is short; it holds the passes that a season needs."""
SHORTEST_QUESTION = timedelta(seconds=2)
ROUNDING_DEGREES = 0.02
"""By how much the outline that is asked for may reach over the area; it never falls short of it."""


class Kind(StrEnum):
    """What is looked for."""

    SLICE = "Sentinel-1 IW SLC"
    GRANULE = "Sentinel-2 L2A"
    BURST = "Sentinel-1 IW SLC bursts"


FIRST_PRODUCT = {
    Kind.SLICE: datetime(2014, 4, 3, tzinfo=UTC),
    Kind.BURST: datetime(2014, 4, 3, tzinfo=UTC),
    Kind.GRANULE: datetime(2015, 6, 23, tzinfo=UTC),
}
"""Launches of Sentinel-1A and 2A: nothing is older."""


@dataclass(frozen=True, slots=True)
class Question:
    """Products of a kind that meet a convex area and start in an interval.

    Attributes
    ----------
    archive : str
        Name of the archive, for messages.
    kind : Kind
        What is looked for.
    area : Polygon
        (longitude, latitude) in degrees, convex, counter-clockwise.
    during : Interval
        Of start times; an archive may also give what starts just outside.
    """

    archive: str
    kind: Kind
    area: BaseGeometry
    during: Interval

    def __str__(self) -> str:
        bounds = ", ".join(f"{x:.3f}" for x in self.area.bounds)
        first, last = (f"{t:%Y-%m-%dT%H:%M:%S}Z" for t in (self.during.start, self.during.end))
        return f"{self.archive}: {self.kind} from {first} to {last} within {bounds} (degrees W, S, E, N)"

    @property
    def halves(self) -> tuple[Question, Question]:
        """The same for the first and the second half of the interval."""
        start, end = self.during.start, self.during.end
        middle = (start + (end - start) / 2).replace(microsecond=0)
        return replace(self, during=Interval(start, middle)), replace(self, during=Interval(middle, end))


@dataclass(frozen=True, slots=True)
class Answer:
    """What an archive gave for a question.

    Attributes
    ----------
    records : mapping
        By the archive's own identity of a record.
    total : int or None
        How many there are, if the archive says; more than there are records if they do not fit into one answer.
    """

    records: Mapping[str, Record]
    total: int | None

    @classmethod
    def of(cls, records: Mapping[str, Record], *, given: int, limit: int, total: int | None, more: bool) -> Answer:
        """An answer whose numbers agree.

        Parameters
        ----------
        records : mapping
            By identity.
        given : int
            Entries of the answer; more than `records` if some are there twice.
        limit : int
            Most entries of one answer.
        total : int or None
            What the archive says that there are in all.
        more : bool
            Whether an archive that tells no total says that there are more.

        Raises
        ------
        Passing
            When entries are missing, or there twice.
        """
        if len(records) != given:
            raise Passing(f"gave {given} products of which {given - len(records)} are repeated")
        if total is None:
            return cls(records, given + 1 if more or given >= limit else None)
        if given != min(total, limit):
            raise Passing(f"announced {total} products and gave {given}")
        return cls(records, total)

    @property
    def overflows(self) -> bool:
        """Whether the archive has more than it gave."""
        return self.total is not None and self.total > len(self.records)


def questions(archive: str, kind: Kind, over: BaseGeometry, during: Interval, slack: timedelta) -> Iterator[Question]:
    """Questions that together cover an area and an interval, in order of time; none where nothing can be.

    Parameters
    ----------
    archive, kind
        Of the questions.
    over : Polygon or MultiPolygon
        Degrees.
    during : Interval
        Of start times.
    slack : timedelta
        By how much the archive's time of a product may differ from the start time.
    """
    start = max(during.start - slack, FIRST_PRODUCT[kind])
    end = min(during.end + slack, datetime.now(UTC) + timedelta(days=1))
    areas = outlines(over)
    while start < end:
        stop = min(start + LONGEST_QUESTION, end)
        yield from (Question(archive, kind, area, Interval(start, stop)) for area in areas)
        start = stop


def outlines(over: BaseGeometry) -> tuple[BaseGeometry, ...]:
    """Convex outlines with few corners that hold an area: two for one on both sides of the antimeridian.

    Archives take a polygon of limited length and know no holes; what lies in it and not in the area is sorted out here.
    """
    west, _, east, _ = over.bounds
    halves = [over] if east - west <= 180 else [over.intersection(box(w, -90, w + 180, 90)) for w in (-180, 0)]
    return tuple(_outline(part) for part in halves if not part.is_empty)


def _outline(part: BaseGeometry) -> BaseGeometry:
    wide = part.convex_hull.buffer(2 * ROUNDING_DEGREES, join_style="mitre").simplify(ROUNDING_DEGREES)
    hull = wide.intersection(box(-180, -90, 180, 90)).convex_hull
    outline: BaseGeometry = shapely.orient_polygons(shapely.set_precision(hull, 1e-4))
    return outline


def complete(question: Question, ask: Callable[[Question], Answer]) -> dict[str, Record]:
    """All records for a question, by identity.

    Where the archive tells no total, the two halves are asked for too, and must give the same.

    Parameters
    ----------
    question : Question
        What is looked for.
    ask : callable
        One request; raises Passing for a fault that may be gone at once.

    Raises
    ------
    Retryable
        When the archive does not answer, or its numbers do not agree.
    ConfigurationError
        When more products start at one time than one answer holds.
    """
    answer = patiently(question, lambda: ask(question))
    if answer.overflows:
        if question.during.end - question.during.start < SHORTEST_QUESTION:
            rule = f"must be so small that one answer holds what starts in a second over it: {question}"
            raise ConfigurationError("area", "boundary", rule, f"more than {len(answer.records)} products")
        return {k: r for half in question.halves for k, r in complete(half, ask).items()}
    if answer.total is None:
        first = [answer]
        return patiently(question, lambda: _confirmed(question, first.pop() if first else ask(question), ask))
    return dict(answer.records)


def _confirmed(question: Question, whole: Answer, ask: Callable[[Question], Answer]) -> dict[str, Record]:
    if question.during.end - question.during.start < SHORTEST_QUESTION:
        return dict(whole.records)
    halves = {identity: record for half in question.halves for identity, record in ask(half).records.items()}
    if halves.keys() != whole.records.keys():
        raise Passing(f"gave {len(whole.records)} products, and {len(halves)} for the two halves of the time")
    return halves
