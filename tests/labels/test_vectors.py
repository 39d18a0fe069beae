"""Labels of polygons: pixel centres, overlaps, names, and files as people have them."""

import shutil
import sqlite3
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import geopandas
import numpy as np
import pytest
import shapely
from pyproj import Transformer
from shapely.geometry import MultiPolygon, Point, Polygon, box

from sen12ts_pipeline.domain.lattice import Grid, TileId
from sen12ts_pipeline.domain.layers import NODATA
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.labels.names import Codes, dun_codes
from sen12ts_pipeline.labels.vectors import ParcelLabels, VectorLabels
from sen12ts_pipeline.ports import LabelSource
from tests.labels.examples import DUN

GRID = Grid(32631, 300_000.0, 4_600_000.0, 10, 10)
"""Ten pixels by ten of 10 m."""


def square(col, row, cols=1.0, rows=1.0):
    """A rectangle in pixels of `GRID`, from its upper left corner."""
    left, top = GRID.west + 10 * col, GRID.north - 10 * row
    return box(left, top - 10 * rows, left + 10 * cols, top)


def written(path, parcels, *, crs="EPSG:32631", values="code", **options):
    """A file of (geometry, value) with the column `values`."""
    shapes, found = [one for one, _ in parcels], [value for _, value in parcels]
    frame = geopandas.GeoDataFrame({values: found}, geometry=shapes, crs=crs)
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_file(path, engine="pyogrio", **options)
    return path


def labelled(path, *, grid=GRID, **options):
    return VectorLabels(path, "code", **options).label(grid)


SUFFIXES = (".gpkg", ".shp", ".fgb", ".geojson", ".parquet")


class TestPixels:
    """Which polygon a pixel gets its code from."""

    def test_the_centre_decides(self, tmp_path):
        path = written(tmp_path / "a.gpkg", [(square(1.4, 1.6, 2, 2), 7)])
        codes = labelled(path).codes
        assert np.argwhere(codes == 7).tolist() == [[2, 1], [2, 2], [3, 1], [3, 2]]
        assert (codes.dtype, (codes == NODATA).sum()) == (np.int16, 96)

    def test_every_pixel_agrees_with_point_in_polygon_on_real_parcels(self):
        """An independent method: the source's own polygons, asked by shapely for every pixel's centre."""
        tile = TileId(31, -85, 1794)
        label = ParcelLabels(DUN).label(tile.grid)
        parcels = geopandas.read_file(DUN, layer="CULTIUS_DUN2023")
        grid = tile.grid
        x, y = np.meshgrid(grid.west + 10 * (np.arange(256) + 0.5), grid.north - 10 * (np.arange(256) + 0.5))
        east, north = Transformer.from_crs(grid.epsg, parcels.crs, always_xy=True).transform(x, y)
        points = shapely.points(east.ravel(), north.ravel())
        pixel, parcel = shapely.STRtree(parcels.geometry.to_numpy()).query(points).T[:, ::1].T
        inside = shapely.contains(parcels.geometry.to_numpy()[parcel], points[pixel])
        expected = np.full(256 * 256, NODATA, np.int16)
        codes = np.array([dun_codes().find(name) for name in parcels["cultiu"]], np.int16)
        expected[pixel[inside]] = codes[parcel[inside]]
        assert (expected != NODATA).sum() > 1000
        np.testing.assert_array_equal(label.codes, expected.reshape(256, 256))

    def test_the_area_of_real_parcels_is_kept(self):
        parcels = geopandas.read_file(DUN, layer="CULTIUS_DUN2023")
        corners = parcels.to_crs(4326).bounds.to_numpy()
        tiles = {TileId.at(lon, lat) for w, s, e, n in corners for lon in (w, e) for lat in (s, n)}
        source = ParcelLabels(DUN)
        labels = [source.label(tile.grid).codes for tile in tiles]
        pixels = {
            crop: sum(int((c == dun_codes().find(crop)).sum()) for c in labels) for crop in set(parcels["cultiu"])
        }
        assert sum(pixels.values()) == pytest.approx(parcels.area.sum() / 100, rel=0.002)
        for crop, group in parcels.groupby("cultiu"):
            assert pixels[crop] == pytest.approx(group.area.sum() / 100, rel=0.01)

    def test_polygons_that_share_an_edge_share_no_pixel_and_leave_none_out(self, tmp_path):
        """The edge runs through the centres of a column."""
        path = written(tmp_path / "a.gpkg", [(square(0, 0, 4.5, 10), 1), (square(4.5, 0, 5.5, 10), 2)])
        label = labelled(path)
        assert NODATA not in label.codes
        assert label.notes == {}

    def test_a_tile_is_the_sum_of_its_blocks(self):
        grid, source = TileId(31, -86, 1794).grid, ParcelLabels(DUN)
        whole = source.label(grid).codes
        for rows, cols, part in grid.blocks(100):
            np.testing.assert_array_equal(source.label(part).codes, whole[rows, cols])

    def test_holes_and_parts_are_kept(self, tmp_path):
        ring = square(0, 0, 5, 5).difference(square(1, 1, 3, 3))
        path = written(tmp_path / "a.gpkg", [(MultiPolygon([ring, square(7, 7, 2, 2)]), 3)])
        codes = labelled(path).codes
        assert ((codes == 3).sum(), codes[2, 2], codes[8, 8]) == (16 + 4, NODATA, 3)

    def test_long_edges_in_degrees_follow_the_parallel(self, tmp_path):
        """Half of the world as four corners: its edge on 41.5° N is a curve of the UTM zone."""
        path = written(tmp_path / "a.geojson", [(box(-2, 41.5, 8, 44), 5)], crs="EPSG:4326")
        tile = TileId.at(0.6, 41.5)
        codes = labelled(path, grid=tile.grid).codes
        x, y = np.meshgrid(tile.grid.west + 10 * (np.arange(256) + 0.5), tile.grid.north - 10 * (np.arange(256) + 0.5))
        _, latitude = Transformer.from_crs(tile.grid.epsg, 4326, always_xy=True).transform(x, y)
        differs = (codes == 5) != (latitude > 41.5)
        assert 0 < (codes == 5).sum() < codes.size
        assert (np.abs(latitude[differs] - 41.5) * 111_000 < 0.05).all()


