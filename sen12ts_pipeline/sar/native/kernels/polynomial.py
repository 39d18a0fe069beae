"""Polynomials of total order 4 in three variables: 35 terms, evaluated by nested Horner schemes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

Float64 = npt.NDArray[np.float64]

ORDER = 4
TERMS = 35


@njit(nogil=True, cache=True, inline="always")
def _value(c: Float64, x: float, y: float, z: float) -> float:
    """Terms ordered by power of z, then y, then x, each ascending; c holds TERMS numbers."""
    k = c.shape[0] - 1
    outer = 0.0
    for pz in range(ORDER, -1, -1):
        middle = 0.0
        for py in range(ORDER - pz, -1, -1):
            inner = 0.0
            for _ in range(ORDER - pz - py + 1):
                inner = inner * x + c[k]
                k -= 1
            middle = middle * y + inner
        outer = outer * z + middle
    return outer


@njit(nogil=True, cache=True)
def on_lattice(c: Float64, x: Float64, y: Float64, z: Float64, out: Float64) -> None:
    """Values (rows, cols) over the lattice of y (rows,) and x (cols,) with z (rows, cols); NaN stays NaN."""
    for i in range(y.shape[0]):
        for j in range(x.shape[0]):
            out[i, j] = _value(c, x[j], y[i], z[i, j])


@njit(nogil=True, cache=True)
def at_points(c: Float64, x: Float64, y: Float64, z: Float64, out: Float64) -> None:
    """Values (k,) at points x, y, z (k,)."""
    for i in range(x.shape[0]):
        out[i] = _value(c, x[i], y[i], z[i])
