"""Two runs of one partition and a run of its neighbour at the same time; a worker whose clock jumps."""

import shutil

import pytest

from sen12ts_pipeline.dataset.verify import verify
from tests.production.drilled import nothing_was_lost

pytestmark = [pytest.mark.needs_production, pytest.mark.e2e, pytest.mark.timeout(1500)]


def test_neighbours_and_the_same_partition_twice_at_once(stack, made):
    runs = [stack.trigger("twice"), stack.trigger("twice"), stack.trigger("twice", "summer")]
    for run in runs:
        stack.finish(run, 800)
    twice = made("twice")
    summer = {name for name in twice.files if "2023-summer" in name}
    assert any(name.startswith("partitions/2023-summer") for name in summer)
    assert verify(twice.folder) == []
    nothing_was_lost(twice)


def test_a_worker_whose_clock_jumps(stack, made):
    if not shutil.which("faketime"):
        pytest.skip("needs faketime (apt-get install faketime)")
    stack.environ["FAKETIME_DONT_FAKE_MONOTONIC"] = "1"
    with stack.replaced("worker-sar", ["faketime", "-f", "+10m"]):
        tasks = stack.finish(stack.trigger("skewed"), 300)
    assert {t["state"] for t in tasks.values()} == {"success"}
    nothing_was_lost(made("skewed"))
