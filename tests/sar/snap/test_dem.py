"""Every operator of every graph sees the heights that the native geometry sees, or nothing is worth comparing."""

import numpy as np
import pytest
import rasterio
from pyproj import Transformer

from sen12ts_pipeline.errors import Rejected
from sen12ts_pipeline.sar.native import geometry
from sen12ts_pipeline.sar.snap.chain import DEM_NODATA
from sen12ts_pipeline.sar.snap.dem import STEPS_PER_DEGREE, DemArea, orthometric, prepare
from sen12ts_pipeline.sar.snap.operators import operators
from sen12ts_pipeline.sentinel1.annotation import read_geolocation_grid
from sen12ts_pipeline.terrain.dem import Dem
from sen12ts_pipeline.terrain.geoid import load_geoid
from tests.sar.snap.examples import SITE, every_graph, named
from tests.sentinel1.annotations import body_of, epoch_of
from tests.terrain.rasters import write_surface

STEP = 1 / STEPS_PER_DEGREE
AREA = DemArea(10_000, 170_000, 10_200, 170_150)
"""Around 2.8 degrees east, 47.2 degrees north; EGM96 lies 49 m above the ellipsoid there."""
LON, LAT = 10_100 * STEP, 170_070 * STEP
ALWAYS_EGM = "adds EGM96 whatever it is told"


def hills(lon, lat):
    """Ellipsoidal heights, metres, steep enough that half a sample shows."""
    return 300.0 + 2e4 * (lon - LON) - 1.5e4 * (lat - LAT) + 40.0 * np.sin((lon - LON) * 300.0)


@pytest.fixture(scope="module")
def dem(tmp_path_factory):
    """The hills in degrees, at half seconds between the samples that are prepared."""
    path = tmp_path_factory.mktemp("dem") / "hills.tif"
    box = (AREA.west * STEP - 0.01, AREA.south * STEP - 0.01, AREA.east * STEP + 0.01, AREA.north * STEP + 0.01)
    write_surface(path, hills, 4326, box, STEP)
    return Dem(path, "ellipsoidal")


@pytest.fixture(scope="module")
def prepared(dem, tmp_path_factory):
    return prepare(dem, AREA, tmp_path_factory.mktemp("prepared") / "dem.tif")


def seen_by_snap(path, lon, lat, *, egm):
    """Heights that SNAP takes from an external model, bilinear.

    A pixel coordinate counts from the raster's corner, and a sample lies on its pixel's corner (FileElevationModel with
    Resampling.computeCornerBasedIndex), not in its middle.
    """
    with rasterio.open(path) as source:
        values, t = source.read(1).astype(float), source.transform
    x, y = (lon - t.c) / t.a, (lat - t.f) / t.e
    col, row = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = x - col, y - row
    upper = values[row, col] * (1 - fx) + values[row, col + 1] * fx
    lower = values[row + 1, col] * (1 - fx) + values[row + 1, col + 1] * fx
    heights = upper * (1 - fy) + lower * fy
    return heights + load_geoid("egm96", None).undulation(lon, lat) if egm else heights


def adds_egm(node):
    """Whether an operator adds EGM96 to an external model's heights."""
    given = dict(node.parameters)
    switch = "externalDEMApplyEGM" in operators()[node.operator].parameters
    return given["externalDEMApplyEGM"] == "true" if switch else ALWAYS_EGM


def using_dem(graph):
    return [node for node in graph.nodes if "demName" in operators()[node.operator].parameters]


def places(count=2000):
    rng = np.random.default_rng(4)
    return LON + rng.uniform(-0.02, 0.02, count), LAT + rng.uniform(-0.015, 0.015, count)


