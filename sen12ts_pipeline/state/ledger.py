"""The ledger over SQL: SQLite by default, PostgreSQL by URL, one schema."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import IntegrityError

from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.domain.seasons import Partition, Season
from sen12ts_pipeline.errors import Sen12tsError
from sen12ts_pipeline.ports import CandidateRecord, CandidateState, QualityRecord, TripletRecord, Verdict
from sen12ts_pipeline.state import observations
from sen12ts_pipeline.state.databases import explained, open_database
from sen12ts_pipeline.state.tables import candidates, events, qualities, quarantine, timings, told, triplets, verdicts

FAILED = "failed: "
"""How the message of an event begins that tells of a stage that failed."""


class SlotTaken(Sen12tsError):
    """A slot of a tile and season holds another triplet, or the slot lies beyond the cap."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a partition."""

    at: datetime
    partition: Partition
    stage: str
    message: str
    figures: Mapping[str, float]


class SqlLedger:
    """Implements `ports.Ledger`. Every method is one transaction; threads and processes may share a database.

    Parameters
    ----------
    engine : Engine
        Of a database at the newest revision: see `connect`.
    cap : int
        Slots of a tile and season.
    """

    def __init__(self, engine: Engine, cap: int = 4) -> None:
        self._engine = engine
        self._cap = cap
        self._shown = engine.url.render_as_string(hide_password=True)
        self._insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert

    @classmethod
    def connect(cls, url: str, cap: int = 4) -> SqlLedger:
        """Open a ledger, make it when it is not there, and bring its schema up to date.

        Raises
        ------
        ConfigurationError
            When the URL is wrong, its driver is not installed, or the ledger was made by a newer version.
        Retryable
            When the database does not answer.
        """
        return cls(open_database(url), cap)

    def record_candidates(self, records: Iterable[CandidateRecord]) -> None:
        """Insert or update candidates by partition, tile, scene, track and pass."""
        rows = _candidate_rows(records)
        if rows:
            with self._writing() as connection:
                connection.execute(self._upsert(candidates), rows)

    def replace_candidates(self, partition: Partition, records: Iterable[CandidateRecord]) -> None:
        """Make these the candidates of a partition, and no others."""
        rows = _candidate_rows(records)
        with self._writing() as connection:
            connection.execute(candidates.delete().where(*_of(candidates, partition)))
            if rows:
                connection.execute(candidates.insert(), rows)

    def candidates(self, *, partition: Partition | None = None, tile: TileId | None = None) -> list[CandidateRecord]:
        """Candidates of a partition, of a tile, or of both, by partition, tile, s2date, scene, track and pass."""
        query = sa.select(candidates)
        if partition is not None:
            query = query.where(*_of(candidates, partition))
        if tile is not None:
            query = query.where(candidates.c.tile == str(tile))
        with self._reading() as connection:
            found = [_candidate(row) for row in connection.execute(query).mappings()]
        return sorted(found, key=lambda r: (r.partition, r.tile, r.s2date, r.scene_id, r.track, r.pass_id))

    def record_triplets(self, records: Iterable[TripletRecord]) -> None:
        """Insert triplets, all or none; recording one again changes nothing but its sizes and digests.

        Raises
        ------
        SlotTaken
            When another triplet holds a slot, when this one holds another slot, or when a slot is above the cap.
        """
        self.exchange_triplets([], records)

    def triplets(self, partition: Partition) -> list[TripletRecord]:
        """Finished triplets of a partition, by tile and slot."""
        query = sa.select(triplets).where(*_of(triplets, partition))
        with self._reading() as connection:
            found = [_triplet(row) for row in connection.execute(query).mappings()]
        return sorted(found, key=lambda r: (r.tile, r.slot))

    def triplets_of(self, aoi: str) -> list[TripletRecord]:
        """Finished triplets of all partitions of an area, by partition, tile and slot."""
        with self._reading() as connection:
            rows = connection.execute(sa.select(triplets).where(triplets.c.aoi == aoi)).mappings()
            return sorted((_triplet(row) for row in rows), key=lambda r: (r.partition, r.tile, r.slot))

    def exchange_triplets(self, gone: Iterable[TripletRecord], records: Iterable[TripletRecord]) -> None:
        """Forget triplets and record others, which may take their slots, in one transaction; SlotTaken as always."""
        old, new = list(gone), list(records)
        kept = {record.name for record in new}
        with self._writing() as connection:
            for record in old:
                same = triplets.c.aoi == record.partition.aoi, triplets.c.name == record.name
                connection.execute(triplets.delete().where(*same))
                if record.name not in kept:
                    observations.forget_quality(connection, self._insert, record.partition, record.name)
            for record in new:
                self._record_one(connection, record)

    def record_quality(self, record: QualityRecord) -> None:
        """Keep what was measured of a triplet; what was kept first stays."""
        with self._writing() as connection:
            observations.keep_quality(connection, self._insert, record)

    def measured(self, aoi: str) -> frozenset[str]:
        """Names of an area's triplets of which something was measured."""
        with self._reading() as connection:
            return frozenset(connection.execute(sa.select(qualities.c.name).where(qualities.c.aoi == aoi)).scalars())

    def record_timing(self, partition: Partition, stage: str, seconds: float, peak_bytes: int) -> None:
        """Note what a task took that ended well."""
        row = {"at": datetime.now(UTC), "stage": stage, "seconds": seconds, "peak_bytes": peak_bytes}
        with self._writing() as connection:
            connection.execute(timings.insert(), {**row, **_partition_row(partition)})

    def told(self) -> dict[str, str]:
        """Alerts of which people were told and that still hold: what is wrong, by key."""
        with self._reading() as connection:
            return {row.key: row.wrong for row in connection.execute(sa.select(told.c.key, told.c.wrong))}

    def record_told(self, new: Mapping[str, str], ended: Iterable[str]) -> None:
        """Remember of which alerts people were told, and of which they were told that they are over."""
        rows = [{"key": key, "since": datetime.now(UTC), "wrong": wrong} for key, wrong in new.items()]
        over = list(ended)
        with self._writing() as connection:
            if rows:
                connection.execute(self._upsert(told), rows)
            if over:
                connection.execute(told.delete().where(told.c.key.in_(over)))

    def quarantine(self, product: str, reason: str) -> None:
        """Remember that a product is broken."""
        statement = self._insert(quarantine).values(product=product, reason=reason, since=datetime.now(UTC))
        statement = statement.on_conflict_do_update(index_elements=["product"], set_={"reason": reason})
        with self._writing() as connection:
            connection.execute(statement)

    def quarantined(self) -> dict[str, str]:
        """Broken products and their reasons, by product."""
        query = sa.select(quarantine.c.product, quarantine.c.reason)
        with self._reading() as connection:
            return {row.product: row.reason for row in sorted(connection.execute(query))}

    def record_event(self, partition: Partition, stage: str, message: str, **figures: float) -> None:
        """Note an event with the time of now."""
        row = {"at": datetime.now(UTC), "stage": stage, "message": message, "figures": figures}
        with self._writing() as connection:
            connection.execute(events.insert(), {**row, **_partition_row(partition)})

    def events(self, partition: Partition) -> list[Event]:
        """Events of a partition, oldest first."""
        query = sa.select(events).where(*_of(events, partition)).order_by(events.c.id)
        with self._reading() as connection:
            return [_event(row) for row in connection.execute(query).mappings()]

    def record_verdict(self, verdict: Verdict) -> None:
        """Note what a person decided on a triplet."""
        with self._writing() as connection:
            connection.execute(verdicts.insert(), asdict(verdict))

    def verdicts(self, aoi: str, name: str) -> list[Verdict]:
        """What was decided on a triplet, newest first."""
        where = verdicts.c.aoi == aoi, verdicts.c.name == name
        with self._reading() as connection:
            rows = connection.execute(sa.select(verdicts).where(*where).order_by(verdicts.c.id.desc())).mappings()
            return [_verdict(row) for row in rows]

    def withheld(self, aoi: str = "") -> list[Verdict]:
        """Of each triplet that is withheld, of an area or of all, the verdict that holds; newest first."""
        newest = sa.select(sa.func.max(verdicts.c.id)).group_by(verdicts.c.aoi, verdicts.c.name)
        query = sa.select(verdicts).where(verdicts.c.id.in_(newest), verdicts.c.withheld)
        if aoi:
            query = query.where(verdicts.c.aoi == aoi)
        with self._reading() as connection:
            return [_verdict(row) for row in connection.execute(query.order_by(verdicts.c.id.desc())).mappings()]

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Connection for questions that are not asked here; the database's errors say what is to be done."""
        with self._reading() as connection:
            yield connection

    def partitions(self) -> tuple[Partition, ...]:
        """Partitions of which anything is known, in order."""
        with self._reading() as connection:
            found = {one for table in (candidates, triplets, events) for one in _partitions(connection, table)}
        return tuple(sorted(found))

    def counts(self, partition: Partition) -> dict[tuple[CandidateState, str], int]:
        """Candidates of a partition by state and rule."""
        columns = candidates.c.state, candidates.c.rule
        query = sa.select(*columns, sa.func.count()).where(*_of(candidates, partition)).group_by(*columns)
        with self._reading() as connection:
            return {(CandidateState(state), rule): n for state, rule, n in connection.execute(query.order_by(*columns))}

    def _record_one(self, connection: Connection, record: TripletRecord) -> None:
        statement = self._insert(triplets).values(**_triplet_row(record), cap=self._cap)
        same_place = sa.and_(*_of(triplets, record.partition), triplets.c.tile == str(record.tile))
        statement = statement.on_conflict_do_update(
            index_elements=["aoi", "name"],
            set_={name: statement.excluded[name] for name in ("sizes", "digests", "bytes", "cap")},
            where=sa.and_(same_place, triplets.c.slot == record.slot),
        )
        where = f"{record.partition} {record.tile} slot {record.slot}"
        try:
            done = connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount
        except IntegrityError as error:
            within = 1 <= record.slot <= self._cap
            rule = "another triplet holds it" if within else f"slots go from 1 to the cap, {self._cap}"
            raise SlotTaken(f"{where}: {rule}; refused {record.name}") from error
        if not done:
            raise SlotTaken(f"{where}: {record.name} is already recorded in another place")

    def _upsert(self, table: sa.Table) -> sa.Insert:
        statement = self._insert(table)
        keys = [column.name for column in table.primary_key]
        changed = {c.name: statement.excluded[c.name] for c in table.columns if c.name not in keys}
        return statement.on_conflict_do_update(index_elements=keys, set_=changed)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with explained(self._shown), self._engine.connect() as connection:
            begun = connection.execution_options(sen12ts_write=True).begin()
            with begun:
                yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with explained(self._shown), self._engine.connect() as connection:
            yield connection


