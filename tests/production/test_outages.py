"""Outages of the services while a partition is made: tasks that work go on, and what was lost is sent again."""

import time

import pytest

from tests.production.drilled import nothing_was_lost
from tests.production.stack import wait

pytestmark = [pytest.mark.needs_production, pytest.mark.e2e, pytest.mark.timeout(1500)]

MINUTE_S = 60


def scheduler_is_killed(stack):
    stack.kill("scheduler")
    wait(lambda: stack.api("monitor/health")["scheduler"]["status"] == "healthy", 90, stack.tail("scheduler"))


def database_restarts(stack):
    stack.postgresql.kill()
    time.sleep(3)
    stack.postgresql.start()
    wait(lambda: stack.api("monitor/health")["metadatabase"]["status"] == "healthy")


def redis_forgets_everything(stack):
    stack.redis.cli("FLUSHALL")


def api_server_is_down_for_a_minute(stack):
    with stack.down("api-server"):
        time.sleep(MINUTE_S)
    stack.api("monitor/health")


OUTAGES = {
    "search": scheduler_is_killed,
    "match": database_restarts,
    "screen_radar": redis_forgets_everything,
    "radar": api_server_is_down_for_a_minute,
}
"""What happens while a task works."""


@pytest.fixture(scope="module")
def run(stack):
    """A run during which one service after another fails; each task named above works from before to after."""
    for task in OUTAGES:
        (stack.drills / f"outages.{task}.held").touch()
    run = stack.trigger("outages")
    for task, outage in OUTAGES.items():
        held = stack.drills / f"{task}.is_held"
        wait(held.exists, 180, lambda: stack.told(run))
        outage(stack)
        held.unlink()
    stack.finish(run, 800)
    return run


@pytest.mark.parametrize(("task", "outage"), OUTAGES.items(), ids=lambda x: x if isinstance(x, str) else x.__name__)
def test_a_task_that_works_during_an_outage_is_not_disturbed(stack, run, task, outage):
    assert {t["try_number"] for t in stack.tasks(run) if t["task_id"] == task} == {1}


def test_nothing_was_lost_in_the_outages(run, made):
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
    stack.finish(run, 800)
    nothing_was_lost(made("weather"))