class TestHeights:
    @pytest.mark.parametrize("entry", every_graph(), ids=named)
    def test_are_the_same_in_every_operator_of_every_graph(self, entry, prepared):
        *_, graph = entry
        lon, lat = places()
        for node in using_dem(graph):
            seen = seen_by_snap(prepared, lon, lat, egm=adds_egm(node))
            # Bilinear interpolation bends by centimetres; half a sample would be metres, the geoid tens of them.
            np.testing.assert_allclose(seen, hills(lon, lat), atol=0.05, err_msg=node.id)

    @pytest.mark.parametrize("entry", every_graph(), ids=named)
    def test_come_from_the_prepared_model_alone(self, entry):
        *_, graph = entry
        for node in using_dem(graph):
            given = dict(node.parameters)
            assert (given["demName"], given["externalDEMFile"]) == ("External DEM", str(SITE.dem))
            assert float(given["externalDEMNoDataValue"]) == DEM_NODATA
            assert given.get("externalDEMApplyEGM", "true") == "true"

    def test_half_a_sample_would_show(self, prepared, tmp_path):
        wrong = tmp_path / "wrong.tif"
        with rasterio.open(prepared) as source:
            profile, values = source.profile, source.read(1)
        profile["transform"] = profile["transform"] @ rasterio.Affine.translation(-0.5, -0.5)
        with rasterio.open(wrong, "w", **profile) as target:
            target.write(values, 1)
        lon, lat = places()
        off = seen_by_snap(wrong, lon, lat, egm=True) - hills(lon, lat)
        assert np.abs(off).mean() > 1.0

    def test_without_the_geoid_would_be_tens_of_metres_off(self, prepared):
        lon, lat = places()
        off = seen_by_snap(prepared, lon, lat, egm=False) - hills(lon, lat)
        assert (np.abs(off) > 40).all()

    def test_of_a_model_above_another_geoid_are_ellipsoidal_first(self, dem, tmp_path):
        # The same numbers, said to count from EGM96, are handed on as they are.
        above = orthometric(Dem(dem.path, "egm96"), AREA)
        lon, lat = np.meshgrid(AREA.longitude, AREA.latitude)
        np.testing.assert_allclose(above, hills(lon, lat), atol=0.05)


@pytest.mark.parametrize("degrees", [50, 60, 70])
def test_heights_across_a_parallel_at_which_models_of_snap_change_are_as_smooth_as_elsewhere(tmp_path, degrees):
    area = DemArea(10_000, degrees * 3600 - 75, 10_200, degrees * 3600 + 75)

    def plane(lon, lat):
        return 200.0 + 9e3 * (lon - LON) + 1.1e4 * (lat - degrees)

    box = (area.west * STEP - 0.01, area.south * STEP - 0.01, area.east * STEP + 0.01, area.north * STEP + 0.01)
    write_surface(tmp_path / "plane.tif", plane, 4326, box, STEP)
    path = prepare(Dem(tmp_path / "plane.tif", "ellipsoidal"), area, tmp_path / "dem.tif")
    lat = degrees + np.linspace(-0.015, 0.015, 900)
    lon = np.full_like(lat, LON)
    np.testing.assert_allclose(seen_by_snap(path, lon, lat, egm=True), plane(lon, lat), atol=0.02)


class TestFile:
    def test_is_in_degrees_single_precision_and_has_a_value_for_nothing_that_never_occurs(self, prepared):
        with rasterio.open(prepared) as source:
            assert source.crs.to_epsg() == 4326
            assert source.dtypes == ("float32",)
            assert source.nodata == DEM_NODATA
            assert (source.read(1) > -1000).all()

    def test_lies_half_a_sample_to_the_south_east_of_where_its_samples_are(self, prepared):
        with rasterio.open(prepared) as source:
            assert source.transform.c == pytest.approx(AREA.longitude[0], abs=1e-12)
            assert source.transform.f == pytest.approx(AREA.latitude[0], abs=1e-12)
            assert source.shape == AREA.shape == (150, 200)

    def test_agrees_with_that_of_another_job_where_both_reach(self, dem):
        one, other = AREA, DemArea(AREA.west + 37, AREA.south - 20, AREA.east + 37, AREA.north - 20)
        first, second = orthometric(dem, one), orthometric(dem, other)
        np.testing.assert_allclose(first[20:, 37:], second[:-20, :-37], atol=1e-3)


