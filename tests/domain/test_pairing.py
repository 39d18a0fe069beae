"""Pairings: which scene serves a tile, and which pass is near enough."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sen12ts_pipeline.domain.bursts import Track
from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.domain.pairing import Candidate, admits_cloud, admits_gap, best_scenes, best_scenes_across
from sen12ts_pipeline.domain.rules import Rules
from tests.domain.examples import ETHIOPIAN_TILE, a_granule, a_scene, a_series, a_visit, utc

RULES = Rules()


@pytest.mark.parametrize(("percent", "admitted"), [(0.0, True), (9.999, True), (10.0, False), (100.0, False)])
def test_cloud_cover_stays_below_ten_percent(percent, admitted):
    assert admits_cloud(a_scene(cloud_percent=percent), RULES) is admitted


def test_unknown_cloud_cover_is_not_refused_but_left_to_be_measured():
    assert admits_cloud(a_scene(cloud_percent=None), RULES)


class TestGap:
    @pytest.mark.parametrize(
        ("s1", "admitted"),
        [
            ("2020-06-11T23:59:59", False),
            ("2020-06-12T00:00:00", True),
            ("2020-06-15T12:00:00", True),
            ("2020-06-18T23:59:59", True),
            ("2020-06-19T00:00:00", False),
        ],
    )
    def test_is_counted_in_calendar_days_both_ways(self, s1, admitted):
        assert admits_gap(date(2020, 6, 15), a_visit(utc(s1)), RULES) is admitted

    @pytest.mark.parametrize(
        ("s2date", "s1", "admitted"),
        [
            (date(2020, 12, 31), "2021-01-03T05:00", True),
            (date(2020, 12, 31), "2021-01-04T05:00", False),
            (date(2020, 1, 1), "2019-12-29T05:00", True),
            (date(2020, 2, 28), "2020-03-02T05:00", True),
            (date(2021, 2, 28), "2021-03-03T05:00", True),
            (date(2020, 2, 28), "2020-03-03T05:00", False),
        ],
    )
    def test_crosses_the_borders_of_months_and_years(self, s2date, s1, admitted):
        assert admits_gap(s2date, a_visit(utc(s1)), RULES) is admitted

    def test_follows_the_rules(self):
        assert not admits_gap(date(2020, 6, 15), a_visit(utc("2020-06-16T00:00")), Rules(max_gap_days=0))


class TestSceneOfATile:
    def test_is_the_least_cloudy_of_those_that_contain_it(self):
        cloudy, clear = a_scene(mgrs="37PCN", cloud_percent=9.0), a_scene(mgrs="37PCM", cloud_percent=1.0)
        assert best_scenes(ETHIOPIAN_TILE, [cloudy, clear]) == (clear,)

    def test_contains_the_tile_however_clear_others_are(self):
        partly = a_scene(mgrs="37PDN", cloud_percent=0.0, ulx_m=334_980.0)
        cloudy = a_scene(cloud_percent=9.0)
        assert best_scenes(ETHIOPIAN_TILE, [partly, cloudy]) == (cloudy,)

    def test_is_of_the_tile_s_own_zone(self):
        assert best_scenes(ETHIOPIAN_TILE, [a_scene(epsg=32636)]) == ()

    def test_of_another_zone_is_asked_for_apart_and_is_the_least_cloudy_too(self):
        tile = TileId.at(5.99, 44.0)
        west, _, _, north = tile.grid.bounds_in(32632)
        here = {"epsg": 32632, "ulx_m": west - 5000.0, "uly_m": north + 5000.0}
        cloudy, clear = (a_scene(mgrs=m, cloud_percent=c, **here) for m, c in (("32TLP", 9.0), ("32TLQ", 1.0)))
        far = a_scene(mgrs="32TLR", cloud_percent=0.0, epsg=32632, ulx_m=west + 100.0, uly_m=north + 5000.0)
        assert best_scenes(tile, [cloudy, clear, far]) == ()
        assert best_scenes_across(tile, [cloudy, clear, far]) == (clear,)
        assert best_scenes_across(ETHIOPIAN_TILE, [a_scene()]) == ()

    def test_is_the_first_by_name_among_equals(self):
        n, m = a_scene(mgrs="37PCN"), a_scene(mgrs="37PCM")
        assert best_scenes(ETHIOPIAN_TILE, [n, m]) == (m,)

    def test_comes_last_while_its_cloud_is_unknown(self):
        unknown, known = a_scene(mgrs="37PCM", cloud_percent=None), a_scene(mgrs="37PCN", cloud_percent=9.9)
        assert best_scenes(ETHIOPIAN_TILE, [unknown, known]) == (known,)
        assert best_scenes(ETHIOPIAN_TILE, [unknown]) == (unknown,)

    def test_is_one_a_date_also_of_two_datatakes(self):
        # In a tandem phase two satellites see a tile on one date: both triplets would have one name.
        first = a_scene(utc("2024-12-01T07:52:01"), mission="S2A", cloud_percent=3.0)
        second = a_scene(utc("2024-12-01T07:52:31"), mission="S2C", cloud_percent=2.0)
        assert best_scenes(ETHIOPIAN_TILE, [first, second]) == (second,)

    @given(
        st.permutations(
            [
                a_scene(utc(f"2020-06-{day}T07:52:01"), mgrs=mgrs, cloud_percent=cloud)
                for day in ("10", "15", "20")
                for mgrs, cloud in (("37PCN", 2.0), ("37PCM", 3.0), ("37PDM", None))
            ]
        )
    )
    def test_is_given_for_every_date_in_order(self, scenes):
        found = best_scenes(ETHIOPIAN_TILE, scenes)
        assert [(s.date.day, s.granules[0].mgrs) for s in found] == [(10, "37PCN"), (15, "37PCN"), (20, "37PCN")]


class TestCandidate:
    def test_counts_days_without_sign(self):
        for s1 in ("2020-06-13T23:00", "2020-06-17T01:00"):
            assert candidate(s2date=date(2020, 6, 15), s1=s1).days == 2

    def test_has_one_identity_for_tile_scene_track_and_pass(self):
        one = candidate(s2date=date(2020, 6, 15), s1="2020-06-15T12:00")
        assert one.id == "37_-65_432 S2A_20200615T000000_37PCN 52 S1A_20200615T120000"

    def test_two_tracks_pair_with_one_scene_as_two_candidates(self):
        one = candidate(s2date=date(2020, 6, 15), s1="2020-06-15T12:00", track=52)
        other = candidate(s2date=date(2020, 6, 15), s1="2020-06-14T12:00", track=59)
        assert one.id != other.id
        assert one.scene_id == other.scene_id


def candidate(*, s2date, s1, track=52):
    scene = a_granule(utc(s2date.isoformat()))
    series = a_series(utc(s1))
    return Candidate(
        ETHIOPIAN_TILE, f"S2A_{scene.datatake_start:%Y%m%dT%H%M%S}_37PCN", s2date, Track(track), "D", series
    )
