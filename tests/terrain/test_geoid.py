"""The geoid is a number that can be looked up."""

from pathlib import Path

import numpy as np
import pytest
import rasterio

from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.terrain.geoid import load_geoid
from tests.terrain.rasters import write_surface

DATA = Path(__file__).parents[1] / "data/dem"

KNOWN = [
    (-8.75, 31.8, 48.88),  # Morocco
    (12.5, 42.0, 48.61),  # Rome
    (3.08, 42.43, 50.10),  # north of Catalonia
    (-118.0, 34.0, -34.16),  # Los Angeles
    (30.0, 2.0, -10.93),  # Uganda
    (101.0, 0.0, -1.96),  # Sumatra
    (4.895, 52.372, 42.94),  # Amsterdam
]


class TestEgm96:
    @pytest.mark.parametrize(("longitude", "latitude", "metres"), KNOWN)
    def test_is_known_at_places(self, longitude, latitude, metres):
        geoid = load_geoid("egm96", None)
        assert geoid.undulation(np.array([longitude]), np.array([latitude]))[0] == pytest.approx(metres, abs=0.006)

    def test_falls_steeply_at_the_foot_of_the_himalaya(self):
        longitude, latitude = np.array([81.475, 81.475]), np.array([28.245, 28.345])
        south, north = load_geoid("egm96", None).undulation(longitude, latitude)
        assert south < -59.02 < north

    def test_holds_the_grid_values_at_its_nodes(self):
        geoid = load_geoid("egm96", None)
        row, col = 200, 700
        longitude, latitude = geoid.west + col * geoid.step_x, geoid.north - row * geoid.step_y
        assert (longitude * 4).is_integer()
        assert (latitude * 4).is_integer()
        with rasterio.open(geoid.path) as grid:
            value = grid.read(1)[row, col]
        assert geoid.undulation(np.array([longitude]), np.array([latitude]))[0] == value

    def test_goes_on_across_180_degrees(self):
        geoid = load_geoid("egm96", None)
        longitude = np.array([179.8, 179.9, 180.0, 180.1, -179.9, -180.0, -180.1])
        value = geoid.undulation(longitude, np.full(7, 10.1))
        assert np.ptp(value) < 0.5
        assert value[2] == value[5]
        assert value[3] == pytest.approx(value[4], abs=1e-9)
        assert value[1] == pytest.approx(value[6], abs=1e-9)

    def test_reaches_the_poles(self):
        assert np.isfinite(load_geoid("egm96", None).undulation(np.zeros(2), np.array([-90.0, 90.0]))).all()

    @pytest.mark.parametrize("west", [-180.3, -0.1, 100.0, 179.5, 359.9])
    def test_is_the_same_however_the_places_are_put_together(self, west):
        geoid = load_geoid("egm96", None)
        longitude, latitude = np.meshgrid(west + np.arange(0.0, 3.0, 0.11), np.arange(49.0, 51.0, 0.13))
        together = geoid.undulation(longitude, latitude)
        alone = [
            geoid.undulation(np.array([x]), np.array([y]))[0]
            for x, y in zip(longitude.flat, latitude.flat, strict=True)
        ]
        np.testing.assert_allclose(together.ravel(), alone, rtol=0, atol=1e-9)


class TestEgm2008:
    def test_turns_one_published_model_into_the_other(self):
        # Half a pixel of the geoid's grid would leave more than a centimetre.
        geoid = load_geoid("egm2008", DATA / "geoid_egm2008_los_angeles.tif")
        with (
            rasterio.open(DATA / "los_angeles_egm2008.tif") as above,
            rasterio.open(DATA / "los_angeles_ellipsoid.tif") as ellipsoidal,
        ):
            difference = ellipsoidal.read(1).astype(float) - above.read(1)
            t = above.transform
        col, row = np.meshgrid(np.arange(70) + 0.5, np.arange(70) + 0.5)
        longitude, latitude = t.c + t.a * col, t.f + t.e * row
        assert np.abs(difference - geoid.undulation(longitude, latitude)).max() < 2e-3

    def test_differs_from_egm96_by_what_forbids_the_exchange(self):
        where = np.array([-118.0]), np.array([34.0])
        modern = load_geoid("egm2008", DATA / "geoid_egm2008_los_angeles.tif").undulation(*where)
        assert 0.5 < (load_geoid("egm96", None).undulation(*where) - modern)[0] < 0.8

    def test_needs_a_grid(self):
        with pytest.raises(ConfigurationError, match=r"geoid.*--geoid.*dem\.geoid: fetch"):
            load_geoid("egm2008", None)

    def test_is_replaced_by_egm96_only_when_that_is_allowed_and_by_its_name(self):
        stand_in, grid = load_geoid("egm2008", None, allow_egm96=True), DATA / "geoid_egm2008_los_angeles.tif"
        assert stand_in == load_geoid("egm96", None)
        assert load_geoid("egm2008", grid, allow_egm96=True) == load_geoid("egm2008", grid)


def test_only_a_world_grid_is_global():
    assert load_geoid("egm96", None).is_global
    assert not load_geoid("egm2008", DATA / "geoid_egm2008_los_angeles.tif").is_global


class TestFaults:
    def test_an_unknown_datum(self):
        with pytest.raises(ConfigurationError, match="ellipsoidal, egm96 or egm2008"):
            load_geoid("navd88", None)

    def test_a_grid_that_is_not_there(self, tmp_path):
        with pytest.raises(ConfigurationError, match="readable geoid grid"):
            load_geoid("egm96", tmp_path / "none.tif")

    def test_a_grid_that_is_none(self, tmp_path):
        path = tmp_path / "text.tif"
        path.write_text("no grid")
        with pytest.raises(ConfigurationError, match="readable geoid grid"):
            load_geoid("egm2008", path)

    def test_a_place_outside_a_regional_grid(self):
        geoid = load_geoid("egm2008", DATA / "geoid_egm2008_los_angeles.tif")
        with pytest.raises(ConfigurationError, match=r"cover the DEM window.*lon -117\.000"):
            geoid.undulation(np.array([-117.0]), np.array([34.0]))


def test_ellipsoidal_heights_need_none():
    assert load_geoid("ellipsoidal", None) is None


def test_a_given_grid_replaces_the_shipped_one(tmp_path):
    path = write_surface(tmp_path / "flat.tif", lambda x, y: 7.0 + 0 * (x + y), 4326, (0.0, 0.0, 5.0, 5.0), 0.25)
    geoid = load_geoid("egm96", path)
    assert geoid.undulation(np.array([2.2]), np.array([3.3]))[0] == pytest.approx(7.0)
    assert geoid.sha256 != load_geoid("egm96", None).sha256
