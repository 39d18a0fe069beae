"""What a data set costs: formulas that agree with hand-made sums, limits and the figures they come from."""

import dataclasses
import json
import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sen12ts_pipeline.domain import cost
from sen12ts_pipeline.domain.cost import Fetching, Needs, by_parts, by_products
from sen12ts_pipeline.domain.quotas import QUOTAS, Quota

ROOT = Path(__file__).parents[2]
CDSE = QUOTAS["cdse"]
NEEDS = Needs(tiles=1, triplets=1, frames=4, terrains=1, slices=5, bursts=5, screened=2, granules=1)
counts = st.integers(0, 10_000)
needs = st.builds(Needs, counts, counts, counts, counts, counts, counts, counts, counts)


def test_one_triplet_alone_costs_two_gigabytes_by_parts_and_forty_by_whole_products():
    assert by_parts(NEEDS).size == 5 * 298e6 + 5 * 18.3e6 + 651e6 + 2 * 2e6
    assert by_products(NEEDS).size == 5 * 7.8e9 + 2 * 1.05e9
    assert by_products(NEEDS, cost.SLICE_ZIP_BYTES).size == 5 * 4.5e9 + 2 * 1.05e9


def test_a_burst_is_eighteen_requests_a_polarisation():
    bursts = dataclasses.replace(NEEDS, slices=0, screened=0, granules=0)
    assert by_parts(bursts).requests == 5 * 2 * math.ceil(149e6 / 2**23) == 180


@given(needs, st.integers(1, 50))
def test_so_many_times_as_much_costs_so_many_times_as_much(one, count):
    for way in (by_parts, by_products):
        assert way(one.times(count)).size == pytest.approx(count * way(one).size)
        assert way(one.times(count)).requests == count * way(one).requests
    assert cost.cpu_hours(one.times(count)) == pytest.approx(count * cost.cpu_hours(one))


def test_days_are_those_of_the_tightest_limit():
    assert Fetching(80e6 * 86400, 1).days(CDSE) == pytest.approx(1.0)  # four connections of 20 MB/s
    assert Fetching(1.0, 2000 * 60 * 24 * 3).days(CDSE) == pytest.approx(3.0)
    assert Fetching(12e12, 1).days(CDSE) == pytest.approx(12e12 / 80e6 / 86400)


def test_beyond_the_volume_one_waits_until_it_is_free_again():
    transfer = 1e12 / 80e6 / 86400
    assert Fetching(13e12, 1).days(CDSE) == pytest.approx(30 + transfer)
    assert Fetching(25e12, 1).days(CDSE) == pytest.approx(60 + transfer)
    assert Fetching(25e12, 1).days(dataclasses.replace(CDSE, bytes_per_30_days=None)) == pytest.approx(25 * transfer)


@given(st.floats(1, 1e15), st.floats(1, 1e15))
def test_more_bytes_never_take_fewer_days(one, other):
    few, many = sorted((one, other))
    assert Fetching(few, 1).days(CDSE) <= Fetching(many, 1).days(CDSE) * (1 + 1e-9)


@given(st.floats(1e12, 2e14))
def test_no_thirty_days_hold_more_than_the_volume(size):
    quota = Quota(connections=4, requests_per_minute=2000, bytes_per_30_days=12 * 10**12)
    days = Fetching(size, 1).days(quota)
    assert size <= 12e12 * (days // 30 + 1) * (1 + 1e-9)


def test_the_disk_holds_the_store_and_a_spool_that_is_full_or_holds_all():
    store = cost.store_bytes(NEEDS)
    assert store == pytest.approx(6.85e6 + 1.84e6 + 4 * 0.66e6 + 1.06e6, rel=1e-3)
    assert cost.disk_peak_bytes(NEEDS, 20e9) == store + by_parts(NEEDS).size
    assert cost.disk_peak_bytes(NEEDS, 1e9) == store + 1e9


@pytest.mark.parametrize(("width", "height", "bursts"), [(0, 0, 1), (85, 20, 4), (170, 180, 30)])
def test_a_rectangle_meets_so_many_bursts_on_average(width, height, bursts):
    assert cost.bursts_of_rectangle(width, height) == pytest.approx(bursts)


def test_processor_figures_are_those_that_were_measured():
    measured = json.loads((ROOT / "benchmarks/results/engine.json").read_text())
    assert pytest.approx(measured["radar_cpu_s_per_tile"], rel=0.5) == 4 * cost.FRAME_CPU_S
    assert pytest.approx(measured["terrain_cpu_s_per_tile"], rel=0.5) == cost.TERRAIN_CPU_S


def test_the_page_of_benchmarks_tells_what_the_paper_s_data_set_costs():
    page = (ROOT / "docs/benchmarks.md").read_text()
    needed = cost.paper()
    hours = cost.cpu_hours(needed)
    rows = {
        "triplets": f"{needed.triplets:,}",
        "slices of which parts are read": f"{needed.slices:,}",
        "bursts": f"{needed.bursts:,}",
        "granules of which all bands are read": f"{needed.granules:,}",
        "CPU hours": f"{hours:.0f}",
        "processors, US$": f"{hours * 0.05:.2f}",
        "store, TB": f"{cost.store_bytes(needed) / 1e12:.1f}",
    }
    for name, value in rows.items():
        assert re.search(rf"^\| {re.escape(name)} \| {re.escape(value)} \|", page, re.MULTILINE), (name, value)
    ways = {
        "bursts and bands by parts": by_parts(needed),
        "whole products, compressed": by_products(needed, cost.SLICE_ZIP_BYTES),
        "whole products, stored": by_products(needed),
    }
    for name, way in ways.items():
        row = f"| {name} | {way.size / 1e12:.1f} | {way.requests:,} | {way.days(CDSE):.2f} |"
        assert row in page, row
