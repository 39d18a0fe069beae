"""Thermal noise as annotations describe it: vectors in range for every burst, one vector in azimuth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.simulate.acquisition import Swath
from sen12ts_pipeline.simulate.geodesy import Array
from sen12ts_pipeline.simulate.sensor import BURST_PERIOD_S, LINE_INTERVAL_S, POLARISATIONS, RANGE_SAMPLING_HZ

Int = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.integer[Any] | np.floating[Any]]

PIXEL_STEP, LINE_STEP = 40, 10
EDGE_GAIN = 0.126
_LEVEL = {"vv": 400.0, "vh": 380.0}


def _written(values: Array) -> Array:
    """Values as a file with seven digits gives them back."""
    return np.array([float(f"{v:.6e}") for v in values])


@dataclass(frozen=True, slots=True)
class NoiseVectors:
    """Noise of one swath and polarisation, digital numbers squared.

    Attributes
    ----------
    pixels : int64 (p,)
        Samples of the range vectors.
    times_s, lines : float64 (v,), int64 (v,)
        Azimuth time of each range vector, and the line that files give for it: a whole burst too low.
    range_lut : float64 (v, p)
        Power by range.
    azimuth_lines, azimuth_lut : int64 (a,), float64 (a,)
        Factor by line of the product.
    """

    pixels: Int
    times_s: Array
    lines: Int
    range_lut: Array
    azimuth_lines: Int
    azimuth_lut: Array

    @classmethod
    def of(cls, swath: Swath, pol: str, scale: float) -> NoiseVectors:
        """Noise that grows towards both edges of the whole swath and of every burst."""
        design = swath.design
        pixels = np.unique(np.append(np.arange(0, swath.samples, PIXEL_STEP), swath.samples - 1))
        first = (swath.slant_range_time_s - design.slant_range_time_s) * RANGE_SAMPLING_HZ
        across = 2 * (first + pixels) / design.samples - 1
        shape = 0.75 + 0.35 * across**2 - 0.05 * across
        starts = [b.start_s for b in swath.bursts]
        times = np.array([*starts, starts[-1] + BURST_PERIOD_S])
        drift = 1 + 0.01 * np.sin(1.3 * np.arange(times.size))
        lut = np.stack([_written(_LEVEL[pol] * scale * d * shape) for d in drift])
        count = swath.lines
        azimuth_lines = np.unique(np.append(np.arange(0, count, LINE_STEP), count - 1))
        inside = (azimuth_lines % design.lines) * LINE_INTERVAL_S / (design.lines * LINE_INTERVAL_S / 2) - 1
        return cls(
            pixels,
            times,
            (np.arange(times.size) - 1) * design.lines,
            lut,
            azimuth_lines,
            _written(1 + EDGE_GAIN * inside**2),
        )

    def by_sample(self, burst_start_s: float, samples: Numbers) -> Array:
        """Range factor of a burst: the vector nearest in time, linear in sample."""
        nearest = int(np.argmin(np.abs(self.times_s - burst_start_s)))
        return np.asarray(np.interp(samples, self.pixels, self.range_lut[nearest]))

    def by_line(self, lines: Numbers) -> Array:
        """Azimuth factor of lines of the product."""
        return np.asarray(np.interp(lines, self.azimuth_lines, self.azimuth_lut))


def noise_of(swath: Swath, scale: float) -> dict[str, NoiseVectors]:
    """Noise of both polarisations."""
    return {pol: NoiseVectors.of(swath, pol, scale) for pol in POLARISATIONS}
