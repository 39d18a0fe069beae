"""Reading parts of measurement files: just the lines and samples that are needed, wherever the product lies.

SLC measurement TIFFs are uncompressed, and their lines follow one another: a part is one positioned read a line. A
plain file is read where it lies. From a zip or a server the lines of the whole burst are asked for, once for all of its
parts: the product answers with a local file that holds them. Any other TIFF is read through GDAL, all of it being on
this machine meanwhile.
"""

from __future__ import annotations

import functools
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.windows import Window

from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.ports import ProductFiles
from sen12ts_pipeline.sar.native.scene import PlacedBurst

Int16 = npt.NDArray[np.int16]

HEAD_BYTES = 256 * 2**10
"""What is asked for to learn a file's layout; header and strip table take up to 160 kB."""

_SAMPLE_BYTES = 4
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _STRIPS, _BANDS, _STRIP_LINES, _FORMAT = 256, 257, 258, 259, 273, 277, 278, 339
_PLAIN = {_BITS: 8 * _SAMPLE_BYTES, _COMPRESSION: 1, _BANDS: 1, _FORMAT: 5}
_WHOLE_NUMBERS = {3: (2, "<u2"), 4: (4, "<u4")}
_LARGEST_TABLE_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Part:
    """Lines and samples of a burst, both counted in the burst."""

    top: int
    left: int
    rows: int
    cols: int


@dataclass(frozen=True, slots=True)
class _Layout:
    """What is known of a measurement file.

    Attributes
    ----------
    width, height : int
        Samples and lines.
    dtype : str
        GDAL's type.
    first : int
        Byte at which the first line begins, where lines follow one another uncompressed; else -1.
    """

    width: int
    height: int
    dtype: str
    first: int


@dataclass(frozen=True, slots=True)
class _Measurement:
    """A measurement file of a product."""

    files: ProductFiles
    member: str

    @contextmanager
    def opened(self, start: int, length: int) -> Iterator[tuple[int, int]]:
        """Descriptor of a local file with some bytes of this one, and the place in it at which they begin."""
        path, at = self.files.extent(self.member, start, length)
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:  # what was fetched may be removed before it is opened
            path, at = self.files.extent(self.member, start, length)
            descriptor = os.open(path, os.O_RDONLY)
        try:
            yield descriptor, at
        finally:
            os.close(descriptor)

    def read(self, start: int, length: int) -> bytes:
        """Bytes of the head, or of what lies elsewhere and belongs to it; OSError if the file ends before."""
        extent = (0, HEAD_BYTES) if start + length <= HEAD_BYTES else (start, length)
        with self.opened(*extent) as (descriptor, at):
            body = os.pread(descriptor, length, at + start - extent[0])
        if len(body) != length:
            raise OSError("ends inside its header")
        return body

    def layout(self) -> _Layout:
        """The file's layout, read once while the file stays the same."""
        with self.opened(0, HEAD_BYTES) as (descriptor, at):
            status = os.fstat(descriptor)
        return _layout(self, (at, status.st_ino, status.st_size, status.st_mtime_ns))


def read_part(placed: PlacedBurst, polarisation: str, part: Part) -> Int16:
    """Digital numbers (rows, cols, 2), real and imaginary.

    Raises
    ------
    BadProduct
        Naming the file, when it is missing, truncated, damaged, or not what its annotation says.
    Retryable
        When a server does not give the lines now.
    """
    files, swath = placed.files, placed.swath
    measurement = _Measurement(files.files, files.measurement(swath.subswath, polarisation))
    try:
        layout = measurement.layout()
        lines = swath.lines_per_burst * len(swath.bursts)
        if layout.width != swath.samples or layout.height < lines or not layout.dtype.startswith("complex"):
            reason = (
                f"needs complex numbers in {lines} lines of {swath.samples} samples, as its annotation says; "
                f"found {layout.dtype} in {layout.height} lines of {layout.width}"
            )
            raise BadProduct(files.slice.product, measurement.member, reason)
        first = placed.burst.index * swath.lines_per_burst
        if layout.first < 0:
            return _read_through_gdal(measurement, first + part.top, part)
        burst = range(first, first + swath.lines_per_burst)
        return _read_lines(measurement, layout, burst, part)
    except (rasterio.errors.RasterioError, OSError) as error:
        reason = f"cannot be read, truncated or damaged ({error})"
        raise BadProduct(files.slice.product, measurement.member, reason) from error