class TestOverlaps:
    """Where several polygons hold a pixel, whatever their order in the file."""

    PARCELS = ((square(0, 0, 8, 8), 1), (square(2, 2, 3, 3), 2), (square(4, 4, 2, 6), 3), (square(4, 4, 2, 6), 4))

    @pytest.mark.parametrize("suffix", SUFFIXES)
    @pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)], ids=str)
    def test_the_smaller_one_counts_and_of_equal_ones_the_higher_code(self, tmp_path, suffix, order):
        path = written(tmp_path / f"a{suffix}", [self.PARCELS[k] for k in order])
        label = labelled(path)
        assert [int(label.codes[k, k]) for k in (1, 3, 4, 5, 7)] == [1, 2, 2, 4, 1]
        assert (label.codes[9, 4], label.codes[9, 0]) == (4, NODATA)
        assert label.notes == {"overlapping_pixels": 9 + 12 - 1}

    def test_real_parcels_do_not_depend_on_their_order(self, tmp_path):
        parcels = geopandas.read_file(DUN, layer="CULTIUS_DUN2023")
        parcels.iloc[::-1].to_file(tmp_path / "reversed.shp", engine="pyogrio", encoding="UTF-8")
        grid = TileId(31, -86, 1792).grid
        one, other = (ParcelLabels(path).label(grid).codes for path in (DUN, tmp_path / "reversed.shp"))
        assert len(np.unique(one)) > 1
        np.testing.assert_array_equal(one, other)


