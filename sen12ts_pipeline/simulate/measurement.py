"""Measurement files: TIFF of complex 16-bit integers, one uncompressed strip a line, sparse where nothing lies."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.simulate.annotation import GridPoint

Int16 = npt.NDArray[np.int16]

_SHORT, _LONG, _DOUBLE = 3, 4, 12
_FORMATS = {_SHORT: "H", _LONG: "I", _DOUBLE: "d"}
_GEOKEYS = (1, 1, 0, 3, 1024, 0, 1, 2, 1025, 0, 1, 1, 2048, 0, 1, 4326)
"""Geographic model, pixel is area, EPSG:4326: makes tie points of a raster without transform."""


@dataclass(frozen=True, slots=True)
class Block:
    """Samples at a place of the file: int16 (lines, samples, 2) from a first line and sample."""

    line: int
    sample: int
    values: Int16


def _tags(
    lines: int, samples: int, grid: Sequence[GridPoint], strips: Sequence[int]
) -> list[tuple[int, int, list[float]]]:
    ties = [v for p in grid for v in (float(p.pixel), float(p.line), 0.0, p.longitude, p.latitude, p.height_m)]
    return [
        (256, _LONG, [samples]),
        (257, _LONG, [lines]),
        (258, _SHORT, [32]),
        (259, _SHORT, [1]),
        (262, _SHORT, [1]),
        (273, _LONG, list(strips)),
        (277, _SHORT, [1]),
        (278, _LONG, [1]),
        (279, _LONG, [4 * samples] * lines),
        (284, _SHORT, [1]),
        (339, _SHORT, [5]),
        (33922, _DOUBLE, ties),
        (34735, _SHORT, list(_GEOKEYS)),
    ]


def data_offset(lines: int, samples: int, grid: Sequence[GridPoint]) -> int:
    """Where the first line lies in the file."""
    return len(_head(lines, samples, grid, 0))


def _head(lines: int, samples: int, grid: Sequence[GridPoint], first: int) -> bytes:
    """Everything before the samples: header, directory, and the values that do not fit into it."""
    strips = [first + 4 * samples * k for k in range(lines)]
    tags = _tags(lines, samples, grid, strips)
    directory_end = 8 + 2 + 12 * len(tags) + 4
    entries, beyond = b"", b""
    for tag, kind, values in tags:
        packed = struct.pack(f"<{len(values)}{_FORMATS[kind]}", *values)
        if len(packed) > 4:
            place = directory_end + len(beyond)
            beyond += packed + b"\0" * (-len(packed) % 8)
            packed = struct.pack("<I", place)
        entries += struct.pack("<HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
    head = struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + struct.pack("<I", 0) + beyond
    return head + b"\0" * (-len(head) % 4096)


def write_measurement(
    path: Path, lines: int, samples: int, grid: Sequence[GridPoint], blocks: Iterable[Block]
) -> tuple[str, int]:
    """Write a file; returns its MD5 and its size.

    Parameters
    ----------
    path : Path
        The file.
    lines, samples : int
        Size of the image.
    grid : sequence of GridPoint
        Becomes the tie points.
    blocks : iterable of Block
        Samples, in order of line and without overlap.
    """
    head = _head(lines, samples, grid, data_offset(lines, samples, grid))
    digest = hashlib.md5(head, usedforsecurity=False)
    at = 0
    with path.open("wb") as file:
        file.write(head)
        for block in blocks:
            digest.update(bytes(4 * samples * (block.line - at)))
            for k, row in enumerate(block.values.astype("<i2", copy=False)):
                file.seek(len(head) + 4 * (samples * (block.line + k) + block.sample))
                file.write(row.tobytes())
            full = np.zeros((block.values.shape[0], samples, 2), "<i2")
            full[:, block.sample : block.sample + block.values.shape[1]] = block.values
            digest.update(full.tobytes())
            at = block.line + block.values.shape[0]
        digest.update(bytes(4 * samples * (lines - at)))
        size = len(head) + 4 * samples * lines
        file.truncate(size)
    return digest.hexdigest(), size
