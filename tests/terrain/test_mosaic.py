"""Tiles put together are one model: nothing shows where they meet."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from pyproj import Transformer

from sen12ts_pipeline.terrain import mosaic
from sen12ts_pipeline.terrain.dem import Dem
from sen12ts_pipeline.terrain.mosaic import Cell, read_tile, vrt, write_sea, write_widened
from tests.terrain import tiles

DATA = Path(__file__).parents[1] / "data/dem"


def put_together(folder, found):
    """VRT of tiles by cell; None is sea."""
    write_sea(folder / mosaic.SEA_FILE)
    path = folder / "mosaic.vrt"
    path.write_text(vrt({cell: p and read_tile(p, cell) for cell, p in found.items()}, folder))
    return path


def heights(dem, longitude, latitude):
    """Heights on a lattice of degrees, by the way that the engine takes: a window of a map."""
    return dem.window(4326, (longitude[0], latitude[-1], longitude[-1], latitude[0])).lattice(longitude, latitude)


class TestRealTiles:
    """The published model around 118 W, 34 N, where four tiles meet."""

    @pytest.fixture
    def cut(self, tmp_path):
        with rasterio.open(DATA / "los_angeles_egm2008.tif") as source:
            whole, t = source.read(1), source.transform
        west, north = round((t.c + t.a / 2) * 3600), round((t.f + t.e / 2) * 3600)  # arc seconds of the first post
        found = {}
        for cell in (Cell(33, -119), Cell(33, -118), Cell(34, -119), Cell(34, -118)):
            left, top = cell.west * 3600, (cell.south + 1) * 3600
            c0, c1 = max(left, west), min(left + 3600, west + 70)
            r0, r1 = min(top, north), max(top - 3600, north - 70)
            part = whole[north - r0 : north - r1, c0 - west : c1 - west]
            window = (c0 - left, top - r0, c1 - c0, r0 - r1)
            found[cell] = tiles.glo30(tmp_path / f"{cell.name}.tif", cell, lambda x, y, part=part: part, window=window)
        return put_together(tmp_path, found)

    def grid(self):
        easting, northing = Transformer.from_crs(4326, 32611, always_xy=True).transform(-118.0, 34.0)
        return easting + np.arange(-600.0, 600.0, 10.0), northing - np.arange(-600.0, 600.0, 10.0)

    def at(self, dem):
        x, y = self.grid()
        return dem.window(32611, (x[0], y[-1], x[-1], y[0])).lattice(x, y)

    def test_are_the_whole_again(self, cut):
        whole = self.at(Dem(DATA / "los_angeles_egm2008.tif", "ellipsoidal"))
        assert np.isfinite(whole).all()
        np.testing.assert_allclose(self.at(Dem(cut, "ellipsoidal")), whole, rtol=0, atol=1e-6)

    def test_above_egm2008_are_the_published_ellipsoidal_heights(self, cut):
        above = self.at(Dem(cut, "egm2008", DATA / "geoid_egm2008_los_angeles.tif"))
        assert np.abs(above - self.at(Dem(DATA / "los_angeles_ellipsoid.tif", "ellipsoidal"))).max() < 2e-3


def waves(longitude, latitude):
    """Hills of some kilometres for columns and rows of 5"."""
    return 300.0 + 80.0 * np.sin(longitude * 80.0) * np.cos(latitude * 60.0)


@pytest.fixture(scope="module")
def seam(tmp_path_factory):
    """A model across 50 N: south of it columns are 5" apart, north of it 7.5"."""
    folder = tmp_path_factory.mktemp("tiles")
    south = {
        c: tiles.glo30(folder / f"{c.name}.tif", c, waves, columns=720, rows=720) for c in (Cell(49, 10), Cell(49, 11))
    }
    north = {
        c: tiles.glo30(folder / f"{c.name}.tif", c, waves, columns=480, rows=720) for c in (Cell(50, 10), Cell(50, 11))
    }
    west, east = (read_tile(path, cell) for cell, path in north.items())
    wide = {c: folder / f"{c.name}_wide.tif" for c in north}
    write_widened(west, None, east, 720, wide[Cell(50, 10)])
    write_widened(east, west, None, 720, wide[Cell(50, 11)])
    return Dem(put_together(folder, south | wide), "ellipsoidal")


class TestDifferentSpacings:
    def error(self, dem, longitude, latitude):
        x, y = longitude + np.arange(-0.1, 0.1, 1e-3), latitude - np.arange(-0.1, 0.1, 1e-3)
        return np.abs(heights(dem, x, y) - waves(x[None], y[:, None])).max()

    def test_leave_no_error_beyond_that_of_the_wider_one(self, seam, tmp_path):
        cell = Cell(50, 10)
        alone = put_together(tmp_path, {cell: tiles.glo30(tmp_path / "a.tif", cell, waves, columns=480, rows=720)})
        within = self.error(Dem(alone, "ellipsoidal"), 10.5, 50.5)
        assert 1e-5 < within < 0.05
        for longitude, latitude in ((10.5, 50.0), (11.0, 50.0), (11.0, 50.5), (10.5, 50.5)):
            assert self.error(seam, longitude, latitude) < 1.5 * within

    def test_keep_the_posts_that_both_have(self, seam):
        with rasterio.open(seam.path) as source:
            found = source.read(1, window=((100, 103), (300, 309)))[:, ::3]
        longitude, latitude = 10.0 + np.arange(300, 309, 3) / 720, 51.0 - np.arange(100, 103) / 720
        np.testing.assert_allclose(found, waves(longitude[None], latitude[:, None]), atol=1e-4)

    def test_cannot_be_put_together_as_they_are(self, tmp_path):
        cells = {Cell(49, 10): 360, Cell(50, 10): 240}
        found = {
            c: read_tile(tiles.glo30(tmp_path / f"{c.name}.tif", c, waves, columns=n, rows=360), c)
            for c, n in cells.items()
        }
        with pytest.raises(ValueError, match="one lattice"):
            vrt(found, tmp_path)


