"""Annotation of one swath and polarisation of an IW SLC product."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from sen12ts_pipeline.simulate import geodesy
from sen12ts_pipeline.simulate.acquisition import Acquisition, Burst, Polynomial, Swath
from sen12ts_pipeline.simulate.geodesy import Array
from sen12ts_pipeline.simulate.relief import Relief
from sen12ts_pipeline.simulate.sensor import (
    DOPPLER_T0_S,
    LINE_INTERVAL_S,
    RADAR_FREQUENCY_HZ,
    RANGE_SAMPLING_HZ,
    RANGE_SPACING_M,
    SPEED_OF_LIGHT_M_S,
)
from sen12ts_pipeline.simulate.xmltree import Node, document, listing, moment, node, single, vector

ORBIT_STEP_S = 10.0
ORBIT_BEFORE_S, ORBIT_AFTER_S = 63.0, 72.0
GRID_COLUMNS = 21
_HEIGHT_STEPS = 30
"""Halving the step, so that slopes towards the sensor converge too."""


@dataclass(frozen=True, slots=True)
class GridPoint:
    """Point of the geolocation grid."""

    line: int
    pixel: int
    time_s: float
    range_time_s: float
    longitude: float
    latitude: float
    height_m: float
    incidence_deg: float
    elevation_deg: float


def geolocation_grid(acquisition: Acquisition, swath: Swath, relief: Relief) -> list[GridPoint]:
    """Points at the start of every burst and the last line, on the terrain.

    The grid's times carry the range-dependent part of the bistatic correction relative to the bulk one, as the
    processor's do, and are consistent with the orbit to the microsecond.
    """
    design = swath.design
    lines = [k * design.lines for k in range(len(swath.bursts))] + [swath.lines - 1]
    pixels = np.round(np.linspace(0, swath.samples - 1, GRID_COLUMNS)).astype(int)
    line, pixel = (a.ravel() for a in np.meshgrid(lines, pixels, indexing="ij"))
    tau = swath.slant_range_time_s + pixel / RANGE_SAMPLING_HZ
    starts = [b.start_s for b in swath.bursts] + [swath.bursts[-1].start_s + (design.lines - 1) * LINE_INTERVAL_S]
    shift = (tau - acquisition.bulk_range_time_s) / 2
    times = np.round((np.repeat(starts, GRID_COLUMNS) + shift) * 1e6) / 1e6
    distance = tau * SPEED_OF_LIGHT_M_S / 2
    height = np.full(times.shape, relief.base_m)
    for _ in range(_HEIGHT_STEPS):
        points = acquisition.orbit.locate(times, distance, height)
        lon, lat, _ = geodesy.geographic(points)
        height = (height + relief.geographic(lon, lat)) / 2
    points = acquisition.orbit.locate(times, distance, height)
    lon, lat, height = geodesy.geographic(points)
    incidence, elevation = angles(acquisition, times, points)
    columns = (line, pixel, times, tau, lon, lat, height, incidence, elevation)
    return [GridPoint(int(a), int(b), *(float(v) for v in rest)) for a, b, *rest in zip(*columns, strict=True)]


def angles(acquisition: Acquisition, times_s: Array, points: Array) -> tuple[Array, Array]:
    """Incidence angle on the ellipsoid and off-nadir angle at the sensor, degrees, of points (n, 3)."""
    sensor, _ = acquisition.orbit.states(times_s)
    look = (points - sensor) / np.linalg.norm(points - sensor, axis=1)[:, None]
    lon, lat, _ = geodesy.geographic(points)
    incidence = np.degrees(np.arccos(-np.sum(look * geodesy.up_vector(lon, lat), axis=1)))
    down = -sensor / np.linalg.norm(sensor, axis=1)[:, None]
    return incidence, np.degrees(np.arccos(np.sum(look * down, axis=1)))


def header(acquisition: Acquisition, swath: Swath, pol: str, image_number: int) -> Node:
    """The part that annotation, calibration and noise files share."""
    start, stop = extent(acquisition, swath)
    return node(
        "adsHeader",
        node("missionId", "S1A"),
        node("productType", "SLC"),
        node("polarisation", pol.upper()),
        node("mode", "IW"),
        node("swath", swath.design.name),
        node("startTime", start),
        node("stopTime", stop),
        node("absoluteOrbitNumber", acquisition.absolute_orbit),
        node("missionDataTakeId", acquisition.datatake),
        node("imageNumber", f"{image_number:03d}"),
    )


def extent(acquisition: Acquisition, swath: Swath) -> tuple[str, str]:
    """First and last line's times of a swath, as text."""
    last = swath.bursts[-1].start_s + (swath.design.lines - 1) * LINE_INTERVAL_S
    return moment(acquisition.utc(swath.bursts[0].start_s)), moment(acquisition.utc(last))


