"""The terrain: a smooth function of map coordinates, known everywhere.

A sum of sinusoids of 620 m to 3.2 km wavelength whose amplitude grows from the west of the place to its east, with a
bump of further amplitude in the south-eastern corner, on a swell of longer waves. Beyond the tiles it fades out, so
that what lies outside casts no shadow into them. Everything is a product of a function of easting and one of northing,
or a sum of such, so that regular grids are matrix products.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.domain.lattice import TILE_M, to_map
from sen12ts_pipeline.simulate.geodesy import Array
from sen12ts_pipeline.simulate.place import Place

WAVES = 40
SHORTEST_M, LONGEST_M = 620.0, 3200.0
SWELL_WAVES = 8
SWELL_SHORTEST_M, SWELL_LONGEST_M = 5000.0, 12000.0
SWELL_RMS_M = 25.0
SLOPE_RMS = 0.17
"""Root mean square of the gradient along one axis where the amplitude is 1."""


@dataclass(frozen=True, slots=True)
class Waves:
    """A sum of sinusoids: amplitudes in metres, wave numbers in radians per metre, phases in radians."""

    amplitude: Array
    east: Array
    north: Array
    phase: Array

    @classmethod
    def draw(cls, rng: np.random.Generator, count: int, shortest_m: float, longest_m: float) -> Waves:
        """Directions spread evenly with jitter, wavelengths log-uniform, amplitudes as wavelength ** 1.2."""
        length = np.exp(rng.uniform(np.log(shortest_m), np.log(longest_m), count))
        angle = (np.arange(count) + rng.uniform(-0.4, 0.4, count)) * np.pi / count
        number = 2 * np.pi / length
        phase = rng.uniform(0, 2 * np.pi, count)
        return cls(length**1.2, number * np.cos(angle), number * np.sin(angle), phase)

    def scaled(self, factor: float) -> Waves:
        """All amplitudes times a factor."""
        return Waves(self.amplitude * factor, self.east, self.north, self.phase)

    @property
    def slope_rms(self) -> float:
        """Root mean square gradient along one axis."""
        return float(np.sqrt(np.sum(self.amplitude**2 * (self.east**2 + self.north**2)) / 4))

    @property
    def height_rms(self) -> float:
        """Root mean square height, metres."""
        return float(np.sqrt(np.sum(self.amplitude**2) / 2))

    def on_grid(self, x: Array, y: Array) -> Array:
        """Sum at (rows, cols) of a grid with axes y and x, metres from the origin."""
        turn_x, turn_y = np.outer(x, self.east), np.outer(y, self.north) + self.phase
        real = (self.amplitude * np.cos(turn_y)) @ np.cos(turn_x).T
        return np.asarray(real - (self.amplitude * np.sin(turn_y)) @ np.sin(turn_x).T)

    def at(self, x: Array, y: Array) -> Array:
        """Sum at points of any shape."""
        out = np.zeros(np.broadcast_shapes(x.shape, y.shape))
        for amplitude, east, north, phase in zip(self.amplitude, self.east, self.north, self.phase, strict=True):
            out += amplitude * np.cos(east * x + north * y + phase)
        return out


def _rise(x: Array, middle: float, width: float) -> Array:
    return np.asarray(0.5 * (1 + np.tanh((x - middle) / width)))


@dataclass(frozen=True, slots=True)
class Relief:
    """Heights above the ellipsoid around one place.

    Attributes
    ----------
    epsg : int
        Map system of the coordinates.
    origin : tuple of float
        Easting and northing of the north-western corner of the tiles, metres.
    size : tuple of float
        Width and height of the tiles, metres.
    base_m : float
        Mean height.
    gentle, rough : float
        Amplitudes of the whole place and of the corner.
    waves, swell : Waves
        What is summed.
    """

    epsg: int
    origin: tuple[float, float]
    size: tuple[float, float]
    base_m: float
    gentle: float
    rough: float
    waves: Waves
    swell: Waves

    @classmethod
    def of(cls, place: Place) -> Relief:
        """Draw the relief of a place from its seed."""
        rng = np.random.default_rng([place.seed, 10])
        waves = Waves.draw(rng, WAVES, SHORTEST_M, LONGEST_M)
        swell = Waves.draw(rng, SWELL_WAVES, SWELL_SHORTEST_M, SWELL_LONGEST_M)
        grid = place.grid
        return cls(
            grid.epsg,
            (grid.west, grid.north),
            (grid.east - grid.west, grid.north - grid.south),
            place.base_height_m,
            place.relief,
            place.rough,
            waves.scaled(SLOPE_RMS / waves.slope_rms),
            swell.scaled(SWELL_RMS_M * min(1.0, place.relief) / swell.height_rms),
        )

    def amplitude(self, x: Array, y: Array) -> Array:
        """Scale of the waves at metres from the origin, x eastwards, y northwards; shapes broadcast."""
        width, height = self.size
        inside = _rise(x, -600.0, 250.0) * _rise(-x, -width - 600.0, 250.0)
        inside = inside * (_rise(y, -height - 600.0, 250.0) * _rise(-y, -600.0, 250.0))
        gentle = self.gentle * (0.08 + 0.92 * _rise(x, 0.35 * width, 0.25 * width))
        corner_x, corner_y = width - 0.3 * TILE_M, -height + 0.3 * TILE_M
        bump = np.exp(-(((x - corner_x) / 700.0) ** 2)) * np.exp(-(((y - corner_y) / 700.0) ** 2))
        return np.asarray(inside * (gentle + 4.0 * self.rough * bump))

    def on_grid(self, easting: Array, northing: Array) -> Array:
        """Heights (rows, cols) of a regular grid, axes in metres of the map."""
        x, y = easting - self.origin[0], northing - self.origin[1]
        waves = self.waves.on_grid(x, y) * self.amplitude(x[None, :], y[:, None])
        waves += self.swell.on_grid(x, y)
        waves += self.base_m
        return waves

    def at(self, easting: npt.ArrayLike, northing: npt.ArrayLike) -> Array:
        """Heights at map points of any shape, metres."""
        x, y = np.asarray(easting, dtype=float) - self.origin[0], np.asarray(northing, dtype=float) - self.origin[1]
        return self.base_m + self.swell.at(x, y) + self.amplitude(x, y) * self.waves.at(x, y)

    def geographic(self, longitude: npt.ArrayLike, latitude: npt.ArrayLike) -> Array:
        """Heights at geographic points in degrees, metres."""
        return self.at(*to_map(self.epsg).transform(np.asarray(longitude), np.asarray(latitude)))

    def gradient(self, easting: Array, northing: Array) -> tuple[Array, Array]:
        """Rise per metre eastwards and northwards on a regular grid, by central differences over 1 m."""
        east = self.on_grid(easting + 0.5, northing) - self.on_grid(easting - 0.5, northing)
        north = self.on_grid(easting, northing + 0.5) - self.on_grid(easting, northing - 0.5)
        return east, north
