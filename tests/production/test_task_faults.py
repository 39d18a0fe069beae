"""Faults of single tasks, in areas of their own: nothing lost, nothing doubled.

Areas of one ledger share what is known of products: the area with the crashing product comes last, since the others
have the same product whole.
"""

import subprocess

import pytest

from sen12ts_pipeline.ports import CandidateState
from tests import worlds
from tests.production.conftest import POISONED
from tests.production.drilled import nothing_was_lost

pytestmark = [pytest.mark.needs_production, pytest.mark.e2e, pytest.mark.timeout(1500)]

STAGES = ("search", "match", "screen_optical", "screen_radar", "select", "optical", "radar", "labels", "assemble")
LAST_STAGES = ("publish", "report")
STARVED = {"optical": "little_memory", "screen_radar": "killed_for_memory"}
KILLED_WITH_THE_WORKER = ("radar", "assemble")


@pytest.fixture(scope="module")
def runs(stack, small_disk):
    """Runs that meet their faults."""
    for stage in (*STAGES, *LAST_STAGES):
        whole = stage in KILLED_WITH_THE_WORKER
        (stack.drills / f"killed.{stage}.{'kill_worker' if whole else 'kill_task'}").touch()
    for stage, fault in STARVED.items():
        (stack.drills / f"short.{stage}.{fault}").touch()
    (stack.drills / "short.radar.full_scratch").touch()
    stack.proxy.only("/stores/short/short/s1/", 507, 507)
    return {area: stack.trigger(area) for area in ("killed", "short")}


def tries(tasks):
    """Most tries of a shard, by task."""
    found = {}
    for (task, _), one in tasks.items():
        found[task] = max(found.get(task, 0), one["try_number"])
    return found


def met(stack, aoi):
    """Whether every fault of an area was met."""
    return not list(stack.drills.glob(f"{aoi}.*"))


def test_a_worker_is_killed_in_every_stage(stack, runs, made):
    tasks = stack.finish(runs["killed"], 800)
    assert met(stack, "killed")
    assert {task for task, n in tries(tasks).items() if n > 1} >= {*STAGES, *LAST_STAGES}
    assert stack.starts["worker-sar"] > 1
    nothing_was_lost(made("killed"))


@pytest.fixture(scope="module", autouse=True)
def small_disk(stack):
    """A disk of 64 kilobytes, where a test may make one."""
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(stack.small_disk)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        stack.small_disk.rmdir()  # a folder that is not there cannot be written either
        yield
        return
    yield
    subprocess.run(["umount", str(stack.small_disk)], check=True)


def test_want_of_memory_and_full_disks_end_a_try_and_leave_nothing_half_done(stack, runs, made):
    tasks = stack.finish(runs["short"], 800)
    assert met(stack, "short")
    assert {task for task, n in tries(tasks).items() if n > 1} >= {"screen_radar", "radar", "assemble"}
    nothing_was_lost(made("short"))


def test_a_product_that_crashes_its_reader_is_quarantined_and_the_rest_is_made(stack, made, tall, tmp_path):
    tasks = stack.finish(stack.trigger("crashed"), 800)
    assert set(tries(tasks).values()) == {1}
    crashed = made("crashed")
    ((product, reason),) = crashed.ledger.quarantined().items()  # no other fault accused any product
    assert POISONED in product
    refused = [r for r in crashed.ledger.candidates(partition=crashed.partition) if r.rule == "bad_product"]
    assert refused
    assert all(r.state is CandidateState.REFUSED and "SIGSEGV" in r.detail and product in r.detail for r in refused)
    without = worlds.services_of(tall, tmp_path)
    without.ledger.quarantine(product, reason)
    worlds.run(without)
    crashed.expected = worlds.files_of(tmp_path, "tall")
    nothing_was_lost(crashed)