def test_a_void_spoils_no_more_than_the_posts_that_need_it(tmp_path):
    cell = Cell(50, 10)

    def with_void(x, y):
        return np.where((np.abs(x - 10.5) < 1e-6) & (np.abs(y - 50.5) < 1e-6), mosaic.VOID, 100.0)

    path = tiles.glo30(tmp_path / "a.tif", cell, with_void, columns=240, rows=360)
    with rasterio.open(path, "r+") as target:
        target.nodata = mosaic.VOID
    write_widened(read_tile(path, cell), None, None, 360, tmp_path / "wide.tif")
    with rasterio.open(tmp_path / "wide.tif") as source:
        values = source.read(1)
    void = values == mosaic.VOID
    assert np.flatnonzero(void.any(axis=1)).tolist() == [180]
    assert np.flatnonzero(void.any(axis=0)).tolist() == [178, 179, 180, 181, 182]
    assert (values[~void] == 100.0).all()


class TestTheAntimeridian:
    def test_is_no_edge(self, tmp_path):
        def plane(x, y):
            return 100.0 + 50.0 * ((x % 360.0) - 180.0) + 0.0 * y

        east = tiles.glo30(tmp_path / "e.tif", Cell(10, 179), plane, columns=360, rows=360)
        west = tiles.glo30(tmp_path / "w.tif", Cell(10, -180), plane, columns=360, rows=360)
        dem = Dem(put_together(tmp_path, {Cell(10, 179): east, Cell(10, 180): west}), "egm96")
        to_map = Transformer.from_crs(4326, 32660, always_xy=True)
        x0, y0 = to_map.transform(180.0, 10.5)
        x, y = x0 + np.arange(-9000.0, 9000.0, 300.0), y0 - np.arange(-9000.0, 9000.0, 300.0)
        found = dem.window(32660, (x[0], y[-1], x[-1], y[0])).lattice(x, y)
        flat = Dem(dem.path, "ellipsoidal").window(32660, (x[0], y[-1], x[-1], y[0])).lattice(x, y)
        longitude, _ = Transformer.from_crs(32660, 4326, always_xy=True).transform(*np.meshgrid(x, y))
        np.testing.assert_allclose(flat, 100.0 + 50.0 * ((longitude % 360.0) - 180.0), atol=1e-3)
        assert np.ptp(found - flat) < 2.0  # the geoid goes on, too

    def test_is_crossed_by_names(self):
        assert [Cell(-1, west).name for west in (179, 180, 181, -180)] == ["S01E179", "S01W180", "S01W179", "S01W180"]


class TestTheSea:
    def test_has_height_0_and_what_is_not_known_has_none(self, tmp_path):
        land = tiles.glo30(tmp_path / "a.tif", Cell(0, 6), lambda x, y: 5.0 + 0 * x * y, columns=360, rows=360)
        dem = Dem(put_together(tmp_path, {Cell(0, 6): land, Cell(0, 7): None, Cell(1, 7): None}), "ellipsoidal")
        latitude = np.array([0.55, 0.5])
        assert (heights(dem, np.array([6.5, 6.55]), latitude) == 5.0).all()
        assert (heights(dem, np.array([7.5, 7.55]), latitude) == 0.0).all()
        assert (heights(dem, np.array([7.5, 7.55]), latitude + 0.5) == 0.0).all()
        assert np.isnan(heights(dem, np.array([6.5, 6.55]), latitude + 1)).all()

    def test_alone_is_no_model(self, tmp_path):
        with pytest.raises(ValueError, match="one at least"):
            vrt({Cell(0, 6): None}, tmp_path)


class TestAFile:
    def test_of_another_place_is_refused(self, tmp_path):
        path = tiles.glo30(tmp_path / "a.tif", Cell(1, 6), waves, columns=360, rows=360)
        with pytest.raises(ValueError, match=r"the degree N00E006; it begins at 6\.0"):
            read_tile(path, Cell(0, 6))

    def test_that_is_cut_short_is_refused(self, tmp_path):
        path = tiles.glo30(tmp_path / "a.tif", Cell(1, 6), waves, columns=360, rows=360)
        path.write_bytes(path.read_bytes()[:-1000])
        with pytest.raises(ValueError, match="no raster that can be read"):
            read_tile(path, Cell(1, 6))
