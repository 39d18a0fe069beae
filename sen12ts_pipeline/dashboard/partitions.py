"""Where every partition stands, from candidates, triplets and what was heard of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sen12ts_pipeline.dashboard import queries
from sen12ts_pipeline.domain.seasons import Partition, Season
from sen12ts_pipeline.ports import CandidateState
from sen12ts_pipeline.state.ledger import FAILED


class State(StrEnum):
    """Where a partition stands."""

    EMPTY = "empty"
    RUNNING = "running"
    STALLED = "stalled"
    FAILED = "failed"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class PartitionView:
    """A partition.

    Attributes
    ----------
    planned : int
        Triplets that were chosen to be made, whatever became of them.
    finished, failed, waiting : int
        Of the chosen: made, failed, not tried yet.
    refused : int
        Pairs that a rule refused.
    spare : int
        Good pairs for which the cap leaves no slot.
    at, stage, message
        The newest event.
    heard : datetime or None
        When an event or a task was heard of last.
    """

    aoi: str
    year: int
    season: Season
    state: State
    planned: int
    finished: int
    failed: int
    waiting: int
    refused: int
    spare: int
    at: datetime | None
    stage: str
    message: str
    heard: datetime | None


@dataclass(frozen=True, slots=True)
class AreaView:
    """Totals of an area's year; what the paper has is 0 for an area that is not the paper's."""

    aoi: str
    year: int
    configured: bool
    partitions: tuple[PartitionView, ...]
    tiles: int
    triplets: int
    raw_gb: float
    budget_gb: float
    paper_tiles: int
    paper_triplets: int


def partitions(
    rules: Sequence[queries.RuleCount],
    made: Mapping[Partition, int],
    last: Mapping[Partition, queries.LastEvent],
    heard: Mapping[Partition, datetime],
    quiet_since: datetime,
) -> dict[Partition, PartitionView]:
    """Every partition of which anything is known; one in work that was not heard since a time has stalled."""
    counts: dict[Partition, Counter[CandidateState]] = {}
    for row in rules:
        counts.setdefault(Partition(row.aoi, row.year, row.season), Counter())[row.state] += row.candidates
    known = sorted(counts.keys() | made.keys() | last.keys())
    return {
        p: _partition(p, counts.get(p, Counter()), made.get(p, 0), last.get(p), heard.get(p), quiet_since)
        for p in known
    }


def _partition(
    one: Partition,
    counts: Counter[CandidateState],
    made: int,
    event: queries.LastEvent | None,
    heard: datetime | None,
    quiet_since: datetime,
) -> PartitionView:
    times = [time for time in (event.at if event else None, heard) if time]
    last = max(times, default=None)
    waiting, failed = counts[CandidateState.SELECTED], counts[CandidateState.FAILED]
    return PartitionView(
        aoi=one.aoi,
        year=one.year,
        season=one.season,
        state=_state(event, last, quiet_since),
        planned=waiting + failed + made,
        finished=made,
        failed=failed,
        waiting=waiting,
        refused=counts[CandidateState.REFUSED],
        spare=counts[CandidateState.SPARE],
        at=event.at if event else None,
        stage=event.stage if event else "",
        message=event.message if event else "",
        heard=last,
    )


def _state(event: queries.LastEvent | None, heard: datetime | None, quiet_since: datetime) -> State:
    if event is None or heard is None:
        return State.EMPTY
    if event.message.startswith(FAILED):
        return State.FAILED
    if event.stage == "report":
        return State.DONE
    return State.STALLED if heard < quiet_since else State.RUNNING


def nothing(one: Partition) -> PartitionView:
    """A partition of which nothing is known."""
    return PartitionView(one.aoi, one.year, one.season, State.EMPTY, 0, 0, 0, 0, 0, 0, None, "", "", None)
