"""Tiles of another zone than their granule's, against a landscape that is a function of longitude and latitude."""

import numpy as np
import pytest
from pyproj import Proj

from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.domain.layers import NODATA, S2_BANDS, S2_NATIVE_M
from sen12ts_pipeline.sentinel2.bands import open_granule
from sen12ts_pipeline.sentinel2.masks import SceneMask, SclMasker, pixel_mask, valid_pixels
from sen12ts_pipeline.sentinel2.scene import open_scene
from sen12ts_pipeline.sentinel2.warp import crosses, window_of
from tests.sentinel2.products import write_safe

PIXELS = 600


def lonlat(zone, east, north):
    """Degrees of a place of a zone's northern system, without the transformers of the package."""
    return Proj(proj="utm", zone=zone, ellps="WGS84")(east, north, inverse=True)


def middle_of_a_tile(lon, lat):
    """Middle of the tile of zone 32 that holds a place on the seam with zone 31."""
    east, north = Proj(proj="utm", zone=32, ellps="WGS84")(lon, lat)
    return lonlat(
        32, *((np.floor(v / 2560) + 0.5) * 2560 + rest for v, rest in ((east - 500_000, 500_000), (north, 0)))
    )


SEAM, SOUTHERN_SEAM = middle_of_a_tile(6.0, 44.0), middle_of_a_tile(6.0, -33.0)


def of_pixels(zone, ulx, north, resolution, rows, cols):
    return lonlat(zone, ulx + (cols + 0.5) * resolution, north - (rows + 0.5) * resolution)


def ramp(lon, lat, seam):
    """Reflectance x 10,000: rises by 200 a kilometre to the east and by 110 to the north."""
    lon0, lat0 = seam
    return 3000 + (np.asarray(lon) - lon0) * 111_320 * np.cos(np.radians(lat0)) * 0.2 + (lat - lat0) * 111_320 * 0.11


def corner_near(zone, seam, pixels):
    """Upper left corner of a granule around a place, on the lattice of 60 m; northing of the northern system."""
    east, north = Proj(proj="utm", zone=zone, ellps="WGS84")(*seam)
    return [round(v / 60) * 60 for v in (east - 5 * pixels, north + 5 * pixels)]


def landscape(zone, corner, seam, changes=lambda band, resolution, rows, cols, stored: stored, offset=0):
    def stored(band, resolution, rows, cols):
        lon, lat = of_pixels(zone, *corner, resolution, rows, cols)
        if band == "SCL":
            values = 4 + (np.floor(lat * 3000) % 2).astype(int)
        else:
            values = np.rint(ramp(lon, lat, seam)).astype(int) - offset
        return changes(band, resolution, rows, cols, values)

    return stored


def granule_of(folder, zone, seam=SEAM, offset=0, **changes):
    corner, south = corner_near(zone, seam, PIXELS), seam[1] < 0
    mgrs = f"T{zone}{'H' if south else 'T'}LG"
    return write_safe(
        folder,
        landscape(zone, corner, seam, offset=offset, **changes),
        epsg=(32700 if south else 32600) + zone,
        ulx=corner[0],
        uly=corner[1] + (10_000_000 if south else 0),
        pixels=PIXELS,
        offsets=dict.fromkeys(range(13), offset) if offset else None,
        name=f"S2A_MSIL2A_20200511T105031_N0{'400' if offset else '214'}_R051_{mgrs}_20200511T134023",
    )


