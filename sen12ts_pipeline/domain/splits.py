"""Which part of a data set a tile is for, so that no ground that a model is judged on was seen in training.

The ground is cut into blocks of a quarter of a degree, and each block is given to one part by lot. A tile is in a part
only if all blocks that it reaches into are; else it is on the border between parts, and in none. So no pixel of two
parts lies on the same ground, not even where the lattices of two UTM zones overlap along their seam.
"""

from __future__ import annotations

import hashlib
import math
from enum import StrEnum

from sen12ts_pipeline.domain.lattice import TileId, to_geographic

BLOCKS_PER_DEGREE = 4
"""Blocks are some 28 km high; a tile is smaller than a block up to 84 degrees north and south."""
TRAIN_SHARE, VALIDATION_SHARE = 0.7, 0.15


class Split(StrEnum):
    """Part of the data set."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"
    BORDER = "border"


def split_of(tile: TileId) -> Split:
    """Part that a tile is for; the same on every machine, and in every data set."""
    grid = tile.grid
    corners = [(x, y) for x in (grid.west, grid.east) for y in (grid.south, grid.north)]
    transform = to_geographic(grid.epsg).transform
    parts = {split_of_ground(*transform(x, y)) for x, y in corners}
    return parts.pop() if len(parts) == 1 else Split.BORDER


def split_of_ground(longitude: float, latitude: float) -> Split:
    """Part that a point (degrees) is for."""
    column = math.floor((longitude % 360.0) * BLOCKS_PER_DEGREE)
    row = math.floor(latitude * BLOCKS_PER_DEGREE)
    lot = int.from_bytes(hashlib.sha256(f"{column} {row}".encode()).digest()[:8]) / 2**64
    if lot < TRAIN_SHARE:
        return Split.TRAIN
    return Split.VALIDATION if lot < TRAIN_SHARE + VALIDATION_SHARE else Split.TEST
