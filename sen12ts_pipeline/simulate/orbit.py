"""A near-circular orbit that repeats every 175 revolutions, and what it sees.

The orbit is sun-synchronous: its plane turns once a year, so that, seen from the Earth, the node moves by exactly 15
degrees an hour. Time counts in seconds after the ascending node.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.simulate import geodesy, kernels
from sen12ts_pipeline.simulate.geodesy import Array
from sen12ts_pipeline.simulate.sensor import ORBIT_PERIOD_S

NODAL_RATE_RAD_S = 2 * math.pi / ORBIT_PERIOD_S
NODE_DRIFT_RAD_S = -2 * math.pi / 86400.0
SEMI_MAJOR_M = 7_070_200.0
ECCENTRICITY = 0.0011
INCLINATION_RAD = math.radians(98.18)


@dataclass(frozen=True, slots=True)
class Orbit:
    """One revolution, Earth-fixed.

    Attributes
    ----------
    node_rad : float
        Longitude of the ascending node.
    radial_m, radial_m_s, cross_m, cross_m_s : float
        Offsets from the nominal orbit, upwards and to the left of the flight direction, and their rates.
    reference_s : float
        Time at which the offsets hold.
    """

    node_rad: float
    radial_m: float = 0.0
    radial_m_s: float = 0.0
    cross_m: float = 0.0
    cross_m_s: float = 0.0
    reference_s: float = 0.0

    @property
    def coefficients(self) -> Array:
        """The vector that the kernels take."""
        plane = (math.cos(INCLINATION_RAD), math.sin(INCLINATION_RAD), self.node_rad, NODE_DRIFT_RAD_S)
        offsets = (self.radial_m, self.radial_m_s, self.cross_m, self.cross_m_s, self.reference_s)
        return np.array([NODAL_RATE_RAD_S, SEMI_MAJOR_M, ECCENTRICITY, *plane, *offsets])

    def states(self, times_s: npt.ArrayLike) -> tuple[Array, Array]:
        """Positions and velocities (n, 3), metres and metres per second."""
        out = kernels.states(np.atleast_1d(np.asarray(times_s, dtype=float)), self.coefficients)
        return out[:, :3], out[:, 3:6]

    def observe(self, points: Array, start_s: float) -> tuple[Array, Array]:
        """Zero-Doppler time in seconds and range in metres of Earth-fixed points (..., 3)."""
        flat = np.ascontiguousarray(points.reshape(-1, 3))
        time, distance = kernels.zero_doppler(flat, self.coefficients, start_s)
        return time.reshape(points.shape[:-1]), distance.reshape(points.shape[:-1])

    def locate(self, times_s: Array, ranges_m: Array, heights_m: Array) -> Array:
        """Earth-fixed points (n, 3) seen to the right at times and ranges, at heights above the ellipsoid.

        Newton on range, zero Doppler and height, from a spherical guess.
        """
        sensor, velocity = self.states(times_s)
        point = _spherical_guess(sensor, velocity, ranges_m, heights_m)
        for _ in range(8):
            lon, lat, height = geodesy.geographic(point)
            look = point - sensor
            misfit = np.stack(
                [
                    (np.sum(look**2, axis=1) - ranges_m**2) / (2 * ranges_m),
                    np.sum(look * velocity, axis=1),
                    height - heights_m,
                ],
                axis=1,
            )
            slopes = np.stack([look / ranges_m[:, None], velocity, geodesy.up_vector(lon, lat)], axis=1)
            point = point - np.linalg.solve(slopes, misfit[..., None])[..., 0]
        return point


def _spherical_guess(sensor: Array, velocity: Array, ranges_m: Array, heights_m: Array) -> Array:
    distance = np.linalg.norm(sensor, axis=1)
    up = sensor / distance[:, None]
    right = np.cross(velocity, sensor)
    right /= np.linalg.norm(right, axis=1)[:, None]
    nadir = geodesy.geographic(sensor)[2]
    ground = distance - nadir + heights_m
    cosine = (distance**2 + ranges_m**2 - ground**2) / (2 * distance * ranges_m)
    sine = np.sqrt(1 - cosine**2)
    return np.asarray(sensor + ranges_m[:, None] * (sine[:, None] * right - cosine[:, None] * up))


def orbit_over(point: Array, range_m: float, direction: str) -> tuple[Orbit, float]:
    """Orbit that sees an Earth-fixed point to the right at a range, and the time at which it does.

    Parameters
    ----------
    point : float64 (3,)
        The point.
    range_m : float
        Slant range at zero Doppler.
    direction : str
        ``A`` or ``D``.
    """
    longitude, latitude, _ = (float(v) for v in geodesy.geographic(point))
    argument = math.asin(math.sin(math.radians(latitude)) / math.sin(INCLINATION_RAD))
    start = (argument if direction == "A" else math.pi - argument) % (2 * math.pi) / NODAL_RATE_RAD_S
    turned = math.atan2(
        math.cos(INCLINATION_RAD) * math.sin(start * NODAL_RATE_RAD_S), math.cos(start * NODAL_RATE_RAD_S)
    )
    side = -1.0 if direction == "A" else 1.0
    off = 0.6 * range_m / (geodesy.EARTH_RADIUS_M * math.cos(math.radians(latitude)))
    first = math.radians(longitude) + side * off - turned - NODE_DRIFT_RAD_S * start

    def miss(node: float) -> tuple[float, float]:
        time, distance = Orbit(node).observe(point[None], start)
        return float(distance[0]) - range_m, float(time[0])

    node, other = first, first + side * 0.01
    value, other_value = miss(node)[0], miss(other)[0]
    for _ in range(20):
        node, other = node - value * (other - node) / (other_value - value), node
        other_value, value = value, miss(node)[0]
        if abs(value) < 1e-6 or value == other_value:
            break
    node = (node + math.pi) % (2 * math.pi) - math.pi
    return Orbit(node), miss(node)[1]


def displaced(orbit: Orbit, *, radial_m: float, cross_m: float, cross_m_s: float, reference_s: float) -> Orbit:
    """The orbit of another date, off the nominal one by some ten metres."""
    return replace(orbit, radial_m=radial_m, cross_m=cross_m, cross_m_s=cross_m_s, reference_s=reference_s)
