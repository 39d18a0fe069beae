"""Bicubic interpolation of a height window: cubic convolution, exact for quadratic surfaces."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

Float64 = npt.NDArray[np.float64]


@njit(nogil=True, cache=True)
def _taps(x: float, out: Float64) -> None:
    """Keys' four weights (a = -0.5) at fraction x after the second tap (Keys 1981, equation 15)."""
    out[0] = ((-0.5 * x + 1.0) * x - 0.5) * x
    out[1] = (1.5 * x - 2.5) * x * x + 1.0
    out[2] = ((-1.5 * x + 2.0) * x + 0.5) * x
    out[3] = (0.5 * x - 0.5) * x * x


@njit(nogil=True, cache=True)
def on_lattice(heights: Float64, row: Float64, col: Float64, tx: Float64, ty: Float64, out: Float64) -> None:
    """Heights at the pixels to which Chebyshev series lead from the points of a lattice.

    heights : (m, n), NaN where void, pixel centres at integers. row, col : (k, k) coefficients of the fractional pixel,
    x first. tx : (cols, k) and ty : (rows, k) Chebyshev polynomials at the lattice's axes. out : (rows, cols), NaN
    where one of the 16 taps is void or outside.
    """
    terms = row.shape[0]
    row_of_x, col_of_x, wr, wc = np.empty(terms), np.empty(terms), np.empty(4), np.empty(4)
    for i in range(out.shape[0]):
        for a in range(terms):
            row_of_x[a], col_of_x[a] = 0.0, 0.0
            for b in range(terms):
                row_of_x[a] += row[a, b] * ty[i, b]
                col_of_x[a] += col[a, b] * ty[i, b]
        for j in range(out.shape[1]):
            r, c = 0.0, 0.0
            for a in range(terms):
                r += row_of_x[a] * tx[j, a]
                c += col_of_x[a] * tx[j, a]
            out[i, j] = _value(heights, r, c, wr, wc)


@njit(nogil=True, cache=True, inline="always")
def _value(heights: Float64, row: float, col: float, wr: Float64, wc: Float64) -> float:
    if not math.isfinite(row + col):
        return math.nan
    r, c = math.floor(row), math.floor(col)
    if r < 1 or c < 1 or r + 2 >= heights.shape[0] or c + 2 >= heights.shape[1]:
        return math.nan
    _taps(row - r, wr)
    _taps(col - c, wc)
    total = 0.0
    for i in range(4):
        line = 0.0
        for j in range(4):
            line += wc[j] * heights[r - 1 + i, c - 1 + j]
        total += wr[i] * line
    return total
