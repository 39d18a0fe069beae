"""The quotas of providers, kept by all workers together in the ledger's database.

A request takes a lease on one of the provider's connections, is counted in its minute, and its bytes in their hour. A
wait that a server names to one worker, and a pause after many faults, hold for all. Who is killed gives no lease back:
it lapses. Clocks of machines are taken to agree to some seconds.
"""

from __future__ import annotations

import functools
import logging
import os
import random
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection, Engine

from sen12ts_pipeline.domain.quotas import DAYS, QUOTAS, Quota
from sen12ts_pipeline.errors import ConfigurationError, Retryable
from sen12ts_pipeline.passing import Passing
from sen12ts_pipeline.state.databases import explained, open_database
from sen12ts_pipeline.state.tables import quota_leases, quota_providers, quota_volume

log = logging.getLogger(__name__)

LEASE_S = 150.0
"""A lease lapses unless bytes come meanwhile; longer than the silence after which a request is given up."""
PATIENCE_S = 300.0
"""Longest wait for a turn; what takes longer is left to the scheduler."""
LONGEST_PAUSE_S = 3600.0
"""Longest pause that a server's word can bring about: a wrong word must not stop everybody for a year."""
SPAN_S = 5
"""Requests are counted in spans of this length; one counts until all of it is a minute old."""
SPANS = 60 // SPAN_S
HOURS = DAYS * 24
NEAR = 0.8
"""Share of a limit from which people are told that it is near."""
ANSWER_BYTES = 64 * 2**20
"""Volume kept free for every connection in use, since nobody knows the size of an answer before it comes."""
FIRST_LOOK_S, LONGEST_LOOK_S = 0.02, 1.0
"""How long who waits for a connection does so before looking again: first, and at most."""
_LOCK = 0x53313251
"""First number of PostgreSQL's advisory locks under which a provider's turns are given; the second is the provider."""

Clock = Callable[[], float]
Spans = Sequence[tuple[int, int]]
Step = tuple[Any, Mapping[str, object]]
"""A statement that changes a table, and its values; one name has one value in all that are carried out together."""


@dataclass(frozen=True, slots=True)
class Use:
    """How much of one limit is in use.

    Attributes
    ----------
    what : str
        What is limited.
    used, limit : float
        In the same unit; None for no limit.
    """

    what: str
    used: float
    limit: float | None

    @property
    def text(self) -> str:
        """For people."""
        return f"{self.used:g}{'' if self.limit is None else f' of {self.limit:g}'} {self.what}"

    @property
    def is_near(self) -> bool:
        """Whether the limit is reached soon."""
        return self.limit is not None and self.used >= NEAR * self.limit


@dataclass(frozen=True, slots=True)
class ProviderState:
    """How much of a provider's quota is in use.

    Attributes
    ----------
    provider : str
        Its name.
    quota : Quota or None
        What is allowed; None for a provider that is not configured any more.
    connections : int
        In use now.
    requests : int
        Of the last minute.
    volume_bytes : int
        Of the last 30 days.
    faults : int
        In a row, up to now.
    paused_until : datetime or None
        UTC; None if requests are admitted.
    reason : str
        Of the pause.
    """

    provider: str
    quota: Quota | None
    connections: int
    requests: int
    volume_bytes: int
    faults: int
    paused_until: datetime | None
    reason: str

    @property
    def is_idle(self) -> bool:
        """Whether nothing was asked for a long time."""
        return not (self.connections or self.requests or self.volume_bytes or self.faults or self.paused_until)

    @property
    def uses(self) -> tuple[Use, ...]:
        """Each limit."""
        q = self.quota
        volume = q.bytes_per_30_days if q else None
        return (
            Use("connections", self.connections, q.connections if q else None),
            Use("requests in a minute", self.requests, q.requests_per_minute if q else None),
            Use(f"GB in {DAYS} days", round(self.volume_bytes / 1e9, 1), volume and volume / 1e9),
        )


