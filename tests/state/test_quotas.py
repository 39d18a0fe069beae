"""A provider's quota holds for all workers together, whatever becomes of one of them, in SQLite and in PostgreSQL."""

import multiprocessing
import os
import time
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sen12ts_pipeline.domain.quotas import QUOTAS, Quota
from sen12ts_pipeline.errors import BadProduct, ConfigurationError, Retryable
from sen12ts_pipeline.passing import Passing
from sen12ts_pipeline.state import databases
from sen12ts_pipeline.state.quotas import ANSWER_BYTES, LONGEST_PAUSE_S, Quotas
from tests.state import turning

FORK = multiprocessing.get_context("forkserver")
FORK.set_forkserver_preload(["tests.state.turning"])
WORKERS = 40
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC).timestamp()
HOUR_S, DAY_S = 3600.0, 86400.0
MANY = 10**6


class Clock:
    """A clock that goes on when somebody sleeps, and not otherwise."""

    def __init__(self, now=NOON):
        self.now, self.slept = now, []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += max(seconds, 0.001)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """URL of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    return request.getfixturevalue("postgresql_server").new_database()


@pytest.fixture
def here(tmp_path):
    return f"sqlite:///{tmp_path / 'ledger.sqlite'}"


@pytest.fixture
def opened():
    """Opens quotas of the provider ``p``, and closes them at the end."""
    kept = []

    def open_quotas(url, quota, clock=None, **options):
        clock = clock or Clock()
        kept.append(Quotas(url, {"p": quota}, clock=clock, sleep=clock.sleep, **options))
        return kept[-1]

    yield open_quotas
    for one in kept:
        one.close()


def processes(target, *arguments, count=WORKERS):
    """Run a worker in so many processes at once."""
    start = FORK.Barrier(count)
    workers = [FORK.Process(target=target, args=(*arguments, start)) for _ in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(300)
    assert [worker.exitcode for worker in workers] == [0] * count


def refused_while_another_is(gate):
    """Of two requests on their way at one time the later one is told to wait for years, the other one for a second."""
    with gate.turn():
        with pytest.raises(Passing), gate.turn():
            raise Passing("answered 503", 1e9)
        raise Passing("answered 429", 1.0)


def stand_still(gate, clock):
    """A request of which nothing comes for so long that another one takes its place."""
    with gate.turn() as turn:
        clock.now += 101
        with gate.turn():
            turn.received(7)


def most_at_once(events):
    now = most = 0
    for event in events.decode():
        now += 1 if event == "+" else -1
        most = max(most, now)
    return most


class TestFortyProcesses:
    def test_never_hold_more_connections_than_there_are_and_use_all_of_them(self, url, tmp_path, opened):
        quotas = {"p": Quota(connections=4, requests_per_minute=MANY)}
        processes(turning.work, url, quotas, 4, tmp_path / "log")
        events = (tmp_path / "log").read_bytes()
        assert len(events) == 2 * 4 * WORKERS
        assert 2 <= most_at_once(events) <= 4
        (state,) = opened(url, quotas["p"], Clock(time.time())).states()
        assert (state.connections, state.requests) == (0, 4 * WORKERS)

    def test_make_just_the_requests_of_a_minute(self, url, tmp_path, opened):
        quota = Quota(connections=WORKERS, requests_per_minute=90)
        processes(turning.take, url, {"p": quota}, NOON, 0, tmp_path / "log")
        assert (tmp_path / "log").read_bytes() == b"+" * 90
        (state,) = opened(url, quota).states()
        assert state.requests == 90

    def test_never_receive_more_than_the_volume(self, url, tmp_path, opened):
        quota = Quota(connections=WORKERS, requests_per_minute=MANY, bytes_per_30_days=10_000)
        processes(turning.take, url, {"p": quota}, NOON, 300, tmp_path / "log")
        (state,) = opened(url, quota).states()
        assert state.volume_bytes == 300 * len((tmp_path / "log").read_bytes())
        assert 10_000 - 10_000 // 8 - 300 < state.volume_bytes <= 10_000


def test_the_place_of_a_killed_worker_is_free_when_its_lease_lapses(url, tmp_path, opened):
    quota, log = Quota(connections=1, requests_per_minute=MANY), tmp_path / "log"
    worker = FORK.Process(target=turning.hang, args=(url, {"p": quota}, 30.0, log))
    worker.start()
    while not log.exists() and worker.is_alive():
        time.sleep(0.01)
    worker.kill()
    worker.join()
    clock = Clock(time.time())
    began = clock.now
    quotas = opened(url, quota, clock)
    assert quotas.states()[0].connections == 1
    with quotas.gate("p").turn():
        assert 25 < clock.now - began < 32
        assert quotas.states()[0].connections == 1
    assert quotas.states()[0].connections == 0


def test_a_slow_answer_keeps_its_place_as_long_as_bytes_come(here, opened):
    clock = Clock()
    quotas = opened(here, Quota(1, MANY), clock, lease_s=100)
    with quotas.gate("p").turn() as turn:
        for _ in range(10):
            clock.now += 60
            turn.received(7)
            assert quotas.states()[0].connections == 1
    assert quotas.states()[0].volume_bytes == 70


def test_an_answer_that_stood_still_for_too_long_is_given_up_and_no_fault_of_the_server(here, opened):
    clock = Clock()
    quotas = opened(here, Quota(1, MANY), clock, lease_s=100)
    with pytest.raises(Passing, match="was too slow"):
        stand_still(quotas.gate("p"), clock)
    state = quotas.states()[0]
    assert (state.connections, state.volume_bytes, state.faults) == (0, 7, 0)


def test_who_finds_all_connections_in_use_waits_and_is_left_to_a_later_try_after_five_minutes(here, opened):
    clock = Clock()
    quotas = opened(here, Quota(1, MANY), clock, lease_s=1000)
    gate, told = quotas.gate("p"), "p: all 1 connections were in use; try again later"
    with gate.turn(), pytest.raises(Retryable, match=told), gate.turn():
        pass
    assert 300 <= clock.now - NOON < 302
    assert max(clock.slept) <= 1.0


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.floats(0, 30), min_size=8, max_size=40), st.integers(1, 6))
def test_no_minute_has_more_requests_than_allowed(tmp_path, pauses, limit):
    clock, begun = Clock(), []
    quotas = Quotas(
        f"sqlite:///{tmp_path / f'{time.time_ns()}'}",
        {"p": Quota(2, limit)},
        clock=clock,
        sleep=clock.sleep,
    )
    for pause in pauses:
        clock.now += pause
        with quotas.gate("p").turn():
            begun.append(clock.now)
    quotas.close()
    for later, earlier in zip(begun[limit:], begun, strict=False):
        assert later - earlier >= 60


def test_a_full_minute_is_waited_for(here, opened):
    clock = Clock()
    gate = opened(here, Quota(1, 3), clock).gate("p")
    for _ in range(4):
        with gate.turn():
            pass
    assert 60 <= clock.now - NOON <= 66


class TestVolume:
    LIMIT = 100 * 10**9

    @pytest.fixture
    def used(self, here, opened):
        """A volume that is used up within two hours."""
        clock = Clock()
        quotas = opened(here, Quota(1, MANY, self.LIMIT), clock)
        for size in (10 * 10**9, 90 * 10**9):
            with quotas.gate("p").turn() as turn:
                turn.received(size)
            clock.now += HOUR_S
        return quotas, clock

    def test_that_is_used_up_is_told_with_the_time_when_some_is_free_again(self, used):
        quotas, _ = used
        told = r"p: 100.0 of 100.0 GB of 30 days are used up; try again after 2026-12-01 13:00:00 UTC, in 43140 min"
        with pytest.raises(Retryable, match=told), quotas.gate("p").turn():
            pass

    def test_is_free_again_when_its_hour_is_thirty_days_old(self, used):
        quotas, clock = used
        clock.now = NOON + 30 * DAY_S + HOUR_S - 301
        with pytest.raises(Retryable, match="in 5 min"), quotas.gate("p").turn():
            pass
        clock.now = NOON + 30 * DAY_S + HOUR_S
        with quotas.gate("p").turn():
            pass
        assert quotas.states()[0].volume_bytes == 90 * 10**9

    def test_is_kept_for_what_is_on_its_way(self, here, opened):
        gate = opened(here, Quota(4, MANY, 8 * ANSWER_BYTES)).gate("p")
        with gate.turn() as first:
            first.received(6 * ANSWER_BYTES)
        with gate.turn(), gate.turn(), pytest.raises(Retryable, match="used up"), gate.turn():
            pass


class TestAPause:
    def test_that_a_server_asks_one_worker_for_is_kept_to_by_all(self, url, opened):
        clock, quota = Clock(), Quota(2, MANY)
        with pytest.raises(Passing), opened(url, quota, clock).gate("p").turn():
            raise Passing("answered 429", 40.0)
        others = opened(url, quota, clock)
        (state,) = others.states()
        assert state.paused_until == datetime.fromtimestamp(NOON + 40, UTC)
        assert state.reason == "the server answered 429"
        with others.gate("p").turn():
            assert 40 <= clock.now - NOON < 41
        assert others.states()[0].paused_until is None

    def test_is_told_when_it_is_too_long_to_be_waited_for(self, here, opened):
        clock = Clock()
        gate = opened(here, Quota(2, MANY), clock).gate("p")
        with pytest.raises(Passing), gate.turn():
            raise Passing("answered 503", 900.0)
        told = r"p: all workers pause \(the server answered 503\); try again after 2026-11-01 12:15:00 UTC, in 15 min"
        with pytest.raises(Retryable, match=told), gate.turn():
            pass
        assert not clock.slept

    def test_is_an_hour_at_most_and_does_not_get_shorter(self, here, opened):
        quotas = opened(here, Quota(2, MANY))
        with pytest.raises(Passing, match="429"):
            refused_while_another_is(quotas.gate("p"))
        assert quotas.states()[0].paused_until == datetime.fromtimestamp(NOON + LONGEST_PAUSE_S, UTC)

    def test_follows_many_faults_in_a_row_of_whichever_workers(self, url, opened):
        clock, quota = Clock(), Quota(2, MANY, faults=4, pause_s=600.0)
        workers = [opened(url, quota, clock).gate("p") for _ in range(2)]
        for k in range(4):
            with pytest.raises(Passing), workers[k % 2].turn():
                raise Passing("answered 500")
        told = r"all workers pause \(4 faults in a row, the last one: answered 500\); try again after .*, in 10 min"
        with pytest.raises(Retryable, match=told), workers[0].turn():
            pass
        clock.now += 600
        with workers[0].turn():
            pass
        assert opened(url, quota, clock).states()[0].faults == 0

    def test_does_not_follow_faults_with_good_answers_between_them(self, here, opened):
        quotas = opened(here, Quota(2, MANY, faults=3))
        gate = quotas.gate("p")
        for k in range(9):
            with pytest.raises(Passing), gate.turn():
                raise Passing("answered 500")
            if k % 2:
                with gate.turn():
                    pass
        assert quotas.states()[0].paused_until is None

    def test_does_not_follow_what_is_no_fault_of_the_server(self, here, opened):
        quotas = opened(here, Quota(2, MANY, faults=1))
        with pytest.raises(BadProduct), quotas.gate("p").turn():
            raise BadProduct("P", "", "gone")
        assert quotas.states()[0].faults == 0

    def test_may_be_ended_by_a_person(self, here, opened):
        quotas = opened(here, Quota(2, MANY))
        with pytest.raises(Passing), quotas.gate("p").turn():
            raise Passing("answered 429", 3000.0)
        quotas.resume("p")
        with quotas.gate("p").turn():
            pass


def test_what_was_fetched_is_kept_when_the_database_is_gone_and_noted_when_it_is_back(postgresql_server, opened):
    clock = Clock()
    quotas = opened(postgresql_server.new_database(), Quota(1, MANY), clock, lease_s=10)
    gate = quotas.gate("p")
    with gate.turn() as turn:
        turn.received(5)
        postgresql_server.kill()
        clock.now += 5
        turn.received(6)
    with pytest.raises(Retryable, match="does not answer"), gate.turn():
        pass
    postgresql_server.start()
    clock.now += 20
    with gate.turn():
        pass
    state = quotas.states()[0]
    assert (state.connections, state.volume_bytes) == (0, 11)


def test_a_forked_process_shares_no_connection(url, opened):
    quotas = opened(url, Quota(2, MANY))
    with quotas.gate("p").turn():
        pass
    child = os.fork()
    if not child:
        with quotas.gate("p").turn():
            os._exit(0)
    with quotas.gate("p").turn():
        pass
    assert os.waitpid(child, 0)[1] == 0
    assert quotas.states()[0].requests == 3


def test_a_kept_connection_is_one(postgresql_server, opened):
    url = postgresql_server.new_database()
    gate = opened(url, Quota(9, MANY)).gate("p")
    with gate.turn(), gate.turn(), gate.turn():
        pass
    name = url.partition("/@/")[2] or url.partition("@/")[2]
    held = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name.partition('?')[0]}'"
    assert postgresql_server.sql(held) == "1\n"


def test_a_turn_in_postgresql_is_few_questions(postgresql_server, opened):
    quotas = opened(postgresql_server.new_database(), Quota(9, MANY))
    gate, asked = quotas.gate("p"), []
    with gate.turn() as turn:
        turn.received(7)
    sa.event.listen(quotas._engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
    with gate.turn() as turn:
        turn.received(7)
        entered = len(asked)
    assert (entered, len(asked)) == (3, 4), asked
    assert quotas.states()[0].volume_bytes == 14


def test_a_connection_that_the_server_closed_while_nobody_asked_is_replaced(postgresql_server, opened, monkeypatch):
    monkeypatch.setattr(databases, "IDLE_S", 0.0)
    quotas = opened(postgresql_server.new_database(), Quota(9, MANY))
    for _ in range(2):
        with quotas.gate("p").turn():
            pass
        postgresql_server.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sen12ts'"
        )
    assert quotas.states()[0].requests == 2


def test_who_has_no_quota_has_no_gate(here, opened):
    with pytest.raises(ConfigurationError, match="provider: must be one of p; got 'q'"):
        opened(here, Quota(1, 1)).gate("q")


def test_what_the_data_space_grants_is_known():
    assert QUOTAS["cdse"] == Quota(4, 2000, 12 * 10**12)


@pytest.mark.parametrize("values", [(0, 1), (1, 0), (1, 1, 0)], ids=str)
def test_a_quota_admits_something(values):
    with pytest.raises(ValueError, match="admits at least one request"):
        Quota(*values)
