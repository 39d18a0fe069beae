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
def sample(heights: Float64, row: Float64, col: Float64, out: Float64) -> None:
    """Heights at fractional rows and columns (pixel centres at integers).

    heights : float64 (m, n), NaN where void. row, col, out : float64 (k,). A point gets NaN when one of its 16 taps is
    void or outside the window.
    """
    rows, cols = heights.shape
    wr, wc = np.empty(4), np.empty(4)
    for k in range(row.shape[0]):
        if not (math.isfinite(row[k]) and math.isfinite(col[k])):
            out[k] = np.nan
            continue
        r, c = math.floor(row[k]), math.floor(col[k])
        if r < 1 or c < 1 or r + 2 >= rows or c + 2 >= cols:
            out[k] = np.nan
            continue
        _taps(row[k] - r, wr)
        _taps(col[k] - c, wc)
        total = 0.0
        for i in range(4):
            line = 0.0
            for j in range(4):
                line += wc[j] * heights[r - 1 + i, c - 1 + j]
            total += wr[i] * line
        out[k] = total
