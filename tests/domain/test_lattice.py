"""The lattice is that of the published files: 2560 m cells of each UTM zone, in the zone's northern system."""

import json
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, Point, box, shape

from sen12ts_pipeline.domain.lattice import Grid, TileId, tiles_of, to_geographic, to_map, zone_of
from sen12ts_pipeline.errors import ConfigurationError
from tests.domain.examples import ETHIOPIAN_TILE, tiles

BOUNDARIES = Path(__file__).parents[2] / "config" / "boundaries"


def test_a_published_file_lies_on_the_lattice():
    grid = ETHIOPIAN_TILE.grid
    assert (grid.epsg, grid.west, grid.north, grid.shape) == (32637, 333_600, 1_108_480, (256, 256))
    lon, lat = ETHIOPIAN_TILE.centre_lonlat
    assert (round(lat, 4), round(lon, 4)) == (10.0128, 37.4935)
    assert TileId.at(37.4935, 10.0128) == ETHIOPIAN_TILE


@given(tiles())
def test_edges_count_from_easting_500000_and_the_equator(tile):
    grid = tile.grid
    assert grid.epsg == 32600 + tile.zone
    assert grid.west == 500_000 + 2560 * tile.column
    assert grid.south == 2560 * tile.row
    assert (grid.east - grid.west, grid.north - grid.south) == (2560, 2560)


@given(tiles())
def test_neighbours_meet_and_do_not_overlap(tile):
    east, north = TileId(tile.zone, tile.column + 1, tile.row), TileId(tile.zone, tile.column, tile.row + 1)
    assert east.grid.west == tile.grid.east
    assert north.grid.south == tile.grid.north


@given(tiles())
def test_the_centre_finds_its_tile(tile):
    assert TileId.at(*tile.centre_lonlat) == tile


@given(st.floats(-180, 179.999), st.floats(-79, 83))
def test_a_point_lies_in_its_tile(longitude, latitude):
    tile = TileId.at(longitude, latitude)
    easting, northing = to_map(tile.epsg).transform(longitude, latitude)
    assert tile.zone == zone_of(longitude)
    assert tile.grid.west <= easting < tile.grid.east
    assert tile.grid.south <= northing < tile.grid.north


@given(tiles())
def test_pixel_edges_fall_on_those_of_sentinel_2(tile):
    # Granules begin at multiples of 60 m; in southern systems at 60 n + 40, which the shift to the north undoes.
    west, north = tile.grid.west, tile.grid.north
    assert west % 20 == 0
    assert north % 20 == 0
    assert west % 60 in {0, 20, 40}
    assert north % 60 in {0, 20, 40}


class TestSouthOfTheEquator:
    def test_rows_are_negative_and_the_system_stays_northern(self):
        tile = TileId.at(102.0, -3.0)
        assert tile.row < 0
        assert tile.epsg == 32648
        assert tile.grid.north < 0

    def test_a_grid_line_lies_on_the_equator(self):
        below, above = TileId.at(100.3, -0.001), TileId.at(100.3, 0.001)
        assert (below.row, above.row) == (-1, 0)
        assert below.grid.north == above.grid.south == 0

    @given(tiles())
    def test_the_southern_system_is_shifted_by_exactly_10_000_km(self, tile):
        north = to_map(32600 + tile.zone).transform(*tile.centre_lonlat)
        south = to_map(32700 + tile.zone).transform(*tile.centre_lonlat)
        assert south == pytest.approx((north[0], north[1] + 10_000_000), abs=1e-6)


class TestZones:
    @pytest.mark.parametrize(
        ("longitude", "zone"),
        [(-180, 1), (-174.0001, 1), (-174, 2), (-0.0001, 30), (0, 31), (5.9999, 31), (6, 32), (179.9999, 60), (180, 1)],
    )
    def test_are_six_degrees_wide_from_the_antimeridian(self, longitude, zone):
        assert zone_of(longitude) == zone

    def test_know_no_exception_for_norway(self):
        assert zone_of(5.3) == 31

    @pytest.mark.parametrize("zone", [0, 61, -1])
    def test_end_at_60(self, zone):
        with pytest.raises(ValueError, match="zone"):
            TileId(zone, 0, 0)