class TestGaps:
    def test_are_filled_from_their_edges(self, tmp_path):
        def holed(lon, lat):
            inside = (np.abs(lon - LON) < 20 * STEP) & (np.abs(lat - LAT) < 20 * STEP)
            return np.where(inside, np.nan, 500.0 + 0.0 * lon)

        box = (AREA.west * STEP - 0.01, AREA.south * STEP - 0.01, AREA.east * STEP + 0.01, AREA.north * STEP + 0.01)
        write_surface(tmp_path / "holed.tif", holed, 4326, box, STEP)
        above = orthometric(Dem(tmp_path / "holed.tif", "egm96"), AREA)
        np.testing.assert_allclose(above, 500.0, atol=0.01)

    def test_far_from_any_height_lie_at_sea_level(self, tmp_path):
        box = (AREA.west * STEP, AREA.south * STEP, (AREA.west + 40) * STEP, AREA.north * STEP)
        write_surface(tmp_path / "part.tif", lambda lon, lat: 500.0 + 0.0 * lon * lat, 4326, box, STEP)
        above = orthometric(Dem(tmp_path / "part.tif", "egm96"), AREA)
        np.testing.assert_allclose(above[5:-5, :35], 500.0, atol=0.01)
        np.testing.assert_array_equal(above[5:-5, 150:], 0.0)
        assert np.isfinite(above).all()

    def test_of_a_model_elsewhere_are_all_of_it(self, tmp_path):
        write_surface(
            tmp_path / "far.tif", lambda lon, lat: 500.0 + 0.0 * lon * lat, 4326, (20.0, 10.0, 20.1, 10.1), STEP
        )
        np.testing.assert_array_equal(orthometric(Dem(tmp_path / "far.tif", "egm96"), AREA), 0.0)


class TestArea:
    def test_holds_every_point_of_the_bursts_grid_and_a_tenth_of_a_degree_more(self, morocco):
        area = DemArea.around(placed for burst, placed in morocco.bursts.items() if burst.subswath == "IW2")
        body = body_of("6814", "IW2")
        grid = read_geolocation_grid(body, product="P", member="M", epoch=epoch_of(body))
        west, east = area.longitude[[0, -1]]
        north, south = area.latitude[[0, -1]]
        assert west + 0.1 < grid.longitude.min() < grid.longitude.max() < east - 0.1
        assert south + 0.1 < grid.latitude.min() < grid.latitude.max() < north - 0.1
        assert east - west < np.ptp(grid.longitude) + 0.5, "no more than needed"

    def test_holds_high_ground_that_lies_beyond_the_ellipsoid_s(self, morocco):
        placed = next(p for b, p in morocco.bursts.items() if b.subswath == "IW1")
        area = DemArea.around([placed])
        swath = placed.swath
        times = np.array([placed.burst.start_s, placed.stop_s]).repeat(2)
        ranges = (
            np.tile([swath.range_start_s, swath.range_start_s + swath.samples / swath.range_rate_hz], 2) * 299792458 / 2
        )
        for height in (0.0, 5500.0):
            points = geometry.locate(swath.orbit.local(times.mean()), times, ranges, np.full(4, height))
            lon, lat, _ = Transformer.from_crs(4978, 4979, always_xy=True).transform(*points.T)
            assert area.longitude[0] + 0.1 <= lon.min() <= lon.max() <= area.longitude[-1] - 0.1
            assert area.latitude[-1] + 0.1 <= lat.min() <= lat.max() <= area.latitude[0] - 0.1

    def test_across_the_antimeridian_is_refused(self, morocco, monkeypatch):
        placed = next(iter(morocco.bursts.values()))
        middle = np.mean(DemArea.around([placed]).longitude)
        turn_by = np.radians(180.0 - middle)
        turn = np.array([[np.cos(turn_by), -np.sin(turn_by), 0], [np.sin(turn_by), np.cos(turn_by), 0], [0, 0, 1]])
        locate = geometry.locate
        monkeypatch.setattr(geometry, "locate", lambda *where: locate(*where) @ turn.T)
        with pytest.raises(Rejected, match="antimeridian"):
            DemArea.around([placed])


def test_the_geoid_s_switch_is_on_wherever_there_is_one():
    switches = {
        (node.operator, dict(node.parameters).get("externalDEMApplyEGM"))
        for _, _, graph in every_graph()
        for node in using_dem(graph)
    }
    assert switches == {
        ("Terrain-Flattening", "true"),
        ("Terrain-Correction", "true"),
        ("Interferogram", "true"),
        ("Back-Geocoding", None),
    }
