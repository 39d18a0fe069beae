"""Two passes over one grid: how far apart they flew, how much of their spectra they share, how many looks that is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.domain.bursts import BurstId
from sen12ts_pipeline.errors import Rejected
from sen12ts_pipeline.sar.native import geometry
from sen12ts_pipeline.sar.native.interferogram import gaussian_taps
from sen12ts_pipeline.sar.native.lattice import EASTING_STEP_M, NORTHING_STEP_M
from sen12ts_pipeline.sar.native.scene import OpenPass, PlacedBurst
from sen12ts_pipeline.sar.native.taps import speckle_correlation
from sen12ts_pipeline.sentinel1.orbit import Orbit

Float64 = npt.NDArray[np.float64]

SMALLEST_COMMON_BAND = 0.8
"""Share of the azimuth band below which bursts that start apart no longer make a useful pair."""

ASIDE_M = 500.0
"""Between points whose positions in a burst tell how the map lies in it."""


@dataclass(frozen=True, slots=True)
class Separation:
    """How two orbits see one point, each at its own time.

    Attributes
    ----------
    times_s, ranges_m : tuple of float
        Zero-Doppler times from each pass's epoch, and slant ranges.
    perpendicular_m : float
        Part of the second position's offset across the first line of sight; positive away from the ground.
    sine : float
        Of the angle between the first line of sight and the vertical.
    """

    times_s: tuple[float, float]
    ranges_m: tuple[float, float]
    perpendicular_m: float
    sine: float

    @classmethod
    def at(cls, point: Float64, first: Orbit, second: Orbit) -> Separation:
        """Separation of two orbits at an Earth-fixed point (3,)."""
        one, other = (geometry.localise(orbit, point) for orbit in (first, second))
        (t1, r1), (t2, r2) = geometry.solve(point[None], one), geometry.solve(point[None], other)
        (here, velocity, _), (there, _, _) = one.state(t1[0]), other.state(t2[0])
        look = (point - here) / r1[0]
        across = np.cross(look, velocity)
        perpendicular = ((there - here) * across).sum() / np.sqrt((across * across).sum())
        upright = (look * point).sum() / np.sqrt((point * point).sum())
        sine = math.sqrt(1 - float(upright) ** 2)
        return cls((float(t1[0]), float(t2[0])), (float(r1[0]), float(r2[0])), float(perpendicular), sine)

    def height_of_ambiguity_m(self, wavelength_m: float) -> float:
        """Height that turns the phase once around; infinite without a baseline."""
        if self.perpendicular_m == 0.0:
            return math.inf
        return wavelength_m * self.ranges_m[0] * self.sine / (2 * self.perpendicular_m)


def describe_pair(point: Float64, earlier: OpenPass, later: OpenPass, bursts: tuple[BurstId, ...]) -> dict[str, float]:
    """Figures of a pair at an Earth-fixed point (3,), for provenance.

    Returns
    -------
    dict
        ``perpendicular_baseline_m``, ``height_of_ambiguity_m``, ``days`` and ``doppler_difference_hz`` (of the burst
        where it is largest).

    Raises
    ------
    Rejected
        Rule ``antenna_phase`` when the processor left the antenna's phase in the samples of a pass, a step between
        subswaths; ``common_band`` when the bursts' spectra have too little in common.
    """
    for one in (earlier, later):
        if one.keeps_antenna_phase:
            detail = "processed before IPF 2.43, which left the elevation antenna pattern's phase in the samples"
            raise Rejected("antenna_phase", one.id, detail)
    apart = Separation.at(point, earlier.orbit, later.orbit)
    here, there = zip(apart.times_s, apart.ranges_m, strict=True)
    pairs = [(earlier.require(b), later.require(b)) for b in bursts]
    doppler_hz = max((second.doppler_hz(*there) - first.doppler_hz(*here) for first, second in pairs), key=abs)
    swath = pairs[0][0].swath
    common = 1.0 - abs(doppler_hz) / swath.azimuth_bandwidth_hz
    if common < SMALLEST_COMMON_BAND:
        detail = f"{common:.0%} of the azimuth band is common, at least {SMALLEST_COMMON_BAND:.0%} is needed"
        raise Rejected("common_band", f"{earlier.id} {later.id}", detail)
    ambiguity = apart.height_of_ambiguity_m(swath.wavelength_m)
    seconds = (later.epoch - earlier.epoch).total_seconds() + apart.times_s[1] - apart.times_s[0]
    return {
        "perpendicular_baseline_m": round(apart.perpendicular_m, 3),
        "height_of_ambiguity_m": round(min(max(ambiguity, -1e9), 1e9), 2),
        "days": round(seconds / 86400, 6),
        "doppler_difference_hz": round(doppler_hz, 2),
    }


def effective_looks(placed: PlacedBurst, where: tuple[Float64, Float64]) -> float:
    """Independent samples of speckle in a cell: one over the weighted mean of its samples' squared correlation.

    where : times and ranges (3,) of a point, and of points `ASIDE_M` east and north of it.
    """
    swath = placed.swath
    line, sample = placed.line_sample(*where)
    north, east = gaussian_taps(NORTHING_STEP_M), gaussian_taps(EASTING_STEP_M)
    lag_n = NORTHING_STEP_M * np.arange(1 - len(north), len(north))[:, None]
    lag_e = EASTING_STEP_M * np.arange(1 - len(east), len(east))
    lines = ((line[1] - line[0]) * lag_e + (line[2] - line[0]) * lag_n) / ASIDE_M
    samples = ((sample[1] - sample[0]) * lag_e + (sample[2] - sample[0]) * lag_n) / ASIDE_M
    azimuth = speckle_correlation(lines, swath.azimuth_bandwidth_hz * swath.line_interval_s, swath.azimuth_window)
    slant = speckle_correlation(samples, swath.range_bandwidth_hz / swath.range_rate_hz, swath.range_window)
    weight = np.correlate(north, north, "full")[:, None] * np.correlate(east, east, "full")
    return float(1.0 / (weight * (azimuth * slant) ** 2).sum())


def coherence_floor(looks: float) -> float:
    """Mean of the coherence's estimate where there is none (Touzi et al. 1999): G(L) G(3/2) / G(L + 1/2)."""
    return math.exp(math.lgamma(looks) + math.lgamma(1.5) - math.lgamma(looks + 0.5))
