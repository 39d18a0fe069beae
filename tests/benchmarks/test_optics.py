"""What docs/optical.md says of measurements is what was measured."""

import json
from pathlib import Path

import pytest

from benchmarks.clouds import pixels_table, scored, skies, stacks_table
from sen12ts_pipeline.sentinel2.masks import SclMasker

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "optical.md").read_text()


@pytest.fixture(scope="module")
def scores():
    """Simulated skies as the scene classification sees them; the networks' rows take minutes."""
    return scored(skies(), {"scl": SclMasker(), "scl, grown 60 m": SclMasker(dilation_m=60)})


@pytest.mark.parametrize("table", [pixels_table, stacks_table])
def test_the_rows_of_the_scene_classification_are_those_of_the_page(scores, table):
    rows = table(scores).splitlines()
    assert len(rows) == 4
    assert [row for row in rows if row not in PAGE.splitlines()] == []


def test_the_cost_of_stacks_is_within_the_target_and_as_the_page_says():
    found = json.loads((ROOT / "benchmarks" / "results" / "optical.json").read_text())
    assert found["optical_ratio"] <= 1.2
    assert found["optical_peak_mb"] < 2000
    assert f"{found['optical_ratio']:.2f} times" in PAGE
    assert f"{found['optical_peak_mb'] / 1000:.2f} GB of memory" in PAGE
