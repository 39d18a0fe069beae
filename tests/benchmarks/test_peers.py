"""The comparison with other tools: what it says of known errors, of tools that fail, and in the documentation."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers import environments, judge, native_task, report, run

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "benchmarks.md"


@pytest.fixture
def truth():
    """Fields of 640 m with two levels, coherent but for one corner, and a phase of one value."""
    east, north = np.meshgrid(np.arange(512) // 64, np.arange(512) // 64)
    gamma0 = np.where((east + north) % 2, 0.1, 0.01)
    coherence = np.full((256, 256), 0.8)
    coherence[:64, :64] = 0.0
    return {"gamma0": gamma0, "beta0": 2 * gamma0, "coherence": coherence, "phase": np.full((256, 256), 3.0)}


def test_an_image_that_is_too_bright_is_found_so(truth):
    errors = judge.power_errors(truth["gamma0"] * 10**0.1, truth, "gamma0")
    assert errors["power_mean_db"] == pytest.approx(1.0)
    assert errors["power_std_db"] == pytest.approx(0.0, abs=1e-9)


def test_noise_shows_on_dark_ground(truth):
    errors = judge.power_errors(truth["gamma0"] + 0.01, truth, "gamma0")
    assert errors["dark_mean_db"] == pytest.approx(10 * np.log10(2))


def test_blocks_without_data_do_not_count(truth):
    power = truth["beta0"].copy()
    power[:256] = np.nan
    errors = judge.power_errors(power, truth, "beta0")
    assert errors["blocks"] == (512 // judge.BLOCK) ** 2 // 2
    assert errors["power_mean_db"] == pytest.approx(0.0)


@pytest.mark.parametrize(("rows", "cols", "north", "east"), [(0, 1, 0, 10), (-1, 0, 10, 0), (1, -1, -10, -10)])
def test_a_shift_is_measured(truth, rows, cols, north, east):
    moved = 3 * np.roll(judge._blurred(judge._blurred(truth["gamma0"]).T).T, (rows, cols), (0, 1))
    found = judge.shift_m(moved, truth, "gamma0")
    assert found["north_m"] == pytest.approx(north, abs=2.5)
    assert found["east_m"] == pytest.approx(east, abs=2.5)


def test_offset_plane_and_spread_of_a_phase_are_told_apart(truth):
    rng = np.random.default_rng(1)
    plane = np.radians(60) * (np.indices((256, 256))[0] / 256)
    phase = truth["phase"] + 0.5 + plane + rng.normal(0, 0.2, (256, 256))
    errors = judge.pair_errors(truth["coherence"] + 0.05, phase, truth)
    assert errors["phase_plane_deg"] == pytest.approx(60, abs=1)
    assert errors["phase_std_deg"] == pytest.approx(np.degrees(0.2), abs=0.3)
    assert errors["coherence_bias"] == pytest.approx(0.05)
    assert errors["coherence_of_none"] == pytest.approx(0.05)


def test_a_task_that_fails_is_told_with_its_reason():
    with pytest.raises(run.Failed, match="exit status 1: ValueError: no burst"):
        run._execute([sys.executable, "-c", "raise ValueError('no burst')"])


def test_a_task_that_hangs_is_ended(monkeypatch):
    monkeypatch.setattr(run, "LIMIT_S", 0.2)
    with pytest.raises(run.Failed, match="not finished"):
        run._execute([sys.executable, "-c", "import time; time.sleep(60)"])


def test_a_tool_that_cannot_be_installed_leaves_no_environment_and_stops_no_other(tmp_path, monkeypatch):
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "peers-broken.txt").write_text("no-hash==1.0\n")
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    monkeypatch.setattr(run, "PLACE", tmp_path / "peers")
    monkeypatch.setattr(run, "RUNS", (run.Run("broken", "any", "pair", 1),))
    (found,) = run.run_all(None, {"broken"}, lambda line: None)
    assert "not installed: ERROR" in found["failed"]
    assert list((tmp_path / "peers" / "environments").iterdir()) == []


def test_every_run_names_a_task_and_has_a_label():
    assert {r.task for r in run.RUNS if r.tool == "native"} == set(native_task.TASKS)
    assert {(r.tool, r.task) for r in run.RUNS} == set(report.LABELS)


def test_a_failure_is_in_the_tables():
    results = json.loads((ROOT / "benchmarks/results/peers.json").read_text())
    broken = [
        {k: r[k] for k in ("tool", "task", "kind", "layers", "alone")} | {"failed": "why"} for r in results["runs"]
    ]
    assert report.text(results | {"runs": broken}).count(": why") == len(broken)


def test_the_page_has_the_tables_of_the_last_results(tmp_path):
    page = tmp_path / "benchmarks.md"
    page.write_text(PAGE.read_text())
    report.renew(page, json.loads((ROOT / "benchmarks/results/peers.json").read_text()))
    assert page.read_text() == PAGE.read_text(), "make bench-peers writes it anew"


def test_what_other_tools_need_is_no_dependency_of_the_project():
    lists = [p for p in (ROOT / "requirements").glob("*.txt") if not p.name.startswith("peers-")]
    found = subprocess.run(["grep", "-liE", "^(sarsen|insardev)", *lists], capture_output=True, text=True, check=False)
    assert found.stdout == ""
