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
    rows, samples, cells = out.shape[1], earlier.shape[1], out.shape[2]
    terms = np.empty((5, samples))
    strided = np.empty((samples + stride - 1) // stride)
    for i in range(rows):
        _products(earlier[i], later[i], terms)
        for q in range(5):
            row = out[q, i]
            row[:] = 0.0
            for phase in range(stride):
                _every(terms[q], phase, stride, strided)
                for k in range(phase, taps.shape[0], stride):
                    tap, values = taps[k], strided[k // stride : k // stride + cells]
                    for c in range(cells):
                        row[c] += tap * values[c]


@njit(nogil=True, cache=True, inline="always")
def _products(earlier: Complex64, later: Complex64, out: Float64) -> None:
    """Real and imaginary part of later * conj(earlier), both powers and a one, (5, n); zeros where either is NaN."""
    re, im, first, second, one = out[0], out[1], out[2], out[3], out[4]
    for j in range(earlier.shape[0]):
        a, b = float(earlier[j].real), float(earlier[j].imag)
        x, y = float(later[j].real), float(later[j].imag)
        u, v = x * a + y * b, y * a - x * b
        known = u - u + (v - v) == 0.0  # False for NaN and for infinity, and without a branch
        re[j] = u if known else 0.0
        im[j] = v if known else 0.0
        first[j] = a * a + b * b if known else 0.0
        second[j] = x * x + y * y if known else 0.0
        one[j] = 1.0 if known else 0.0


@njit(nogil=True, cache=True, inline="always")
def _every(row: Float64, first: int, stride: int, out: Float64) -> None:
    """Every stride-th number of a row, side by side, so that sums over many cells run through memory."""
    for c in range((row.shape[0] - first + stride - 1) // stride):
        out[c] = row[first + c * stride]


@njit(nogil=True, cache=True)
def finish(sums: Float64, taps: Float64, stride: int, coherence: Float32, phase: Float32) -> None:
    """Sums along columns, then coherence and phase; NaN where less than half of the weight is valid.

    sums : (5, m, cells) of `cross`. taps : (k,), their sum times that of the row taps is 1. coherence, phase :
    (rows, cells).
    """
    cells = coherence.shape[1]
    total = np.empty((5, cells))
    for r in range(coherence.shape[0]):
        total[:] = 0.0
        for q in range(5):
            row = total[q]
            for k in range(taps.shape[0]):
                tap, values = taps[k], sums[q, r * stride + k]
                for c in range(cells):
                    row[c] += tap * values[c]
        for c in range(cells):
            re, im, p1, p2, w = total[0, c], total[1, c], total[2, c], total[3, c], total[4, c]
            if w < 0.5 or p1 <= 0.0 or p2 <= 0.0:
                coherence[r, c] = np.nan
                phase[r, c] = np.nan
            else:
                coherence[r, c] = min(math.sqrt((re * re + im * im) / (p1 * p2)), 1.0)
                phase[r, c] = math.atan2(im, re)
