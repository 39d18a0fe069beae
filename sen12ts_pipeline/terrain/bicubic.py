"""Bicubic interpolation of a height window: cubic convolution, exact for quadratic surfaces."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from numba import njit

Float64 = npt.NDArray[np.float64]


@njit(nogil=True, cache=True, inline="always")
def _weights(x: float) -> tuple[float, float, float, float]:
    """Keys' four weights (a = -0.5) at fraction x after the second tap (Keys 1981, equation 15)."""
    return (
        ((-0.5 * x + 1.0) * x - 0.5) * x,
        (1.5 * x - 2.5) * x * x + 1.0,
        ((-1.5 * x + 2.0) * x + 0.5) * x,
        (0.5 * x - 0.5) * x * x,
    )


def weights(fraction: Float64) -> tuple[Float64, Float64, Float64, Float64]:
    """Keys' four weights at fractions (n,) after the second tap, each (n,)."""
    found: tuple[Float64, Float64, Float64, Float64] = cast(Any, _weights).py_func(fraction)
    return found


@njit(nogil=True, cache=True)
def on_lattice(heights: Float64, row: Float64, col: Float64, tx: Float64, ty: Float64, out: Float64) -> None:
    """Heights at the pixels to which Chebyshev series lead from the points of a lattice.

    heights : (m, n), NaN where void, pixel centres at integers. row, col : (k, k) coefficients of the fractional pixel,
    x first. tx : (k, cols) and ty : (rows, k) Chebyshev polynomials at the lattice's axes. out : (rows, cols), NaN
    where one of the 16 taps is void or outside.
    """
    terms, cols = row.shape[0], out.shape[1]
    rows_at, cols_at = np.empty(cols), np.empty(cols)
    for i in range(out.shape[0]):
        rows_at[:] = 0.0
        cols_at[:] = 0.0
        for a in range(terms):
            row_of_x, col_of_x = 0.0, 0.0
            for b in range(terms):
                row_of_x += row[a, b] * ty[i, b]
                col_of_x += col[a, b] * ty[i, b]
            axis = tx[a]
            for j in range(cols):
                rows_at[j] += row_of_x * axis[j]
                cols_at[j] += col_of_x * axis[j]
        for j in range(cols):
            out[i, j] = _value(heights, rows_at[j], cols_at[j])


@njit(nogil=True, cache=True, inline="always")
def _value(heights: Float64, row: float, col: float) -> float:
    if not (1.0 <= row < heights.shape[0] - 2.0 and 1.0 <= col < heights.shape[1] - 2.0):
        return math.nan
    r, c = int(row), int(col)
    y0, y1, y2, y3 = _weights(row - r)
    x0, x1, x2, x3 = _weights(col - c)
    above, upper, lower, below = heights[r - 1], heights[r], heights[r + 1], heights[r + 2]
    return float(
        y0 * (x0 * above[c - 1] + x1 * above[c] + x2 * above[c + 1] + x3 * above[c + 2])
        + y1 * (x0 * upper[c - 1] + x1 * upper[c] + x2 * upper[c + 1] + x3 * upper[c + 2])
        + y2 * (x0 * lower[c - 1] + x1 * lower[c] + x2 * lower[c + 1] + x3 * lower[c + 2])
        + y3 * (x0 * below[c - 1] + x1 * below[c] + x2 * below[c + 1] + x3 * below[c + 2])
    )
