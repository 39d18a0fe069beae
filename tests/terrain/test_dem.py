"""Heights lie where the raster says they lie, above the ellipsoid, in whatever system it comes."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import Transformer

from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.terrain.dem import Dem
from tests.terrain.rasters import write_raster, write_surface

DATA = Path(__file__).parents[1] / "data/dem"
EPSG = 32631
WEST, NORTH = 500_000.0, 4_400_000.0
BOX = (WEST + 800, NORTH - 3200, WEST + 3200, NORTH - 800)
EASTING, NORTHING = np.arange(BOX[0] + 5, BOX[2], 10.0), np.arange(BOX[3] - 5, BOX[1], -10.0)
ARC_SECOND = 1 / 3600


def hills(x, y):
    return 500.0 + 40.0 * np.sin((x - WEST) / 300.0) * np.cos((y - NORTH) / 400.0)


def heights(dem, easting=EASTING, northing=NORTHING, epsg=EPSG):
    box = tuple(float(v) for v in (easting[0], northing[-1], easting[-1], northing[0]))
    return dem.window(epsg, box).lattice(easting, northing)


def degrees_around(step):
    """A box of whole steps in degrees around the map's."""
    lon, lat = Transformer.from_crs(EPSG, 4326, always_xy=True).transform(
        [BOX[0], BOX[2], BOX[0], BOX[2]], [BOX[1], BOX[3], BOX[3], BOX[1]]
    )
    low, high = np.floor((np.min(lon) - 0.01) / step), np.ceil((np.max(lon) + 0.01) / step)
    south, north = np.floor((np.min(lat) - 0.01) / step), np.ceil((np.max(lat) + 0.01) / step)
    return low * step, south * step, high * step, north * step


def write_in_degrees(path, surface, step=ARC_SECOND, **options):
    """A function of the map's (easting, northing), sampled on a raster in degrees."""
    to_map = Transformer.from_crs(4326, EPSG, always_xy=True)

    def of_degrees(x, y):
        return surface(*to_map.transform(*np.broadcast_arrays(x, y)))

    return write_surface(path, of_degrees, 4326, degrees_around(step), step, **options)


class TestPosition:
    @pytest.mark.parametrize("point", [False, True])
    def test_a_spike_stands_at_its_pixel_centre(self, tmp_path, point):
        # GDAL has moved rasters marked as points by half a pixel already; once is enough.
        values = np.zeros((400, 400), np.float32)
        values[150, 170] = 100.0
        path = write_raster(
            tmp_path / "spike.tif", values, Affine(10, 0, WEST, 0, -10, NORTH), f"EPSG:{EPSG}", point=point
        )
        top = heights(Dem(path, "ellipsoidal"))
        row, col = np.unravel_index(np.argmax(top), top.shape)
        assert (EASTING[col], NORTHING[row]) == (WEST + 1705.0, NORTH - 1505.0)
        assert top[row, col] == pytest.approx(100.0, abs=1e-6)

    def test_a_spike_of_a_raster_in_degrees_stands_there_too(self, tmp_path):
        values, step = np.zeros((200, 200), np.float32), ARC_SECOND
        values[80, 120] = 100.0
        west, south, *_ = degrees_around(step)
        path = write_raster(
            tmp_path / "spike.tif", values, Affine(step, 0, west, 0, -step, south + 200 * step), "EPSG:4326", point=True
        )
        easting, northing = Transformer.from_crs(4326, EPSG, always_xy=True).transform(
            west + 120.5 * step, south + 119.5 * step
        )
        fine = np.arange(-40.0, 41.0)
        top = heights(Dem(path, "ellipsoidal"), easting + fine, northing - fine)
        row, col = np.unravel_index(np.argmax(top), top.shape)
        assert (abs(fine[col]), abs(fine[row])) <= (0.5, 0.5)

    def test_a_half_pixel_would_show(self):
        # The two published models of one place differ by the geoid alone, cell by cell.
        geoid = DATA / "geoid_egm2008_los_angeles.tif"
        above = Dem(DATA / "los_angeles_egm2008.tif", "egm2008", geoid)
        ellipsoidal = Dem(DATA / "los_angeles_ellipsoid.tif", "ellipsoidal")
        with rasterio.open(DATA / "los_angeles_egm2008.tif") as source:
            longitude, latitude = source.xy(35, 35)
        easting, northing = Transformer.from_crs(4326, 32611, always_xy=True).transform(longitude, latitude)
        x, y = easting + np.arange(-500.0, 500.0, 10.0), northing - np.arange(-500.0, 500.0, 10.0)
        difference = heights(above, x, y, 32611) - heights(ellipsoidal, x, y, 32611)
        assert np.abs(difference).max() < 2e-3


