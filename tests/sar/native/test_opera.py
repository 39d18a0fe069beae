"""A burst of a published OPERA CSLC product: our bistatic residual and carrier against another processor's statistics.

The product tells the burst's annotation and the extremes of its timing corrections (COMPASS 0.5.5), in single precision
on a raster of 120 m in slant range and 0.028 s in azimuth.
"""

import dataclasses
import json
from datetime import datetime
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from sen12ts_pipeline.sar.native.scene import PlacedBurst
from sen12ts_pipeline.sentinel1.annotation import SPEED_OF_LIGHT_M_S, RangePolynomial
from sen12ts_pipeline.sentinel1.orbit import Orbit
from tests.sentinel1.annotations import swath_of

RASTER = 110, 475
"""Lines and samples of the corrections: what fits into the burst."""


@cache
def product():
    path = Path(__file__).parents[2] / "data/sentinel1/opera_cslc.json"
    return json.loads(path.read_text(encoding="utf-8"))


def two_way_s(range_m):
    return 2.0 * range_m / SPEED_OF_LIGHT_M_S


def polynomial(of, time_s):
    """Their argument is the range from ``mean``, in units of the way light goes and returns in a second."""
    return (RangePolynomial(time_s, two_way_s(of["mean"]), np.array(of["coeffs"])),)


@pytest.fixture(scope="module")
def burst():
    """A real IW2 swath and burst, with every number of OPERA's put in the place of its own."""
    about, orbit = product()["input_burst_metadata"], product()["orbit"]
    start, epoch = (datetime.fromisoformat(t) for t in (about["sensing_start"], orbit["reference_epoch"]))
    start_s = (start - epoch).total_seconds()
    position, velocity = (np.stack([orbit[f"{kind}_{axis}"] for axis in "xyz"], 1) for kind in ("position", "velocity"))
    lines, samples = about["shape"]
    other = swath_of("6814", "IW2")
    swath = dataclasses.replace(
        other,
        wavelength_m=about["wavelength"],
        range_rate_hz=about["range_sampling_rate"],
        range_start_s=two_way_s(about["starting_range"]),
        line_interval_s=about["azimuth_time_interval"],
        steering_rad_s=about["azimuth_steering_rate"],
        prf_hz=about["prf_raw_data"],
        rank=about["rank"],
        lines_per_burst=lines,
        samples=samples,
        orbit=Orbit(np.array(orbit["time"]), position, velocity, orbit["orbit_type"]),
        fm_rates=polynomial(about["azimuth_fm_rate"], start_s),
        doppler=polynomial(about["doppler"], start_s),
    )
    one = dataclasses.replace(other.bursts[0], start_s=start_s)
    return PlacedBurst(None, swath, one, two_way_s(about["iw2_mid_range"]))


@pytest.fixture
def range_time_s(burst):
    step = product()["timing_corrections"]["slant_range_spacing"]
    return burst.swath.range_start_s + two_way_s(step * np.arange(RASTER[1]))


def assert_statistics(values, of, tolerance):
    theirs = product()["timing_corrections"][of]
    ours = {"min": values.min(), "max": values.max(), "mean": values.mean(), "std": values.std()}
    assert ours == pytest.approx(theirs, abs=tolerance)


def test_the_bistatic_residual_is_operas(burst, range_time_s):
    residual_s = burst.bistatic_s(range_time_s)
    assert residual_s[0] == pytest.approx(0.00022534680, abs=1e-11)
    assert_statistics(residual_s, "bistatic_delay", 1e-9)


def test_the_doppler_of_the_carrier_is_operas(burst, range_time_s):
    # They tell it as the range by which an up-chirp shifts its echo, f / K_r * c / 2: 0.44 m at the burst's edges.
    swath, about = burst.swath, product()
    eta = np.arange(RASTER[0]) * about["timing_corrections"]["zero_doppler_time_spacing"]
    eta = eta[:, None] - swath.lines_per_burst / 2 * swath.line_interval_s
    rate, reference_s, centroid_hz = burst.carrier(range_time_s)
    doppler_hz = rate * (eta - reference_s) + centroid_hz
    shift_m = doppler_hz / about["input_burst_metadata"]["range_chirp_rate"] * SPEED_OF_LIGHT_M_S / 2
    assert_statistics(shift_m, "geometry_steering_doppler", 3e-6)


def test_the_annotated_time_is_earlier_than_the_true_one(burst):
    # A target of geometry (t, R) is looked up before t: the residual is taken off.
    distance = np.array([product()["input_burst_metadata"]["starting_range"]])
    line, sample = burst.line_sample(np.array([burst.burst.start_s]), distance)
    assert line[0] * burst.swath.line_interval_s == pytest.approx(-0.00022534680, abs=1e-11)
    assert sample[0] == pytest.approx(0.0, abs=1e-6)