@functools.lru_cache(maxsize=512)
def _layout(measurement: _Measurement, _stamp: tuple[int, ...]) -> _Layout:
    plain = _plain_layout(measurement.read)
    if plain is not None:
        return plain
    with measurement.files.held(measurement.member) as path, rasterio.open(path) as source:
        return _Layout(source.width, source.height, str(source.dtypes[0]), -1)


def _plain_layout(read: Callable[[int, int], bytes]) -> _Layout | None:
    """Layout of a classic little-endian TIFF whose uncompressed lines follow one another; None for any other file.

    TIFF 6.0, sections 2 and 8; sample format 5 is a complex integer. `read` takes first byte and length.
    """
    if read(0, 4) != b"II*\0":
        return None
    tags = _tags(read, *struct.unpack("<I", read(4, 4)))
    if not _PLAIN.keys() | {_WIDTH, _HEIGHT, _STRIPS, _STRIP_LINES} <= tags.keys():
        return None
    width, height, strips = int(tags[_WIDTH][0]), int(tags[_HEIGHT][0]), tags[_STRIPS].astype(np.int64)
    strip_lines = max(min(int(tags[_STRIP_LINES][0]), height), 1)
    follow = strips[0] + np.arange(len(strips)) * (strip_lines * width * _SAMPLE_BYTES)
    whole = len(strips) == -(-height // strip_lines) and np.array_equal(strips, follow)
    if not whole or any(tags[tag].tolist() != [value] for tag, value in _PLAIN.items()):
        return None
    return _Layout(width, height, "complex_int16", int(strips[0]))


def _tags(read: Callable[[int, int], bytes], directory: int) -> dict[int, npt.NDArray[Any]]:
    """Whole numbers of the first image's directory, by tag."""
    (entries,) = struct.unpack("<H", read(directory, 2))
    tags = {_COMPRESSION: np.ones(1), _BANDS: np.ones(1)}
    for tag, kind, count, value in struct.iter_unpack("<HHI4s", read(directory + 2, 12 * entries)):
        item_bytes, dtype = _WHOLE_NUMBERS.get(kind, (0, ""))
        if 0 < count * item_bytes <= _LARGEST_TABLE_BYTES:
            near = count * item_bytes <= len(value)
            table = value if near else read(int.from_bytes(value, "little"), count * item_bytes)
            tags[tag] = np.frombuffer(table, dtype, count)
    return tags


def _read_lines(measurement: _Measurement, layout: _Layout, burst: range, part: Part) -> Int16:
    """Read from the lines of a burst, counted in the file."""
    values: Int16 = np.empty((part.rows, part.cols, 2), "<i2")
    line_bytes, stride = part.cols * _SAMPLE_BYTES, layout.width * _SAMPLE_BYTES
    lines = values.data.cast("B")
    with measurement.opened(layout.first + burst.start * stride, len(burst) * stride) as (descriptor, at):
        start = at + part.top * stride + part.left * _SAMPLE_BYTES
        for row in range(part.rows):
            line = lines[row * line_bytes : (row + 1) * line_bytes]
            if os.preadv(descriptor, [line], start + row * stride) != line_bytes:
                raise OSError(f"ends inside line {burst.start + part.top + row}")
    return values


def _read_through_gdal(measurement: _Measurement, line: int, part: Part) -> Int16:
    with measurement.files.held(measurement.member) as path, rasterio.open(path) as source:
        numbers = np.asarray(source.read(1, window=Window(part.left, line, part.cols, part.rows)))
    return np.stack([numbers.real, numbers.imag], axis=-1).astype(np.int16)