class TestWhatIsCounted:
    """What a label loses or mends is told."""

    def test_polygons_without_a_pixel_s_centre(self, tmp_path):
        small = [(square(3.6, 3.6, 0.8, 0.8), 1), (square(0.1, 0.1, 0.2, 0.2), 2), (square(9.8, 2.1, 0.9, 0.2), 3)]
        label = labelled(written(tmp_path / "a.gpkg", small))
        assert (label.codes == NODATA).all()
        assert label.notes == {"without_pixel": 2}, "the middle of the third lies in the next tile, which tells it"

    def test_one_that_smaller_ones_hide_is_not_lost(self, tmp_path):
        hidden = [(square(0, 0, 2, 1), 1), (square(0, 0), 2), (square(1, 0), 3)]
        assert labelled(written(tmp_path / "a.gpkg", hidden)).notes == {"overlapping_pixels": 2}

    def test_a_ring_that_crosses_itself_is_mended(self, tmp_path):
        bow_tie = Polygon([(GRID.west, GRID.north), (GRID.west + 100, GRID.south), (GRID.west + 100, GRID.north),
                           (GRID.west, GRID.south)])  # fmt: skip
        label = labelled(written(tmp_path / "a.gpkg", [(bow_tie, 6)]))
        assert label.notes == {"repaired": 1}
        assert (label.codes[5, 1], label.codes[5, 8], label.codes[1, 5]) == (6, 6, NODATA)

    def test_a_ring_that_is_not_closed_is_mended(self, tmp_path):
        path = written(tmp_path / "a.gpkg", [(square(0, 0, 2, 2), 1), (square(5, 5, 2, 2), 2)])
        open_ring = shapely.to_wkb(square(0, 0, 2, 2))[:-16]
        replace_geometry(path, 1, open_ring[:9] + (4).to_bytes(4, "little") + open_ring[13:])
        label = labelled(path)
        assert ((label.codes == 1).sum(), (label.codes == 2).sum(), label.notes) == (4, 4, {"repaired": 1})

    def test_one_without_an_area_is_dropped(self, tmp_path):
        flat = Polygon([(GRID.west, GRID.north), (GRID.west + 50, GRID.south), (GRID.west, GRID.north)])
        label = labelled(written(tmp_path / "a.gpkg", [(flat, 1), (square(5, 5), 2)]))
        assert ((label.codes == 2).sum(), label.notes) == (1, {"dropped": 1})

    def test_one_without_a_class_says_nothing(self, tmp_path):
        path = written(tmp_path / "a.gpkg", [(square(0, 0), "Wood"), (square(1, 0), None), (square(2, 0), " ")])
        label = labelled(path, codes=Codes({"wood": 4}))
        assert label.codes[0, :4].tolist() == [4, NODATA, NODATA, NODATA]
        assert label.notes == {"without_class": 2}


def replace_geometry(path, fid, wkb):
    """Put a geometry into a GeoPackage that no library would write."""
    with sqlite3.connect(path) as database:
        (table, column) = database.execute("SELECT table_name, column_name FROM gpkg_geometry_columns").fetchone()
        (old,) = database.execute(f"SELECT {column} FROM {table} WHERE fid = ?", (fid,)).fetchone()
        head = 8 + {0: 0, 1: 32}[(old[3] >> 1) & 7]
        triggers = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (name,) in triggers:
            database.execute(f'DROP TRIGGER "{name}"')
        database.execute(f"UPDATE {table} SET {column} = ? WHERE fid = ?", (old[:head] + wkb, fid))


