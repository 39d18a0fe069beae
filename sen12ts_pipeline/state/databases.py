"""Databases of the ledger: how each kind is opened, brought to the newest schema, and what its errors mean."""

from __future__ import annotations

import fcntl
import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, InterfaceError, NoSuchModuleError, OperationalError

from sen12ts_pipeline.errors import ConfigurationError, Retryable
from sen12ts_pipeline.state import migrations

log = logging.getLogger(__name__)

BUSY_TIMEOUT_S = 60
CONNECT_TIMEOUT_S = 10
IDLE_S = 2.0
"""A kept connection that was not used for so long is looked at before it is used."""
_MIGRATION_LOCK = 0x53313253
"""Number of PostgreSQL's advisory lock under which the schema changes."""
_NEEDS_A_PERSON = {
    "unable to open database file": "must be a file in a folder that can be written",
    "readonly database": "must be writable",
    "not a database": "must be a database of SQLite: move the file away, the ledger can be rebuilt from the store",
    "malformed": "must be whole: move the file away, the ledger can be rebuilt from the store",
    "authentication failed": "must have a user and password that the server knows",
    "no password supplied": "must have a user and password that the server knows",
    "no pg_hba\\.conf entry": "must be a user whom the server lets in from this machine",
    "permission denied|must be owner of": "must be a user who may read and write the ledger's tables; the schema is "
    "brought up to date by a user who may change it",
    'database ".*" does not exist': "must name a database that is there",
    'role ".*" does not exist': "must name a user who is there",
}
"""What SQLite or PostgreSQL says, as regular expressions, and what must hold."""
_PACKAGES = {"psycopg": "'psycopg[binary]'"}
_DRIVERS_OF_LIBPQ = frozenset({"psycopg", "psycopg2"})


def open_database(url: str, *, keep: bool = False) -> Engine:
    """A database by its URL, made when it is a file that is not there, with its schema up to date.

    Parameters
    ----------
    url : str
        Of SQLite or PostgreSQL.
    keep : bool
        Whether a connection stays open for the next transaction, for who has many short ones: it must be closed
        before a process forks.

    Raises
    ------
    ConfigurationError
        When the URL is wrong, its driver is not installed, or the schema was made by a newer version.
    Retryable
        When the database does not answer.
    """
    parsed = _checked(url)
    shown = parsed.render_as_string(hide_password=True)
    try:
        sqlite = parsed.get_backend_name() == "sqlite"
        engine = _sqlite_engine(parsed, keep=keep) if sqlite else _postgresql_engine(parsed, keep=keep)
    except ModuleNotFoundError as error:
        rule = f"its database driver must be installed: pip install {_PACKAGES.get(str(error.name), error.name)}"
        raise ConfigurationError("ledger", "ledger", rule, shown) from error
    with explained(shown):
        _migrate(engine, shown)
    return engine


def _checked(url: str) -> URL:
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
        parsed.get_dialect()
    except (ArgumentError, NoSuchModuleError, ValueError):
        rule = "must be a database URL such as sqlite:////data/ledger.sqlite or postgresql+psycopg://user@host/name"
        _, at, place = url.rpartition("@")  # what comes before may be a password
        raise ConfigurationError("ledger", "ledger", rule, f"***@{place}" if at else url) from None
    if backend not in {"sqlite", "postgresql"}:
        raise ConfigurationError("ledger", "ledger", "must be a database of SQLite or PostgreSQL", backend)
    if backend == "sqlite" and parsed.database in {None, "", ":memory:"}:
        raise ConfigurationError("ledger", "ledger", "must be a file: several processes share the ledger", url)
    return parsed


def _sqlite_engine(url: URL, *, keep: bool) -> Engine:
    """Engine without a pool (a forked worker inherits no connection); writers take the lock when they begin.

    One that keeps a connection spares what SQLite does when the last one is closed: it empties the write-ahead log.
    """
    path = Path(url.database or "")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _lock_file(path).touch()
    except OSError as error:
        rule = f"the ledger's folder must be writable: {error.strerror}"
        raise ConfigurationError("ledger", "ledger", rule, str(path)) from error
    engine = sa.create_engine(url, **_pool(keep=keep), connect_args={"timeout": BUSY_TIMEOUT_S})

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 - a DBAPI connection
        connection.isolation_level = None
        connection.execute("PRAGMA synchronous = NORMAL")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("sen12ts_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _postgresql_engine(url: URL, *, keep: bool) -> Engine:
    """Engine without a pool: of hundreds of workers each holds a connection only for a transaction, forked or not.

    One that keeps connections keeps one, and makes sure that it is still good.
    """
    known: dict[str, Any] = {"connect_timeout": CONNECT_TIMEOUT_S, "application_name": "sen12ts"}
    mine = {name: value for name, value in known.items() if name not in url.query}
    options = mine if url.get_driver_name() in _DRIVERS_OF_LIBPQ else {}
    engine = sa.create_engine(url, **_pool(keep=keep), connect_args=options)
    if keep:
        _look_at_idle_ones(engine)
    return engine


def _look_at_idle_ones(engine: Engine) -> None:
    """Replace a kept connection that the server closed meanwhile; one just used is not worth a question."""

    @sa.event.listens_for(engine, "checkin")
    def _used(_connection: object, record: Any) -> None:  # noqa: ANN401 - a pool's record
        record.info["used"] = time.monotonic()

    @sa.event.listens_for(engine, "checkout")
    def _look(connection: Any, record: Any, _fairy: object) -> None:  # noqa: ANN401 - a DBAPI connection
        if time.monotonic() - record.info.get("used", time.monotonic()) < IDLE_S:
            return
        try:
            engine.dialect.do_ping(connection)
        except Exception as error:
            raise sa.exc.DisconnectionError from error


def _pool(*, keep: bool) -> dict[str, Any]:
    return {"poolclass": sa.QueuePool, "pool_size": 1, "max_overflow": -1} if keep else {"poolclass": sa.NullPool}


def _migrate(engine: Engine, shown: str) -> None:
    if _revision(engine) == migrations.HEAD:
        return
    with _migration_lock(engine) as connection:
        found = _revision(engine)
        if found is not None and not migrations.is_ours(found):
            rule = f"must be a database of its own: another program keeps its schema {found} in this one"
            raise ConfigurationError("ledger", "ledger", rule, shown)
        if found is not None and found > migrations.HEAD:
            rule = f"was made by a newer version of sen12ts: schema {found}, this version knows {migrations.HEAD}"
            raise ConfigurationError("ledger", "ledger", rule, shown)
        if found != migrations.HEAD:
            with connection.begin():
                migrations.upgrade(connection)
            log.info("ledger's schema brought up to date", extra={"ledger": shown, "revision": migrations.HEAD})


def _revision(engine: Engine) -> str | None:
    with engine.connect() as connection:
        return migrations.revision_of(connection)


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
def explained(shown: str) -> Iterator[None]:
    """Errors of the database by what is to be done: most pass, some need a person."""
    try:
        yield
    except (DatabaseError, InterfaceError) as error:
        reason = str(error.orig)
        for sign, rule in _NEEDS_A_PERSON.items():
            if re.search(sign, reason):
                raise ConfigurationError("ledger", "ledger", f"{rule} ({reason})", shown) from error
        if isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated:
            raise Retryable(f"the ledger {shown} does not answer: {reason}") from error
        raise
