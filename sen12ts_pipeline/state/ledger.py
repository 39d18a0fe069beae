"""The ledger over SQL: SQLite by default, PostgreSQL by URL, one schema."""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, IntegrityError, NoSuchModuleError, OperationalError

from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.domain.seasons import Partition, Season
from sen12ts_pipeline.errors import ConfigurationError, Retryable, Sen12tsError
from sen12ts_pipeline.ports import CandidateRecord, CandidateState, Ledger, TripletRecord
from sen12ts_pipeline.state import migrations
from sen12ts_pipeline.state.tables import candidates, events, quarantine, triplets

log = logging.getLogger(__name__)

BUSY_TIMEOUT_S = 60
_MIGRATION_LOCK = 0x53313253
"""Number of PostgreSQL's advisory lock under which the schema changes."""
_NEEDS_A_PERSON = {
    "unable to open database file": "must be a file in a folder that can be written",
    "readonly database": "must be writable",
    "not a database": "must be a database of SQLite: move the file away, the ledger can be rebuilt from the store",
    "malformed": "must be whole: move the file away, the ledger can be rebuilt from the store",
}
"""What SQLite says, and what must hold."""


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
        parsed = _checked(url)
        shown = parsed.render_as_string(hide_password=True)
        try:
            engine = _sqlite_engine(parsed) if parsed.get_backend_name() == "sqlite" else sa.create_engine(parsed)
        except ModuleNotFoundError as error:
            rule = f"its database driver must be installed: {error.name}"
            raise ConfigurationError("ledger", "ledger", rule, shown) from error
        with _explained(shown):
            _migrate(engine, shown)
        return cls(engine, cap)

    def record_candidates(self, records: Iterable[CandidateRecord]) -> None:
        """Insert or update candidates by partition, tile, scene, track and pass."""
        rows = [_candidate_row(record) for record in records]
        if rows:
            with self._writing() as connection:
                connection.execute(self._upsert(candidates), rows)

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

    def record_triplet(self, record: TripletRecord) -> None:
        """Insert a triplet; recording it again changes nothing but its sizes and digests.

        Raises
        ------
        SlotTaken
            When another triplet holds the slot, when this one holds another slot, or when the slot is above the cap.
        """
        self._record_triplets([record])

    def triplets(self, partition: Partition) -> list[TripletRecord]:
        """Finished triplets of a partition, by tile and slot."""
        query = sa.select(triplets).where(*_of(triplets, partition))
        with self._reading() as connection:
            found = [_triplet(row) for row in connection.execute(query).mappings()]
        return sorted(found, key=lambda r: (r.tile, r.slot))

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

    def partitions(self) -> tuple[Partition, ...]:
        """Partitions of which anything is known, in order."""
        columns = [sa.select(table.c.aoi, table.c.year, table.c.season) for table in (candidates, triplets, events)]
        with self._reading() as connection:
            rows = connection.execute(sa.union(*columns)).mappings()
            return tuple(sorted(_partition(row) for row in rows))

    def counts(self, partition: Partition) -> dict[tuple[CandidateState, str], int]:
        """Candidates of a partition by state and rule."""
        columns = candidates.c.state, candidates.c.rule
        query = sa.select(*columns, sa.func.count()).where(*_of(candidates, partition)).group_by(*columns)
        with self._reading() as connection:
            return {(CandidateState(state), rule): n for state, rule, n in connection.execute(query.order_by(*columns))}

    def _record_triplets(self, records: Iterable[TripletRecord]) -> int:
        known = list(records)
        with self._writing() as connection:
            for record in known:
                self._record_one(connection, record)
        return len(known)

    def _record_one(self, connection: Connection, record: TripletRecord) -> None:
        statement = self._insert(triplets).values(**_triplet_row(record), cap=self._cap)
        same_place = sa.and_(*_of(triplets, record.partition), triplets.c.tile == str(record.tile))
        statement = statement.on_conflict_do_update(
            index_elements=["aoi", "name"],
            set_={name: statement.excluded[name] for name in ("sizes", "digests", "cap")},
            where=sa.and_(same_place, triplets.c.slot == record.slot),
        )
        where = f"{record.partition} {record.tile} slot {record.slot}"
        try:
            done = connection.execute(statement).rowcount
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
        with _explained(self._shown), self._engine.connect() as connection:
            begun = connection.execution_options(sen12ts_write=True).begin()
            with begun:
                yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with _explained(self._shown), self._engine.connect() as connection:
            yield connection


