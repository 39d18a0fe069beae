"""How far every area and season is, what needs a person, and how long the rest will take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sen12ts_pipeline.dashboard import estimate, paper, queries
from sen12ts_pipeline.domain.rules import TRIPLET_BYTES
from sen12ts_pipeline.domain.seasons import Partition, Season
from sen12ts_pipeline.ports import CandidateState
from sen12ts_pipeline.settings.model import AoiSettings
from sen12ts_pipeline.state.ledger import FAILED, SqlLedger

SILENT = timedelta(hours=6)
"""A partition in work of which nothing was heard for this long is taken to be stuck."""
FAILURE_SHARE = 0.05
"""Share of failed candidates, of those that were tried, above which somebody should look."""
NEARLY_USED = 0.95
"""Share of an area's size budget from which people are told, while the area is still at work."""


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


@dataclass(frozen=True, slots=True)
class Attention:
    """Something that needs a person: where, what is wrong, and what to do."""

    where: str
    aoi: str
    wrong: str
    todo: str


@dataclass(frozen=True, slots=True)
class Overview:
    """The first page."""

    at: datetime
    areas: tuple[AreaView, ...]
    attention: tuple[Attention, ...]
    pace: estimate.Estimate
    tiles: int
    triplets: int
    raw_gb: float
    paper_tiles: int
    paper_triplets: int


def overview(ledger: SqlLedger, areas: Mapping[str, AoiSettings], now: datetime | None = None) -> Overview:
    """The first page, from the ledger and the settings of the areas."""
    now = now or datetime.now(UTC)
    with ledger.reading() as connection:
        rules = queries.rule_counts(connection)
        tiles: Counter[str] = Counter()
        for row in queries.tile_counts(connection):
            tiles[row.aoi] += row.tiles
        made = {Partition(r.aoi, r.year, r.season): r.triplets for r in queries.season_counts(connection)}
        last = {Partition(e.aoi, e.year, e.season): e for e in queries.last_events(connection)}
        paces = queries.made_since(connection, now - estimate.WINDOW)
    partitions = _partitions(rules, made, last, now)
    years = sorted({(p.aoi, p.year) for p in partitions} | {(a.name, a.year) for a in areas.values()})
    views = tuple(_area(aoi, year, partitions, areas.get(aoi), tiles[aoi]) for aoi, year in years)
    waiting = sum(p.waiting for p in partitions.values())
    compared = [paper.AREAS[aoi] for aoi in {v.aoi for v in views} & paper.AREAS.keys()]
    return Overview(
        at=now,
        areas=views,
        attention=tuple(_attention(views, ledger.quarantined(), now)),
        pace=estimate.estimate(now, waiting, [(one.at, one.triplets) for one in paces]),
        tiles=sum(tiles.values()),
        triplets=sum(v.triplets for v in views),
        raw_gb=sum(v.raw_gb for v in views),
        paper_tiles=sum(one.tiles for one in compared),
        paper_triplets=sum(one.triplets for one in compared),
    )


def _partitions(
    rules: Sequence[queries.RuleCount],
    made: Mapping[Partition, int],
    last: Mapping[Partition, queries.LastEvent],
    now: datetime,
) -> dict[Partition, PartitionView]:
    counts: dict[Partition, Counter[CandidateState]] = {}
    for row in rules:
        counts.setdefault(Partition(row.aoi, row.year, row.season), Counter())[row.state] += row.candidates
    known = sorted(counts.keys() | made.keys() | last.keys())
    return {p: _partition(p, counts.get(p, Counter()), made.get(p, 0), last.get(p), now) for p in known}


def _partition(
    one: Partition, counts: Counter[CandidateState], made: int, event: queries.LastEvent | None, now: datetime
) -> PartitionView:
    waiting, failed = counts[CandidateState.SELECTED], counts[CandidateState.FAILED]
    return PartitionView(
        aoi=one.aoi,
        year=one.year,
        season=one.season,
        state=_state(event, now),
        planned=waiting + failed + made,
        finished=made,
        failed=failed,
        waiting=waiting,
        refused=counts[CandidateState.REFUSED],
        spare=counts[CandidateState.SPARE],
        at=event.at if event else None,
        stage=event.stage if event else "",
        message=event.message if event else "",
    )