def _of(table: sa.Table, partition: Partition) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        table.c.aoi == partition.aoi,
        table.c.year == partition.year,
        table.c.season == str(partition.season),
    )


def _partition_row(partition: Partition) -> dict[str, Any]:
    return {"aoi": partition.aoi, "year": partition.year, "season": str(partition.season)}


def _partition(row: sa.RowMapping) -> Partition:
    return Partition(row["aoi"], row["year"], Season(row["season"]))


def _partitions(connection: Connection, table: sa.Table) -> Iterator[Partition]:
    """Partitions of a table, each by a few looks into an index that begins with them: a scan would read every row."""
    columns = table.c.aoi, table.c.year, table.c.season
    query = sa.select(*columns).order_by(*columns).limit(1)
    row = connection.execute(query).mappings().first()
    while row:
        yield _partition(row)
        looks = (connection.execute(query.where(*condition)).mappings().first() for condition in _after(columns, row))
        row = next((found for found in looks if found), None)


def _after(
    columns: Sequence[sa.ColumnElement[Any]], row: sa.RowMapping
) -> Iterator[tuple[sa.ColumnElement[bool], ...]]:
    """Conditions that together hold for what comes after a row: the last column is larger, or the one before, ..."""
    for last in reversed(range(len(columns))):
        yield (*(column == row[column] for column in columns[:last]), columns[last] > row[columns[last]])


