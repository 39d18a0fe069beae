"""Zero-Doppler times of points on the ground, by Newton's method."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

Float64 = npt.NDArray[np.float64]

_STEPS = 12


@njit(nogil=True, cache=True)
def solve(
    points: Float64, coefficients: Float64, centre: float, half: float, tolerance: float, time: Float64, state: Float64
) -> None:
    """Times at which points (n, 3) are abeam of an orbit, and its state then.

    ``f = (P - S) . V``, ``f' = (P - S) . A - V . V``; the last step is below the tolerance before it is taken.
    coefficients : (k, 3) position as a polynomial of ``(t - centre) / half``. time : (n,), written. state : (3, n, 3)
    position, velocity and acceleration at these times, written.
    """
    for i in range(points.shape[0]):
        t = centre
        for _ in range(_STEPS):
            _state(coefficients, (t - centre) / half, half, state, i)
            slope, off = 0.0, 0.0
            for k in range(3):
                away = points[i, k] - state[0, i, k]
                off += away * state[1, i, k]
                slope += away * state[2, i, k] - state[1, i, k] * state[1, i, k]
            step = off / slope
            t -= step
            if math.fabs(step) < tolerance:
                break
        time[i] = t
        _state(coefficients, (t - centre) / half, half, state, i)


@njit(nogil=True, cache=True, inline="always")
def _state(c: Float64, x: float, half: float, out: Float64, i: int) -> None:
    for k in range(3):
        p, v, a = 0.0, 0.0, 0.0
        for n in range(c.shape[0] - 1, -1, -1):
            a = a * x + 2.0 * v
            v = v * x + p
            p = p * x + c[n, k]
        out[0, i, k], out[1, i, k], out[2, i, k] = p, v / half, a / (half * half)