class Quotas:
    """The quotas of all providers in one database. Threads and processes, forked ones too, may share it.

    Parameters
    ----------
    url : str
        Of the ledger's database.
    quotas : mapping
        Quotas by provider.
    clock, sleep : callable
        Seconds since 1970, and waiting: for tests.
    lease_s : float
        Time after which a lease lapses.

    Raises
    ------
    ConfigurationError, Retryable
        As `databases.open_database`.
    """

    def __init__(
        self,
        url: str,
        quotas: Mapping[str, Quota] = QUOTAS,
        *,
        clock: Clock = time.time,
        sleep: Callable[[float], object] = time.sleep,
        lease_s: float = LEASE_S,
    ) -> None:
        self.quotas, self.clock, self.sleep, self.lease_s = quotas, clock, sleep, lease_s
        self._url, self._opening = url, threading.Lock()
        _OPEN.add(self)

    @property
    def _engine(self) -> Engine:
        """The database, opened when somebody first asks: whose settings are wrong leaves no ledger behind."""
        if "_opened" not in self.__dict__:
            with self._opening:
                return self._opened
        return self._opened

    @functools.cached_property
    def _opened(self) -> Engine:
        engine = open_database(self._url, keep=True)
        weakref.finalize(self, engine.dispose)
        return engine

    @property
    def shown(self) -> str:
        """The database's address, without a password."""
        return self._engine.url.render_as_string(hide_password=True)

    def gate(self, provider: str) -> SqlGate:
        """The gate of a provider; ConfigurationError if there is no quota of that name."""
        if provider not in self.quotas:
            rule = f"must be one of {', '.join(sorted(self.quotas))}"
            raise ConfigurationError("quotas", "provider", rule, provider)
        return SqlGate(self, provider, self.quotas[provider])

    def states(self) -> list[ProviderState]:
        """What is in use, by provider: of those with a quota, and of those that were asked once."""
        now = self.clock()
        with self.transaction(write=False) as connection:
            known = connection.scalars(sa.select(quota_providers.c.provider)).all()
            return [self._state(connection, one, now) for one in sorted({*self.quotas, *known})]

    def resume(self, provider: str) -> None:
        """End a provider's pause: for a person who knows better."""
        with self.transaction() as connection:
            calm = {"faults": 0, "paused_until": 0.0, "reason": ""}
            connection.execute(quota_providers.update().where(quota_providers.c.provider == provider).values(calm))

    def close(self) -> None:
        """Close the connection that is kept; the next transaction opens one."""
        if "_opened" in self.__dict__:
            self._opened.dispose()

    @contextmanager
    def transaction(self, *, write: bool = True) -> Iterator[Connection]:
        """A transaction; errors as the ledger's."""
        with explained(self.shown), self._engine.connect() as connection:
            begun = connection.execution_options(sen12ts_write=write).begin()
            with begun:
                yield connection

    def at_once(self, *steps: Step) -> None:
        """Carry out statements together: in PostgreSQL as one, asked in one question; errors as the ledger's."""
        if self._engine.dialect.name != "postgresql":
            with self.transaction() as connection:
                _carry_out(connection, steps)
            return
        with explained(self.shown), self._engine.connect() as connection:
            _carry_out(connection.execution_options(isolation_level="AUTOCOMMIT"), steps)

    def _state(self, connection: Connection, provider: str, now: float) -> ProviderState:
        use = _use(connection, provider, now)
        paused = datetime.fromtimestamp(use.paused_until, UTC) if use.paused_until > now else None
        requests, reason = sum(n for _, n in _recent(use.requests, now)), use.reason if paused else ""
        quota = self.quotas.get(provider)
        return ProviderState(provider, quota, use.leases, requests, use.volume, use.faults, paused, reason)


_OPEN: weakref.WeakSet[Quotas] = weakref.WeakSet()


def _close_all() -> None:
    for quotas in tuple(_OPEN):
        quotas.close()


os.register_at_fork(before=_close_all)
"""No connection may be in two processes: SQLite's locks would fail, and PostgreSQL's answers go to either."""


