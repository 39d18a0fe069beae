"""Burst numbers are ESA's, and a burst's track follows from its number alone."""

import csv
from collections import Counter, defaultdict
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sen12ts_pipeline.domain.bursts import (
    BURST_PERIOD_S,
    BURSTS_PER_CYCLE,
    MID_IW2_OFFSET_S,
    ORBIT_PERIOD_S,
    PREAMBLE_S,
    BurstId,
    burst_number,
)

CROSSING = "S1A_IW_SLC__1SDV_20221024T184148_20221024T184218_045587_05735F_D6E2"
"""Starts on track 15 south of the equator and ends on track 16."""

numbers = st.integers(1, BURSTS_PER_CYCLE)
subswaths = st.sampled_from(["IW1", "IW2", "IW3"])


def esa_rows():
    path = Path(__file__).parents[1] / "data" / "sentinel1" / "bursts_with_esa_ids.csv"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    firsts = defaultdict(list)
    for row in rows:
        firsts[row["product"]].append(float(row["azimuthAnxTime"]))
    for row in rows:
        row["after_node"] = min(firsts[row["product"]]) > ORBIT_PERIOD_S
    return rows


class TestEsaNumbers:
    def test_are_met_by_every_annotated_burst(self):
        for row in esa_rows():
            assert number_of(row) == int(row["burstId"]), row

    def test_include_slices_that_count_from_the_previous_node(self):
        rows = [row for row in esa_rows() if row["after_node"]]
        assert len(rows) == 47
        for row in rows:
            assert number_of(row, after_node=False) != int(row["burstId"])

    def test_lie_in_the_middle_of_their_period(self):
        # The rule has margin: no annotated time is near a border between two numbers.
        for row in esa_rows():
            middle = float(row["azimuthAnxTime"]) + delay(row) + MID_IW2_OFFSET_S[row["swath"]] - PREAMBLE_S
            middle += (int(row["relativeOrbit"]) - 1 - row["after_node"]) * ORBIT_PERIOD_S
            assert 0.45 < middle / BURST_PERIOD_S % 1 < 0.53


class TestTrack:
    def test_is_the_slice_s_wherever_the_slice_stays_on_one(self):
        for row in esa_rows():
            if row["product"] != CROSSING:
                assert burst_of(row).track == int(row["relativeOrbit"]), row

    def test_changes_at_the_equator_within_a_slice(self):
        rows = [row for row in esa_rows() if row["product"] == CROSSING]
        assert Counter(burst_of(row).track for row in rows) == {15: 9, 16: 21}
        for row in rows:
            assert row["relativeOrbit"] == "15"
            middle_s = float(row["azimuthAnxTime"]) + delay(row) + MID_IW2_OFFSET_S[row["swath"]]
            assert burst_of(row).track == (16 if middle_s > ORBIT_PERIOD_S else 15)

    def test_runs_from_1_to_175_over_the_cycle(self):
        assert BurstId(1, "IW1").track == 1
        assert BurstId(BURSTS_PER_CYCLE, "IW3").track == 175
        tracks = [BurstId(number, "IW2").track for number in range(1, BURSTS_PER_CYCLE, 500)]
        assert all(a <= b <= a + 1 for a, b in pairwise(tracks))
        assert set(tracks) == set(range(1, 176))

    @given(numbers, subswaths)
    def test_is_that_of_the_number_in_all_subswaths(self, number, subswath):
        assert BurstId(number, subswath).track == BurstId(number, "IW2").track


@given(numbers, subswaths, st.floats(0.9, 1.5), st.floats(-0.3, 0.3), st.booleans())
def test_number_and_times_invert_each_other(number, subswath, raw_delay_s, jitter, after_node):
    track = BurstId(number, subswath).track
    middle_s = PREAMBLE_S + (number - 0.5 + jitter) * BURST_PERIOD_S - (track - 1) * ORBIT_PERIOD_S
    anx_s = middle_s - MID_IW2_OFFSET_S[subswath] - raw_delay_s + after_node * ORBIT_PERIOD_S
    assert number == burst_number(
        anx_s=anx_s, raw_delay_s=raw_delay_s, subswath=subswath, track=track, after_node=after_node
    )


def test_a_slice_that_leaves_track_175_counts_on_from_1():
    # 375,887 burst periods are 1.04 s shorter than twelve days.
    beyond_s = PREAMBLE_S + (BURSTS_PER_CYCLE + 0.5) * BURST_PERIOD_S - 174 * ORBIT_PERIOD_S
    anx_s = beyond_s - MID_IW2_OFFSET_S["IW2"] - 1.0
    from_175 = burst_number(anx_s=anx_s, raw_delay_s=1.0, subswath="IW2", track=175, after_node=False)
    from_1 = burst_number(anx_s=anx_s, raw_delay_s=1.0, subswath="IW2", track=1, after_node=True)
    assert from_175 == from_1 == 1


class TestText:
    def test_has_six_digits_and_the_subswath(self):
        assert str(BurstId(456, "IW1")) == "000456_iw1"
        assert BurstId.parse("151199_iw1") == BurstId(151199, "IW1")

    @given(numbers, subswaths)
    def test_round_trips(self, number, subswath):
        burst = BurstId(number, subswath)
        assert BurstId.parse(str(burst)) == burst
        assert len({burst, BurstId.parse(str(burst))}) == 1

    @pytest.mark.parametrize(
        "text",
        ["", "456_iw1", "000456_IW1", "000456_iw4", "000000_iw1", "375888_iw1", "000456_iw1\n", "t123_000456_iw1"],
    )
    def test_has_one_form(self, text):
        with pytest.raises(ValueError):
            BurstId.parse(text)


@pytest.mark.parametrize(("number", "subswath"), [(0, "IW1"), (375_888, "IW1"), (-1, "IW2"), (5, "iw1"), (5, "EW1")])
def test_other_bursts_do_not_exist(number, subswath):
    with pytest.raises(ValueError, match="no burst"):
        BurstId(number, subswath)


def delay(row):
    return (datetime.fromisoformat(row["sensingTime"]) - datetime.fromisoformat(row["azimuthTime"])).total_seconds()


def number_of(row, after_node=None):
    return burst_number(
        anx_s=float(row["azimuthAnxTime"]),
        raw_delay_s=delay(row),
        subswath=row["swath"],
        track=int(row["relativeOrbit"]),
        after_node=row["after_node"] if after_node is None else after_node,
    )


def burst_of(row):
    return BurstId(int(row["burstId"]), row["swath"])


def test_neighbours_are_those_of_the_subswath_and_the_cycle_closes():
    one = BurstId(151199, "IW2")
    assert (one.before, one.after) == (BurstId(151198, "IW2"), BurstId(151200, "IW2"))
    assert one.after.before == one.before.after == one
    assert BurstId(BURSTS_PER_CYCLE, "IW1").after == BurstId(1, "IW1")
    assert BurstId(1, "IW1").before == BurstId(BURSTS_PER_CYCLE, "IW1")
