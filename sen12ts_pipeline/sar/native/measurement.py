"""Reading parts of measurement files: just the lines and samples that are needed.

SLC measurement TIFFs are uncompressed with one strip a line, so a part is one positioned read a line. Whatever else
GDAL opens, such as a member of a zip, is read through GDAL.
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.io import DatasetReader
from rasterio.windows import Window

from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.sar.native.scene import PlacedBurst

Int16 = npt.NDArray[np.int16]

_SAMPLE_BYTES = 4


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


def read_part(placed: PlacedBurst, polarisation: str, part: Part) -> Int16:
    """Digital numbers (rows, cols, 2), real and imaginary.

    Raises
    ------
    BadProduct
        Naming the file, when it is missing, truncated, damaged, or not what its annotation says.
    """
    files, swath = placed.files, placed.swath
    member, path = files.measurement(swath.subswath, polarisation)
    first = placed.burst.index * swath.lines_per_burst + part.top
    try:
        layout = _layout(path, _stamp(path))
        lines = swath.lines_per_burst * len(swath.bursts)
        if layout.width != swath.samples or layout.height < lines or not layout.dtype.startswith("complex"):
            reason = (
                f"needs complex numbers in {lines} lines of {swath.samples} samples, as its annotation says; "
                f"found {layout.dtype} in {layout.height} lines of {layout.width}"
            )
            raise BadProduct(files.slice.product, member, reason)
        read = _read_lines if layout.first >= 0 else _read_through_gdal
        return read(path, layout, first, part)
    except (rasterio.errors.RasterioError, OSError) as error:
        raise BadProduct(files.slice.product, member, f"cannot be read, truncated or damaged ({error})") from error


def _stamp(path: str) -> tuple[int, int]:
    """Size and time of a plain file, so that a file that was replaced is looked at again."""
    if path.startswith("/vsi"):
        return 0, 0
    status = Path(path).stat()
    return status.st_size, status.st_mtime_ns


@functools.lru_cache(maxsize=512)
def _layout(path: str, stamp: tuple[int, int]) -> _Layout:
    with rasterio.open(path) as source:
        width, height, dtype = source.width, source.height, str(source.dtypes[0])
        plain = stamp[0] and source.compression is None and source.block_shapes == [(1, width)]
        first = _first_line(path, source) if plain and dtype == "complex_int16" else -1
    return _Layout(width, height, dtype, first)


def _first_line(path: str, source: DatasetReader) -> int:
    """Offset of the first line; -1 unless the lines are little-endian and follow one another."""
    with Path(path).open("rb") as file:
        if file.read(2) != b"II":
            return -1
    rows = (0, source.height // 2, source.height - 1)
    found = [source.get_tag_item(f"BLOCK_OFFSET_0_{k}", "TIFF", bidx=1) for k in rows]
    if None in found:
        return -1
    offsets = [int(x) for x in found]
    stride = source.width * _SAMPLE_BYTES
    return offsets[0] if offsets == [offsets[0] + k * stride for k in rows] else -1


def _read_lines(path: str, layout: _Layout, first: int, part: Part) -> Int16:
    values: Int16 = np.empty((part.rows, part.cols, 2), "<i2")
    length, stride = part.cols * _SAMPLE_BYTES, layout.width * _SAMPLE_BYTES
    start = layout.first + first * stride + part.left * _SAMPLE_BYTES
    descriptor = os.open(path, os.O_RDONLY)
    try:
        for row in range(part.rows):
            if os.preadv(descriptor, [values[row].data.cast("B")], start + row * stride) != length:
                raise OSError(f"ends inside line {first + row}")
    finally:
        os.close(descriptor)
    return values


def _read_through_gdal(path: str, _layout: _Layout, first: int, part: Part) -> Int16:
    with rasterio.open(path) as source:
        numbers = np.asarray(source.read(1, window=Window(part.left, first, part.cols, part.rows)))
    return np.stack([numbers.real, numbers.imag], axis=-1).astype(np.int16)
