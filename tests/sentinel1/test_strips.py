"""Heads of measurement files, and where the lines of one begin."""

import struct

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine

from sen12ts_pipeline.sentinel1.strips import Strips, around, head, read_strips

SAMPLES = np.arange(2 * 5 * 7, dtype="<i2").reshape(5, 7, 2)
pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

TIES = [(0.0, 0.0, 10.5, 40.25, 120.0), (6.0, 0.0, 10.75, 40.25, 5.0), (0.0, 4.0, 10.5, 40.0, 0.0)]


def reading(body):
    return lambda start, length: body[start : start + length]


def layout_of(body):
    return read_strips(reading(body))


class TestHead:
    def test_makes_a_file_that_gdal_reads(self, tmp_path):
        (tmp_path / "m.tiff").write_bytes(head(7, 5, TIES) + SAMPLES.tobytes())
        with rasterio.open(tmp_path / "m.tiff") as source:
            assert (source.dtypes, source.shape, source.compression) == (("complex_int16",), (5, 7), None)
            assert source.block_shapes == [(1, 7)]
            values = source.read(1)
            points, system = source.gcps
        np.testing.assert_array_equal(np.stack([values.real, values.imag], -1), SAMPLES)
        assert [(p.col, p.row, p.x, p.y, p.z) for p in points] == TIES
        assert system.to_epsg() == 4326

    def test_is_read_as_it_was_written(self):
        body = head(7, 5, TIES)
        assert len(body) % 4096 == 0
        assert layout_of(body) == Strips(samples=7, lines=5, first=len(body), big_endian=False)


class TestAround:
    @pytest.mark.parametrize("first", [8, 9, 200, 210, 4096])
    def test_samples_at_any_place_gives_a_file_that_gdal_reads(self, tmp_path, first):
        before, after = around(7, 5, first)
        assert len(before) == first
        body = before + SAMPLES.tobytes() + after
        assert layout_of(body) == Strips(7, 5, first, False)
        (tmp_path / "m.tiff").write_bytes(body)
        with rasterio.open(tmp_path / "m.tiff") as source:
            np.testing.assert_array_equal(source.read(1).imag, SAMPLES[..., 1])

    def test_has_nothing_behind_where_there_is_room_before(self):
        assert around(7, 5, 4096)[1] == b""
        assert around(7, 5, 8)[1]

    def test_needs_room_for_a_header(self):
        with pytest.raises(ValueError, match="8 bytes before its first line, has 7"):
            around(7, 5, 7)


class TestLayout:
    def test_of_a_big_endian_file_is_known(self, tmp_path):
        profile = {"driver": "GTiff", "width": 7, "height": 5, "count": 1, "dtype": "complex_int16"}
        with rasterio.open(tmp_path / "m.tiff", "w", **profile, endianness="BIG", blockysize=1) as target:
            target.write((SAMPLES[..., 0] + 1j * SAMPLES[..., 1]).astype(np.complex64), 1)
        body = (tmp_path / "m.tiff").read_bytes()
        strips = layout_of(body)
        assert strips == Strips(7, 5, strips.first, True)
        found = np.frombuffer(body, ">i2", 70, strips.first).reshape(5, 7, 2)
        np.testing.assert_array_equal(found, SAMPLES)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"compress": "deflate"}, "in tag 259, needs 1"),
            ({"dtype": "complex64"}, "in tag 258, needs 32"),
            ({"dtype": "float32"}, "in tag 339, needs 5"),
            ({"tiled": True, "blockxsize": 16, "blockysize": 16}, "tag 273 is missing"),
            ({"BIGTIFF": "YES"}, "not as a TIFF"),
        ],
    )
    def test_of_any_other_file_is_refused(self, tmp_path, change, message):
        profile = {"driver": "GTiff", "width": 32, "height": 32, "count": 1, "dtype": "complex_int16"}
        with rasterio.open(tmp_path / "m.tiff", "w", **profile | change, transform=Affine.scale(2.0)) as target:
            target.write(np.ones((32, 32), np.complex64 if "complex" in target.dtypes[0] else np.float32), 1)
        with pytest.raises(ValueError, match=message):
            layout_of((tmp_path / "m.tiff").read_bytes())

    @pytest.mark.parametrize("length", [0, 3, 6, 9, 60, 160])
    def test_of_a_file_that_ends_early_is_refused(self, length):
        with pytest.raises(ValueError, match=r"ends inside its header|not as a TIFF"):
            layout_of(head(7, 5)[:length])

    def test_of_lines_that_do_not_follow_one_another_is_refused(self):
        body = bytearray(head(7, 5))
        first = len(body)
        at = body.index(struct.pack("<II", first, first + 28))
        body[at : at + 8] = struct.pack("<II", first, first + 56)
        with pytest.raises(ValueError, match="do not follow one another"):
            layout_of(bytes(body))