class SqlGate:
    """Implements `ports.Gate` over `Quotas`.

    A `Passing` that leaves a turn is a fault. The wait that it names is kept to by all workers; many without one, in a
    row and by whichever workers, bring about a pause of all.
    """

    def __init__(self, quotas: Quotas, provider: str, quota: Quota) -> None:
        self._quotas, self._provider, self._quota = quotas, provider, quota
        self._owed, self._owed_lock, self._hour = 0, threading.Lock(), 0

    @contextmanager
    def turn(self) -> Iterator[_Turn]:
        """Wait until the quota admits one more request, and hold a connection meanwhile.

        Raises
        ------
        Retryable
            When none is admitted within five minutes, saying when one will be; or when the database does not answer.
        """
        turn = _Turn(self, self._admitted())
        fault: Passing | None = None
        try:
            yield turn
        except _Lost:
            raise
        except Passing as passing:
            fault = passing
            raise
        finally:
            self._end(turn, fault)

    def renew(self, holder: str, size: int) -> None:
        """Keep a lease for longer, and note bytes; Passing if it has lapsed."""
        with self._quotas.transaction() as connection:
            _relax(connection)
            until = {"until": self._quotas.clock() + self._quotas.lease_s}
            mine = quota_leases.c.holder == holder
            kept = connection.execute(quota_leases.update().where(mine).values(until)).rowcount
            self._note(connection, size)
        if not kept:
            raise _Lost(f"was too slow: its place among {self._quota.connections} connections is another's")

    @property
    def now(self) -> float:
        """Seconds since 1970."""
        return self._quotas.clock()

    @property
    def renewal_s(self) -> float:
        """Time after which a lease that is still in use is renewed."""
        return self._quotas.lease_s / 4

    def _admitted(self) -> str:
        """Holder of a new lease."""
        began, look_s = self.now, FIRST_LOOK_S
        holder, refusal = self._enter()
        while not holder:
            free_at = refusal.free_at
            if self.now - began >= PATIENCE_S or (free_at or 0.0) - began > PATIENCE_S:
                raise Retryable(f"{self._provider}: {refusal.why}; try again {_when(free_at, self.now)}")
            spread = random.uniform(0.5, 1.0)  # noqa: S311 - no secret
            self._quotas.sleep(look_s * spread if free_at is None else free_at - self.now + FIRST_LOOK_S * spread)
            look_s = min(1.5 * look_s, LONGEST_LOOK_S)
            refused = self._look()
            holder, refusal = ("", refused) if refused else self._enter()
        return holder

    def _look(self) -> _Refusal | None:
        """Why nobody is admitted now, found without keeping others from writing."""
        with self._quotas.transaction(write=False) as connection:
            return self._refusal(connection, _use(connection, self._provider, self.now))

    def _enter(self) -> tuple[str, _Refusal]:
        """Holder of a new lease, or why there is none."""
        with self._quotas.transaction() as connection:
            _lock(connection, self._provider)
            use = _use(connection, self._provider, self.now)
            refusal = self._refusal(connection, use)
            return ("", refusal) if refusal else (self._lease(connection, use), _NONE)

    def _refusal(self, connection: Connection, use: _Use) -> _Refusal | None:
        quota, now = self._quota, self.now
        if use.paused_until > now:
            return _Refusal(f"all workers pause ({use.reason})", use.paused_until)
        limit = quota.bytes_per_30_days
        if limit is not None and use.volume + (use.leases + 1) * min(ANSWER_BYTES, limit // 8) > limit:
            used = f"{use.volume / 1e9:.1f} of {limit / 1e9:.1f} GB of {DAYS} days are used up"
            return _Refusal(used, self._volume_free_at(connection, use, limit))
        recent = _recent(use.requests, now)
        if sum(n for _, n in recent) >= quota.requests_per_minute:
            why = f"{quota.requests_per_minute} requests were made in a minute"
            return _Refusal(why, float((recent[0][0] + SPANS + 1) * SPAN_S))
        if use.leases >= quota.connections:
            return _Refusal(f"all {quota.connections} connections were in use", None)
        return None

    def _lease(self, connection: Connection, use: _Use) -> str:
        """Take a lease and count a request."""
        holder, now = uuid.uuid4().hex, self.now
        if use.lapsed:
            connection.execute(_SWEEP, {"of": self._provider, "now": now})
            log.warning("leases lapsed", extra={"provider": self._provider, "leases": use.lapsed})
        counted, span = dict(_recent(use.requests, now)), int(now // SPAN_S)
        counted[span] = counted.get(span, 0) + 1
        lease = {"mine": holder, "of": self._provider, "lapses": now + self._quotas.lease_s}
        row = {"of": self._provider, "counted": sorted(counted.items())}
        _carry_out(connection, [(_TAKE, lease), (_COUNT if use.known else _BEGIN, row)])
        return holder

    def _end(self, turn: _Turn, fault: Passing | None) -> None:
        """Give a lease back and note what came. What was fetched is not lost when the database does not answer now."""
        with self._owed_lock:
            size, self._owed = turn.take() + self._owed, 0
        leave, hour = (_LEAVE, {"mine": turn.holder}), int(self.now // 3600)
        try:
            if fault is None and hour == self._hour:
                self._quotas.at_once(leave, (_GOOD, self._of), *self._added(size, hour))
                return
            with self._quotas.transaction() as connection:
                _relax(connection)
                _carry_out(connection, [leave])
                self._note(connection, size)
                self._remember(connection, fault)
        except (Retryable, ConfigurationError) as error:
            with self._owed_lock:
                self._owed += size
            seen = {"provider": self._provider, "reason": str(error), "owed_bytes": size}
            log.warning("a request could not be noted", extra=seen)

    def _note(self, connection: Connection, size: int) -> None:
        """Add bytes to their hour; the first ones of an hour drive out what is older than any window."""
        hour = int(self.now // 3600)
        _carry_out(connection, self._added(size, hour))
        if hour != self._hour:
            old = quota_volume.c.provider == self._provider, quota_volume.c.hour < hour - 2 * HOURS
            connection.execute(quota_volume.delete().where(*old))
            self._hour = hour

    @property
    def _of(self) -> dict[str, object]:
        return {"of": self._provider}

    def _added(self, size: int, hour: int) -> list[Step]:
        """What adds bytes to an hour."""
        return [(_ADD, {**self._of, "at": hour, "more": size})] if size else []

    def _remember(self, connection: Connection, fault: Passing | None) -> None:
        """Count a fault, or forget those before a good answer; pause all where that is due."""
        mine = quota_providers.c.provider == self._provider
        if fault is None:
            connection.execute(_GOOD, self._of)
        elif fault.wait_s is not None:
            self._pause(connection, min(fault.wait_s, LONGEST_PAUSE_S), f"the server {fault}")
        else:
            more = quota_providers.update().where(mine).values(faults=quota_providers.c.faults + 1)
            faults = connection.execute(more.returning(quota_providers.c.faults)).scalar() or 0
            if faults >= self._quota.faults:
                self._pause(connection, self._quota.pause_s, f"{faults} faults in a row, the last one: {fault}")

    def _pause(self, connection: Connection, wait_s: float, reason: str) -> None:
        until, t = self.now + wait_s, quota_providers
        sooner = t.c.provider == self._provider, t.c.paused_until < until
        connection.execute(t.update().where(*sooner).values(paused_until=until, reason=reason))
        log.warning("all workers pause", extra={"provider": self._provider, "seconds": wait_s, "reason": reason})

    def _volume_free_at(self, connection: Connection, use: _Use, limit: int) -> float:
        """When so many of the oldest hours are over that a request is admitted."""
        v = quota_volume
        hours = sa.select(v.c.hour, v.c.bytes).where(v.c.provider == self._provider).order_by(v.c.hour)
        left, now = use.volume, self.now
        for hour, size in connection.execute(hours.where(v.c.hour >= int(now // 3600) - HOURS)):
            left -= size
            if left + min(ANSWER_BYTES, limit // 8) <= limit:
                return float((hour + HOURS + 1) * 3600)
        return now + 3600


class _Lost(Passing):
    """A turn whose lease has lapsed."""


@dataclass(slots=True)
class _Turn:
    """Implements `ports.Turn`: bytes are noted with the lease's renewals and at the end."""

    gate: SqlGate
    holder: str
    _size: int = 0
    _renewed: float = field(init=False)

    def __post_init__(self) -> None:
        self._renewed = self.gate.now

    def received(self, size: int) -> None:
        """Note bytes; Passing if they came so slowly that the lease has lapsed."""
        self._size += size
        if self.gate.now - self._renewed > self.gate.renewal_s:
            noted = self.take()
            try:
                self.gate.renew(self.holder, noted)
            except Retryable:  # the database does not answer now: what is being fetched goes on
                self._size += noted
            self._renewed = self.gate.now

    def take(self) -> int:
        """Bytes that were not yet noted."""
        size, self._size = self._size, 0
        return size


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why no request is admitted, and until when (seconds since 1970); None if nobody knows."""

    why: str
    free_at: float | None


_NONE = _Refusal("", None)


@dataclass(frozen=True, slots=True)
class _Use:
    known: bool
    requests: Spans
    faults: int
    paused_until: float
    reason: str
    leases: int
    lapsed: int
    volume: int


def _live(symbol: str) -> sa.Select[Any]:
    mine = quota_leases.c.provider == sa.bindparam("provider")
    over = quota_leases.c.until <= sa.bindparam("now")
    return sa.select(sa.func.count()).where(mine, over if symbol == "<=" else sa.not_(over))


_P, _V = quota_providers.c, quota_volume.c
_VOLUME = sa.select(sa.func.coalesce(sa.func.sum(_V.bytes), 0)).where(
    _V.provider == sa.bindparam("provider"), _V.hour >= sa.bindparam("hour")
)
_COUNTS = sa.select(
    _live(">").scalar_subquery().label("leases"),
    _live("<=").scalar_subquery().label("lapsed"),
    _VOLUME.scalar_subquery().label("volume"),
).subquery()
_OF_PROVIDER = sa.select(_COUNTS, _P.requests, _P.faults, _P.paused_until, _P.reason).select_from(
    _COUNTS.outerjoin(quota_providers, _P.provider == sa.bindparam("provider"))
)


_OF: sa.BindParameter[str] = sa.bindparam("of")
_SWEEP = quota_leases.delete().where(quota_leases.c.provider == _OF, quota_leases.c.until <= sa.bindparam("now"))
_MINE: sa.BindParameter[str] = sa.bindparam("mine")
_COUNTED: sa.BindParameter[Any] = sa.bindparam("counted", type_=_P.requests.type)
_TAKE = quota_leases.insert().values(holder=_MINE, provider=_OF, until=sa.bindparam("lapses"))
_LEAVE = quota_leases.delete().where(quota_leases.c.holder == _MINE)
_BEGIN = quota_providers.insert().values(provider=_OF, requests=_COUNTED, faults=0, paused_until=0.0, reason="")
_COUNT = quota_providers.update().where(_P.provider == _OF).values(requests=_COUNTED)
_GOOD = quota_providers.update().where(_P.provider == _OF, _P.faults > 0).values(faults=0)


_ADDED = postgresql.insert(quota_volume).values(provider=_OF, hour=sa.bindparam("at"), bytes=sa.bindparam("more"))
_ADD = _ADDED.on_conflict_do_update(
    index_elements=["provider", "hour"], set_={"bytes": _V.bytes + _ADDED.excluded.bytes}
)
"""SQLite has the same words for it."""


def _carry_out(connection: Connection, steps: Sequence[Step]) -> None:
    """Carry out statements; where they can be joined to one, with one question to the server."""
    if connection.dialect.name == "postgresql" and steps:
        values = {name: value for _, given in steps for name, value in given.items()}
        connection.execute(_joined(tuple(statement for statement, _ in steps)), values)
        return
    for statement, given in steps:
        connection.execute(statement, given)


@functools.cache
def _joined(statements: tuple[Any, ...]) -> sa.Select[Any]:
    """One statement that does not wait for the disk either; their order does not matter, nor do they see each other."""
    return _RELAX.add_cte(*(one.cte(f"step_{k}") for k, one in enumerate(statements)))


def _use(connection: Connection, provider: str, now: float) -> _Use:
    asked = {"provider": provider, "now": now, "hour": int(now // 3600) - HOURS}
    row = connection.execute(_OF_PROVIDER, asked).one()
    spans = [(int(span), int(n)) for span, n in row.requests or ()]
    counts = int(row.leases), int(row.lapsed), int(row.volume)
    known = row.requests is not None
    return _Use(known, spans, row.faults or 0, row.paused_until or 0.0, row.reason or "", *counts)


_RELAX = sa.select(sa.func.set_config("synchronous_commit", "off", True))
_RELAX_AND_LOCK = _RELAX.add_columns(sa.func.pg_advisory_xact_lock(_LOCK, sa.func.hashtext(_OF)))


def _recent(spans: Spans, now: float) -> list[tuple[int, int]]:
    """Spans of which any part may be younger than a minute."""
    first = int(now // SPAN_S) - SPANS
    return [(span, n) for span, n in spans if span >= first]


def _lock(connection: Connection, provider: str) -> None:
    """Keep others from entering until the transaction ends; SQLite has done so when it began."""
    if connection.dialect.name == "postgresql":
        connection.execute(_RELAX_AND_LOCK, {"of": provider})


def _relax(connection: Connection) -> None:
    """Do not wait for the disk: what a crash loses is a few requests of a count."""
    if connection.dialect.name == "postgresql":
        connection.execute(_RELAX)


def _when(free_at: float | None, now: float) -> str:
    if free_at is None:
        return "later"
    moment = datetime.fromtimestamp(free_at, UTC)
    return f"after {moment:%Y-%m-%d %H:%M:%S} UTC, in {max(free_at - now, 0.0) / 60:.0f} min"