def rebuild_triplets(ledger: Ledger, records: Iterable[TripletRecord]) -> int:
    """Record the triplets that a store holds, and tell how many; those already recorded stay as they are."""
    if isinstance(ledger, SqlLedger):
        return ledger._record_triplets(records)
    count = 0
    for record in records:
        ledger.record_triplet(record)
        count += 1
    return count


def _checked(url: str) -> URL:
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, NoSuchModuleError) as error:
        rule = "must be a database URL such as sqlite:////data/ledger.sqlite or postgresql+psycopg://user@host/name"
        raise ConfigurationError("ledger", "ledger", rule, url) from error
    if backend not in {"sqlite", "postgresql"}:
        raise ConfigurationError("ledger", "ledger", "must be a database of SQLite or PostgreSQL", backend)
    if backend == "sqlite" and parsed.database in {None, "", ":memory:"}:
        raise ConfigurationError("ledger", "ledger", "must be a file: several processes share the ledger", url)
    return parsed


def _sqlite_engine(url: URL) -> Engine:
    """Engine without a pool (a forked worker inherits no connection); writers take the lock when they begin."""
    path = Path(url.database or "")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _lock_file(path).touch()
    except OSError as error:
        rule = f"the ledger's folder must be writable: {error.strerror}"
        raise ConfigurationError("ledger", "ledger", rule, str(path)) from error
    engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args={"timeout": BUSY_TIMEOUT_S})

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 - a DBAPI connection
        connection.isolation_level = None
        connection.execute("PRAGMA synchronous = NORMAL")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("sen12ts_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _migrate(engine: Engine, shown: str) -> None:
    if _revision(engine) == migrations.HEAD:
        return
    with _migration_lock(engine) as connection:
        found = _revision(engine)
        if found is not None and found > migrations.HEAD:
            rule = f"was made by a newer version of sen12ts: schema {found}, this version knows {migrations.HEAD}"
            raise ConfigurationError("ledger", "ledger", rule, shown)
        if found != migrations.HEAD:
            with connection.begin():
                migrations.upgrade(connection)
            log.info("ledger's schema brought up to date", extra={"ledger": shown, "revision": migrations.HEAD})


def _revision(engine: Engine) -> str | None:
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


@contextmanager
def _migration_lock(engine: Engine) -> Iterator[Connection]:
    """Connection of the one process that may change the schema now."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_lock(_MIGRATION_LOCK)))
            connection.commit()
            try:
                yield connection
            finally:
                connection.execute(sa.select(sa.func.pg_advisory_unlock(_MIGRATION_LOCK)))
                connection.commit()
            return
        with _lock_file(Path(engine.url.database or "")).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            connection.connection.cursor().execute("PRAGMA journal_mode = WAL")
            yield connection.execution_options(sen12ts_write=True)


def _lock_file(database: Path) -> Path:
    return database.with_name(f"{database.name}.lock")


@contextmanager
def _explained(shown: str) -> Iterator[None]:
    """Errors of the database by what is to be done: most pass, some need a person."""
    try:
        yield
    except DatabaseError as error:
        reason = str(error.orig)
        for sign, rule in _NEEDS_A_PERSON.items():
            if sign in reason:
                raise ConfigurationError("ledger", "ledger", f"{rule} ({reason})", shown) from error
        if isinstance(error, OperationalError):
            raise Retryable(f"the ledger {shown} does not answer: {reason}") from error
        raise


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
    }


def _triplet(row: sa.RowMapping) -> TripletRecord:
    tile = TileId.parse(row["tile"])
    return TripletRecord(_partition(row), tile, row["slot"], row["name"], row["sizes"], row["digests"])


def _event(row: sa.RowMapping) -> Event:
    at = row["at"] if row["at"].tzinfo else row["at"].replace(tzinfo=UTC)
    return Event(at, _partition(row), row["stage"], row["message"], row["figures"])
