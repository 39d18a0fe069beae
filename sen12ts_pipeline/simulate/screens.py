"""What changes the range between dates besides the orbit: a subsiding bowl and a smooth atmosphere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sen12ts_pipeline.simulate.geodesy import Array
from sen12ts_pipeline.simulate.place import Place

BOWL_M = 900.0
BOWL_M_PER_DAY = 0.0009
AIR_M = 0.004
AIR_LENGTH_M = 5500.0


@dataclass(frozen=True, slots=True)
class Screens:
    """Delays of a place's dates, as functions of the map.

    Attributes
    ----------
    centre : tuple of float
        Easting and northing of the bowl's middle, metres.
    depth_m : float64 (passes,)
        Range increase at the bowl's middle.
    air : float64 (passes, 4)
        Amplitude in metres, direction and phase in radians, and a constant in metres, of each date.
    """

    centre: tuple[float, float]
    depth_m: Array
    air: Array

    @classmethod
    def of(cls, place: Place) -> Screens:
        """Draw the screens of a place from its seed; the bowl sinks faster and slower from date to date."""
        rng = np.random.default_rng([place.seed, 30])
        east, north = place.grid.centre
        pace = rng.uniform(0.4, 1.4, place.passes)
        days = np.array([(d - place.first_pass).days for d in place.dates], dtype=float)
        depth = BOWL_M_PER_DAY * np.concatenate([[0.0], np.cumsum(np.diff(days) * pace[1:])])
        air = np.stack(
            [
                rng.uniform(-AIR_M, AIR_M, place.passes),
                rng.uniform(0, np.pi, place.passes),
                rng.uniform(0, 2 * np.pi, place.passes),
                rng.uniform(-0.01, 0.01, place.passes),
            ],
            axis=1,
        )
        return cls((east + 300.0, north - 250.0), depth, air)

    def delay_m(self, date_index: int, easting: Array, northing: Array) -> Array:
        """Range increase on a date at map points, metres; shapes broadcast."""
        x, y = easting - self.centre[0], northing - self.centre[1]
        bowl = np.exp(-0.5 * (x / BOWL_M) ** 2) * np.exp(-0.5 * (y / BOWL_M) ** 2)
        amplitude, angle, phase, constant = self.air[date_index]
        wave = np.cos(2 * np.pi / AIR_LENGTH_M * (np.cos(angle) * x + np.sin(angle) * y) + phase)
        return np.asarray(self.depth_m[date_index] * bowl + amplitude * wave + constant)
