"""Polynomials of total order 4 in three variables: 35 terms, by least squares, evaluated by nested Horner schemes."""

from __future__ import annotations

import math

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
def pseudo_inverse(terms: Float64, out: Float64) -> None:
    """Least-squares weights (k, n) of terms (n, k), by modified Gram-Schmidt.

    The same bits on every machine, which a linear algebra library does not promise; so is the product below.
    """
    n, k = terms.shape
    q, r = terms.copy(), np.zeros((k, k))
    for i in range(k):
        for j in range(i):
            for p in range(n):
                r[j, i] += q[p, j] * q[p, i]
            for p in range(n):
                q[p, i] -= r[j, i] * q[p, j]
        for p in range(n):
            r[i, i] += q[p, i] * q[p, i]
        r[i, i] = math.sqrt(r[i, i])
        for p in range(n):
            q[p, i] /= r[i, i]
    for p in range(n):
        for i in range(k - 1, -1, -1):
            rest = q[p, i]
            for j in range(i + 1, k):
                rest -= r[i, j] * out[j, p]
            out[i, p] = rest / r[i, i]


@njit(nogil=True, cache=True)
def weighted_sums(values: Float64, weights: Float64, out: Float64) -> None:
    """Sums (m, k) over the last axis of values (m, n) times weights (k, n), one term after the other."""
    for i in range(values.shape[0]):
        for j in range(weights.shape[0]):
            total = 0.0
            for p in range(values.shape[1]):
                total += values[i, p] * weights[j, p]
            out[i, j] = total
