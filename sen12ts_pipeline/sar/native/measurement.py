"""Reading parts of measurement files: just the lines and samples that are needed, wherever the product lies.

SLC measurement TIFFs are uncompressed, and their lines follow one another: a part is one positioned read a line. A
plain file is read where it lies. From a zip or a server the lines of the whole burst are asked for, once for all of its
parts: the product answers with a local file that holds them. Any other TIFF is read through GDAL, all of it being on
this machine meanwhile.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.windows import Window

from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.ports import ProductFiles
from sen12ts_pipeline.sar.native.scene import PlacedBurst
from sen12ts_pipeline.sentinel1.strips import SAMPLE_BYTES, Read, read_strips

Int16 = npt.NDArray[np.int16]

HEAD_BYTES = 256 * 2**10
"""What is asked for to learn a file's layout; header and strip table take up to 160 kB."""


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


def _plain_layout(read: Read) -> _Layout | None:
    """Layout of a classic little-endian TIFF whose uncompressed lines follow one another; None for any other file."""
    try:
        strips = read_strips(read)
    except ValueError:
        return None
    return None if strips.big_endian else _Layout(strips.samples, strips.lines, "complex_int16", strips.first)


def _read_lines(measurement: _Measurement, layout: _Layout, burst: range, part: Part) -> Int16:
    """Read from the lines of a burst, counted in the file."""
    values: Int16 = np.empty((part.rows, part.cols, 2), "<i2")
    line_bytes, stride = part.cols * SAMPLE_BYTES, layout.width * SAMPLE_BYTES
    lines = values.data.cast("B")
    with measurement.opened(layout.first + burst.start * stride, len(burst) * stride) as (descriptor, at):
        start = at + part.top * stride + part.left * SAMPLE_BYTES
        for row in range(part.rows):
            line = lines[row * line_bytes : (row + 1) * line_bytes]
            if os.preadv(descriptor, [line], start + row * stride) != line_bytes:
                raise OSError(f"ends inside line {burst.start + part.top + row}")
    return values


def _read_through_gdal(measurement: _Measurement, line: int, part: Part) -> Int16:
    with measurement.files.held(measurement.member) as path, rasterio.open(path) as source:
        numbers = np.asarray(source.read(1, window=Window(part.left, line, part.cols, part.rows)))
    return np.stack([numbers.real, numbers.imag], axis=-1).astype(np.int16)