class TestFiles:
    """Files as people have them."""

    @pytest.mark.parametrize("suffix", SUFFIXES)
    def test_of_each_kind_give_the_same_label(self, tmp_path, suffix):
        parcels = geopandas.read_file(DUN, layer="CULTIUS_DUN2023")[["campanya", "cultiu", "geometry"]]
        path = tmp_path / f"parcels{suffix}"
        if suffix == ".parquet":
            parcels.to_parquet(path)
        elif suffix == ".geojson":
            parcels.to_file(path, engine="pyogrio", COORDINATE_PRECISION=12)
        else:
            parcels.to_file(path, engine="pyogrio")
        grid = TileId(31, -85, 1794).grid
        source, expected = ParcelLabels(path), ParcelLabels(DUN)
        np.testing.assert_array_equal(source.label(grid).codes, expected.label(grid).codes)
        assert source.year == 2023

    def test_columns_in_capitals_and_names_without_an_encoding_are_understood(self, tmp_path):
        """Shapefiles up to 2022: `Cultiu`, `Campanya`, UTF-8 without a .cpg that would tell it."""
        frame = geopandas.GeoDataFrame(
            {"Campanya": [2020], "Cultiu": ["ALBERGÍNIA"]}, geometry=[square(0, 0)], crs=25831
        )
        frame.to_file(tmp_path / "dun.shp", engine="pyogrio", encoding="UTF-8")
        (tmp_path / "dun.cpg").unlink()
        source = ParcelLabels(tmp_path / "dun.shp")
        assert (source.year, int(source.label(GRID).codes[0, 0])) == (2020, 2)

    def test_are_read_by_many_threads_at_once(self):
        source, tiles = ParcelLabels(DUN), [TileId(31, -85, 1794), TileId(31, -86, 1794), TileId(31, -86, 1792)] * 4
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(lambda tile: source.label(tile.grid).codes, tiles))
        for tile, codes in zip(tiles, together, strict=True):
            np.testing.assert_array_equal(codes, ParcelLabels(DUN).label(tile.grid).codes)

    def test_leave_the_warnings_of_other_threads_alone(self, tmp_path):
        """Python keeps its filters for all threads; here they take turns as often as they can."""
        source, before = (
            VectorLabels(written(tmp_path / "a.parquet", [(square(0, 0), 7)] * 20), "code"),
            warnings.filters,
        )
        usual = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            with ThreadPoolExecutor(4) as pool:
                labels = list(pool.map(lambda _: source.label(GRID), range(200)))
        finally:
            sys.setswitchinterval(usual)
        assert {int(label.codes[0, 0]) for label in labels} == {7}
        assert warnings.filters is before

    def test_without_a_feature_near_give_an_empty_label(self):
        label = ParcelLabels(DUN).label(TileId.at(0.0, 0.001).grid)
        assert ((label.codes == NODATA).all(), label.notes) == (True, {})

    def test_are_identified_by_content_column_and_codes(self, tmp_path):
        source: LabelSource = VectorLabels(DUN, "cultiu", dun_codes())
        shutil.copy(DUN, tmp_path / DUN.name)
        assert VectorLabels(tmp_path / DUN.name, "CULTIU", dun_codes()).identity == source.identity
        other = VectorLabels(DUN, "cultiu", Codes({"Agrostis": 3, "Albercoquer": 4}))
        assert other.identity["sha256"] != source.identity["sha256"]
        assert source.identity["name"] == DUN.name

    def test_of_several_layers_need_the_layer_s_name(self, tmp_path):
        path = tmp_path / "two.gpkg"
        written(path, [(square(0, 0), 1)], layer="fields")
        written(path, [(square(0, 0), 2)], layer="woods")
        with pytest.raises(ConfigurationError, match=r"labels\.layer: must be set .*\['fields', 'woods'\]"):
            labelled(path)
        assert int(labelled(path, layer="woods").codes[0, 0]) == 2
        with pytest.raises(ConfigurationError, match=r"labels\.layer: must be one of fields, woods.*'roads'"):
            labelled(path, layer="roads")


