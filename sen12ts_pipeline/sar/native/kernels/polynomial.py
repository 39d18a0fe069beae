"""Polynomials of total order 4 in three variables: 35 terms, by least squares, evaluated by nested Horner schemes."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

Float64 = npt.NDArray[np.float64]

ORDER = 4
TERMS = 35


_ROW_TERMS = 15


@njit(nogil=True, cache=True, inline="always")
def _collapse(c: Float64, y: float, row: Float64) -> None:
    """Coefficients (15,) of what is left of a polynomial when y is known, by power of z, then of x."""
    term, start = 0, 0
    for pz in range(ORDER + 1):
        length = ORDER + 1 - pz
        row[start : start + length] = 0.0
        power = 1.0
        for py in range(length):
            for px in range(length - py):
                row[start + px] += c[term] * power
                term += 1
            power *= y
        start += length


@njit(nogil=True, cache=True)
def on_lattice(c: Float64, x: Float64, y: Float64, height: Float64, scale: tuple[float, float], out: Float64) -> None:
    """Values (k, rows, cols) of k polynomials over the lattice of y (rows,) and x (cols,) with z (rows, cols).

    c : (k, TERMS), terms ordered by power of z, then y, then x, each ascending. height, scale : z is height times the
    first number plus the second; NaN stays NaN. The powers of y are summed once a row, which leaves 15 terms for a
    point.
    """
    d = np.empty(_ROW_TERMS)
    for q in range(c.shape[0]):
        for i in range(y.shape[0]):
            _collapse(c[q], y[i], d)
            a0, a1, a2, a3, a4 = d[0], d[1], d[2], d[3], d[4]
            b0, b1, b2, b3, c0, c1, c2 = d[5], d[6], d[7], d[8], d[9], d[10], d[11]
            d0, d1, e0 = d[12], d[13], d[14]
            heights, row = height[i], out[q, i]
            for j in range(x.shape[0]):
                u, w = x[j], heights[j] * scale[0] + scale[1]
                third = c0 + u * (c1 + u * c2) + w * (d0 + u * d1 + w * e0)
                row[j] = (
                    a0 + u * (a1 + u * (a2 + u * (a3 + u * a4))) + w * (b0 + u * (b1 + u * (b2 + u * b3)) + w * third)
                )


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
