"""Outages of the services while a partition is made: tasks that work go on, and what was lost is sent again."""

import time

import pytest

from tests.production.drilled import nothing_was_lost
from tests.production.stack import wait

pytestmark = [pytest.mark.needs_production, pytest.mark.e2e, pytest.mark.timeout(900)]

HELD = ("search", "match", "screen_radar", "radar")
MINUTE_S = 60


@pytest.fixture(scope="module")
def run(stack):
    """A run that waits in some of its tasks."""
    for task in HELD:
        (stack.drills / f"outages.{task}.held").touch()
    (stack.drills / "hold").touch()
    return stack.trigger("outages")


@pytest.fixture
def held(stack, run):
    """Waits until a task works, and lets it go on when the test is over."""

    def until(task):
        stack.wait_for_task(run, task)
        wait(lambda: not (stack.drills / f"outages.{task}.held").exists(), 60)

    (stack.drills / "hold").touch()
    yield until
    (stack.drills / "hold").unlink()


def tries(stack, run, task):
    """Tries of a task."""
    return [t["try_number"] for t in stack.tasks(run) if t["task_id"] == task]


def test_the_scheduler_is_killed_while_a_task_works(stack, held):
    held("search")
    stack.kill("scheduler")
    stack.start("scheduler")
    health = "scheduler"
    wait(lambda: stack.api("monitor/health")[health]["status"] == "healthy", 90, stack.tail("scheduler"))


def test_the_database_restarts_while_a_task_works(stack, held):
    held("match")
    stack.postgresql.kill()
    time.sleep(3)
    stack.postgresql.start()
    wait(lambda: stack.api("monitor/health")["metadatabase"]["status"] == "healthy")


def test_redis_forgets_everything_while_messages_wait(stack, run, held):
    held("screen_radar")
    stack.redis.cli("FLUSHALL")
    assert stack.redis.cli("DBSIZE") == "0"


def test_the_api_server_is_down_for_a_minute_while_a_task_works(stack, held):
    held("radar")
    stack.kill("api-server")
    time.sleep(MINUTE_S)
    stack.start("api-server")
    stack.api("monitor/health")


def test_tasks_that_worked_during_an_outage_were_not_disturbed_and_nothing_was_lost(stack, run, made):
    stack.finish(run, 300)
    for task in HELD:
        assert tries(stack, run, task) == [1] * len(tries(stack, run, task)), task
    nothing_was_lost(made("outages"))


def test_the_object_store_fails_in_every_way_and_stops_for_half_a_minute(stack, made):
    with stack.proxy.faulty("pass", "pass", 500, "pass", 503, "pass", "half", "pass", "pass", "down", "stall"):
        run = stack.trigger("weather")
        stack.wait_for_task(run, "select", ("success",), 240)
        done = dict(stack.proxy.done)
    assert {500, 503, "half", "down", "stall"} <= set(done)
    with stack.proxy.faulty("down"):
        time.sleep(MINUTE_S / 2)
    assert stack.proxy.done["down"] > 0
    stack.finish(run, 300)
    nothing_was_lost(made("weather"))