def _state(event: queries.LastEvent | None, now: datetime) -> State:
    if event is None:
        return State.EMPTY
    if event.message.startswith(FAILED):
        return State.FAILED
    if event.stage == "report":
        return State.DONE
    return State.STALLED if now - event.at > SILENT else State.RUNNING


def _area(
    aoi: str, year: int, partitions: Mapping[Partition, PartitionView], settings: AoiSettings | None, tiles: int
) -> AreaView:
    seasons = tuple(partitions.get(p := Partition(aoi, year, s)) or _nothing(p) for s in Season)
    triplets = sum(p.finished for p in seasons)
    published = paper.AREAS.get(aoi, paper.Published(0, 0))
    return AreaView(
        aoi=aoi,
        year=year,
        configured=settings is not None,
        partitions=seasons,
        tiles=tiles,
        triplets=triplets,
        raw_gb=triplets * TRIPLET_BYTES / 1e9,
        budget_gb=settings.budget_gb if settings else 0.0,
        paper_tiles=published.tiles,
        paper_triplets=published.triplets,
    )


def _nothing(one: Partition) -> PartitionView:
    return PartitionView(one.aoi, one.year, one.season, State.EMPTY, 0, 0, 0, 0, 0, 0, None, "", "")


def _attention(areas: Sequence[AreaView], broken: Mapping[str, str], now: datetime) -> Iterator[Attention]:
    """What needs a person, the worst first."""
    partitions = [p for area in areas for p in area.partitions]
    for rule in (_failed, _stalled, _many_failures, _nothing_made):
        for one in partitions:
            if found := rule(one, now):
                yield Attention(str(Partition(one.aoi, one.year, one.season)), one.aoi, *found)
    for area in areas:
        at_work = any(p.state is not State.EMPTY and p.state is not State.DONE for p in area.partitions)
        if at_work and area.budget_gb and area.raw_gb > NEARLY_USED * area.budget_gb:
            wrong = f"{area.raw_gb:.0f} of {area.budget_gb:g} GB of the size budget are used"
            todo = "the rest of the year gets few triplets or none; if more are wanted, raise budget_gb of the area"
            yield Attention(f"{area.aoi} {area.year}", area.aoi, wrong, todo)
    if broken:
        product, reason = next(iter(broken.items()))
        more = f", and {len(broken) - 1} more" if len(broken) > 1 else ""
        todo = "fetch the products again, then run the partitions with refresh"
        yield Attention("broken products", "", f"{product}: {reason}{more}", todo)


def _failed(one: PartitionView, now: datetime) -> tuple[str, str] | None:
    if one.state is not State.FAILED:
        return None
    return (
        f"{one.stage} {one.message}, {_ago(one, now)}",
        "see the log of the task in the DAG run, mend it, clear the task",
    )


def _stalled(one: PartitionView, now: datetime) -> tuple[str, str] | None:
    if one.state is not State.STALLED:
        return None
    wrong = f"nothing was heard for {_ago(one, now).removesuffix(' ago')}, since {one.stage}: {one.message}"
    return wrong, "see whether its DAG run is still at work; if it ended or was stopped, clear its failed tasks"


def _many_failures(one: PartitionView, _: datetime) -> tuple[str, str] | None:
    tried = one.failed + one.finished
    if not tried or one.failed <= FAILURE_SHARE * tried:
        return None
    return f"{one.failed} of {tried} triplets failed ({one.failed / tried:.0%})", "see the reasons of the failed ones"


def _nothing_made(one: PartitionView, _: datetime) -> tuple[str, str] | None:
    if one.state is not State.DONE or one.finished:
        return None
    wrong = "it is done and has no triplet" if one.refused else "it is done, and no pair of scene and pass was found"
    return wrong, "see the reasons; if products are missing, fetch them and run it with refresh"


def _ago(one: PartitionView, now: datetime) -> str:
    hours = (now - one.at) / timedelta(hours=1) if one.at else 0.0
    return f"{hours:.0f} hours ago" if hours >= 1.5 else f"{hours * 60:.0f} minutes ago"
