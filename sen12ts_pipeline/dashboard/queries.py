"""Questions to the ledger, each one statement, with typed answers."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sen12ts_pipeline.domain.seasons import Partition, Season
from sen12ts_pipeline.ports import CandidateState
from sen12ts_pipeline.stages.assemble import SHARD_DONE
from sen12ts_pipeline.state.ledger import aware
from sen12ts_pipeline.state.tables import candidates, events, timings, triplets


@dataclass(frozen=True, slots=True)
class RuleCount:
    """Candidates of a partition in a state, refused or failed by a rule."""

    aoi: str
    year: int
    season: Season
    state: CandidateState
    rule: str
    candidates: int


@dataclass(frozen=True, slots=True)
class TileCount:
    """How many tiles of an area have a number of triplets."""

    aoi: str
    triplets: int
    tiles: int


@dataclass(frozen=True, slots=True)
class SeasonCount:
    """Triplets of a partition."""

    aoi: str
    year: int
    season: Season
    triplets: int


@dataclass(frozen=True, slots=True)
class LastEvent:
    """The newest event of a partition."""

    aoi: str
    year: int
    season: Season
    at: datetime
    stage: str
    message: str


@dataclass(frozen=True, slots=True)
class Made:
    """Triplets that a shard made."""

    at: datetime
    partition: str
    triplets: float


@dataclass(frozen=True, slots=True)
class CandidateRow:
    """A candidate."""

    aoi: str
    year: int
    season: Season
    tile: str
    s2date: date
    s1date: date
    track: int
    direction: str
    scene: str
    state: CandidateState
    rule: str
    detail: str
    invalid_s1: int | None
    invalid_s2: int | None
    slot: int | None


@dataclass(frozen=True, slots=True)
class TripletRow:
    """A finished triplet."""

    aoi: str
    name: str
    year: int
    season: Season
    tile: str
    slot: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which candidates or triplets are asked for; what is empty or 0 asks for all.

    Attributes
    ----------
    s2date : str
        A date or the beginning of one: ``2020``, ``2020-09``, ``2020-09-17``.
    """

    aoi: str = ""
    year: int = 0
    season: str = ""
    tile: str = ""
    state: str = ""
    rule: str = ""
    track: int = 0
    s2date: str = ""


def rule_counts(connection: Connection) -> list[RuleCount]:
    """Candidates of every partition by state and rule."""
    columns = *_partition(candidates), candidates.c.state, candidates.c.rule
    query = sa.select(*columns, sa.func.count()).group_by(*columns)
    return [
        RuleCount(a, y, Season(s), CandidateState(state), r, n) for a, y, s, state, r, n in connection.execute(query)
    ]


def tile_counts(connection: Connection) -> list[TileCount]:
    """Tiles of every area by their number of triplets."""
    tiles = sa.select(triplets.c.aoi, sa.func.count().label("n")).group_by(triplets.c.aoi, triplets.c.tile).subquery()
    columns = tiles.c.aoi, tiles.c.n
    query = sa.select(*columns, sa.func.count()).group_by(*columns).order_by(*columns)
    return [TileCount(*row) for row in connection.execute(query)]


def season_counts(connection: Connection) -> list[SeasonCount]:
    """Triplets of every partition."""
    columns = _partition(triplets)
    query = sa.select(*columns, sa.func.count()).group_by(*columns)
    return [SeasonCount(a, y, Season(s), n) for a, y, s, n in connection.execute(query)]


def last_events(connection: Connection) -> list[LastEvent]:
    """The newest event of every partition."""
    newest = sa.select(sa.func.max(events.c.id)).group_by(*_partition(events))
    query = sa.select(*_partition(events), events.c.at, events.c.stage, events.c.message).where(events.c.id.in_(newest))
    return [LastEvent(a, y, Season(s), aware(at), stage, m) for a, y, s, at, stage, m in connection.execute(query)]


def last_timings(connection: Connection) -> dict[Partition, datetime]:
    """When the newest task of each partition ended well."""
    query = sa.select(*_partition(timings), sa.func.max(timings.c.at)).group_by(*_partition(timings))
    return {Partition(a, y, Season(s)): aware(at) for a, y, s, at in connection.execute(query)}


def made_since(connection: Connection, since: datetime) -> list[Made]:
    """What shards made since a time, oldest first."""
    query = sa.select(*_partition(events), events.c.at, events.c.figures).where(
        events.c.stage == "assemble", events.c.message == SHARD_DONE, events.c.at >= since
    )
    rows = connection.execute(query.order_by(events.c.id))
    return [Made(aware(at), str(Partition(a, y, Season(s))), float(f.get("made", 0.0))) for a, y, s, at, f in rows]