class TestText:
    @given(tiles())
    def test_round_trips(self, tile):
        assert TileId.parse(str(tile)) == tile

    def test_pads_the_zone_only(self):
        assert str(TileId(5, -40, 1803)) == "05_-40_1803"

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "5_-40_1803",
            "31_-40",
            "31_-40_1803\n",
            " 31_-40_1803",
            "31_-0_5",
            "31_007_5",
            "31_+1_5",
            "61_0_0",
            "٣١_0_0",
        ],
    )
    def test_has_one_form(self, text):
        with pytest.raises(ValueError):
            TileId.parse(text)


class TestTilesOfAnArea:
    @pytest.mark.parametrize(
        ("aoi", "count", "zones"),
        [
            ("california", 4_897, {10, 11}),
            ("iowa", 22_222, {14, 15}),
            ("catalonia", 4_898, {31}),
            ("ethiopia", 31_310, {36, 37}),
            ("uganda", 36_765, {35, 36}),
            ("sumatra", 65_133, {46, 47, 48}),
        ],
    )
    def test_the_six_areas(self, aoi, count, zones):
        found = tiles_of(boundary(aoi))
        assert len(found) == count
        assert list(found) == sorted(set(found))
        assert {tile.zone for tile in found} <= zones

    def test_both_hemispheres(self):
        # 0.1 degrees of latitude are 11.06 km, 4.3 rows.
        found = tiles_of(box(32.0, -0.1, 32.1, 0.1))
        assert {tile.row for tile in found} == {-4, -3, -2, -1, 0, 1, 2, 3}
        assert {tile.epsg for tile in found} == {32636}

    @settings(max_examples=25)
    @given(
        st.floats(-179, 178.5),
        st.floats(-79, 82),
        st.floats(0.05, 0.3),
        st.floats(0.05, 0.3),
    )
    def test_are_those_whose_centre_lies_inside(self, west, south, width, height):
        area = box(west, south, west + width, south + height)
        assert set(tiles_of(area)) == slowly_found(area)

    def test_at_a_seam_each_zone_gives_the_tiles_of_its_own_side(self):
        found = tiles_of(box(101.9, 0.0, 102.1, 0.2))
        assert {tile.zone for tile in found} == {47, 48}
        for tile in found:
            longitude, _ = tile.centre_lonlat
            assert tile.zone == (47 if longitude < 102 else 48)

    def test_a_seam_neither_loses_nor_doubles_a_centre_by_much(self):
        # 0.2 degrees square near the equator: 22.2 x 22.1 km.
        assert len(tiles_of(box(101.9, 0.0, 102.1, 0.2))) == pytest.approx(22.2 * 22.1 / 6.5536, rel=0.08)

    def test_of_several_parts(self):
        parts = box(36.0, 9.0, 36.2, 9.2), box(37.0, 9.0, 37.2, 9.2)
        assert set(tiles_of(MultiPolygon(parts))) == {tile for part in parts for tile in tiles_of(part)}

    def test_an_area_up_to_the_antimeridian(self):
        assert {tile.zone for tile in tiles_of(box(179.8, -17.0, 180.0, -16.8))} == {60}
        assert {tile.zone for tile in tiles_of(box(-180.0, -17.0, -179.8, -16.8))} == {1}

    def test_an_area_smaller_than_a_tile_may_hold_none(self):
        longitude, latitude = ETHIOPIAN_TILE.centre_lonlat
        assert tiles_of(Point(longitude, latitude).buffer(0.0001)) == (ETHIOPIAN_TILE,)
        assert tiles_of(Point(longitude + 0.005, latitude).buffer(0.0001)) == ()