class TestInterpolation:
    def test_a_quadratic_surface_comes_back_from_30_m_cells(self, tmp_path):
        def bowl(x, y):
            return 200.0 + 1e-4 * (x - WEST - 2000) ** 2 - 5e-5 * (y - NORTH + 2000) ** 2 + 0.1 * (x - WEST)

        dem = Dem(
            write_surface(tmp_path / "d.tif", bowl, EPSG, (WEST, NORTH - 4200, WEST + 4200, NORTH), 30.0), "ellipsoidal"
        )
        np.testing.assert_allclose(heights(dem), bowl(EASTING[None], NORTHING[:, None]), atol=2e-4)

    def test_slopes_of_a_smooth_surface_come_back_from_30_m_cells(self, tmp_path):
        dem = Dem(write_in_degrees(tmp_path / "d.tif", hills), "ellipsoidal")
        rows, cols = np.gradient(heights(dem), 10.0)
        true_rows, true_cols = np.gradient(hills(EASTING[None], NORTHING[:, None]), 10.0)
        slope, true = (np.degrees(np.arctan(np.hypot(*g))) for g in ((rows, cols), (true_rows, true_cols)))
        assert np.abs(slope - true).max() < 0.1

    def test_the_system_of_the_raster_does_not_matter(self, tmp_path):
        metric = write_surface(tmp_path / "m.tif", hills, EPSG, (WEST, NORTH - 4000, WEST + 4000, NORTH), 10.0)
        geographic = write_in_degrees(tmp_path / "g.tif", hills, step=ARC_SECOND / 3)
        neighbour = tmp_path / "n.tif"
        to_map = Transformer.from_crs(32630, EPSG, always_xy=True)
        east, north = Transformer.from_crs(EPSG, 32630, always_xy=True).transform(WEST + 2000, NORTH - 2000)
        box = tuple(10.0 * round(v / 10) for v in (east - 2500, north - 2500, east + 2500, north + 2500))
        write_surface(neighbour, lambda x, y: hills(*to_map.transform(*np.broadcast_arrays(x, y))), 32630, box, 10.0)
        expected = hills(EASTING[None], NORTHING[:, None])
        for path in (metric, geographic, neighbour):
            np.testing.assert_allclose(heights(Dem(path, "ellipsoidal")), expected, atol=0.01)

    def test_a_window_is_a_part_of_a_larger_one(self, tmp_path):
        dem = Dem(write_in_degrees(tmp_path / "d.tif", hills), "ellipsoidal")
        part = heights(dem, EASTING[40:80], NORTHING[60:90])
        np.testing.assert_allclose(part, heights(dem)[60:90, 40:80], atol=1e-7)

    def test_the_antimeridian_is_no_edge(self, tmp_path):
        # A raster from 179.9 to 180.1 degrees east; the map's zone 60 ends at 180.
        step = ARC_SECOND
        path = write_surface(
            tmp_path / "d.tif", lambda x, y: 100.0 * (x - 179.9) + 0 * y, 4326, (179.9, 9.95, 180.1, 10.05), step
        )
        easting, northing = Transformer.from_crs(4326, 32660, always_xy=True).transform(180.0, 10.0)
        x, y = easting + np.arange(-1000.0, 1000.0, 50.0), northing - np.arange(-1000.0, 1000.0, 50.0)
        found = heights(Dem(path, "ellipsoidal"), x, y, 32660)
        assert np.isfinite(found).all()
        assert np.abs(np.diff(found, axis=1)).max() < 0.06
        assert found.mean() == pytest.approx(10.0 - 25.0 / 1097.0, abs=1e-3)


class TestVoids:
    def test_are_not_numbers_to_interpolate_with(self, tmp_path):
        values = np.full((400, 400), 250, np.int16)
        values[200:203, 200:203] = -32768
        path = write_raster(
            tmp_path / "v.tif", values, Affine(10, 0, WEST, 0, -10, NORTH), f"EPSG:{EPSG}", nodata=-32768
        )
        found = heights(Dem(path, "ellipsoidal"))
        void = np.isnan(found)
        np.testing.assert_allclose(found[~void], 250.0)
        assert void.sum() == 6 * 6  # three pixels, and what has one of them among its four taps

    def test_lie_outside_the_raster(self, tmp_path):
        dem = Dem(
            write_surface(tmp_path / "d.tif", hills, EPSG, (WEST, NORTH - 2000, WEST + 2000, NORTH), 10.0),
            "ellipsoidal",
        )
        found = heights(dem)
        assert np.isfinite(found[NORTHING > NORTH - 1980][:, EASTING < WEST + 1980]).all()
        assert np.isnan(found[NORTHING < NORTH - 2000]).all()
        assert np.isnan(found[:, EASTING > WEST + 2000]).all()
        assert np.isnan(heights(dem, EASTING + 90_000.0, NORTHING)).all()

    def test_stay_void_above_a_geoid(self, tmp_path):
        values = np.full((400, 400), np.nan, np.float32)
        path = write_raster(tmp_path / "v.tif", values, Affine(10, 0, WEST, 0, -10, NORTH), f"EPSG:{EPSG}")
        assert np.isnan(heights(Dem(path, "egm96"))).all()


