"""Elevation models of an area: which tiles, from where, and what stands in the sea."""

import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from shapely.geometry import MultiPolygon, Point, box

from sen12ts_pipeline import passing
from sen12ts_pipeline.acquisition.areas import cells_around
from sen12ts_pipeline.acquisition.cache import Cache
from sen12ts_pipeline.acquisition.elevation import UNPUBLISHED, glo30, srtmgl1
from sen12ts_pipeline.errors import BadProduct, ConfigurationError, Retryable
from sen12ts_pipeline.terrain.dem import Dem
from sen12ts_pipeline.terrain.mosaic import Cell
from tests.acquisition.buckets import Bucket
from tests.terrain import tiles

PLACE = Point(6.5, 0.05).buffer(0.02)
"""An area of which the cells N00E006 and S01E006 are needed, with a margin of 0.1 degrees."""


def key(cell):
    name = f"Copernicus_DSM_COG_10_{cell.name[:3]}_00_{cell.name[3:]}_00_DEM"
    return f"{name}/{name}.tif"


def hills(x, y):
    return 100.0 + 10.0 * np.sin(20.0 * x) + 0.0 * y


@pytest.fixture
def archive(monkeypatch, tmp_path):
    """A bucket with tiles of 36 posts a degree of the cells N00E006, N00E007, N01E006."""
    monkeypatch.setattr(passing, "FIRST_WAIT_S", 0.001)
    with Bucket() as bucket:
        for cell in (Cell(0, 6), Cell(0, 7), Cell(1, 6)):
            path = tiles.glo30(tmp_path / "t.tif", cell, hills, columns=36, rows=36)
            bucket.objects[key(cell)] = path.read_bytes()
        names = [k.partition("/")[0] for k in bucket.objects]
        bucket.objects["tileList.txt"] = "\r\n".join(names).encode()
        yield bucket


def heights(elevation, longitude, latitude):
    dem = Dem(elevation.path, "ellipsoidal", sha256=elevation.sha256)
    return dem.window(4326, (longitude - 0.1, latitude - 0.1, longitude + 0.1, latitude + 0.1)).lattice(
        np.array([longitude]), np.array([latitude])
    )[0, 0]


class TestCells:
    @pytest.mark.parametrize(
        ("area", "margin", "expected"),
        [
            (box(6.4, 0.4, 6.6, 0.6), 0.1, [(0, 6)]),
            (
                box(6.4, 0.4, 6.6, 0.6),
                0.45,
                [(-1, 5), (-1, 6), (-1, 7), (0, 5), (0, 6), (0, 7), (1, 5), (1, 6), (1, 7)],
            ),
            (box(6.4, 60.4, 6.6, 60.6), 0.2, [(60, 5), (60, 6), (60, 7)]),
            (MultiPolygon([box(179.5, 0.4, 180, 0.6), box(-180, 0.4, -179.5, 0.6)]), 0.1, [(0, 179), (0, 180)]),
            (MultiPolygon([box(0.4, 0.4, 0.6, 0.6), box(2.4, 2.4, 2.6, 2.6)]), 0.1, [(0, 0), (2, 2)]),
        ],
        ids=["inside", "all around", "degrees are narrow", "antimeridian", "two parts"],
    )
    def test_are_those_within_a_margin(self, area, margin, expected):
        assert cells_around(area, 1, margin) == expected

    def test_of_three_degrees_are_named_by_multiples_of_three(self):
        assert cells_around(box(5.9, -0.1, 6.1, 0.1), 3, 0.0) == [(-3, 3), (-3, 6), (0, 3), (0, 6)]


