"""Orbits: state vectors, their interpolation, and the local polynomial on which all geometry runs.

Eight-point Lagrange interpolation of the annotated 10 s nodes, then a polynomial of degree 5 over a few seconds: its
error stays below the noise of the orbit files (1e-7 m), and position, velocity and acceleration cost one evaluation.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

NODES = 8
LOCAL_DEGREE = 5
LOCAL_HALF_S = 4.0
_LOCAL_SAMPLES = 41


@dataclass(frozen=True, slots=True, eq=False)
class LocalOrbit:
    """Earth-fixed position as a polynomial around one moment.

    Attributes
    ----------
    centre_s : float
        Moment of the polynomial's zero, seconds from the pass's epoch.
    coefficients : float64 (degree + 1, 3)
        Of powers of ``(t - centre_s) / LOCAL_HALF_S``, metres.
    """

    centre_s: float
    coefficients: Float64

    def state(self, time_s: Float64) -> tuple[Float64, Float64, Float64]:
        """Position (m), velocity (m/s) and acceleration (m/s2), each (..., 3), of times (...)."""
        x = ((np.asarray(time_s) - self.centre_s) / LOCAL_HALF_S)[..., None]
        position = np.zeros((*x.shape[:-1], 3))
        velocity, acceleration = position.copy(), position.copy()
        for c in self.coefficients[::-1]:
            acceleration = acceleration * x + 2.0 * velocity
            velocity = velocity * x + position
            position = position * x + c
        return position, velocity / LOCAL_HALF_S, acceleration / LOCAL_HALF_S**2


@dataclass(frozen=True, slots=True, eq=False)
class Orbit:
    """State vectors of one pass.

    Attributes
    ----------
    time_s : float64 (n,)
        Seconds from the pass's epoch, ascending.
    position_m : float64 (n, 3)
        Earth-fixed, metres.
    velocity_m_s : float64 (n, 3)
        Earth-fixed, metres per second.
    kind : str
        ``annotation``, ``RESORB`` or ``POEORB``.
    """

    time_s: Float64
    position_m: Float64
    velocity_m_s: Float64
    kind: str

    def covers(self, start_s: float, stop_s: float) -> bool:
        """Whether the nodes enclose an interval."""
        return bool(self.time_s[0] <= start_s and stop_s <= self.time_s[-1])

    def extended(self, other: Orbit) -> Orbit:
        """The same orbit with what another has beyond its ends.

        Inside, nothing is mixed: two solutions differ by up to decimetres, and vectors in turn from both would make
        waves of it.
        """
        step = float(np.median(np.diff(self.time_s)))
        before, after = other.time_s < self.time_s[0] - step / 2, other.time_s > self.time_s[-1] + step / 2
        parts = ((other, before), (self, slice(None)), (other, after))
        time, position, velocity = (
            np.concatenate([getattr(one, name)[where] for one, where in parts])
            for name in ("time_s", "position_m", "velocity_m_s")
        )
        return Orbit(time, position, velocity, self.kind)

    def position(self, time_s: Float64) -> Float64:
        """Earth-fixed position (..., 3) by Lagrange interpolation on the eight nearest nodes."""
        times = np.ravel(np.asarray(time_s, float))
        nodes = min(NODES, len(self.time_s))
        first = np.searchsorted(self.time_s, times) - nodes // 2
        index = np.clip(first, 0, len(self.time_s) - nodes)[:, None] + np.arange(nodes)
        weights = _lagrange_weights(self.time_s[index], times)
        return np.asarray((weights[..., None] * self.position_m[index]).sum(axis=1)).reshape(*np.shape(time_s), 3)

    def local(self, centre_s: float) -> LocalOrbit:
        """Polynomial of degree 5 over ``centre_s`` +- 4 s."""
        unit = np.linspace(-1.0, 1.0, _LOCAL_SAMPLES)
        samples = self.position(centre_s + unit * LOCAL_HALF_S)
        origin = samples[_LOCAL_SAMPLES // 2]
        fitted = fit_powers(samples - origin, LOCAL_DEGREE)
        fitted[0] += origin
        return LocalOrbit(float(centre_s), fitted)


def fit_powers(values: Float64, degree: int) -> Float64:
    """Coefficients (degree + 1, k) of ascending powers, by least squares over equidistant points of -1..1.

    values : float64 (points, k). The same bits on every machine, which a linear algebra library does not promise.
    """
    fitted = np.zeros((degree + 1, values.shape[1]))
    for weights, row in zip(_fit_weights(len(values), degree).T, values, strict=True):
        fitted += weights[:, None] * row
    return fitted


@functools.lru_cache(maxsize=8)
def _fit_weights(points: int, degree: int) -> Float64:
    """Pseudo-inverse (degree + 1, points) of the powers, solved in fractions."""
    x = [Fraction(2 * k, points - 1) - 1 for k in range(points)]
    terms = range(degree + 1)
    system = [[Fraction(sum(t ** (i + j) for t in x)) for j in terms] + [t**i for t in x] for i in terms]
    for i in terms:
        system[i] = [value / system[i][i] for value in system[i]]
        for j in terms:
            if j != i:
                system[j] = [a - system[j][i] * b for a, b in zip(system[j], system[i], strict=True)]
    return np.array([[float(value) for value in row[degree + 1 :]] for row in system])


def _lagrange_weights(nodes: Float64, times: Float64) -> Float64:
    """Weights (n, k) of nodes (n, k) at times (n,); exact at a node."""
    count = nodes.shape[1]
    weights = np.ones_like(nodes)
    for i in range(count):
        for j in range(count):
            if i != j:
                weights[:, i] *= (times - nodes[:, j]) / (nodes[:, i] - nodes[:, j])
    return weights
