"""Lines of sight over the terrain: who is hidden from the sensor, and who shares a range with another.

Brute force on purpose: every ray is walked, every neighbour along the ground is asked.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.domain.lattice import to_map
from sen12ts_pipeline.simulate import geodesy, kernels
from sen12ts_pipeline.simulate.geodesy import Array
from sen12ts_pipeline.simulate.orbit import Orbit
from sen12ts_pipeline.simulate.relief import Relief

Bool = npt.NDArray[np.bool_]

_STEP_M = 500.0


@dataclass(frozen=True, slots=True)
class Plane:
    """A value that varies linearly over the map: value at the centre, change per metre east and north."""

    centre: tuple[float, float]
    value: float
    east: float
    north: float

    @classmethod
    def fit(cls, centre: tuple[float, float], easting: Array, northing: Array, values: Array) -> Plane:
        """Least squares over points."""
        x, y = easting.ravel() - centre[0], northing.ravel() - centre[1]
        solution = np.linalg.lstsq(np.stack([np.ones_like(x), x, y], axis=1), values.ravel(), rcond=None)[0]
        return cls(centre, *(float(v) for v in solution))

    def at(self, easting: Array, northing: Array) -> Array:
        """Values at map points; shapes broadcast."""
        return np.asarray(
            self.value + self.east * (easting - self.centre[0]) + self.north * (northing - self.centre[1])
        )


@dataclass(frozen=True, slots=True)
class Sight:
    """Directions towards the sensor over a place.

    Attributes
    ----------
    ray_east, ray_north : Plane
        Metres east and north per metre of height along the ray to the sensor.
    away_east, away_north : Plane
        Unit step on the map along the line of equal zero-Doppler time, away from the sensor.
    """

    ray_east: Plane
    ray_north: Plane
    away_east: Plane
    away_north: Plane

    @classmethod
    def of(cls, relief: Relief, orbit: Orbit, start_s: float, half_m: float) -> Sight:
        """Derive from exact geometry on a coarse grid around the tiles."""
        centre = (relief.origin[0] + relief.size[0] / 2, relief.origin[1] - relief.size[1] / 2)
        axis = np.linspace(-half_m, half_m, 7)
        east, north = np.meshgrid(centre[0] + axis, centre[1] + axis)
        height = np.full(east.shape, relief.base_m)

        def seen(e: Array, n: Array) -> tuple[Array, Array]:
            return orbit.observe(geodesy.map_points(relief.epsg, e, n, height), start_s)

        points = geodesy.map_points(relief.epsg, east, north, height)
        time, distance = orbit.observe(points, start_s)
        sensor = orbit.states(time.ravel())[0].reshape(points.shape)
        ahead = points + _STEP_M * (sensor - points) / distance[..., None]
        lon, lat, up = geodesy.geographic(ahead)
        e2, n2 = to_map(relief.epsg).transform(lon, lat)
        ray = ((e2 - east) / (up - height), (n2 - north) / (up - height))
        t_east = seen(east + _STEP_M, north)[0] - seen(east - _STEP_M, north)[0]
        t_north = seen(east, north + _STEP_M)[0] - seen(east, north - _STEP_M)[0]
        away_e, away_n = -t_north / np.hypot(t_east, t_north), t_east / np.hypot(t_east, t_north)
        flip = np.where(away_e * ray[0] + away_n * ray[1] > 0, -1.0, 1.0)
        fits = (Plane.fit(centre, east, north, v) for v in (*ray, flip * away_e, flip * away_n))
        return cls(*fits)

    def shadow(self, relief: Relief, easting: Array, northing: Array, *, step_m: float = 10.0) -> Bool:
        """Whether terrain hides the points of a regular grid from the sensor, (rows, cols)."""
        ground = relief.on_grid(easting, northing)
        east, north = np.meshgrid(easting, northing)
        top, slant = self._walk_limits(relief, east, north)
        reach = (top - float(ground.min())) * slant + 3 * step_m
        e_axis = np.arange(easting.min() - reach, easting.max() + reach + step_m, step_m)
        n_axis = np.arange(northing.max() + reach, northing.min() - reach - step_m, -step_m)
        terrain = relief.on_grid(e_axis, n_axis)
        hidden = kernels.occluded(
            terrain,
            ((n_axis[0] - north) / step_m).ravel(),
            ((east - e_axis[0]) / step_m).ravel(),
            (ground + 0.05).ravel(),
            (-self.ray_north.at(east, north) / step_m).ravel(),
            (self.ray_east.at(east, north) / step_m).ravel(),
            slant**2 / (2 * geodesy.EARTH_RADIUS_M),
            float(terrain.max()),
            0.5,
        )
        return np.asarray(hidden.reshape(ground.shape))

    def _walk_limits(self, relief: Relief, east: Array, north: Array) -> tuple[float, float]:
        """Highest terrain in reach, and metres walked per metre of rise."""
        slant = float(np.hypot(self.ray_east.value, self.ray_north.value))
        e = np.arange(east.min() - 3000.0, east.max() + 3000.0, 50.0)
        n = np.arange(north.min() - 3000.0, north.max() + 3000.0, 50.0)
        return float(relief.on_grid(e, n).max()) + 5.0, slant

    def layover(self, relief: Relief, easting: Array, northing: Array, *, step_m: float = 5.0) -> Bool:
        """Whether another point of the zero-Doppler plane has the same range, for points of a regular grid.

        A point is in layover when some ground nearer to the sensor is at least as far in range, or some ground beyond
        it is at most as far.
        """
        ground = relief.on_grid(easting, northing)
        east, north = np.meshgrid(easting, northing)
        _, slant = self._walk_limits(relief, east, north)
        tangent = slant  # horizontal over vertical: the tangent of the incidence angle
        span = float(ground.max() - ground.min()) + 60.0
        reach = span / tangent + 100.0
        out = np.zeros(ground.shape, dtype=bool)
        step_e, step_n = self.away_east.at(east, north), self.away_north.at(east, north)
        for distance in np.arange(step_m, reach, step_m):
            drop = distance**2 / (2 * geodesy.EARTH_RADIUS_M)
            for sign in (-1.0, 1.0):
                e, n = east + sign * distance * step_e, north + sign * distance * step_n
                rise = relief.at(e, n) - ground - drop
                longer = sign * distance * tangent - rise  # change of range times what is positive
                longer += (sign * distance + rise * tangent) ** 2 / (2 * self._range_scale(tangent))
                out |= sign * longer <= 0
        return out

    @staticmethod
    def _range_scale(tangent: float) -> float:
        cosine = 1 / np.sqrt(1 + tangent**2)
        return float(850e3 * cosine / cosine**2)
