"""WGS 84: between geographic and Earth-fixed coordinates, and the map around a place as polynomials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.domain.lattice import to_geographic

Array = npt.NDArray[np.floating[Any]]

SEMI_MAJOR_M = 6378137.0
FLATTENING = 1 / 298.257223563
ECCENTRICITY_2 = FLATTENING * (2 - FLATTENING)
EARTH_RADIUS_M = 6371e3


def up_vector(longitude: npt.ArrayLike, latitude: npt.ArrayLike) -> Array:
    """Outward normal of the ellipsoid; degrees in, (..., 3) Earth-fixed."""
    lon, lat = np.radians(longitude), np.radians(latitude)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


def earth_fixed(longitude: npt.ArrayLike, latitude: npt.ArrayLike, height_m: npt.ArrayLike) -> Array:
    """Earth-fixed position (..., 3) in metres of points in degrees and metres above the ellipsoid."""
    up = up_vector(longitude, latitude)
    prime_vertical = SEMI_MAJOR_M / np.sqrt(1 - ECCENTRICITY_2 * up[..., 2] ** 2)
    scale = np.stack([prime_vertical, prime_vertical, prime_vertical * (1 - ECCENTRICITY_2)], axis=-1)
    return np.asarray((scale + np.asarray(height_m, dtype=float)[..., None]) * up)


def geographic(position: Array) -> tuple[Array, Array, Array]:
    """Longitude, latitude in degrees and ellipsoidal height in metres of Earth-fixed positions (..., 3).

    Fixed-point iteration of the latitude's tangent; below 1e-8 m near the ground.
    """
    x, y, z = position[..., 0], position[..., 1], position[..., 2]
    distance = np.hypot(x, y)
    tangent = z / distance / (1 - ECCENTRICITY_2)
    for _ in range(8):
        prime_vertical = SEMI_MAJOR_M / np.sqrt(1 + (1 - ECCENTRICITY_2) * tangent**2) * np.sqrt(1 + tangent**2)
        sine = tangent / np.sqrt(1 + tangent**2)
        tangent = (z + ECCENTRICITY_2 * prime_vertical * sine) / distance
    latitude = np.arctan(tangent)
    prime_vertical = SEMI_MAJOR_M / np.sqrt(1 - ECCENTRICITY_2 * np.sin(latitude) ** 2)
    height = distance * np.cos(latitude) + z * np.sin(latitude) - SEMI_MAJOR_M**2 / prime_vertical
    return np.degrees(np.arctan2(y, x)), np.degrees(latitude), height


def map_points(epsg: int, easting: npt.ArrayLike, northing: npt.ArrayLike, height_m: npt.ArrayLike) -> Array:
    """Earth-fixed position (..., 3) of map points by PROJ."""
    longitude, latitude = to_geographic(epsg).transform(np.asarray(easting), np.asarray(northing))
    return earth_fixed(longitude, latitude, height_m)


_ORDER = 6


@dataclass(frozen=True, slots=True)
class MapFrame:
    """The map around a place as polynomials: position on the ellipsoid and normal.

    A point is ``position(e, n) + height * normal(e, n)``. Order 6 holds both to 1e-8 m over 20 km.

    Attributes
    ----------
    epsg : int
        Map system.
    centre : tuple of float
        Easting and northing of the middle, metres.
    half_m : float
        Half of the square's edge.
    coefficients : float64 (6, 7, 7)
        Three coordinates of the position, then of the normal, by powers of scaled northing and easting.
    """

    epsg: int
    centre: tuple[float, float]
    half_m: float
    coefficients: Array

    @classmethod
    def around(cls, epsg: int, centre: tuple[float, float], half_m: float) -> MapFrame:
        """Fit to PROJ on a square of Chebyshev nodes."""
        nodes = np.cos(np.pi * (np.arange(_ORDER + 5) + 0.5) / (_ORDER + 5))
        n, e = np.meshgrid(nodes, nodes, indexing="ij")
        lon, lat = to_geographic(epsg).transform(centre[0] + half_m * e, centre[1] + half_m * n)
        values = np.concatenate([earth_fixed(lon, lat, np.zeros_like(lon)), up_vector(lon, lat)], axis=-1)
        inverse = np.linalg.pinv(np.vander(nodes, _ORDER + 1, increasing=True))
        return cls(epsg, centre, half_m, np.einsum("ia,abk,jb->kij", inverse, values, inverse))

    def surface(self, easting: Array, northing: Array, height_m: Array) -> Array:
        """Earth-fixed positions (rows, cols, 3) of a regular grid: axes in metres, heights (rows, cols)."""
        e = np.vander((easting - self.centre[0]) / self.half_m, _ORDER + 1, increasing=True)
        n = np.vander((northing - self.centre[1]) / self.half_m, _ORDER + 1, increasing=True)
        out = np.empty((*height_m.shape, 3))
        for k in range(3):
            out[..., k] = n @ self.coefficients[k] @ e.T
            out[..., k] += height_m * (n @ self.coefficients[k + 3] @ e.T)
        return out
