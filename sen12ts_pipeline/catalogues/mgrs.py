"""Squares of Sentinel-2 granules, which follow from the names of their MGRS tiles.

A granule is the 100 km square of its tile with its upper left corner moved outwards to multiples of 60 m, south of the
equator too counted from there, and reaches 9.8 km over the square in the east and south (found on real products).
Letters: National Geospatial-Intelligence Agency, standard 0037, on 100 km squares.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sen12ts_pipeline.domain.lattice import SOUTHERN_FALSE_NORTHING_M, to_map

SIZE_M = 109_800.0
SQUARE_M = 100_000
SNAP_M = 60
NORTHING_CYCLE_M = 2_000_000
DEGREE_M = 112_000
"""At least the length of a degree of latitude."""
BANDS = "CDEFGHJKLMNPQRSTUVWX"
COLUMNS = ("STUVWXYZ", "ABCDEFGH", "JKLMNPQR")
"""Letters of columns 1 to 8, by the zone modulo 3."""
ROWS = "ABCDEFGHJKLMNPQRSTUV"


@dataclass(frozen=True, slots=True)
class Square:
    """Map system (326zz, or 327zz in the south) and upper left corner of a granule, metres."""

    epsg: int
    ulx_m: float
    uly_m: float


def square_of(mgrs: str) -> Square:
    """Square of the granules of an MGRS tile.

    Parameters
    ----------
    mgrs : str
        Without the leading T, ``31TDG``.

    Raises
    ------
    ValueError
        When there is no such tile.
    """
    zone, band, column, row = int(mgrs[:2]), mgrs[2], mgrs[3], mgrs[4]
    letters = COLUMNS[zone % 3]
    if not 1 <= zone <= 60 or band not in BANDS or column not in letters or row not in ROWS:
        raise ValueError(f"no zone and band of MGRS has a square {mgrs!r}")
    west = (letters.index(column) + 1) * SQUARE_M
    north = math.ceil((_south_edge(zone, band, row) + SQUARE_M) / SNAP_M) * SNAP_M
    southern = band < "N"
    return Square(
        epsg=(32700 if southern else 32600) + zone,
        ulx_m=float(math.floor(west / SNAP_M) * SNAP_M),
        uly_m=north + (SOUTHERN_FALSE_NORTHING_M if southern else 0.0),
    )


def _south_edge(zone: int, band: str, row: str) -> int:
    """Northing of the square's lower edge, negative in the south: the one nearest to the middle of its band."""
    start = 5 if zone % 2 == 0 else 0
    offset = (ROWS.index(row) - start) * SQUARE_M
    index = BANDS.index(band)
    latitude = -76.0 + 8.0 * index + (2.0 if band == "X" else 0.0)
    _, middle = to_map(32600 + zone).transform(zone * 6.0 - 183.0, latitude)
    cycles = round((float(middle) - SQUARE_M / 2 - offset) / NORTHING_CYCLE_M)
    edge = offset + NORTHING_CYCLE_M * cycles
    if abs(edge + SQUARE_M / 2 - float(middle)) > (6.0 if band == "X" else 4.0) * DEGREE_M + SQUARE_M:
        raise ValueError(f"band {band} of zone {zone} has no squares in row {row}")
    return edge
