"""Layover and shadow by order of range: running extremes along lines of constant zero-Doppler time."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]


@njit(nogil=True, cache=True, inline="always")
def _bilinear(a: Float64, row: float, col: float) -> float:
    r, c = int(row), int(col)
    if r < 0 or c < 0 or r + 1 >= a.shape[0] or c + 1 >= a.shape[1]:
        return np.nan
    fr, fc = row - r, col - c
    return (a[r, c] * (1 - fc) + a[r, c + 1] * fc) * (1 - fr) + (a[r + 1, c] * (1 - fc) + a[r + 1, c + 1] * fc) * fr


@njit(nogil=True, cache=True)
def walk(
    distance: Float64,
    nadir: Float64,
    origin: tuple[float, float],
    along: tuple[float, float],
    across: tuple[float, float],
    layover: Bool,
    shadow: Bool,
    unknown: Bool,
) -> None:
    """Walk every line from near to far range and back.

    distance, nadir : slant range and angle at the satellite on the map's 10 m nodes, NaN where the DEM is void.
    origin : (row, col) of the first point of the first line. along, across : (row, col) steps along a line, towards far
    range, and from line to line. layover, shadow, unknown : (lines, points), set True; unknown where a void lies nearer
    or the point itself is void. Outside the nodes there is nothing.
    """
    lines, points = layover.shape
    r_line, n_line = np.empty(points), np.empty(points)
    for i in range(lines):
        for j in range(points):
            row = origin[0] + i * across[0] + j * along[0]
            col = origin[1] + i * across[1] + j * along[1]
            inside = 0 <= row <= distance.shape[0] - 1 and 0 <= col <= distance.shape[1] - 1
            r_line[j] = _bilinear(distance, row, col) if inside else np.inf
            n_line[j] = _bilinear(nadir, row, col) if inside else np.inf
        farthest, steepest, void = -np.inf, -np.inf, False
        for j in range(points):
            if r_line[j] == np.inf:
                continue
            if math.isnan(r_line[j]):
                void = True
                unknown[i, j] = True
                continue
            layover[i, j] |= r_line[j] <= farthest
            shadow[i, j] |= n_line[j] <= steepest
            unknown[i, j] |= void
            farthest = max(farthest, r_line[j])
            steepest = max(steepest, n_line[j])
        nearest, void = np.inf, False
        for j in range(points - 1, -1, -1):
            if r_line[j] == np.inf:
                continue
            if math.isnan(r_line[j]):
                void = True
                continue
            layover[i, j] |= r_line[j] >= nearest
            unknown[i, j] |= void
            nearest = min(nearest, r_line[j])
