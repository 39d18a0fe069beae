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
_TYPICAL_RANGE_M = 870e3


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

    def tangent(self, east: Array, north: Array) -> Array:
        """Tangent of the incidence angle on level ground at map points."""
        return np.hypot(self.ray_east.at(east, north), self.ray_north.at(east, north))

    def shadow(self, relief: Relief, easting: Array, northing: Array, *, node_m: float = 10.0) -> Bool:
        """Whether terrain hides the points of a regular grid from the sensor, (rows, cols)."""
        east, north = np.meshgrid(easting, northing)
        tangent = self.tangent(east, north)
        ground = relief.on_grid(easting, northing)
        top = _highest(relief, easting, northing)
        nodes = _Nodes.around(relief, easting, northing, node_m, (top - float(ground.min())) * float(tangent.max()))
        hidden = kernels.occluded(
            nodes.height,
            *nodes.coordinates(east, north),
            (ground + 0.05).ravel(),
            (-self.ray_north.at(east, north) / node_m).ravel(),
            (self.ray_east.at(east, north) / node_m).ravel(),
            float(np.mean(tangent)) ** 2 / (2 * geodesy.EARTH_RADIUS_M),
            top,
            0.5,
        )
        return np.asarray(hidden.reshape(ground.shape))

    def layover(self, relief: Relief, easting: Array, northing: Array, *, node_m: float = 5.0) -> Bool:
        """Whether another point of the zero-Doppler plane has the same range, for points of a regular grid.

        A point is in layover when some ground nearer to the sensor is at least as far in range, or some ground beyond
        it is at most as far.
        """
        east, north = np.meshgrid(easting, northing)
        tangent = self.tangent(east, north)
        ground = relief.on_grid(easting, northing)
        span = 2 * (_highest(relief, easting, northing) - relief.base_m)
        reach = span / float(tangent.min())
        nodes = _Nodes.around(relief, easting, northing, node_m, reach)
        cosine = 1 / np.sqrt(1 + np.mean(tangent) ** 2)
        shared = kernels.same_range(
            nodes.height,
            *nodes.coordinates(east, north),
            ground.ravel(),
            -self.away_north.at(east, north).ravel(),
            self.away_east.at(east, north).ravel(),
            tangent.ravel(),
            node_m,
            reach,
            _TYPICAL_RANGE_M / float(cosine),
        )
        return np.asarray(shared.reshape(ground.shape))


def _highest(relief: Relief, easting: Array, northing: Array) -> float:
    """Height that no terrain within 3 km reaches, metres."""
    east = np.arange(easting.min() - 3000.0, easting.max() + 3000.0, 50.0)
    north = np.arange(northing.min() - 3000.0, northing.max() + 3000.0, 50.0)
    return float(relief.on_grid(east, north).max()) + 5.0


@dataclass(frozen=True, slots=True)
class _Nodes:
    """Heights on nodes that reach beyond a grid; row 0 north."""

    west: float
    north: float
    spacing_m: float
    height: Array

    @classmethod
    def around(cls, relief: Relief, easting: Array, northing: Array, spacing_m: float, reach_m: float) -> _Nodes:
        reach = reach_m + 3 * spacing_m
        east = np.arange(easting.min() - reach, easting.max() + reach + spacing_m, spacing_m)
        north = np.arange(northing.max() + reach, northing.min() - reach - spacing_m, -spacing_m)
        return cls(float(east[0]), float(north[0]), spacing_m, relief.on_grid(east, north))

    def coordinates(self, east: Array, north: Array) -> tuple[Array, Array]:
        """Row and column of map points, flattened, in nodes."""
        return (self.north - north).ravel() / self.spacing_m, (east - self.west).ravel() / self.spacing_m
