"""Annotation of one subswath and polarisation of an IW SLC product, as values.

Paths and pitfalls follow ESA's product specification as read in isce-framework/s1-reader; polynomials are picked by
the time nearest to the burst's middle, never by index, and each is evaluated from its own ``t0``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.domain.bursts import MID_IW2_OFFSET_S, ORBIT_PERIOD_S, BurstId, burst_number
from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.sentinel1.orbit import Orbit
from sen12ts_pipeline.xml import parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lxml.etree import _Element

Float64 = npt.NDArray[np.float64]

SPEED_OF_LIGHT_M_S = 299_792_458.0


@dataclass(frozen=True, slots=True, eq=False)
class RangePolynomial:
    """Polynomial in two-way range time, valid around one azimuth time.

    Attributes
    ----------
    azimuth_time_s : float
        Seconds from the pass's epoch.
    t0_s : float
        Range time at which the polynomial's argument is zero; every entry has its own.
    coefficients : float64 (n,)
        Ascending powers of ``tau - t0_s``.
    """

    azimuth_time_s: float
    t0_s: float
    coefficients: Float64

    def __call__(self, range_time_s: Float64) -> Float64:
        """Value at two-way range times."""
        x = np.asarray(range_time_s) - self.t0_s
        value = np.zeros_like(x)
        for c in self.coefficients[::-1]:
            value = value * x + c
        return np.asarray(value)


@dataclass(frozen=True, slots=True, eq=False)
class Burst:
    """One burst of a swath.

    Attributes
    ----------
    id : BurstId
        ESA's identity.
    index : int
        Position in the slice, from 0.
    start_s : float
        Zero-Doppler time of its first line, seconds from the pass's epoch.
    first_valid, last_valid : int
        Range samples that hold data in every valid line, both included.
    first_line, last_line : int
        Lines of the burst that hold data, both included.
    """

    id: BurstId
    index: int
    start_s: float
    first_valid: int
    last_valid: int
    first_line: int
    last_line: int


@dataclass(frozen=True, slots=True, eq=False)
class GridPoints:
    """The annotated geolocation grid; every field is float64 (n,).

    Times in seconds (azimuth from the pass's epoch), angles in degrees, heights in metres above the ellipsoid.
    """

    azimuth_time_s: Float64
    range_time_s: Float64
    latitude: Float64
    longitude: Float64
    height_m: Float64
    line: Float64
    sample: Float64


@dataclass(frozen=True, slots=True, eq=False)
class Swath:
    """Annotation of one subswath and polarisation of one slice."""

    product: str
    member: str
    platform: str
    subswath: str
    polarisation: str
    direction: str
    epoch: datetime
    wavelength_m: float
    range_rate_hz: float
    range_start_s: float
    line_interval_s: float
    azimuth_spacing_m: float
    steering_rad_s: float
    prf_hz: float
    rank: int
    lines_per_burst: int
    samples: int
    range_bandwidth_hz: float
    range_window: float
    azimuth_bandwidth_hz: float
    azimuth_window: float
    orbit: Orbit
    fm_rates: tuple[RangePolynomial, ...]
    doppler: tuple[RangePolynomial, ...]
    bursts: tuple[Burst, ...]

    def middle_s(self, burst: Burst) -> float:
        """Zero-Doppler time of the middle of a burst, ``t_b + N / 2 * dt``."""
        return burst.start_s + self.lines_per_burst / 2 * self.line_interval_s

    def fm_rate(self, burst: Burst) -> RangePolynomial:
        """Azimuth FM rate (Hz/s) of a burst: the entry nearest to its middle."""
        return _nearest(self.fm_rates, self.middle_s(burst))

    def doppler_centroid(self, burst: Burst) -> RangePolynomial:
        """Doppler centroid (Hz) of a burst: the entry nearest to its middle."""
        return _nearest(self.doppler, self.middle_s(burst))

    @property
    def middle_range_s(self) -> float:
        """Two-way range time of the middle of the swath."""
        return self.range_start_s + self.samples / 2 / self.range_rate_hz

    @property
    def range_spacing_m(self) -> float:
        """Slant range step of a sample."""
        return SPEED_OF_LIGHT_M_S / (2.0 * self.range_rate_hz)


def _nearest(entries: Sequence[RangePolynomial], time_s: float) -> RangePolynomial:
    return min(entries, key=lambda e: abs(e.azimuth_time_s - time_s))


def parse_time(text: str) -> datetime:
    """UTC time of an annotation or manifest, with or without fraction and trailing Z."""
    head, _, fraction = text.strip().rstrip("Zz").partition(".")
    base = datetime.strptime(head, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    return base + timedelta(microseconds=round(float(f"0.{fraction or '0'}") * 1e6))


def pass_epoch(start: datetime) -> datetime:
    """Integer second from which all times of a pass count: the midnight before its start."""
    return start.replace(hour=0, minute=0, second=0, microsecond=0)


class _Reader:
    """Element access that turns whatever is missing or malformed into a BadProduct with its path."""

    def __init__(self, root: _Element, product: str, member: str, epoch: datetime) -> None:
        self.root, self.product, self.member, self.epoch = root, product, member, epoch

    def bad(self, path: str, found: str) -> BadProduct:
        return BadProduct(self.product, self.member, f"element {path}: {found}")

    def text(self, path: str, base: _Element | None = None) -> str:
        found = (self.root if base is None else base).findtext(path)
        if found is None or not found.strip():
            raise self.bad(path, "missing or empty")
        return found.strip()

    def number(self, path: str, base: _Element | None = None) -> float:
        text = self.text(path, base)
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.bad(path, f"needs a number, got {text!r}")
        return value

    def positive(self, path: str) -> float:
        value = self.number(path)
        if value <= 0.0:
            raise self.bad(path, f"needs a positive number, got {value:g}")
        return value

    def numbers(self, path: str, base: _Element | None = None) -> Float64:
        text = self.text(path, base)
        try:
            return np.array(text.split(), dtype=float)
        except ValueError:
            raise self.bad(path, f"needs numbers, got {text[:40]!r}") from None

    def moment(self, path: str, base: _Element | None = None) -> datetime:
        text = self.text(path, base)
        try:
            return parse_time(text)
        except ValueError:
            raise self.bad(path, f"needs a UTC time, got {text!r}") from None

    def seconds(self, path: str, base: _Element | None = None) -> float:
        return (self.moment(path, base) - self.epoch).total_seconds()


def read_swath(body: bytes, *, product: str, member: str, track: int, epoch: datetime) -> Swath:
    """Read an annotation file.

    Parameters
    ----------
    body : bytes
        Content of ``annotation/s1?-iw?-slc-??-*.xml``.
    product, member : str
        Names for error messages and identity.
    track : int
        The slice's relative orbit, from its manifest; used where the file has no burst identities.
    epoch : datetime
        Zero of all times; one for all slices of a pass (`pass_epoch`).

    Returns
    -------
    Swath
        Without bursts where the file lists none: such a subswath is absent.

    Raises
    ------
    BadProduct
        When XML is not well formed, or an element is missing or malformed.
    """
    r = _Reader(parse(body, product=product, member=member), product, member, epoch)
    general, info = "generalAnnotation/productInformation/", "imageAnnotation/imageInformation/"
    downlink = "generalAnnotation/downlinkInformationList/downlinkInformation/"
    processing = "imageAnnotation/processingInformation/swathProcParamsList/swathProcParams/"
    subswath, lines_per_burst = _read_subswath(r), int(r.number("swathTiming/linesPerBurst"))
    return Swath(
        product=product,
        member=member,
        platform=r.text("adsHeader/missionId"),
        subswath=subswath,
        polarisation=r.text("adsHeader/polarisation"),
        direction=r.text(general + "pass")[0].upper(),
        epoch=epoch,
        wavelength_m=SPEED_OF_LIGHT_M_S / r.positive(general + "radarFrequency"),
        range_rate_hz=r.positive(general + "rangeSamplingRate"),
        range_start_s=r.number(info + "slantRangeTime"),
        line_interval_s=r.positive(info + "azimuthTimeInterval"),
        azimuth_spacing_m=r.positive(info + "azimuthPixelSpacing"),
        steering_rad_s=float(np.radians(r.number(general + "azimuthSteeringRate"))),
        prf_hz=r.positive(downlink + "prf"),
        rank=int(r.number(downlink + "downlinkValues/rank")),
        lines_per_burst=lines_per_burst,
        samples=int(r.positive(info + "numberOfSamples")),
        range_bandwidth_hz=r.positive(processing + "rangeProcessing/processingBandwidth"),
        range_window=r.number(processing + "rangeProcessing/windowCoefficient"),
        azimuth_bandwidth_hz=r.positive(processing + "azimuthProcessing/processingBandwidth"),
        azimuth_window=r.number(processing + "azimuthProcessing/windowCoefficient"),
        orbit=_read_orbit(r),
        fm_rates=_read_fm_rates(r),
        doppler=_read_doppler(r),
        bursts=_read_bursts(r, subswath, lines_per_burst, track),
    )


def _read_subswath(r: _Reader) -> str:
    subswath = r.text("adsHeader/swath")
    if subswath not in MID_IW2_OFFSET_S:
        raise r.bad("adsHeader/swath", f"needs IW1, IW2 or IW3, got {subswath!r}")
    return subswath


def _read_orbit(r: _Reader) -> Orbit:
    states = r.root.findall("generalAnnotation/orbitList/orbit")
    if len(states) < 4:
        raise r.bad("generalAnnotation/orbitList", f"needs at least 4 state vectors, found {len(states)}")
    vector = [[[r.number(f"{kind}/{axis}", s) for axis in "xyz"] for s in states] for kind in ("position", "velocity")]
    times = np.array([r.seconds("time", s) for s in states])
    order = np.argsort(times)
    return Orbit(times[order], np.array(vector[0])[order], np.array(vector[1])[order], "annotation")


def _read_fm_rates(r: _Reader) -> tuple[RangePolynomial, ...]:
    found = []
    for e in r.root.findall("generalAnnotation/azimuthFmRateList/azimuthFmRate"):
        if e.find("azimuthFmRatePolynomial") is not None:
            coefficients = r.numbers("azimuthFmRatePolynomial", e)
        else:  # IPF 2.36 wrote three elements
            coefficients = np.array([r.number(name, e) for name in ("c0", "c1", "c2")])
        found.append(RangePolynomial(r.seconds("azimuthTime", e), r.number("t0", e), coefficients))
    if not found:
        raise r.bad("generalAnnotation/azimuthFmRateList", "has no entries")
    return tuple(found)


def _read_doppler(r: _Reader) -> tuple[RangePolynomial, ...]:
    method = r.root.findtext("imageAnnotation/processingInformation/dcMethod") or "Data Analysis"
    measured = "data analysis" in method.lower()
    found = []
    for e in r.root.findall("dopplerCentroid/dcEstimateList/dcEstimate"):
        doubtful = (e.findtext("dataDcRmsErrorAboveThreshold") or "").strip().lower() == "true"
        name = "dataDcPolynomial" if measured and not doubtful else "geometryDcPolynomial"
        found.append(RangePolynomial(r.seconds("azimuthTime", e), r.number("t0", e), r.numbers(name, e)))
    if not found:
        raise r.bad("dopplerCentroid/dcEstimateList", "has no entries")
    return tuple(found)


def _read_bursts(r: _Reader, subswath: str, lines: int, track: int) -> tuple[Burst, ...]:
    elements = r.root.findall("swathTiming/burstList/burst")
    after_node = bool(elements) and r.number("azimuthAnxTime", elements[0]) > ORBIT_PERIOD_S
    bursts = []
    for index, e in enumerate(elements):
        start = r.seconds("azimuthTime", e)
        annotated = (e.findtext("burstId") or "").strip()
        number = (
            int(annotated)
            if annotated.isdigit()
            else burst_number(
                anx_s=r.number("azimuthAnxTime", e),
                raw_delay_s=r.seconds("sensingTime", e) - start,
                subswath=subswath,
                track=track,
                after_node=after_node,
            )
        )
        try:
            burst_id = BurstId(number, subswath)
        except ValueError as error:
            raise r.bad("swathTiming/burstList/burst/burstId", str(error)) from None
        bursts.append(Burst(burst_id, index, start, *_valid_samples(r, e, lines)))
    return tuple(bursts)


def _valid_samples(r: _Reader, burst: _Element, lines: int) -> tuple[int, int, int, int]:
    """First and last sample that every valid line has, first and last valid line; no samples if no line is valid."""
    first, last = r.numbers("firstValidSample", burst), r.numbers("lastValidSample", burst)
    for name, found in (("firstValidSample", first), ("lastValidSample", last)):
        if len(found) != lines:
            raise r.bad(f"swathTiming/burstList/burst/{name}", f"needs {lines} numbers, found {len(found)}")
    valid = np.flatnonzero(first >= 0)
    if len(valid) == 0:
        return 0, -1, 0, -1
    return int(first[valid].max()), int(last[valid].min()), int(valid[0]), int(valid[-1])


def read_geolocation_grid(body: bytes, *, product: str, member: str, epoch: datetime) -> GridPoints:
    """Read the geolocation grid of an annotation file: an independent solution to compare with, never used itself."""
    r = _Reader(parse(body, product=product, member=member), product, member, epoch)
    points = r.root.findall("geolocationGrid/geolocationGridPointList/geolocationGridPoint")

    def column(name: str) -> Float64:
        return np.array([r.number(name, p) for p in points])

    return GridPoints(
        azimuth_time_s=np.array([r.seconds("azimuthTime", p) for p in points]),
        range_time_s=column("slantRangeTime"),
        latitude=column("latitude"),
        longitude=column("longitude"),
        height_m=column("height"),
        line=column("line"),
        sample=column("pixel"),
    )
