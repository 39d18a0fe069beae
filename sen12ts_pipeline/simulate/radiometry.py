"""Calibration and noise files of one swath and polarisation."""

from __future__ import annotations

import numpy as np

from sen12ts_pipeline.simulate.acquisition import Acquisition, Swath
from sen12ts_pipeline.simulate.annotation import angles, header
from sen12ts_pipeline.simulate.geodesy import Array
from sen12ts_pipeline.simulate.noise import PIXEL_STEP, NoiseVectors
from sen12ts_pipeline.simulate.sensor import (
    BETA_NOUGHT,
    LINE_INTERVAL_S,
    RANGE_SAMPLING_HZ,
    SPEED_OF_LIGHT_M_S,
)
from sen12ts_pipeline.simulate.xmltree import Node, document, listing, moment, node, single, vector

VECTOR_STEP_S = 1.0


def calibration_xml(acquisition: Acquisition, swath: Swath, pol: str, image_number: int, base_height_m: float) -> bytes:
    """Constant beta nought; sigma nought and gamma by the incidence angle on the ellipsoid at the mean height."""
    pixels = np.unique(np.append(np.arange(0, swath.samples, PIXEL_STEP), swath.samples - 1))
    start = swath.bursts[0].start_s
    end = swath.bursts[-1].start_s + swath.design.lines * LINE_INTERVAL_S
    times = np.arange(start - 2.0, end + 2.0, VECTOR_STEP_S)
    vectors = (_vector(acquisition, swath, float(t), pixels, base_height_m) for t in times)
    return document(
        node(
            "calibration",
            header(acquisition, swath, pol, image_number),
            node("calibrationInformation", node("absoluteCalibrationConstant", single(1.0))),
            listing("calibrationVectorList", vectors),
        )
    )


def _vector(acquisition: Acquisition, swath: Swath, time_s: float, pixels: Array, height_m: float) -> Node:
    incidence = np.radians(_incidence_deg(acquisition, swath, time_s, pixels, height_m))
    line = round((time_s - swath.bursts[0].start_s) / LINE_INTERVAL_S)
    constant = [single(BETA_NOUGHT)] * pixels.size
    return node(
        "calibrationVector",
        node("azimuthTime", moment(acquisition.utc(time_s))),
        node("line", line),
        vector("pixel", pixels),
        vector("sigmaNought", map(single, BETA_NOUGHT / np.sqrt(np.sin(incidence)))),
        vector("betaNought", constant),
        vector("gamma", map(single, BETA_NOUGHT / np.sqrt(np.tan(incidence)))),
        vector("dn", constant),
    )


def _incidence_deg(acquisition: Acquisition, swath: Swath, time_s: float, pixels: Array, height_m: float) -> Array:
    """Cubic through exact angles at nodes in range."""
    scale = max(float(swath.samples), 1.0)
    x = np.linspace(0, 1, 6)
    distance = (swath.slant_range_time_s + x * scale / RANGE_SAMPLING_HZ) * SPEED_OF_LIGHT_M_S / 2
    times = np.full(x.size, time_s)
    points = acquisition.orbit.locate(times, distance, np.full(x.size, height_m))
    fit = np.polynomial.polynomial.polyfit(x, angles(acquisition, times, points)[0], 3)
    return np.asarray(np.polynomial.polynomial.polyval(pixels / scale, fit))


def noise_xml(acquisition: Acquisition, swath: Swath, pol: str, image_number: int, noise: NoiseVectors) -> bytes:
    """Noise vectors in the form since IPF 2.9."""
    ranges = (
        node(
            "noiseRangeVector",
            node("azimuthTime", moment(acquisition.utc(float(time)))),
            node("line", int(line)),
            vector("pixel", noise.pixels),
            vector("noiseRangeLut", map(single, lut)),
        )
        for time, line, lut in zip(noise.times_s, noise.lines, noise.range_lut, strict=True)
    )
    azimuth = node(
        "noiseAzimuthVector",
        node("swath", swath.design.name),
        node("firstAzimuthLine", 0),
        node("firstRangeSample", 0),
        node("lastAzimuthLine", swath.lines - 1),
        node("lastRangeSample", swath.samples - 1),
        vector("line", noise.azimuth_lines),
        vector("noiseAzimuthLut", map(single, noise.azimuth_lut)),
    )
    return document(
        node(
            "noise",
            header(acquisition, swath, pol, image_number),
            listing("noiseRangeVectorList", ranges),
            listing("noiseAzimuthVectorList", [azimuth]),
        )
    )