def product_xml(
    acquisition: Acquisition,
    swath: Swath,
    pol: str,
    image_number: int,
    grid: list[GridPoint],
    *,
    burst_ids: bool,
    data_offset: int,
) -> bytes:
    """The annotation file; `data_offset` is where the first line lies in the measurement file."""
    root = node(
        "product",
        header(acquisition, swath, pol, image_number),
        _quality(acquisition, swath),
        _general(acquisition, swath),
        _image(acquisition, swath),
        node("dopplerCentroid", listing("dcEstimateList", (_doppler(acquisition, swath, p) for p in swath.dopplers))),
        node("antennaPattern", listing("antennaPatternList", ())),
        _timing(acquisition, swath, burst_ids=burst_ids, data_offset=data_offset),
        node("geolocationGrid", listing("geolocationGridPointList", (_grid_point(acquisition, p) for p in grid))),
        node("coordinateConversion", listing("coordinateConversionList", ())),
        node("swathMerging", listing("swathMergeList", ())),
    )
    return document(root)


def _quality(acquisition: Acquisition, swath: Swath) -> Node:
    start, _ = extent(acquisition, swath)
    data = node(
        "qualityData",
        node("azimuthTime", start),
        node(
            "dopplerCentroidQuality",
            node("dcMethod", "Data Analysis"),
            node("dopplerCentroidUncertainFlag", "false"),
        ),
    )
    return node("qualityInformation", node("productQualityIndex", 0.0), listing("qualityDataList", [data]))


def _general(acquisition: Acquisition, swath: Swath) -> Node:
    design, start = swath.design, swath.bursts[0].start_s
    information = node(
        "productInformation",
        node("pass", "Ascending" if acquisition.direction == "A" else "Descending"),
        node("timelinessCategory", "Fast-24h"),
        node("platformHeading", _heading_deg(acquisition)),
        node("projection", "Slant Range"),
        node("rangeSamplingRate", RANGE_SAMPLING_HZ),
        node("radarFrequency", RADAR_FREQUENCY_HZ),
        node("azimuthSteeringRate", design.steering_rate_deg_s),
    )
    downlink = node(
        "downlinkInformation",
        node("swath", design.name),
        node("azimuthTime", moment(acquisition.utc(start - 2.756501))),
        node("firstLineSensingTime", moment(acquisition.utc(start + design.raw_delay_s))),
        node("lastLineSensingTime", moment(acquisition.utc(swath.bursts[-1].start_s + 2 * design.raw_delay_s))),
        node("prf", design.prf_hz),
        node(
            "downlinkValues",
            node("pri", 1 / design.prf_hz),
            node("rank", design.rank),
            node("dataTakeId", acquisition.datatake),
            node("txPulseLength", design.pulse_length_s),
            node("txPulseStartFrequency", -design.ramp_rate_hz_s * design.pulse_length_s / 2),
            node("txPulseRampRate", design.ramp_rate_hz_s),
            node("swathNumber", 9 + design.number),
        ),
    )
    return node(
        "generalAnnotation",
        information,
        listing("downlinkInformationList", [downlink]),
        listing("orbitList", _state_vectors(acquisition, swath)),
        listing("attitudeList", ()),
        listing("terrainHeightList", ()),
        listing("azimuthFmRateList", (_fm_rate(acquisition, p) for p in swath.fm_rates)),
    )


