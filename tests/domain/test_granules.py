"""Granules, and the scenes that they make: split datastrips together, reprocessed products once."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Proj

from sen12ts_pipeline.domain.granules import Scene, needed_granules, scenes_of
from sen12ts_pipeline.domain.lattice import TileId
from tests.domain.examples import ETHIOPIAN_TILE, a_granule, a_scene, utc


class TestTilesOfAGranule:
    def test_lie_wholly_inside(self):
        assert a_granule().contains(ETHIOPIAN_TILE)

    @pytest.mark.parametrize(
        ("changes", "inside"),
        [
            ({"ulx_m": 333_600.0}, True),
            ({"ulx_m": 333_660.0}, False),
            ({"ulx_m": 333_600.0 + 2560 - 109_800}, True),
            ({"ulx_m": 333_600.0 + 2500 - 109_800}, False),
            ({"uly_m": 1_108_480.0}, True),
            ({"uly_m": 1_108_420.0}, False),
            ({"uly_m": 1_108_480.0 - 2560 + 109_800}, True),
            ({"uly_m": 1_108_480.0 - 2500 + 109_800}, False),
        ],
    )
    def test_may_touch_its_edges(self, changes, inside):
        assert a_granule(**changes).contains(ETHIOPIAN_TILE) is inside

    def test_belong_to_its_zone(self):
        assert not a_granule(epsg=32636).contains(ETHIOPIAN_TILE)

    def test_south_of_the_equator_are_shifted_by_10_000_km(self):
        southern = a_granule(mgrs="48MTE", epsg=32748, ulx_m=199_980.0, uly_m=10_000_000.0)
        assert southern.north_m == 0
        assert southern.contains(TileId(48, -100, -1))
        assert southern.contains(TileId(48, -100, -42))
        assert not southern.contains(TileId(48, -100, -43))
        assert not southern.contains(TileId(48, -100, 0))

    def test_of_a_northern_granule_may_lie_south_of_the_equator(self):
        northern = a_granule(mgrs="48NTF", epsg=32648, ulx_m=199_980.0, uly_m=100_020.0)
        assert northern.north_m == 100_020
        assert northern.contains(TileId(48, -100, -1))

    def test_pixels_coincide_in_both_hemispheres(self):
        for granule in (a_granule(epsg=32748, uly_m=8_200_000.0), a_granule(epsg=32748, uly_m=5_900_020.0)):
            assert granule.uly_m % 60 == 40
            assert granule.north_m % 60 == 0


class TestTilesOfANeighbouringZone:
    """A tile of zone 31 just west of 6 degrees; its outline in zone 32, by geodetic coordinates."""

    TILE = TileId.at(5.99, 44.0)

    @pytest.fixture
    def outline(self):
        grid = self.TILE.grid
        steps = np.linspace(0, 1, 400)
        east = np.concatenate([grid.west + 2560 * steps] * 2 + [np.full(400, e) for e in (grid.west, grid.east)])
        north = np.concatenate([np.full(400, n) for n in (grid.south, grid.north)] + [grid.south + 2560 * steps] * 2)
        lon, lat = Proj(proj="utm", zone=31, ellps="WGS84")(east, north, inverse=True)
        east, north = Proj(proj="utm", zone=32, ellps="WGS84")(lon, lat)
        return east.min(), north.min(), east.max(), north.max()

    @pytest.mark.parametrize("margin_m", [60.1, 59.9])
    @pytest.mark.parametrize("side", range(4))
    def test_lie_inside_with_a_pixel_of_60_m_around_them(self, outline, side, margin_m):
        west, south, east, north = outline
        size = max(east - west, north - south) + 2000.0
        corners = [(west - margin_m, north + 500), (west - 500, south - margin_m + size),
                   (east + margin_m - size, north + 500), (west - 500, north + margin_m)]  # fmt: skip
        ulx, uly = corners[side]
        granule = a_granule(mgrs="32TLQ", epsg=32632, ulx_m=ulx, uly_m=uly, size_m=size)
        assert granule.contains_across(self.TILE) == (margin_m > 60)
        assert not granule.contains(self.TILE)

    def test_are_those_of_the_next_zones_alone(self, outline):
        west, _, _, north = outline
        square = {"ulx_m": west - 5000.0, "uly_m": north + 5000.0}
        assert a_granule(epsg=32632, **square).contains_across(self.TILE)
        assert not a_granule(epsg=32631, **square).contains_across(self.TILE)
        assert not a_granule(epsg=32633, **square).contains_across(self.TILE)

    def test_meet_at_the_antimeridian(self):
        tile = TileId.at(179.99, -17.0)
        west, _, _, north = tile.grid.bounds_in(32601)
        granule = a_granule(mgrs="01KAB", epsg=32701, ulx_m=west - 1000, uly_m=north + 10_001_000, size_m=109_800.0)
        assert tile.zone == 60
        assert granule.contains_across(tile)


DATASTRIP = "S2A_OPER_MSI_L2A_DS_{centre}_{made}_S{sensed}_N02.14"


def a_half(made, sensed, **changes):
    """A product made at a time, of the data sensed from a time on."""
    datastrip = DATASTRIP.format(centre="VGS1", made=made, sensed=sensed)
    return a_granule(discriminator=made, datastrip=datastrip, **changes)


class TestReprocessing:
    def test_the_highest_baseline_stays(self):
        original = a_granule(baseline=(2, 14), datastrip="DS_N0214")
        collection_1 = a_granule(baseline=(5, 0), datastrip="DS_N0500")
        assert scenes_of([original, collection_1]) == (Scene((collection_1,)),)

    def test_baselines_are_numbers(self):
        older, newer = a_granule(baseline=(5, 9)), a_granule(baseline=(5, 10))
        assert scenes_of([newer, older]) == (Scene((newer,)),)

    def test_of_one_baseline_and_datastrip_the_latest_discriminator_stays(self):
        older, newer = a_granule(discriminator="20230101T000000"), a_granule(discriminator="20230102T000000")
        assert scenes_of([older, newer]) == (Scene((newer,)),)

    def test_the_same_data_made_again_are_no_second_half_although_their_datastrip_has_another_identity(self):
        first, again = (a_half(made, "20200210T074431") for made in ("20200210T100652", "20200211T090000"))
        assert first.datastrip != again.datastrip
        assert scenes_of([again, first]) == (Scene((again,)),)

    def test_what_others_than_esa_made_counts_least_whatever_its_baseline(self):
        elsewhere, early = a_granule(baseline=(99, 99)), a_granule(baseline=(2, 5))
        assert scenes_of([elsewhere, early]) == (Scene((early,)),)
        assert scenes_of([elsewhere]) == (Scene((elsewhere,)),)

    def test_the_baseline_counts_more_than_the_time_of_processing(self):
        low = a_granule(baseline=(2, 14), discriminator="20240101T000000")
        high = a_granule(baseline=(5, 0), discriminator="20230101T000000")
        assert scenes_of([low, high]) == (Scene((high,)),)


class TestSplitDatastrips:
    FIRST, SECOND = (
        a_granule(
            utc("2020-02-10T07:30:31"), mgrs="37MEU", relative_orbit=49, baseline=(2, 14), epsg=32737,
            discriminator=made, datastrip=DATASTRIP.format(centre="VGS2", made=made, sensed=sensed),
            cloud_percent=cloud,
        )
        for made, sensed, cloud in (
            ("20200210T100652", "20200210T074431", 1.0), ("20200210T130912", "20200210T074022", 4.0)
        )
    )  # fmt: skip

    def test_are_one_scene_latest_first(self):
        (only,) = scenes_of([self.FIRST, self.SECOND])
        assert only.granules == (self.SECOND, self.FIRST)
        assert only.products == (
            "S2A_MSIL2A_20200210T073031_N0214_R049_T37MEU_20200210T130912",
            "S2A_MSIL2A_20200210T073031_N0214_R049_T37MEU_20200210T100652",
        )

    def test_are_as_cloudy_as_the_cloudier(self):
        (only,) = scenes_of([self.FIRST, self.SECOND])
        assert only.cloud_percent == 4

    def test_stay_together_when_the_datastrip_is_unknown(self):
        parts = [a_granule(discriminator=str(n), datastrip="") for n in range(2)]
        (only,) = scenes_of(parts)
        assert set(only.granules) == set(parts)

    def test_of_a_lower_baseline_are_left_out(self):
        reprocessed = a_granule(
            self.FIRST.datatake_start, mgrs="37MEU", relative_orbit=49, baseline=(5, 0), epsg=32737, datastrip="DS_C"
        )
        assert scenes_of([self.FIRST, self.SECOND, reprocessed]) == (Scene((reprocessed,)),)


class TestScenes:
    def test_are_one_for_each_granule_and_datatake(self):
        granules = [
            a_granule(),
            a_granule(mgrs="37PCM"),
            a_granule(mission="S2B"),
            a_granule(utc("2020-06-20T12:00")),
            a_granule(relative_orbit=49),
        ]
        assert len(scenes_of(granules)) == 5

    def test_have_the_identity_of_datatake_and_tile(self):
        scene = a_scene(utc("2020-09-14T01:23:45"), mission="S2B", mgrs="01VCG")
        assert scene.id == "S2B_20200914T012345_01VCG"

    def test_have_the_utc_date_of_the_datatake_start(self):
        assert a_scene(utc("2020-02-29T23:59:59")).date == date(2020, 2, 29)

    @pytest.mark.parametrize(
        ("parts", "cloud"),
        [((1.0, 4.0), 4.0), ((0.0,), 0.0), ((None,), None), ((1.0, None), None), ((None, 50.0), None)],
    )
    def test_with_an_unknown_part_are_unknown(self, parts, cloud):
        scene = Scene(tuple(a_granule(discriminator=str(n), cloud_percent=part) for n, part in enumerate(parts)))
        assert scene.cloud_percent == cloud

    @given(
        st.permutations(
            [
                a_granule(
                    baseline=baseline, datastrip=f"DS_{discriminator}_S{sensed}", discriminator=discriminator, mgrs=mgrs
                )
                for baseline in ((2, 14), (5, 0))
                for sensed, discriminator in (
                    ("20200210T070000", "1"),
                    ("20200210T070000", "2"),
                    ("20200210T080000", "3"),
                )
                for mgrs in ("37PCN", "37PCM")
            ]
        )
    )
    def test_do_not_depend_on_the_order_of_the_catalogue(self, listed):
        found = scenes_of(listed)
        assert found == scenes_of(sorted(listed))
        assert [[g.discriminator for g in scene.granules] for scene in found] == [["3", "2"], ["3", "2"]]

    @given(
        st.permutations(
            [a_granule(cloud_percent=None), a_granule(cloud_percent=0.0), a_granule(cloud_percent=0.0, datastrip="")]
        )
    )
    def test_of_a_product_listed_twice_know_the_most(self, listed):
        assert scenes_of(listed) == (Scene((a_granule(cloud_percent=0.0),)),)

    def test_of_nothing_are_none(self):
        assert scenes_of([]) == ()


class TestNeededGranules:
    def test_halves_of_two_ground_stations_are_both_needed(self):
        # The granule 37MEU of 2020-02-10 came in two products, sensed from different times on.
        halves = [a_half("20200210T100652", "20200210T074431"), a_half("20200210T130912", "20200210T074022")]
        assert needed_granules(halves) == tuple(halves)

    def test_the_same_data_made_again_are_needed_once_although_the_datastrip_has_another_identity(self):
        first = a_half("20200210T100652", "20200210T074431", product="X")
        again = a_half("20200211T090000", "20200210T074431", product="A")
        assert first.datastrip != again.datastrip
        assert needed_granules([again, first]) == (again,)

    def test_baselines_are_kept_apart_for_the_scene_chooses_among_them(self):
        old, new = (a_half("20200210T100652", "20200210T074431", baseline=b) for b in ((2, 14), (5, 0)))
        assert set(needed_granules([old, new])) == {old, new}

    def test_of_an_unknown_datastrip_every_product_is_kept(self):
        products = [a_granule(discriminator=d, datastrip="") for d in ("20200210T100652", "20200210T130912")]
        assert needed_granules(products) == tuple(products)