class TestGlo30:
    def test_tiles_are_fetched_once_and_the_sea_is_0(self, archive, tmp_path):
        first = glo30(PLACE, Cache(tmp_path / "c"), archive.url, 0.1)
        assert archive.keys_asked() == ["tileList.txt", key(Cell(0, 6))]
        assert first == glo30(PLACE, Cache(tmp_path / "c"), archive.url, 0.1)
        assert len(archive.asked) == 2
        assert first.vertical == "egm2008"
        assert heights(first, 6.5, 0.5) == pytest.approx(hills(6.5, 0.5), abs=0.5)
        assert heights(first, 6.5, -0.5) == 0.0

    def test_the_margin_is_fetched_too(self, archive, tmp_path):
        glo30(PLACE, Cache(tmp_path / "c"), archive.url, 0.96)
        assert set(archive.keys_asked()[1:]) == {key(c) for c in (Cell(0, 6), Cell(0, 7), Cell(1, 6))}

    def test_land_that_is_not_published_is_void(self, archive, tmp_path):
        armenia = Point(44.5, 40.02).buffer(0.01)
        assert {(39, 44), (40, 44)} <= UNPUBLISHED
        with pytest.raises(ConfigurationError, match=r"a tile of glo30 in the area.*N39E044, N40E044"):
            glo30(armenia, Cache(tmp_path / "c"), archive.url, 0.1)
        path = tiles.glo30(tmp_path / "t.tif", Cell(40, 44), hills, columns=36, rows=36)
        archive.objects[key(Cell(40, 44))] = path.read_bytes()
        archive.objects["tileList.txt"] += f"\n{key(Cell(40, 44))}".encode()
        found = glo30(armenia, Cache(tmp_path / "other"), archive.url, 0.1)
        assert np.isfinite(heights(found, 44.5, 40.5))
        assert np.isnan(heights(found, 44.5, 39.5))

    def test_a_tile_of_the_list_that_is_refused_is_an_error_and_no_sea(self, archive, tmp_path):
        del archive.objects[key(Cell(0, 6))]
        with pytest.raises(ConfigurationError, match=r"N00_00_E006_00_DEM.*answer 403"):
            glo30(PLACE, Cache(tmp_path / "c"), archive.url, 0.1)
        archive.missing = 404
        with pytest.raises(BadProduct, match="there is none at"):
            glo30(PLACE, Cache(tmp_path / "c"), archive.url, 0.1)

    def test_a_storm_leaves_what_has_come(self, archive, tmp_path):
        archive.faults += [None, *[503] * 5]
        with pytest.raises(Retryable, match="503"):
            glo30(PLACE, Cache(tmp_path / "c"), archive.url, 0.1)
        glo30(PLACE, Cache(tmp_path / "c"), archive.url, 0.1)
        assert archive.keys_asked().count("tileList.txt") == 1

    @pytest.mark.parametrize(
        ("body", "error", "words"),
        [
            (b"<!DOCTYPE html><html>Service unavailable</html>", Retryable, "a web page"),
            (b"II*\0", BadProduct, "no raster that can be read"),
        ],
        ids=["page", "stump"],
    )
    def test_what_is_no_tile_is_not_kept(self, archive, tmp_path, body, error, words):
        archive.objects[key(Cell(0, 6))] = body
        with pytest.raises(error, match=words):
            glo30(PLACE, Cache(tmp_path / "c"), archive.url, 0.1)
        assert not list((tmp_path / "c").glob("*.tif"))

    def test_another_tile_is_not_taken_for_the_one_asked_for(self, archive, tmp_path):
        archive.objects[key(Cell(0, 6))] = archive.objects[key(Cell(0, 7))]
        with pytest.raises(BadProduct, match=r"must hold the degree N00E006; it begins at 7\.0"):
            glo30(PLACE, Cache(tmp_path / "c"), archive.url, 0.1)

    def test_a_list_that_names_no_tiles_is_refused(self, archive, tmp_path):
        archive.objects["tileList.txt"] = b"nothing"
        with pytest.raises(BadProduct, match="it names none"):
            glo30(PLACE, Cache(tmp_path / "c"), archive.url, 0.1)

    def test_wider_columns_are_brought_onto_the_closest(self, archive, tmp_path):
        for cell, columns in ((Cell(49, 6), 36), (Cell(50, 6), 24)):
            path = tiles.glo30(tmp_path / "t.tif", cell, hills, columns=columns, rows=36)
            archive.objects[key(cell)] = path.read_bytes()
            archive.objects["tileList.txt"] += f"\n{key(cell)}".encode()
        found = glo30(Point(6.5, 50.0).buffer(0.02), Cache(tmp_path / "c"), archive.url, 0.1)
        assert heights(found, 6.5, 50.5) == pytest.approx(hills(6.5, 50.5), abs=0.5)
        assert heights(found, 6.5, 49.5) == pytest.approx(hills(6.5, 49.5), abs=0.5)
        (wide,) = (tmp_path / "c/widened").glob("*.tif")
        assert wide.name.startswith("N50E006_36_")