def tile_at(zone, seam):
    east, north = Proj(proj="utm", zone=zone, ellps="WGS84")(*seam)
    return TileId(zone, int((east - 500_000) // 2560), int(north // 2560))


def warped(files, grid, masker=None):
    with open_scene([files]) as scene:
        return scene.stack(grid, pixel_mask(scene, masker or SclMasker()))


@pytest.fixture(scope="module")
def west(tmp_path_factory):
    """Granule of zone 31 over the seam."""
    return granule_of(tmp_path_factory.mktemp("west"), 31)


@pytest.mark.parametrize(("seam", "offset"), [(SEAM, 0), (SOUTHERN_SEAM, -1000)], ids=["northern", "southern"])
@pytest.mark.parametrize("zone", [31, 32])
def test_a_ramp_over_the_seam_is_that_of_the_tile_s_own_pixels_in_every_band(tmp_path, zone, seam, offset):
    files, tile = granule_of(tmp_path, zone, seam, offset), tile_at(63 - zone, seam)
    grid = tile.grid
    stack = warped(files, grid)
    rows, cols = np.mgrid[:256, :256]
    expected = ramp(*of_pixels(tile.zone, grid.west, grid.north, 10, rows, cols), seam)
    for k, band in enumerate(S2_BANDS):
        error = stack.layers[k] - expected
        assert np.abs(error).max() < 1.1, band  # rounded twice: half a unit each
        assert abs(error.mean()) < 0.05, f"half a pixel of {band} would be {S2_NATIVE_M[band] / 20:g}"
    assert stack.warped_from == (32700 if seam[1] < 0 else 32600) + zone
    assert stack.notes["warped"] == {"from": f"EPSG:{stack.warped_from}", "bands": "bilinear", "classes": "nearest"}
    assert stack.notes["negative"] == stack.notes["saturated"] == {}


def places_in(grid, zone, corner, resolution):
    """Row and column, in pixels from the granule's corner, of each pixel's centre, by geodetic coordinates."""
    rows, cols = np.mgrid[:256, :256]
    lon, lat = of_pixels(grid.epsg % 100, grid.west, grid.north, 10, rows, cols)
    east, north = Proj(proj="utm", zone=zone, ellps="WGS84")(lon, lat)
    return (corner[1] - north) / resolution, (east - corner[0]) / resolution


def own_pixel(grid, zone, corner, resolution):
    """Row and column of the granule's pixel that holds each pixel's centre."""
    return [np.floor(place).astype(int) for place in places_in(grid, zone, corner, resolution)]


def test_a_pixel_is_bilinear_between_the_four_centres_around_it_and_no_others(tmp_path):
    def rough(band, resolution, rows, cols, values):
        return values if band == "SCL" else 2000 + (rows * 7919 + cols * 104_729) % 311

    files, grid, corner = granule_of(tmp_path, 31, changes=rough), tile_at(32, SEAM).grid, corner_near(31, SEAM, PIXELS)
    layers = warped(files, grid).layers
    for band in ("B02", "B05", "B09"):
        row, col = (place - 0.5 for place in places_in(grid, 31, corner, S2_NATIVE_M[band]))
        r, c = np.floor(row).astype(int), np.floor(col).astype(int)
        down, right = row - r, col - c
        four = [[rough(band, 0, r + i, c + j, None) for j in (0, 1)] for i in (0, 1)]
        upper, lower = (line[0] * (1 - right) + line[1] * right for line in four)
        expected = upper * (1 - down) + lower * down
        assert np.abs(layers[S2_BANDS.index(band)] - expected).max() < 1.2, (
            f"{band}: rounding, and 0.001 pixels off, as GDAL places them"
        )


def test_classes_are_those_of_the_pixel_that_holds_the_centre_and_the_mask_is_theirs(west):
    grid, corner = tile_at(32, SEAM).grid, corner_near(31, SEAM, PIXELS)
    layers = warped(west, grid, SclMasker([5])).layers
    row, col = own_pixel(grid, 31, corner, 20)
    expected = landscape(31, corner, SEAM)("SCL", 20, row, col)
    assert set(np.unique(expected)) == {4, 5}
    assert (layers[12] != expected).mean() < 1e-3, "but for centres on an edge"
    np.testing.assert_array_equal(layers[13] == 1, layers[12] != 5)


def test_a_mask_of_the_whole_granule_is_warped_as_classes_are(west):
    grid = tile_at(32, SEAM).grid
    with open_scene([west]) as scene:
        mask = SceneMask(scene.parts[0].product, valid_pixels(scene, SclMasker([5])))
        np.testing.assert_array_equal(mask(grid), pixel_mask(scene, SclMasker([5]))(grid))


def test_no_data_stay_no_data_and_do_not_bleed(tmp_path):
    def hole(band, resolution, rows, cols, values):
        north, east = (rows + 0.5) * resolution, (cols + 0.5) * resolution
        inside = (north > 2700) & (north < 3000) & (east > 2700) & (east < 3000)
        return np.where(inside, 0, values)

    files, grid, corner = granule_of(tmp_path, 31, changes=hole), tile_at(32, SEAM).grid, corner_near(31, SEAM, PIXELS)
    rows, cols = np.mgrid[:256, :256]
    expected = ramp(*of_pixels(32, grid.west, grid.north, 10, rows, cols), SEAM)
    layers = warped(files, grid).layers
    for k, band in enumerate(S2_BANDS):
        row, col = own_pixel(grid, 31, corner, S2_NATIVE_M[band])
        low, high = 2700 // S2_NATIVE_M[band], 3000 // S2_NATIVE_M[band]
        empty = (row >= low) & (row < high) & (col >= low) & (col < high)
        found = layers[k] == NODATA
        assert (found != empty).sum() < 5, band
        assert found.sum() > 800, band
        # Beside the hole one of the four neighbours is missing: off by less than the slope over half a pixel.
        assert np.abs(layers[k] - expected)[~found].max() < 1.2 + 0.23 * S2_NATIVE_M[band], band
    np.testing.assert_array_equal(layers[13] == 0, (layers[:12] == NODATA).any(axis=0) | (layers[12] == 0))


def test_offset_range_and_saturation_come_first_and_pixels_under_the_tile_are_counted(tmp_path):
    def special(band, resolution, rows, cols, values):
        here = (rows * resolution // 60 + cols * resolution // 60) % 2
        return np.where(here == 1, 65_535, 400) if band in ("B04", "B11") else values

    files, grid, corner = (
        granule_of(tmp_path, 31, offset=-1000, changes=special), tile_at(32, SEAM).grid, corner_near(31, SEAM, PIXELS)
    )  # fmt: skip
    stack = warped(files, grid)
    for band, resolution in (("B04", 10), ("B11", 20)):
        layer = stack.layers[S2_BANDS.index(band)]
        assert (layer.min(), layer.max()) == (0, 10_000), "numbers that are no reflectances are not interpolated"
        rows, cols = np.mgrid[: 10 * PIXELS // resolution, : 10 * PIXELS // resolution]
        east, north = Proj(proj="utm", zone=32, ellps="WGS84")(*of_pixels(31, *corner, resolution, rows, cols))
        under = (east > grid.west) & (east < grid.east) & (north > grid.south) & (north < grid.north)
        odd = (rows * resolution // 60 + cols * resolution // 60) % 2 == 1
        assert abs(stack.notes["saturated"][band] - (under & odd).sum()) <= 2
        assert abs(stack.notes["negative"][band] - (under & ~odd).sum()) <= 2
    assert set(stack.notes["saturated"]) == {"B04", "B11"}


def test_halves_of_a_granule_are_put_together(tmp_path):
    def north(band, resolution, rows, cols, values):
        return np.where((rows + 0.5) * resolution < 3300, values, 0)

    def south(band, resolution, rows, cols, values):
        return np.where((rows + 0.5) * resolution < 2700, 0, values)

    parts = [granule_of(tmp_path / str(k), 31, changes=half) for k, half in enumerate((north, south))]
    grid = tile_at(32, SEAM).grid
    rows, cols = np.mgrid[:256, :256]
    expected = ramp(*of_pixels(32, grid.west, grid.north, 10, rows, cols), SEAM)
    with open_scene(parts) as scene:
        stack = scene.stack(grid, pixel_mask(scene, SclMasker()))
    assert (stack.layers[13] == 1).all()
    assert np.abs(stack.layers[:12] - expected).max() < 1.2 + 0.12 * 30, (
        "the edge of a half is half a pixel off at most"
    )


def test_a_tile_of_its_own_zone_is_never_warped(west):
    with open_granule(west) as granule:
        assert not crosses(granule.product, tile_at(31, SEAM).grid)
        assert crosses(granule.product, tile_at(32, SEAM).grid)
    assert "warped" not in warped(west, tile_at(31, SEAM).grid).notes


@pytest.mark.parametrize("resolution", [10, 20, 60])
def test_a_tile_that_reaches_beyond_the_granule_is_the_callers_fault(west, resolution):
    tile = tile_at(32, SEAM)
    far = TileId(tile.zone, tile.column + 1, tile.row)
    with (
        open_granule(west) as granule,
        pytest.raises(ValueError, match=f"pixel of {resolution} m around it, lie inside"),
    ):
        window_of(granule.product, far.grid, resolution)
