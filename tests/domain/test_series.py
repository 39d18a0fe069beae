"""A series is five passes of one track, 12 days +- 30 minutes apart, of one platform."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sen12ts_pipeline.domain.rules import Rules
from sen12ts_pipeline.domain.series import series_ending
from sen12ts_pipeline.errors import Rejected
from tests.domain.examples import NOON, a_visit, utc

RULES = Rules()
MIXING = Rules(mix_platforms=True)


def back(days, *, minutes=0.0, platform="S1A"):
    return a_visit(NOON - timedelta(days=days) + timedelta(minutes=minutes), platform)


NEWEST = back(0)
EARLIER = [back(12), back(24), back(36), back(48)]


class TestComplete:
    def test_is_newest_first(self):
        series = series_ending(NEWEST, EARLIER, RULES)
        assert series.visits == (NEWEST, *EARLIER)
        assert series.newest == NEWEST

    def test_has_four_pairs_each_with_the_date_12_days_before(self):
        pairs = series_ending(NEWEST, EARLIER, RULES).pairs
        assert len(pairs) == 4
        assert [later for later, _ in pairs] == [NEWEST, *EARLIER[:3]]
        assert all(later.time - earlier.time == timedelta(days=12) for later, earlier in pairs)

    @given(st.permutations([NEWEST, *EARLIER, *(back(days, platform="S1B") for days in (6, 18, 30)), back(60)]))
    def test_does_not_depend_on_the_order_nor_on_other_passes(self, among):
        assert series_ending(NEWEST, among, RULES).visits == (NEWEST, *EARLIER)

    def test_crosses_the_border_of_years_and_29_february(self):
        newest = a_visit(utc("2020-03-10T03:00"))
        days = ("2020-02-27", "2020-02-15", "2020-02-03", "2020-01-22")
        series = series_ending(newest, [a_visit(utc(f"{day}T03:00")) for day in days], RULES)
        assert tuple(v.date.isoformat() for v in series.visits) == ("2020-03-10", *days)
        january = a_visit(utc("2020-01-02T03:00"))
        days = ("2019-12-21", "2019-12-09", "2019-11-27", "2019-11-15")
        series = series_ending(january, [a_visit(utc(f"{day}T03:00")) for day in days], RULES)
        assert tuple(v.date.isoformat() for v in series.visits[1:]) == days

    def test_follows_the_rules_length_and_repeat(self):
        rules = Rules(series_length=2, repeat_days=6)
        series = series_ending(NEWEST, [back(6), back(12), back(18)], rules)
        assert series.visits == (NEWEST, back(6), back(12))


class TestGaps:
    @pytest.mark.parametrize("missing", [12, 24, 36, 48])
    def test_any_missing_pass_refuses_it(self, missing):
        among = [v for v in EARLIER if v != back(missing)]
        with pytest.raises(Rejected) as refusal:
            series_ending(NEWEST, among, RULES)
        assert refusal.value.rule == "series_gap"
        assert refusal.value.subject == NEWEST.pass_id
        assert f"{back(missing).date}" in refusal.value.detail

    @pytest.mark.parametrize("step", [12, 24, 36, 48])
    @pytest.mark.parametrize(("minutes", "found"), [(30, True), (-30, True), (30.1, False), (-30.1, False)])
    def test_thirty_minutes_are_tolerated(self, step, minutes, found):
        among = [v for v in EARLIER if v != back(step)] + [back(step, minutes=minutes)]
        if found:
            assert back(step, minutes=minutes) in series_ending(NEWEST, among, RULES).visits
        else:
            with pytest.raises(Rejected, match="series_gap"):
                series_ending(NEWEST, among, RULES)

    def test_a_pass_six_days_earlier_is_no_substitute(self):
        with pytest.raises(Rejected, match="series_gap"):
            series_ending(NEWEST, [back(6), *EARLIER[1:]], RULES)

    def test_of_two_passes_near_the_date_the_nearer_serves(self):
        among = [*EARLIER[1:], back(12, minutes=-20), back(12, minutes=5)]
        assert series_ending(NEWEST, among, RULES).visits[1] == back(12, minutes=5)


class TestPlatforms:
    def test_are_not_mixed(self):
        with pytest.raises(Rejected) as refusal:
            series_ending(NEWEST, [*EARLIER[:2], back(36, platform="S1B"), EARLIER[3]], RULES)
        assert refusal.value.rule == "mixed_platforms"
        assert "S1B" in refusal.value.detail

    def test_are_mixed_on_request(self):
        other = back(36, platform="S1B")
        series = series_ending(NEWEST, [*EARLIER[:2], other, EARLIER[3]], MIXING)
        assert series.visits[3] == other

    def test_the_newest_pass_s_own_is_preferred_even_so(self):
        among = [*EARLIER, *(back(days, platform="S1C", minutes=-1) for days in (12, 24, 36, 48))]
        assert {v.platform for v in series_ending(NEWEST, among, MIXING).visits} == {"S1A"}
        far = [back(days, minutes=29) for days in (12, 24, 36, 48)]
        near = [back(days, platform="S1C") for days in (12, 24, 36, 48)]
        assert series_ending(NEWEST, far + near, MIXING).visits[1:] == tuple(far)
