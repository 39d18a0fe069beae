"""Two passes over one grid: how far apart they flew, how much of their spectra they share, how many looks that is."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.domain.bursts import BurstId
from sen12ts_pipeline.domain.lattice import Grid
from sen12ts_pipeline.errors import Rejected
from sen12ts_pipeline.sar.native import geometry
from sen12ts_pipeline.sar.native.interferogram import gaussian_taps
from sen12ts_pipeline.sar.native.lattice import EASTING_STEP_M, NORTHING_STEP_M
from sen12ts_pipeline.sar.native.scene import OpenPass, PlacedBurst
from sen12ts_pipeline.sar.native.taps import speckle_correlation

Float64 = npt.NDArray[np.float64]

SMALLEST_COMMON_BAND = 0.8
"""Share of the azimuth band below which bursts that start apart no longer make a useful pair."""

ASIDE_M = 500.0
"""Between points whose positions in a burst tell how the map lies in it."""


def describe_pair(
    grid: Grid, height_m: float, earlier: OpenPass, later: OpenPass, bursts: tuple[BurstId, ...]
) -> dict[str, float]:
    """Figures of a pair at the grid's centre, for provenance.

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
    easting, northing = grid.centre
    points = geometry.earth_fixed(grid.epsg, *(np.array([x]) for x in (easting, northing, height_m)))
    first, second = (geometry.localise(one.orbit, points[0]) for one in (earlier, later))
    (t1, r1), (t2, r2) = geometry.solve(points, first), geometry.solve(points, second)
    (s1, v1, _), (s2, _, _) = first.state(t1), second.state(t2)
    look = (points[0] - s1[0]) / r1[0]
    across = np.cross(look, v1[0] / np.linalg.norm(v1[0]))
    perpendicular = float((s2[0] - s1[0]) @ (across / np.linalg.norm(across)))
    sine = float(np.sqrt(1 - (look @ (points[0] / np.linalg.norm(points[0]))) ** 2))
    pairs = [(earlier.require(b), later.require(b)) for b in bursts]
    shifts = [b.doppler_hz(t2[0], r2[0]) - a.doppler_hz(t1[0], r1[0]) for a, b in pairs]
    doppler_hz = max(shifts, key=abs)
    swath = pairs[0][0].swath
    common = 1.0 - abs(doppler_hz) / swath.azimuth_bandwidth_hz
    if common < SMALLEST_COMMON_BAND:
        detail = f"{common:.0%} of the azimuth band is common, at least {SMALLEST_COMMON_BAND:.0%} is needed"
        raise Rejected("common_band", f"{earlier.id} {later.id}", detail)
    ambiguity = swath.wavelength_m * float(r1[0]) * sine / (2 * perpendicular) if perpendicular else float("inf")
    seconds = (later.epoch - earlier.epoch).total_seconds() + float(t2[0] - t1[0])
    return {
        "perpendicular_baseline_m": round(perpendicular, 3),
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