def _candidate_rows(records: Iterable[CandidateRecord]) -> list[dict[str, Any]]:
    """Rows in the order of their key, so that two writers who meet wait for each other in one direction."""
    keys = [column.name for column in candidates.primary_key]
    return sorted((_candidate_row(record) for record in records), key=lambda row: [row[name] for name in keys])


def _candidate_row(record: CandidateRecord) -> dict[str, Any]:
    return {
        **_partition_row(record.partition),
        "tile": str(record.tile),
        "scene_id": record.scene_id,
        "track": int(record.track),
        "pass_id": record.pass_id,
        "s2date": record.s2date,
        "direction": record.direction,
        "s1date": record.s1date,
        "state": str(record.state),
        "rule": record.rule,
        "detail": record.detail,
        "invalid_s1": record.invalid_s1,
        "invalid_s2": record.invalid_s2,
        "slot": record.slot,
    }


def _candidate(row: sa.RowMapping) -> CandidateRecord:
    same = ("scene_id", "s2date", "track", "direction", "s1date", "pass_id", "rule", "detail")
    counts = ("invalid_s1", "invalid_s2", "slot")
    return CandidateRecord(
        partition=_partition(row),
        tile=TileId.parse(row["tile"]),
        state=CandidateState(row["state"]),
        **{name: row[name] for name in same + counts},
    )


def _triplet_row(record: TripletRecord) -> dict[str, Any]:
    return {
        **_partition_row(record.partition),
        "tile": str(record.tile),
        "slot": record.slot,
        "name": record.name,
        "sizes": dict(record.sizes),
        "digests": dict(record.digests),
        "bytes": sum(record.sizes.values()),
    }


def _triplet(row: sa.RowMapping) -> TripletRecord:
    tile = TileId.parse(row["tile"])
    return TripletRecord(_partition(row), tile, row["slot"], row["name"], row["sizes"], row["digests"])


def _verdict(row: sa.RowMapping) -> Verdict:
    same = {name: row[name] for name in ("aoi", "name", "withheld", "person", "reason")}
    return Verdict(at=aware(row["at"]), **same)


def aware(at: datetime) -> datetime:
    """A time as it was written: SQLite keeps no zone, all our times are UTC."""
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _event(row: sa.RowMapping) -> Event:
    return Event(aware(row["at"]), _partition(row), row["stage"], row["message"], row["figures"])
