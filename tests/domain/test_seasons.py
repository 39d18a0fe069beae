"""Seasons of a calendar year as half-open intervals; winter is January, February and December of that year."""

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sen12ts_pipeline.domain.seasons import (
    Interval,
    Partition,
    Season,
    due,
    intervals,
    label_date,
    pass_search,
    season_of,
)
from tests.domain.examples import utc

years = st.integers(2015, 2040)
seasons = st.sampled_from(Season)


class TestSeasonOfAScene:
    @pytest.mark.parametrize(
        ("day", "season"),
        [
            (date(2020, 1, 1), Season.WINTER),
            (date(2020, 2, 28), Season.WINTER),
            (date(2020, 2, 29), Season.WINTER),
            (date(2020, 3, 1), Season.SPRING),
            (date(2020, 5, 31), Season.SPRING),
            (date(2020, 6, 1), Season.SUMMER),
            (date(2020, 8, 31), Season.SUMMER),
            (date(2020, 9, 1), Season.FALL),
            (date(2020, 11, 30), Season.FALL),
            (date(2020, 12, 1), Season.WINTER),
            (date(2020, 12, 31), Season.WINTER),
        ],
    )
    def test_borders(self, day, season):
        assert season_of(day) is season

    @given(st.dates(date(2015, 1, 1), date(2040, 12, 31)), st.times())
    def test_is_the_one_whose_intervals_hold_it(self, day, clock):
        moment = datetime.combine(day, clock, UTC)
        holding = [s for s in Season if any(moment in i for i in intervals(moment.year, s))]
        assert holding == [season_of(day)]


class TestIntervals:
    def test_winter_has_two_in_one_calendar_year(self):
        assert intervals(2020, Season.WINTER) == (
            Interval(utc("2020-01-01"), utc("2020-03-01")),
            Interval(utc("2020-12-01"), utc("2021-01-01")),
        )

    def test_29_february_is_winter_in_leap_years(self):
        assert utc("2020-02-29T23:59:59.999999") in intervals(2020, Season.WINTER)[0]
        assert utc("2021-03-01") not in intervals(2021, Season.WINTER)[0]

    @given(years)
    def test_of_the_four_seasons_fill_the_year_without_gap_or_overlap(self, year):
        ordered = sorted(i for s in Season for i in intervals(year, s))
        assert len(ordered) == 5
        assert ordered[0].start == datetime(year, 1, 1, tzinfo=UTC)
        assert ordered[-1].end == datetime(year + 1, 1, 1, tzinfo=UTC)
        assert all(a.end == b.start for a, b in pairwise(ordered))

    def test_are_half_open(self):
        spring = intervals(2020, Season.SPRING)[0]
        assert spring.start in spring
        assert spring.end not in spring

    def test_need_aware_times_in_order(self):
        with pytest.raises(ValueError, match="aware"):
            Interval(datetime(2020, 1, 1), datetime(2020, 2, 1))  # noqa: DTZ001 - that is the mistake
        with pytest.raises(ValueError, match="empty"):
            Interval(utc("2020-01-01"), utc("2020-01-01"))


class TestSearchOfPasses:
    def test_crosses_the_borders_of_years_and_seasons(self):
        assert pass_search(2020, Season.WINTER) == (
            Interval(utc("2019-11-11"), utc("2020-03-04")),
            Interval(utc("2020-10-11"), utc("2021-01-04")),
        )
        assert pass_search(2020, Season.SPRING) == (Interval(utc("2020-01-10"), utc("2020-06-04")),)

    @given(years, seasons, st.data(), st.integers(-3, 3), st.integers(0, 4), st.integers(0, 86_399_999_999))
    def test_holds_every_pass_of_every_pairing(self, year, season, data, gap_days, repeats, microseconds):
        interval = data.draw(st.sampled_from(intervals(year, season)))
        last = interval.end.date() - timedelta(days=1)
        scene = data.draw(st.dates(interval.start.date(), last))
        midnight = datetime.combine(scene + timedelta(days=gap_days), time(), UTC)
        newest = midnight + timedelta(microseconds=microseconds)
        assert any(newest - timedelta(days=12 * repeats) in i for i in pass_search(year, season))

    def test_takes_its_window_from_the_rules(self):
        (only,) = pass_search(2020, Season.SUMMER, days_before=10, days_after=0)
        assert only == Interval(utc("2020-05-22"), utc("2020-09-01"))


class TestRuns:
    @pytest.mark.parametrize(
        ("season", "label"),
        [
            (Season.SPRING, date(2020, 3, 1)),
            (Season.SUMMER, date(2020, 6, 1)),
            (Season.FALL, date(2020, 9, 1)),
            (Season.WINTER, date(2020, 12, 1)),
        ],
    )
    def test_are_labelled_by_a_day_of_their_own_year(self, season, label):
        assert label_date(2020, season) == label

    @given(years, seasons)
    def test_the_label_names_the_partition(self, year, season):
        assert Partition.of_label("iowa", label_date(year, season)) == Partition("iowa", year, season)

    def test_a_year_has_exactly_four(self):
        days = (date(2020, 1, 1) + timedelta(days=n) for n in range(366))
        labels = {label_date(2020, s) for s in Season}
        assert len(labels) == 4
        assert Counter(Partition.of_label("iowa", day) for day in days if day in labels).total() == 4

    def test_are_due_when_the_last_interval_is_over_and_orbits_are_precise(self):
        assert due(2020, Season.WINTER) == utc("2021-01-24")
        assert due(2020, Season.FALL) == utc("2020-12-24")
        assert due(2020, Season.FALL, days_after=0, orbit_days=0) == utc("2020-12-01")


class TestPartition:
    def test_text(self):
        partition = Partition("iowa", 2020, Season.WINTER)
        assert str(partition) == "iowa/2020-winter"
        assert partition.name == "2020-winter"

    @given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,20}", fullmatch=True), years, seasons)
    def test_round_trips(self, aoi, year, season):
        partition = Partition(aoi, year, season)
        assert Partition.parse(str(partition)) == partition

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "iowa",
            "iowa/2020",
            "iowa/2020-autumn",
            "iowa/20-fall",
            "../iowa/2020-fall",
            "-iowa/2020-fall",
            "iowa/2020-fall\n",
        ],
    )
    def test_refuses_other_forms(self, text):
        with pytest.raises(ValueError, match="partition"):
            Partition.parse(text)