class TestDatum:
    def test_heights_above_the_geoid_are_raised_to_the_ellipsoid(self, tmp_path):
        path = write_surface(
            tmp_path / "sea.tif", lambda x, y: 0.0 * (x + y), EPSG, (WEST, NORTH - 4000, WEST + 4000, NORTH), 10.0
        )
        assert heights(Dem(path, "egm96")).mean() == pytest.approx(50.3, abs=1.5)
        assert (heights(Dem(path, "ellipsoidal")) == 0.0).all()

    def test_the_height_part_of_a_compound_system_does_not_decide(self, tmp_path):
        values = np.full((400, 400), 10.0, np.float32)
        path = write_raster(tmp_path / "c.tif", values, Affine(10, 0, WEST, 0, -10, NORTH), f"EPSG:{EPSG}+5773")
        np.testing.assert_allclose(heights(Dem(path, "ellipsoidal")), 10.0)

    def test_egm2008_without_a_grid_stops_before_work(self, tmp_path):
        path = write_surface(tmp_path / "d.tif", hills, EPSG, (WEST, NORTH - 400, WEST + 400, NORTH), 10.0)
        with pytest.raises(ConfigurationError, match="EGM2008"):
            Dem(path, "egm2008").check()


def test_a_file_that_was_replaced_is_read_again(tmp_path):
    path, box = tmp_path / "d.tif", (WEST, NORTH - 4000, WEST + 4000, NORTH)
    dem = Dem(write_surface(path, lambda x, y: 100.0 + 0 * (x + y), EPSG, box, 10.0), "ellipsoidal")
    first, before = dem.identity, heights(dem)
    write_surface(path, lambda x, y: 300.0 + 0 * (x + y), EPSG, (box[0] - 50, box[1], box[2], box[3]), 10.0)
    assert dem.identity != first
    np.testing.assert_allclose(heights(dem) - before, 200.0)


class TestFaults:
    def test_a_file_that_is_not_there(self, tmp_path):
        with pytest.raises(ConfigurationError, match=r"none\.tif.*readable raster"):
            Dem(tmp_path / "none.tif", "ellipsoidal").check()

    @pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
    def test_a_raster_without_a_system(self, tmp_path):
        path = write_raster(tmp_path / "p.tif", np.zeros((4, 4), np.float32), Affine(10, 0, 0, 0, -10, 0), None)
        with pytest.raises(ConfigurationError, match="coordinate reference system"):
            Dem(path, "ellipsoidal").check()

    def test_a_truncated_raster(self, tmp_path):
        path = write_surface(tmp_path / "d.tif", hills, EPSG, (WEST, NORTH - 4000, WEST + 4000, NORTH), 10.0)
        path.write_bytes(path.read_bytes()[:200_000])
        with pytest.raises(ConfigurationError, match=r"d\.tif.*readable everywhere"):
            heights(Dem(path, "ellipsoidal"))


class TestIdentity:
    def test_is_the_content_and_the_datum(self, tmp_path):
        box = (WEST, NORTH - 400, WEST + 400, NORTH)
        one, two = (write_surface(tmp_path / n, hills, EPSG, box, 10.0) for n in ("1.tif", "2.tif"))
        other = write_surface(tmp_path / "3.tif", lambda x, y: hills(x, y) + 1, EPSG, box, 10.0)
        digests = [Dem(p, "ellipsoidal").identity["sha256"] for p in (one, two, other)]
        assert digests[0] == digests[1] != digests[2]
        assert Dem(one, "egm96").identity != Dem(one, "ellipsoidal").identity
        assert len(Dem(one, "egm96").identity["geoid"]) == 64

    def test_says_which_geoid_stands_in_for_another(self, tmp_path):
        path = write_surface(tmp_path / "d.tif", hills, EPSG, (WEST, NORTH - 400, WEST + 400, NORTH), 10.0)
        stand_in = Dem(path, "egm2008", allow_egm96=True)
        assert stand_in.identity == {**Dem(path, "egm96").identity, "vertical": "egm2008", "stand_in": "egm96"}
        given = Dem(path, "egm2008", DATA / "geoid_egm2008_los_angeles.tif", allow_egm96=True)
        assert "stand_in" not in given.identity

    def test_may_be_known_beforehand(self, tmp_path):
        path = write_surface(tmp_path / "d.tif", hills, EPSG, (WEST, NORTH - 400, WEST + 400, NORTH), 10.0)
        assert Dem(path, "ellipsoidal", sha256="known").identity["sha256"] == "known"