def figures_of(connection: Connection, stage: str, message: str) -> dict[Partition, dict[str, float]]:
    """Figures of the newest event of each partition that says a thing."""
    query = sa.select(*_partition(events), events.c.figures).where(events.c.stage == stage, events.c.message == message)
    rows = connection.execute(query.order_by(events.c.id))
    return {Partition(a, y, Season(s)): figures for a, y, s, figures in rows}


def tiles_of(connection: Connection, aoi: str) -> dict[str, int]:
    """Triplets of each tile of an area that has any."""
    query = sa.select(triplets.c.tile, sa.func.count()).where(triplets.c.aoi == aoi).group_by(triplets.c.tile)
    return {str(tile): int(n) for tile, n in connection.execute(query)}


def candidates_page(connection: Connection, wanted: Wanted, *, offset: int, limit: int) -> list[CandidateRow]:
    """Some candidates, by partition, tile and date of the pass."""
    c = candidates.c
    columns = (
        c.aoi,
        c.year,
        c.season,
        c.tile,
        c.scene_id.label("scene"),
        c.s2date,
        c.s1date,
        c.track,
        c.direction,
        c.state,
        c.rule,
    )
    query = sa.select(*columns, c.detail, c.invalid_s1, c.invalid_s2, c.slot).where(*_candidates(wanted))
    order = c.aoi, c.year, c.season, c.tile, c.scene_id, c.track, c.pass_id
    rows = connection.execute(query.order_by(*order).offset(offset).limit(limit))
    return [_candidate_row(row) for row in rows.mappings()]


def candidates_count(connection: Connection, wanted: Wanted) -> int:
    """How many candidates there are of the kind."""
    return connection.execute(
        sa.select(sa.func.count()).select_from(candidates).where(*_candidates(wanted))
    ).scalar_one()


def triplets_page(connection: Connection, wanted: Wanted, *, offset: int, limit: int) -> list[TripletRow]:
    """Some triplets, by area and name."""
    t = triplets.c
    query = sa.select(t.aoi, t.name, t.year, t.season, t.tile, t.slot).where(*_triplets(wanted))
    return [
        _triplet_row(row)
        for row in connection.execute(query.order_by(t.aoi, t.name).offset(offset).limit(limit)).mappings()
    ]


def triplets_named(connection: Connection, aoi: str, names: Collection[str]) -> list[TripletRow]:
    """Triplets of some names, by name."""
    t = triplets.c
    query = sa.select(t.aoi, t.name, t.year, t.season, t.tile, t.slot).where(t.aoi == aoi, t.name.in_(names))
    return [_triplet_row(row) for row in connection.execute(query.order_by(t.name)).mappings()]


def triplets_count(connection: Connection, wanted: Wanted) -> int:
    """How many triplets there are of the kind."""
    return connection.execute(sa.select(sa.func.count()).select_from(triplets).where(*_triplets(wanted))).scalar_one()


def triplet_names(connection: Connection, wanted: Wanted) -> list[str]:
    """Names of all triplets of the kind, sorted."""
    query = sa.select(triplets.c.name).where(*_triplets(wanted)).order_by(triplets.c.name)
    return list(connection.execute(query).scalars())


def _candidates(wanted: Wanted) -> Iterable[sa.ColumnElement[bool]]:
    yield from _common(candidates, wanted)
    if wanted.state:
        yield candidates.c.state == wanted.state
    if wanted.rule:
        yield candidates.c.rule == wanted.rule
    if wanted.track:
        yield candidates.c.track == wanted.track


def _triplets(wanted: Wanted) -> Iterable[sa.ColumnElement[bool]]:
    """Track and date of a triplet stand in its name alone, the date first; both are sought in one pass through it."""
    yield from _common(triplets, wanted)
    parts = []
    if wanted.s2date:
        parts.append(f"/_s2date/_{wanted.s2date}")
    if wanted.track:
        parts.append(f"/_s1track/_{wanted.track}/_")
    if parts:
        yield triplets.c.name.like(f"%{'%'.join(parts)}%", escape="/")


def _common(table: sa.Table, wanted: Wanted) -> Iterable[sa.ColumnElement[bool]]:
    for name in ("aoi", "year", "season", "tile"):
        if value := getattr(wanted, name):
            yield table.c[name] == value


def _partition(table: sa.Table) -> tuple[sa.Column[str], sa.Column[int], sa.Column[str]]:
    return table.c.aoi, table.c.year, table.c.season


def _candidate_row(row: sa.RowMapping) -> CandidateRow:
    return CandidateRow(**{**row, "season": Season(row["season"]), "state": CandidateState(row["state"])})


def _triplet_row(row: sa.RowMapping) -> TripletRow:
    return TripletRow(**{**row, "season": Season(row["season"])})
