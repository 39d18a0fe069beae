"""Optical layers of tiles against a slow twin that asks, pixel by pixel, where its centre lies."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sen12ts_pipeline.acquisition.products import open_product
from sen12ts_pipeline.domain.lattice import Grid, TileId
from sen12ts_pipeline.domain.layers import NODATA, S2_BANDS, S2_LAYERS, S2_NATIVE_M
from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.sentinel2.bands import north_to_south, open_granule, reflectance, source_index
from sen12ts_pipeline.sentinel2.scene import open_scene
from tests.sentinel2.conftest import numbers
from tests.sentinel2.products import image_member, read_stack, stack_of, write_safe, zipped


def tiles_inside(product):
    with open_granule(product) as granule:
        inside = granule.product.granule
    first = TileId(31, 0, math.floor(inside.north_m / 2560) - 5)
    near = (TileId(31, c, first.row + r) for c in range(-1, 5) for r in range(7))
    return [tile for tile in near if inside.contains(tile)]


def slow_layer(granule, band, grid, row, col):
    """Stored number under the centre of a pixel, in the granule's own map system."""
    easting = grid.west + 10 * col + 5
    northing = grid.north - 10 * row - 5 + (10_000_000 if granule.epsg > 32700 else 0)
    resolution = S2_NATIVE_M[band]
    r, c = math.floor((granule.uly_m - northing) / resolution), math.floor((easting - granule.ulx_m) / resolution)
    return int(numbers(band, resolution, np.array(r), np.array(c)))


def slow_pixel(product, grid, row, col):
    """The 14 layers of one pixel by the words of the contract."""
    layers = []
    for band in S2_BANDS:
        stored = slow_layer(product.granule, band, grid, row, col)
        layers.append(NODATA if stored == 0 else min(max(stored + product.offsets[band], 0), 10_000))
    scl = slow_layer(product.granule, "SCL", grid, row, col)
    return [*layers, scl, int(scl not in (0, 3, 8, 9, 10) and NODATA not in layers)]


@pytest.mark.parametrize("hemisphere", ["northern", "southern"])
def test_every_pixel_shows_the_image_pixel_that_holds_its_centre(hemisphere, request):
    files = request.getfixturevalue(hemisphere)
    tiles = tiles_inside(files)
    phases = {(t.grid.west % 60, t.grid.north % 60) for t in tiles}
    assert len(phases) == 9, "60 m pixels must be met in each of their phases"
    pixels = np.random.default_rng(1).integers(0, 256, (60, 2)).tolist()
    pixels += [[0, 0], [0, 255], [255, 0], [255, 255]]
    with open_scene([files]) as scene:
        for grid in north_to_south(t.grid for t in tiles):
            stack = stack_of(scene, grid)
            assert (stack.dtype, stack.shape) == (np.int16, (len(S2_LAYERS), 256, 256))
            for row, col in pixels:
                assert stack[:, row, col].tolist() == slow_pixel(scene.parts[0].product, grid, row, col), (
                    grid,
                    row,
                    col,
                )


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 300), st.sampled_from([10, 20, 60]))
def test_source_index_is_the_floor_of_the_centre(first, count, resolution):
    expected = [math.floor((10 * k + 5) / resolution) for k in range(first, first + count)]
    assert source_index(first, count, resolution).tolist() == expected


@settings(deadline=None)
@given(st.integers(0, 65_535), st.integers(-7000, 2000))
def test_reflectance_is_clipped_after_the_offset_and_nodata_is_the_stored_zero(stored, offset):
    found = int(reflectance(np.array([[stored]], np.uint16), offset)[0, 0])
    assert found == (NODATA if stored == 0 else min(max(stored + offset, 0), 10_000))


def test_a_single_grid_of_any_shape(northern):
    grid = Grid(32631, 500_020.0, 4_699_990.0, 7, 301)
    stack = read_stack(northern, grid)
    assert stack.shape == (14, 7, 301)
    with open_granule(northern) as granule:
        scl = granule.scl(grid)
        assert (scl.dtype, scl.shape) == (np.uint8, (7, 301))
        np.testing.assert_array_equal(stack[12], scl)
        assert stack[:, 6, 300].tolist() == slow_pixel(granule.product, grid, 6, 300)


def test_many_tiles_come_from_north_to_south_and_equal_single_ones(northern):
    grids = [t.grid for t in tiles_inside(northern)]
    ordered = north_to_south(reversed(grids))
    assert [(-g.north, g.west) for g in ordered] == sorted((-g.north, g.west) for g in grids)
    with open_scene([northern]) as scene:
        found = [stack_of(scene, grid) for grid in ordered]
    for grid, stack in list(zip(ordered, found, strict=True))[::3]:
        np.testing.assert_array_equal(stack, read_stack(northern, grid))


def test_a_zip_gives_the_same_as_its_folder(northern, tmp_path):
    grid = tiles_inside(northern)[0].grid
    packed = open_product(zipped(northern, tmp_path / f"{northern.product}.SAFE.zip"))
    np.testing.assert_array_equal(read_stack(packed, grid), read_stack(northern, grid))


@pytest.mark.parametrize(
    "grid",
    [
        Grid(32631, 499_970.0, 4_700_040.0, 10, 10),
        Grid(32631, 499_980.0, 4_700_050.0, 10, 10),
        Grid(32631, 510_100.0, 4_700_040.0, 10, 10),
        Grid(32632, 499_980.0, 4_700_040.0, 10, 10),
        Grid(32631, 499_985.0, 4_700_040.0, 10, 10),
        Grid(32631, 499_980.0, 4_700_040.0, 10, 10, 20.0),
    ],
    ids=["west", "north", "east", "zone", "half a pixel", "spacing"],
)
def test_a_grid_off_the_granule_is_the_callers_fault(northern, grid):
    with open_scene([northern]) as scene, pytest.raises(ValueError, match="lie inside"):
        stack_of(scene, grid)


def test_cloud_cover_is_measured_among_pixels_with_data(tmp_path):
    scl = np.tile([0, 4, 4, 8, 9, 10, 3, 11], (510, 64))[:, :510]

    def stored(band, resolution, rows, cols):
        return scl[: rows.shape[0], : rows.shape[1]] if band == "SCL" else np.full(rows.shape, 1)

    counts = np.bincount(scl.ravel(), minlength=12)
    with open_granule(write_safe(tmp_path, stored)) as granule:
        assert granule.cloud_percent() == pytest.approx(100 * counts[[8, 9, 10]].sum() / counts[1:].sum(), abs=1e-12)


def test_a_granule_without_any_data_has_no_cloud_cover(tmp_path):
    with open_granule(write_safe(tmp_path, lambda band, resolution, rows, cols: 0 * rows, pixels=60)) as granule:
        assert granule.cloud_percent() is None


def test_an_unknown_scene_class_is_refused(tmp_path):
    files = write_safe(tmp_path, lambda band, resolution, rows, cols: 12 + 0 * rows, pixels=60)
    with pytest.raises(BadProduct, match="0 to 11; got 12") as caught:
        read_stack(files, Grid(32631, 499_980.0, 4_700_040.0, 4, 4))
    assert caught.value.member == image_member("SCL", 20)
