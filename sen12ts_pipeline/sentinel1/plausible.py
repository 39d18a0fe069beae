"""What values of an IW product can be, and what makes them impossible together. Nothing about files belongs here.

Every check returns what is wrong as text, None if nothing is. Bounds are several times as wide as what 108 real
annotations of 2014 to 2025 (IPF 2.36 to 3.91) hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.sentinel1.orbit import NODES, Orbit

Float64 = npt.NDArray[np.float64]

STEERING_DEG_S = {"IW1": 1.590369, "IW2": 0.979863, "IW3": 1.397441}
"""Of the antenna in azimuth; equal in all products to a millionth."""

RANGE_S = 4e-3, 8e-3
"""Two-way time to any ground in view."""

FM_RATE_HZ_S = -3000.0, -1000.0
"""-2 V^2 / (lambda R), some 2300 in near and 1900 in far range."""

BURST_STEP_S = 2.70, 2.82
"""From burst to burst: 2.758 s of the instrument's cycle, given in whole lines and moved by the attitude."""

RAW_DELAY_S = 0.5, 2.0
"""From a burst's zero-Doppler to its raw-data time; 1.0 to 1.4 s."""

_RADIUS_M = 6.9e6, 7.3e6
_SPEED_M_S = 7000.0, 8000.0
_DRIFT_M_S = 0.5
"""Between the mean of two velocities and the way between their positions: 0.08 m/s from the jerk of ten seconds."""

_ROUGHNESS_M = 0.5
"""Of a vector beside the polynomial through six others: 0.15 m at the ends of lists with rounded times."""

_HOLD_S = 30.0
"""A list may end before the last burst of its slice and is held there; a slice lasts 27 s."""


class RangeFunction(Protocol):
    """Value at two-way range times."""

    def __call__(self, range_time_s: Float64, /) -> Float64:
        """Same shape as the times."""
        ...


def orbit_fault(orbit: Orbit) -> str | None:
    """Whether state vectors are those of one smooth low orbit."""
    count = len(orbit.time_s)
    if count < NODES:
        return f"needs at least {NODES} state vectors, found {count}"
    step = np.diff(orbit.time_s)
    if step.min() <= 0.0:
        return "two state vectors have one time"
    for name, values, (low, high) in (
        ("radius (m)", orbit.position_m, _RADIUS_M),
        ("speed (m/s)", orbit.velocity_m_s, _SPEED_M_S),
    ):
        length = np.hypot(np.hypot(values[:, 0], values[:, 1]), values[:, 2])
        if length.min() < low or length.max() > high:
            return f"{name} must be from {low:g} to {high:g}, found {length.min():g} to {length.max():g}"
    mean = (orbit.velocity_m_s[1:] + orbit.velocity_m_s[:-1]) / 2
    drift = float(np.abs(np.diff(orbit.position_m, axis=0) / step[:, None] - mean).max())
    if drift > _DRIFT_M_S:
        return f"positions and velocities disagree by {drift:.3g} m/s"
    roughness = _roughness_m(orbit)
    if roughness > _ROUGHNESS_M:
        return f"a state vector lies {roughness:.3g} m beside the orbit of the others"
    return None


def _roughness_m(orbit: Orbit) -> float:
    """Largest distance of a vector from the polynomial through its six neighbours, by their divided difference."""
    own = np.arange(len(orbit.time_s))
    first = np.clip(own - 3, 0, len(own) - 7)
    window = first[:, None] + np.arange(7)
    time = orbit.time_s[window]
    weight = 1.0 / (time[:, :, None] - time[:, None, :] + np.eye(7)).prod(axis=2)
    difference = (weight[..., None] * orbit.position_m[window]).sum(axis=1)
    return float(np.abs(difference / weight[own, own - first][:, None]).max())


def polynomial_fault(entries: Iterable[RangeFunction], range_time_s: Float64, low: float, high: float) -> str | None:
    """Whether polynomials keep to their bounds over the swath; range_time_s : (n,) two-way times."""
    for index, entry in enumerate(entries):
        with np.errstate(over="ignore", invalid="ignore"):
            values = entry(range_time_s)
        if not ((values >= low) & (values <= high)).all():
            return f"number {index + 1} must be from {low:g} to {high:g} over the swath, found {values[0]:g} and on"
    return None


def reach_fault(time_s: Sequence[float], wanted_s: Iterable[float]) -> str | None:
    """Whether a list of times has an entry near every wanted one."""
    for wanted in wanted_s:
        nearest = min(time_s, key=lambda t: abs(t - wanted))
        if abs(nearest - wanted) > _HOLD_S:
            return f"nearest to a burst at {wanted:.1f} s of the day is an entry at {nearest:.1f} s"
    return None
