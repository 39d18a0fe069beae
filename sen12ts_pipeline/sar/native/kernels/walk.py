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
    above, below = a[r, c] * (1 - fc) + a[r, c + 1] * fc, a[r + 1, c] * (1 - fc) + a[r + 1, c + 1] * fc
    return float(above * (1 - fr) + below * fr)


@njit(nogil=True, cache=True)
def walk(
    distance: Float64,
    nadir: Float64,
    bounds: tuple[Float64, Float64, Float64],
    origin: tuple[float, float],
    along: tuple[float, float],
    across: tuple[float, float],
    layover: Bool,
    shadow: Bool,
    unknown: Bool,
) -> None:
    """Walk every line from near to far range and back.

    distance, nadir : slant range and angle at the satellite on the map's nodes, NaN where the DEM is void. bounds :
    smallest and largest range and largest angle that a node may have, without NaN; read at voids only. origin : (row,
    col) of the first point of the first line. along, across : (row, col) steps along a line, towards far range, and
    from line to line. layover, shadow, unknown : (lines, points), set True; unknown where the point is void, or a void
    may lie in its range or hide it. Outside the nodes there is nothing.
    """
    near, far, steep = bounds
    lines, points = layover.shape
    r_line, n_line = np.empty(points), np.empty(points)
    for i in range(lines):
        for j in range(points):
            row = origin[0] + i * across[0] + j * along[0]
            col = origin[1] + i * across[1] + j * along[1]
            inside = 0 <= row < distance.shape[0] - 1 and 0 <= col < distance.shape[1] - 1
            r_line[j] = _bilinear(distance, row, col) if inside else np.inf
            n_line[j] = _bilinear(nadir, row, col) if inside else np.inf
        farthest, steepest = -np.inf, -np.inf
        far_void, steep_void, near_void = -np.inf, -np.inf, np.inf
        for j in range(points):
            if r_line[j] == np.inf:
                continue
            if math.isnan(r_line[j]):
                row = origin[0] + i * across[0] + j * along[0]
                col = origin[1] + i * across[1] + j * along[1]
                far_void = max(far_void, _bilinear(far, row, col))
                steep_void = max(steep_void, _bilinear(steep, row, col))
                unknown[i, j] = True
                continue
            layover[i, j] |= r_line[j] <= farthest
            shadow[i, j] |= n_line[j] <= steepest
            unknown[i, j] |= r_line[j] <= far_void or n_line[j] <= steep_void
            farthest = max(farthest, r_line[j])
            steepest = max(steepest, n_line[j])
        nearest = np.inf
        for j in range(points - 1, -1, -1):
            if r_line[j] == np.inf:
                continue
            if math.isnan(r_line[j]):
                row = origin[0] + i * across[0] + j * along[0]
                col = origin[1] + i * across[1] + j * along[1]
                near_void = min(near_void, _bilinear(near, row, col))
                continue
            layover[i, j] |= r_line[j] >= nearest
            unknown[i, j] |= r_line[j] >= near_void
            nearest = min(nearest, r_line[j])


@njit(nogil=True, cache=True)
def bring_back(
    flags: Bool, to_line: tuple[float, float, float], to_point: tuple[float, float, float], out: Bool
) -> None:
    """Flags of the nearest point of the lines for every node.

    flags : (lines, points). to_line, to_point : factors of row and col, and what is added, that give
    line and point of a node. out : (rows, cols), False where no line passes.
    """
    lines, points = flags.shape
    for r in range(out.shape[0]):
        for c in range(out.shape[1]):
            i = math.floor(r * to_line[0] + c * to_line[1] + to_line[2] + 0.5)
            j = math.floor(r * to_point[0] + c * to_point[1] + to_point[2] + 0.5)
            out[r, c] = 0 <= i < lines and 0 <= j < points and flags[i, j]