def _heading_deg(acquisition: Acquisition) -> float:
    """Flight direction over the ground, degrees from north, -180 to 180."""
    middle = acquisition.imaged.bursts[0].start_s
    position, _ = acquisition.orbit.states([middle - 1.0, middle + 1.0])
    lon, lat, _ = geodesy.geographic(position)
    east = (lon[1] - lon[0]) * math.cos(math.radians(lat[0]))
    return math.degrees(math.atan2(float(east), float(lat[1] - lat[0])))


def _state_vectors(acquisition: Acquisition, swath: Swath) -> Iterator[Node]:
    first = acquisition.utc(swath.bursts[0].start_s - ORBIT_BEFORE_S)
    first = first.replace(microsecond=41367)
    last = acquisition.utc(swath.bursts[-1].start_s + ORBIT_AFTER_S)
    count = int((last - first).total_seconds() // ORBIT_STEP_S) + 1
    moments = [first + timedelta(seconds=ORBIT_STEP_S * k) for k in range(count)]
    position, velocity = acquisition.orbit.states([(t - acquisition.node).total_seconds() for t in moments])
    for time, p, v in zip(moments, position, velocity, strict=True):
        yield node(
            "orbit",
            node("time", moment(time)),
            node("frame", "Earth Fixed"),
            node("position", *(node(axis, float(c)) for axis, c in zip("xyz", p, strict=True))),
            node("velocity", *(node(axis, float(c)) for axis, c in zip("xyz", v, strict=True))),
        )


def _fm_rate(acquisition: Acquisition, entry: Polynomial) -> Node:
    return node(
        "azimuthFmRate",
        node("azimuthTime", moment(acquisition.utc(entry.time_s))),
        node("t0", entry.t0_s),
        vector("azimuthFmRatePolynomial", (f"{c:.15e}" for c in entry.coefficients)),
    )


def _doppler(acquisition: Acquisition, swath: Swath, entry: Polynomial) -> Node:
    ranges = swath.slant_range_time_s + np.linspace(0.05, 0.95, 20) * swath.samples / RANGE_SAMPLING_HZ
    fine = (
        node("fineDce", node("slantRangeTime", float(tau)), node("frequency", float(entry(float(tau)))))
        for tau in ranges
    )
    return node(
        "dcEstimate",
        node("azimuthTime", moment(acquisition.utc(entry.time_s))),
        node("t0", DOPPLER_T0_S),
        vector("geometryDcPolynomial", (single(c) for c in (2.1, -500.0, 9.0e4))),
        vector("dataDcPolynomial", (single(c) for c in entry.coefficients)),
        node("dataDcRmsError", 4.2),
        node("dataDcRmsErrorAboveThreshold", "false"),
        node("fineDceAzimuthStartTime", moment(acquisition.utc(entry.time_s - 1.388653))),
        node("fineDceAzimuthStopTime", moment(acquisition.utc(entry.time_s + 1.388654))),
        listing("fineDceList", fine),
    )


def _image(acquisition: Acquisition, swath: Swath) -> Node:
    start, stop = extent(acquisition, swath)
    middle = swath.slant_range_time_s + swath.samples / 2 / RANGE_SAMPLING_HZ
    time = np.array([swath.middle_s(swath.bursts[len(swath.bursts) // 2])])
    point = acquisition.orbit.locate(time, np.array([middle * SPEED_OF_LIGHT_M_S / 2]), np.zeros(1))
    information = node(
        "imageInformation",
        node("productFirstLineUtcTime", start),
        node("productLastLineUtcTime", stop),
        node("ascendingNodeTime", moment(acquisition.node)),
        node("anchorTime", moment(acquisition.utc(swath.bursts[0].start_s - 60.0))),
        node("productComposition", "Slice"),
        node("sliceNumber", 1),
        listing("sliceList", ()),
        node("slantRangeTime", swath.slant_range_time_s),
        node("pixelValue", "Complex"),
        node("outputPixels", "16 bit Signed Integer"),
        node("rangePixelSpacing", single(RANGE_SPACING_M)),
        node("azimuthPixelSpacing", single(acquisition.ground_speed_m_s * LINE_INTERVAL_S)),
        node("azimuthTimeInterval", LINE_INTERVAL_S),
        node("azimuthFrequency", 1 / LINE_INTERVAL_S),
        node("numberOfSamples", swath.samples),
        node("numberOfLines", swath.lines),
        node("zeroDopMinusAcqTime", -swath.design.raw_delay_s),
        node("incidenceAngleMidSwath", float(angles(acquisition, time, point)[0][0])),
    )
    return node("imageAnnotation", information, _processing(swath))


def _processing(swath: Swath) -> Node:
    design = swath.design

    def band(tag: str, window: float, hertz: float) -> Node:
        return node(
            tag,
            node("windowType", "Hamming"),
            node("windowCoefficient", window),
            node("totalBandwidth", hertz),
            node("processingBandwidth", hertz),
            node("lookBandwidth", hertz),
            node("numberOfLooks", 1),
            node("lookOverlap", 0.0),
        )

    parameters = node(
        "swathProcParams",
        node("swath", design.name),
        band("rangeProcessing", design.range_window, design.range_bandwidth_hz),
        band("azimuthProcessing", design.azimuth_window, design.azimuth_bandwidth_hz),
        node("processorScalingFactor", "8.500000e+11"),
    )
    return node(
        "processingInformation",
        node("rawDataAnalysisUsed", "true"),
        node("orbitDataFileUsed", "true"),
        node("attitudeDataFileUsed", "false"),
        node("dcMethod", "Data Analysis"),
        node("dcInputData", "Range Compressed"),
        node("rangeSpreadingLossCompensationApplied", "true"),
        node("srgrConversionApplied", "false"),
        node("detectionPerformed", "false"),
        node("thermalNoiseCorrectionPerformed", "false"),
        listing("swathProcParamsList", [parameters]),
        node("referenceRange", 8.0e5),
        node("ellipsoidName", "WGS84"),
        node("ellipsoidSemiMajorAxis", 6.378137e6),
        node("ellipsoidSemiMinorAxis", 6.356752314245e6),
        node("bistaticDelayCorrectionApplied", "true"),
        node("topsFilterConvention", "Only Echo Lines"),
        node("orbitSource", "Auxiliary"),
        node("attitudeSource", "Downlink"),
    )


def _timing(acquisition: Acquisition, swath: Swath, *, burst_ids: bool, data_offset: int) -> Node:
    design = swath.design
    size = design.lines * swath.samples * 4

    def burst_node(index: int, burst: Burst) -> Node:
        return node(
            "burst",
            node("azimuthTime", moment(acquisition.utc(burst.start_s))),
            node("azimuthAnxTime", burst.start_s),
            node("sensingTime", moment(acquisition.utc(burst.start_s + design.raw_delay_s))),
            node("byteOffset", data_offset + index * size),
            vector("firstValidSample", _by_line(design.lines, burst.valid_lines, burst.valid_samples[0])),
            vector("lastValidSample", _by_line(design.lines, burst.valid_lines, burst.valid_samples[1])),
            node("burstId", burst.number, absolute=burst.absolute) if burst_ids else None,
        )

    return node(
        "swathTiming",
        node("linesPerBurst", design.lines),
        node("samplesPerBurst", swath.samples),
        listing("burstList", (burst_node(k, b) for k, b in enumerate(swath.bursts))),
    )


def _by_line(lines: int, valid: tuple[int, int], sample: int) -> list[int]:
    return [sample if valid[0] <= line <= valid[1] else -1 for line in range(lines)]


def _grid_point(acquisition: Acquisition, point: GridPoint) -> Node:
    return node(
        "geolocationGridPoint",
        node("azimuthTime", moment(acquisition.utc(point.time_s))),
        node("slantRangeTime", point.range_time_s),
        node("line", point.line),
        node("pixel", point.pixel),
        node("latitude", point.latitude),
        node("longitude", point.longitude),
        node("height", point.height_m),
        node("incidenceAngle", point.incidence_deg),
        node("elevationAngle", point.elevation_deg),
    )
