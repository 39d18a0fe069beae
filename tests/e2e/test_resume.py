"""kill -9 anywhere and run again: the data set is, byte for byte, that of a run that was never interrupted."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sen12ts_pipeline.dataset.verify import verify
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.ports import CandidateState
from tests import worlds

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
PLACES = 5
STORES = [*(f"kill-{place}" for place in range(PLACES)), "again"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Archive of one tile and two candidates."""
    return worlds.world("tiny", tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def killed(tiny, tmp_path_factory):
    """Folder of the stores, and the events of the runs that made them; -1 for a run that was killed."""
    base = tmp_path_factory.mktemp("killed")
    command = [sys.executable, "-m", "tests.e2e.dying", str(tiny), str(base), str(PLACES)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stderr
    return base, json.loads(done.stdout)


def test_the_undisturbed_run_writes_enough_to_be_killed_in_many_places(killed):
    base, lives = killed
    assert lives["whole"][0] > 50
    assert len(list((base / "whole/tiny/metadata").glob("*.json"))) == 2
    assert lives["again"].count(-1) >= 4
    assert all(lives[f"kill-{place}"][0] == -1 for place in range(PLACES))


@pytest.mark.parametrize("name", STORES)
def test_a_run_that_was_killed_is_taken_up(name, tiny, killed):
    base, _ = killed
    assert worlds.files_of(base / name, "tiny") == worlds.files_of(base / "whole", "tiny")
    assert verify(base / name / "tiny") == []
    services = worlds.services_of(tiny, base / name)
    partition = Partition.parse("tiny/2023-fall")
    assert [t.slot for t in services.ledger.triplets(partition)] == [1, 2]
    assert {r.state for r in services.ledger.candidates(partition=partition)} == {CandidateState.FINISHED}


def test_what_is_there_is_not_made_again(killed):
    base, lives = killed
    before, after = (sorted(p.name for p in (base / name / "_work").rglob("*")) for name in ("whole", "again"))
    assert [name for name in before if len(name) == 32] == [name for name in after if len(name) == 32]
    assert lives["again"][-1] < 20  # only what is derived from the rest is written once more
    for place in range(1, PLACES):
        assert lives[f"kill-{place}"][1] < lives["whole"][0]
