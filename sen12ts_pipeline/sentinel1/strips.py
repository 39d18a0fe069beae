"""TIFF files of uncompressed lines of complex 16-bit integers, as measurement files are: where lines begin, and heads.

Source: TIFF 6.0 (Adobe, 1992), sections 2 and 8; sample format 5, complex integers, is GDAL's and ESA's. Tie points and
keys of the map system: GeoTIFF 1.1 (OGC 19-008r4), 7.1 and B.6.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SAMPLE_BYTES = 4

Read = Callable[[int, int], bytes]
"""Bytes of a file from a first byte on, so many; fewer where the file ends before."""

TiePoint = tuple[float, float, float, float, float]
"""Sample, line, longitude, latitude (degrees) and height (m above the ellipsoid)."""

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIPS, _BANDS, _STRIP_LINES, _STRIP_BYTES, _PLANAR, _FORMAT = 273, 277, 278, 279, 284, 339
_TIE_POINTS, _GEO_KEYS = 33922, 34735
_PLAIN = {_BITS: 8 * SAMPLE_BYTES, _COMPRESSION: 1, _BANDS: 1, _FORMAT: 5}
_SHORT, _LONG, _DOUBLE = 3, 4, 12
_CODES = {_SHORT: "H", _LONG: "I", _DOUBLE: "d"}
_NUMBER_BYTES = {_SHORT: 2, _LONG: 4}
_LARGEST_TABLE_BYTES = 16 * 2**20

_DEGREES = (1, 1, 0, 3), (1024, 0, 1, 2), (1025, 0, 1, 1), (2048, 0, 1, 4326)
"""Keys of a geographic model, pixels as areas, EPSG:4326; the first four numbers are version and count."""

Table = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Strips:
    """Layout of a file whose lines follow one another.

    Attributes
    ----------
    samples, lines : int
        Size of the image.
    first : int
        Byte at which the first line begins.
    big_endian : bool
        Byte order of the numbers, header and samples alike.
    """

    samples: int
    lines: int
    first: int
    big_endian: bool

    @property
    def line_bytes(self) -> int:
        """From the beginning of a line to that of the next."""
        return SAMPLE_BYTES * self.samples


def read_strips(read: Read) -> Strips:
    """Layout of a TIFF.

    Raises
    ------
    ValueError
        Saying what the file is instead, when it is not a classic TIFF of uncompressed lines, one after another, of
        complex 16-bit integers.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(read(0, 4))
    if order is None:
        raise ValueError(f"begins with {read(0, 4)!r}, not as a TIFF")
    tags = _tags(read, order)
    absent = sorted((_PLAIN.keys() | {_WIDTH, _HEIGHT, _STRIPS, _STRIP_LINES}) - tags.keys())
    if absent:
        raise ValueError(f"has no strips of lines: tag {absent[0]} is missing")
    for tag, value in _PLAIN.items():
        if tags[tag].tolist() != [value]:
            raise ValueError(f"has {tags[tag].tolist()} in tag {tag}, needs {value}: complex 16-bit integers, unpacked")
    samples, lines = int(tags[_WIDTH][0]), int(tags[_HEIGHT][0])
    strips, together = tags[_STRIPS], max(min(int(tags[_STRIP_LINES][0]), lines), 1)
    each = together * samples * SAMPLE_BYTES
    if len(strips) != -(-lines // together) or not np.array_equal(strips, strips[0] + np.arange(len(strips)) * each):
        raise ValueError("has lines that do not follow one another")
    return Strips(samples, lines, int(strips[0]), order == ">")


def _tags(read: Read, order: str) -> Mapping[int, Table]:
    """Whole numbers of the first image's directory, by tag."""
    (directory,) = struct.unpack(f"{order}I", _exactly(read, 4, 4))
    (entries,) = struct.unpack(f"{order}H", _exactly(read, directory, 2))
    tags: dict[int, Table] = {_COMPRESSION: np.ones(1, int), _BANDS: np.ones(1, int)}
    for tag, kind, count, value in struct.iter_unpack(f"{order}HHI4s", _exactly(read, directory + 2, 12 * entries)):
        size = count * _NUMBER_BYTES.get(kind, 0)
        if 0 < size <= _LARGEST_TABLE_BYTES:
            near = size <= len(value)
            body = value[:size] if near else _exactly(read, struct.unpack(f"{order}I", value)[0], size)
            tags[tag] = np.frombuffer(body, f"{order}{_CODES[kind]}").astype(np.int64)
    return tags


def _exactly(read: Read, start: int, length: int) -> bytes:
    body = read(start, length)
    if len(body) != length:
        raise ValueError("ends inside its header")
    return body


def head(samples: int, lines: int, ties: Sequence[TiePoint] = ()) -> bytes:
    """Everything before the samples of a little-endian file with a strip a line, in whole 4096 bytes.

    Parameters
    ----------
    samples, lines : int
        Size of the image.
    ties : sequence of TiePoint
        Places of some samples; none for a file without a map system.
    """
    size = 8 + len(_directory(samples, lines, 0, 8, ties))
    first = -(-size // 4096) * 4096
    return _start(8) + _directory(samples, lines, first, 8, ties).ljust(first - 8, b"\0")


def around(samples: int, lines: int, first: int) -> tuple[bytes, bytes]:
    """What stands before and after the samples of a file whose first line begins at a byte of one's choice.

    The directory stands before them where there is room, else behind.

    Raises
    ------
    ValueError
        When the header does not fit before the first line.
    """
    if first < 8:
        raise ValueError(f"needs 8 bytes before its first line, has {first}")
    directory = _directory(samples, lines, first, 8, ())
    if 8 + len(directory) <= first:
        return (_start(8) + directory).ljust(first, b"\0"), b""
    place = first + SAMPLE_BYTES * samples * lines
    return _start(place).ljust(first, b"\0"), _directory(samples, lines, first, place, ())


def _start(directory: int) -> bytes:
    return struct.pack("<2sHI", b"II", 42, directory)


def _directory(samples: int, lines: int, first: int, place: int, ties: Sequence[TiePoint]) -> bytes:
    """The directory as it stands at a place, followed by the values that do not fit into it."""
    line_bytes = SAMPLE_BYTES * samples
    tags: list[tuple[int, int, Sequence[float]]] = [
        (_WIDTH, _LONG, [samples]),
        (_HEIGHT, _LONG, [lines]),
        (_BITS, _SHORT, [8 * SAMPLE_BYTES]),
        (_COMPRESSION, _SHORT, [1]),
        (_PHOTOMETRIC, _SHORT, [1]),
        (_STRIPS, _LONG, range(first, first + lines * line_bytes, line_bytes)),
        (_BANDS, _SHORT, [1]),
        (_STRIP_LINES, _LONG, [1]),
        (_STRIP_BYTES, _LONG, [line_bytes] * lines),
        (_PLANAR, _SHORT, [1]),
        (_FORMAT, _SHORT, [5]),
    ]
    if ties:
        points = [v for sample, line, lon, lat, height in ties for v in (sample, line, 0.0, lon, lat, height)]
        tags += [(_TIE_POINTS, _DOUBLE, points), (_GEO_KEYS, _SHORT, [v for key in _DEGREES for v in key])]
    beyond_at = place + 2 + 12 * len(tags) + 4
    entries, beyond = b"", b""
    for tag, kind, values in tags:
        packed = struct.pack(f"<{len(values)}{_CODES[kind]}", *values)
        if len(packed) > 4:
            at = beyond_at + len(beyond)
            beyond += packed + b"\0" * (-len(packed) % 8)
            packed = struct.pack("<I", at)
        entries += struct.pack("<HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
    return struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0) + beyond
