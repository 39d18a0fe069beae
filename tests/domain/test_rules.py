"""Thresholds: the defaults are the paper's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sen12ts_pipeline.domain.rules import TRIPLET_BYTES, Rules


def test_defaults_are_the_paper_s():
    rules = Rules()
    assert rules.max_cloud_percent == 10
    assert rules.max_gap_days == 3
    assert (rules.repeat_days, rules.repeat_tolerance_minutes, rules.series_length) == (12, 30, 4)
    assert not rules.mix_platforms
    assert rules.max_invalid_percent == 1
    assert rules.cap_per_season == 4
    assert rules.budget_bytes == 320e9
    assert (rules.search_days_before, rules.search_days_after) == (51, 3)


def test_the_search_reaches_back_over_a_series_and_the_gap():
    rules = Rules()
    assert rules.search_days_before == rules.series_length * rules.repeat_days + rules.max_gap_days
    assert rules.search_days_after == rules.max_gap_days


@pytest.mark.parametrize(("invalid", "admitted"), [(0, True), (655, True), (656, False), (65_536, False)])
def test_invalid_pixels_stay_below_one_percent(invalid, admitted):
    assert Rules().admits_invalid(invalid) is admitted


@given(st.integers(0, 65_536), st.integers(1, 100))
def test_the_limit_is_strict(invalid, percent):
    assert Rules(max_invalid_percent=percent).admits_invalid(invalid) == (invalid / 65_536 < percent / 100)


def test_a_limit_that_is_a_whole_number_of_pixels_is_itself_refused():
    quarter = Rules(max_invalid_percent=25)
    assert quarter.admits_invalid(16_383)
    assert not quarter.admits_invalid(16_384)


def test_a_triplet_and_its_quarter_of_the_label_have_6_85_megabytes():
    assert TRIPLET_BYTES == 65_536 * 19 * 4 + 65_536 * 14 * 2 + 65_536 * 2 / 4
    assert round(TRIPLET_BYTES / 1e6, 2) == 6.85


def test_a_season_has_a_quarter_of_the_budget():
    assert Rules().season_triplets == 11_681
    assert Rules(budget_bytes=4 * TRIPLET_BYTES).season_triplets == 1
    assert Rules(budget_bytes=4 * TRIPLET_BYTES - 4).season_triplets == 0