class TestRefusals:
    """What cannot be used is told before work begins."""

    def test_unknown_names_are_all_listed(self, tmp_path):
        path = written(
            tmp_path / "a.gpkg", [(square(0, 0), name) for name in ("ORDI", "Xyz", "Abc", "ordi")], values="cultiu"
        )
        rule = r"labels\.classes: must give a code to every name of the column cultiu, .*a\.gpkg; got \['Abc', 'Xyz'\]"
        with pytest.raises(ConfigurationError, match=rule):
            ParcelLabels(path)
        more = Codes({"abc": 2001, "xyz": 2002})
        assert ParcelLabels(path, more=more).label(GRID).codes[0, 0] in (110, 2001, 2002)

    def test_a_table_of_the_user_s_gives_known_crops_other_codes(self, tmp_path):
        path = written(tmp_path / "a.gpkg", [(square(0, 0), "Mandariner"), (square(1, 0), "ORDI")], values="cultiu")
        assert ParcelLabels(path).label(GRID).codes[0, :2].tolist() == [93, 110]
        replaced = ParcelLabels(path, more=Codes({"MANDARINER": 3001})).label(GRID)
        assert replaced.codes[0, :2].tolist() == [3001, 110]

    def test_names_need_a_class_table(self, tmp_path):
        path = written(tmp_path / "a.gpkg", [(square(0, 0), "Wood")])
        with pytest.raises(ConfigurationError, match=r"labels\.classes: must be set where the classes are names"):
            labelled(path)

    @pytest.mark.parametrize("wrong", [32_768, -40_000, NODATA, 1.5], ids=str)
    def test_codes_that_no_label_can_hold_are_listed(self, tmp_path, wrong):
        path = written(tmp_path / "a.gpkg", [(square(0, 0), 3), (square(1, 0), wrong)])
        with pytest.raises(ConfigurationError, match=rf"labels\.column: must hold whole numbers.*got \[{wrong}\]"):
            labelled(path)

    def test_numbers_outside_the_class_table_are_listed(self, tmp_path):
        path = written(tmp_path / "a.gpkg", [(square(k, 0), k) for k in range(4)])
        with pytest.raises(ConfigurationError, match=r"must name every code of the column code.*got \[0, 3\]"):
            labelled(path, codes=Codes({"Wheat": 1, "Rye": 2}))

    def test_a_column_that_is_not_there_is_named_with_those_that_are(self):
        with pytest.raises(ConfigurationError, match=r"labels\.column: must be one of campanya, .*cultiu.*'crop'"):
            ParcelLabels(DUN, "crop")

    @pytest.mark.parametrize("suffix", [".gpkg", ".shp"])
    def test_a_file_without_a_coordinate_system_is_refused(self, tmp_path, suffix):
        path = tmp_path / f"a{suffix}"
        with pytest.warns(UserWarning, match="'crs' was not provided"):
            written(path, [(square(0, 0), 1)], crs=None)
        with pytest.raises(ConfigurationError, match=r"labels\.path: must have a coordinate system, file .*a\."):
            labelled(path)

    @pytest.mark.parametrize(
        ("crs", "shape"),
        [("EPSG:25831", box(0.5, 41.5, 0.6, 41.6)), ("EPSG:4326", square(0, 0))],
        ids=["degrees called metres", "metres called degrees"],
    )
    def test_coordinates_that_do_not_fit_the_system_are_refused(self, tmp_path, crs, shape):
        path = written(tmp_path / "a.gpkg", [(shape, 1)], crs=crs)
        with pytest.raises(ConfigurationError, match=r"must have coordinates that fit its coordinate system"):
            labelled(path)

    def test_several_campaigns_in_one_file_are_refused(self, tmp_path):
        shapes = [square(0, 0), square(1, 0)]
        frame = geopandas.GeoDataFrame(
            {"campanya": [2020, 2021], "cultiu": ["ORDI", "ORDI"]}, geometry=shapes, crs=25831
        )
        frame.to_file(tmp_path / "a.gpkg", engine="pyogrio")
        with pytest.raises(ConfigurationError, match=r"must be of one campaign \(column campanya\).*\[2020, 2021\]"):
            ParcelLabels(tmp_path / "a.gpkg")

    def test_files_that_are_none_are_named(self, tmp_path):
        (tmp_path / "text.gpkg").write_text("parcels")
        (tmp_path / "text.parquet").write_text("parcels")
        (tmp_path / "parcels.txt").write_text("parcels")
        points = written(tmp_path / "points.gpkg", [(Point(GRID.west, GRID.north), 1)])
        for path, rule in {
            tmp_path / "text.gpkg": "must be a readable file of polygons",
            tmp_path / "text.parquet": "must be a readable file of polygons",
            tmp_path / "parcels.txt": "must be a file of polygons",
            tmp_path / "none.gpkg": "must be a file of polygons",
            points: "must hold polygons",
        }.items():
            with pytest.raises(ConfigurationError, match=rf"labels\.path: {rule}.*{path.name}"):
                labelled(path)