class TestIdentity:
    def test_is_that_of_the_tiles_wherever_they_lie(self, archive, tmp_path):
        one, two = (glo30(PLACE, Cache(tmp_path / name), archive.url, 0.1) for name in ("one", "two/deeper"))
        assert one.sha256 == two.sha256
        assert one.path != two.path
        assert one.path.read_bytes() == two.path.read_bytes()

    def test_changes_with_a_tile_and_with_the_cells(self, archive, tmp_path):
        first = glo30(PLACE, Cache(tmp_path / "one"), archive.url, 0.1)
        wider = glo30(PLACE, Cache(tmp_path / "one"), archive.url, 0.96)
        path = tiles.glo30(tmp_path / "t.tif", Cell(0, 6), lambda x, y: hills(x, y) + 1, columns=36, rows=36)
        archive.objects[key(Cell(0, 6))] = path.read_bytes()
        other = glo30(PLACE, Cache(tmp_path / "two"), archive.url, 0.1)
        assert len({first.sha256, wider.sha256, other.sha256}) == 3

    def test_is_known_without_reading_the_tiles(self, archive, tmp_path):
        first = glo30(PLACE, Cache(tmp_path / "c"), archive.url, 0.1)
        (note,) = (tmp_path / "c").glob("*DEM.tif.sha256")
        note.write_text(re.sub("^[0-9a-f]{64}", "0" * 64, note.read_text()))
        assert glo30(PLACE, Cache(tmp_path / "c"), archive.url, 0.1).sha256 != first.sha256


def test_who_want_the_same_tiles_at_once_fetch_them_once(archive, tmp_path):
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: glo30(PLACE, Cache(tmp_path / "c"), archive.url, 0.1), range(3)))
    assert len(set(found)) == 1
    assert sorted(archive.keys_asked()) == [key(Cell(0, 6)), "tileList.txt"]


class TestSrtm:
    @pytest.fixture
    def server(self, archive):
        """The tile N00E006 alone; what is not there is answered by 404."""
        archive.missing = 404
        body = tiles.srtm_zip(Cell(0, 6), lambda x, y: 7.0 + 0 * x * y, void=(1800, 1800))
        archive.objects = {"N00E006.SRTMGL1.hgt/N00E006.SRTMGL1.hgt.zip": body}
        return archive

    def test_is_unpacked_and_has_its_voids_and_the_sea(self, server, tmp_path):
        found = srtmgl1(PLACE, Cache(tmp_path / "c"), server.url, 0.1)
        assert found.vertical == "egm96"
        assert heights(found, 6.3, 0.5) == 7.0
        assert np.isnan(heights(found, 6.5, 0.5))
        assert heights(found, 6.5, -0.5) == 0.0
        assert not list((tmp_path / "c").glob("[!.]*.zip*"))
        asked = len(server.asked)
        assert srtmgl1(PLACE, Cache(tmp_path / "c"), server.url, 0.1) == found
        assert len(server.asked) == asked

    def test_a_server_that_does_not_let_one_in_is_no_sea(self, server, tmp_path):
        server.missing = 403
        with pytest.raises(ConfigurationError, match=r"S01E006\.SRTMGL1\.hgt\.zip.*403"):
            srtmgl1(PLACE, Cache(tmp_path / "c"), server.url, 0.1)

    def test_a_damaged_zip_is_not_kept(self, server, tmp_path):
        (name,) = server.objects
        body = bytearray(server.objects[name])
        body[len(body) // 2] ^= 0xFF
        server.objects[name] = bytes(body)
        with pytest.raises(BadProduct, match="cannot be unpacked"):
            srtmgl1(PLACE, Cache(tmp_path / "c"), server.url, 0.1)
        assert not list((tmp_path / "c").glob("N00E006*"))

    def test_ends_at_60_north(self, server, tmp_path):
        with pytest.raises(ConfigurationError, match="a tile of srtmgl1"):
            srtmgl1(Point(6.5, 62.5).buffer(0.1), Cache(tmp_path / "c"), server.url, 0.1)
        assert server.asked == []