class TestGrid:
    def test_is_written_epsg_west_north_rows_cols(self):
        grid = Grid.parse("32637,333600,1108480,256,512")
        assert (grid.epsg, grid.west, grid.north, grid.rows, grid.cols) == (32637, 333_600, 1_108_480, 256, 512)
        assert (grid.east, grid.south) == (333_600 + 5120, 1_108_480 - 2560)
        assert grid.centre == (336_160, 1_107_200)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "32637,333600,1108480,256",
            "32637,333600,1108480,256,256,9",
            "32637,333600,1108480,256,zwei",
            "32637,333600,1108480,0,256",
            "32637,333600,1108480,256,-1",
            "32637,333605,1108480,256,256",
            "32637,333600,nan,256,256",
        ],
    )
    def test_refuses_other_forms(self, text):
        with pytest.raises(ConfigurationError):
            Grid.parse(text)

    def test_cells_of_20_m_need_even_edges_and_sizes(self):
        assert Grid.parse("32637,333600,1108480,256,256", multiple_m=20).spacing_m == 10
        for text in ("32637,333610,1108480,256,256", "32637,333600,1108490,256,256", "32637,333600,1108480,255,256"):
            with pytest.raises(ConfigurationError, match="20 m"):
                Grid.parse(text, multiple_m=20)

    def test_transform_maps_row_0_to_the_north(self):
        a, b, c, d, e, f = ETHIOPIAN_TILE.grid.transform
        assert (c, f) == (333_600, 1_108_480)
        col, row = 255.5, 0.5
        assert (a * col + b * row + c, d * col + e * row + f) == (333_600 + 2555, 1_108_480 - 5)

    @given(st.integers(1, 700), st.integers(1, 700), st.integers(100, 300))
    def test_blocks_cover_it_once(self, rows, cols, pixels):
        grid = Grid(32637, 333_600.0, 1_108_480.0, rows, cols)
        count = np.zeros(grid.shape, int)
        for row_slice, col_slice, block in grid.blocks(pixels):
            count[row_slice, col_slice] += 1
            assert count[row_slice, col_slice].shape == block.shape
            assert (block.west, block.north) == (
                grid.west + 10 * col_slice.start,
                grid.north - 10 * row_slice.start,
            )
        assert (count == 1).all()


@given(tiles())
def test_tiles_mirror_each_other_at_the_edge_of_their_zones(tile):
    mirrored = TileId(tile.zone % 60 + 1, -1 - tile.column, tile.row)
    seam = tile.zone * 6 - 180
    longitude, latitude = tile.centre_lonlat
    other_longitude, other_latitude = mirrored.centre_lonlat
    assert math.isclose(latitude, other_latitude, abs_tol=1e-9)
    assert math.isclose((seam - longitude) % 360, (other_longitude - seam) % 360, abs_tol=1e-9)


def boundary(aoi):
    document = json.loads((BOUNDARIES / f"{aoi}.geojson").read_text())
    return shape(document["features"][0]["geometry"])


def slowly_found(area):
    """Every cell near the area, one by one, by the words of the contract."""
    west, south, east, north = area.bounds
    found = set()
    for zone in {zone_of(west), zone_of(east)}:
        corners = [
            to_map(32600 + zone).transform(lon, lat)
            for lon in np.linspace(west, east, 9)
            for lat in np.linspace(south, north, 9)
        ]
        eastings, northings = zip(*corners, strict=True)
        columns = range(
            math.floor((min(eastings) - 500_000) / 2560) - 2, math.floor((max(eastings) - 500_000) / 2560) + 3
        )
        rows = range(math.floor(min(northings) / 2560) - 2, math.floor(max(northings) / 2560) + 3)
        column, row = (a.ravel() for a in np.meshgrid(columns, rows))
        lon, lat = to_geographic(32600 + zone).transform(500_000 + 2560 * (column + 0.5), 2560 * (row + 0.5))
        for c, r, x, y in zip(column.tolist(), row.tolist(), lon, lat, strict=True):
            if west < x < east and south < y < north and zone_of(x) == zone:
                found.add(TileId(zone, c, r))
    return found


def test_the_order_of_tiles_is_that_of_zone_column_and_row():
    ordered = [TileId(10, 5, 5), TileId(11, -3, 9), TileId(11, -3, 10), TileId(11, 2, -7)]
    assert all(a < b for a, b in pairwise(ordered))
