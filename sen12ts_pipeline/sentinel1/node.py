"""When a satellite last crossed the equator northwards, from its state vectors alone.

Annotated times since the node come from predicted orbits and have been seconds off, which is a burst's number. The
state vectors of a slice, carried back under the Earth's gravity with its oblateness, give the node to hundredths of a
second.
"""

from __future__ import annotations

import math

from sen12ts_pipeline.domain.bursts import ORBIT_PERIOD_S
from sen12ts_pipeline.sentinel1.orbit import Orbit

State = tuple[float, ...]

_GM = 3.986004418e14
_J2 = 1.0826359e-3
_EQUATOR_M = 6_378_137.0
_TURN_RAD_S = 7.2921151467e-5

_STEP_S = 20.0
_FREE_FALL_M = 20.0
"""Over a slice's vectors gravity with oblateness alone is good to a metre."""


def ascending_node_s(orbit: Orbit, before_s: float) -> float | None:
    """Time of the last ascending node before a moment, seconds from the orbit's epoch.

    Parameters
    ----------
    orbit : Orbit
        Earth-fixed state vectors.
    before_s : float
        A moment less than an orbit from them.

    Returns
    -------
    float or None
        None when the vectors do not fall freely, as made-up ones may not: then they tell nothing of the node.
    """
    first, last = float(orbit.time_s[0]), float(orbit.time_s[-1])
    if math.dist(_moved(_inertial(orbit, 0), last - first)[:3], _turned(orbit, last - first)) > _FREE_FALL_M:
        return None
    time, state = first, _inertial(orbit, 0)
    while True:
        earlier = _moved(state, -_STEP_S)
        if earlier[2] < 0.0 <= state[2]:
            step = -_STEP_S * state[2] / (state[2] - earlier[2])
            for _ in range(3):
                found = _moved(state, step)
                step -= found[2] / found[5]
            node = time + step
            return node if node <= before_s else node - ORBIT_PERIOD_S
        time, state = time - _STEP_S, earlier


def _inertial(orbit: Orbit, k: int) -> State:
    """Position and velocity of a vector in the axes that the Earth has at that moment, but which do not turn."""
    x, y, z = (float(v) for v in orbit.position_m[k])
    vx, vy, vz = (float(v) for v in orbit.velocity_m_s[k])
    return x, y, z, vx - _TURN_RAD_S * y, vy + _TURN_RAD_S * x, vz


def _turned(orbit: Orbit, seconds: float) -> State:
    """Position of the last vector in the axes of the first, so many seconds before."""
    x, y, z = (float(v) for v in orbit.position_m[-1])
    c, s = math.cos(_TURN_RAD_S * seconds), math.sin(_TURN_RAD_S * seconds)
    return c * x - s * y, s * x + c * y, z


def _moved(state: State, seconds: float) -> State:
    """State after some time of free fall, in steps of at most `_STEP_S` (classical Runge-Kutta)."""
    steps = max(math.ceil(abs(seconds) / _STEP_S), 1)
    h = seconds / steps
    for _ in range(steps):
        k1 = _rates(state)
        k2 = _rates(_along(state, k1, h / 2))
        k3 = _rates(_along(state, k2, h / 2))
        k4 = _rates(_along(state, k3, h))
        state = tuple(s + h / 6 * (a + 2 * b + 2 * c + d) for s, a, b, c, d in zip(state, k1, k2, k3, k4, strict=True))
    return state


def _along(state: State, rates: State, seconds: float) -> State:
    return tuple(s + seconds * r for s, r in zip(state, rates, strict=True))


def _rates(state: State) -> State:
    """Velocity and acceleration under gravity with the second zonal harmonic."""
    x, y, z, vx, vy, vz = state
    square = x * x + y * y + z * z
    pull = -_GM / (square * math.sqrt(square))
    flat, tilt = 1.5 * _J2 * _EQUATOR_M**2 / square, 5.0 * z * z / square
    level = pull * (1.0 + flat * (1.0 - tilt))
    return vx, vy, vz, x * level, y * level, z * pull * (1.0 + flat * (3.0 - tilt))
