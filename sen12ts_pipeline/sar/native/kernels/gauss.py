"""The interferogram's Gaussian: separable taps between lattice samples, the same weights in all three sums."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

Complex64 = npt.NDArray[np.complex64]
Float64 = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]


@njit(nogil=True, cache=True)
def cross(earlier: Complex64, later: Complex64, taps: Float64, stride: int, out: Float64) -> None:
    """Sums along rows: later * conj(earlier), both powers, and the weight of what is valid on both dates.

    earlier, later : (m, n), NaN without data. taps : (k,). out : (5, m, cells); cell c starts at sample c * stride.
    """
    rows, cells = out.shape[1], out.shape[2]
    for i in range(rows):
        for c in range(cells):
            re, im, p1, p2, w = 0.0, 0.0, 0.0, 0.0, 0.0
            for k in range(taps.shape[0]):
                z1, z2 = earlier[i, c * stride + k], later[i, c * stride + k]
                a, b = float(z1.real), float(z1.imag)
                x, y = float(z2.real), float(z2.imag)
                if not math.isfinite(a + b + x + y):
                    continue
                t = taps[k]
                re += t * (x * a + y * b)
                im += t * (y * a - x * b)
                p1 += t * (a * a + b * b)
                p2 += t * (x * x + y * y)
                w += t
            out[0, i, c], out[1, i, c], out[2, i, c], out[3, i, c], out[4, i, c] = re, im, p1, p2, w


@njit(nogil=True, cache=True)
def finish(sums: Float64, taps: Float64, stride: int, coherence: Float32, phase: Float32) -> None:
    """Sums along columns, then coherence and phase; NaN where less than half of the weight is valid.

    sums : (5, m, cells) of `cross`. taps : (k,), their sum times that of the row taps is 1. coherence, phase :
    (rows, cells).
    """
    for r in range(coherence.shape[0]):
        for c in range(coherence.shape[1]):
            re, im, p1, p2, w = 0.0, 0.0, 0.0, 0.0, 0.0
            for k in range(taps.shape[0]):
                t, i = taps[k], r * stride + k
                re += t * sums[0, i, c]
                im += t * sums[1, i, c]
                p1 += t * sums[2, i, c]
                p2 += t * sums[3, i, c]
                w += t * sums[4, i, c]
            if w < 0.5 or p1 <= 0.0 or p2 <= 0.0:
                coherence[r, c] = np.nan
                phase[r, c] = np.nan
            else:
                coherence[r, c] = min(math.sqrt((re * re + im * im) / (p1 * p2)), 1.0)
                phase[r, c] = math.atan2(im, re)
