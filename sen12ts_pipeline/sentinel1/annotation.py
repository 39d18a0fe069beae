"""Annotation of one subswath and polarisation of an IW SLC product, as values.

Paths and pitfalls follow ESA's product specification as read in isce-framework/s1-reader; polynomials are picked by
the time nearest to the burst's middle, never by index, and each is evaluated from its own ``t0``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.domain.bursts import ORBIT_PERIOD_S, BurstId, burst_number
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
    grid: GridPoints

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

    def burst_index(self, burst: BurstId) -> Burst | None:
        """The burst with an identity, None if this slice does not have it."""
        return next((b for b in self.bursts if b.id == burst), None)


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
            return float(text)
        except ValueError:
            raise self.bad(path, f"needs a number, got {text!r}") from None

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
        When XML is not well formed or an element is missing.
    """
    r = _Reader(parse(body, product=product, member=member), product, member, epoch)
    general, info = "generalAnnotation/productInformation/", "imageAnnotation/imageInformation/"
    downlink = "generalAnnotation/downlinkInformationList/downlinkInformation/"
    processing = "imageAnnotation/processingInformation/swathProcParamsList/swathProcParams/"
    return Swath(
        product=product,
        member=member,
        platform=r.text("adsHeader/missionId"),
        subswath=r.text("adsHeader/swath"),
        polarisation=r.text("adsHeader/polarisation"),
        direction=r.text(general + "pass")[0].upper(),
        epoch=epoch,
        wavelength_m=SPEED_OF_LIGHT_M_S / r.number(general + "radarFrequency"),
        range_rate_hz=r.number(general + "rangeSamplingRate"),
        range_start_s=r.number(info + "slantRangeTime"),
        line_interval_s=r.number(info + "azimuthTimeInterval"),
        azimuth_spacing_m=r.number(info + "azimuthPixelSpacing"),
        steering_rad_s=float(np.radians(r.number(general + "azimuthSteeringRate"))),
        prf_hz=r.number(downlink + "prf"),
        rank=int(r.number(downlink + "downlinkValues/rank")),
        lines_per_burst=int(r.number("swathTiming/linesPerBurst")),
        samples=int(r.number(info + "numberOfSamples")),
        range_bandwidth_hz=r.number(processing + "rangeProcessing/processingBandwidth"),
        range_window=r.number(processing + "rangeProcessing/windowCoefficient"),
        azimuth_bandwidth_hz=r.number(processing + "azimuthProcessing/processingBandwidth"),
        azimuth_window=r.number(processing + "azimuthProcessing/windowCoefficient"),
        orbit=_read_orbit(r),
        fm_rates=_read_fm_rates(r),
        doppler=_read_doppler(r),
        bursts=_read_bursts(r, track),
        grid=_read_grid(r),
    )


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
    measured = (
        "data analysis" in r.text("imageAnnotation/processingInformation/dcMethod").lower()
        if (r.root.find("imageAnnotation/processingInformation/dcMethod") is not None)
        else True
    )
    found = []
    for e in r.root.findall("dopplerCentroid/dcEstimateList/dcEstimate"):
        doubtful = (e.findtext("dataDcRmsErrorAboveThreshold") or "").strip().lower() == "true"
        name = "dataDcPolynomial" if measured and not doubtful else "geometryDcPolynomial"
        found.append(RangePolynomial(r.seconds("azimuthTime", e), r.number("t0", e), r.numbers(name, e)))
    if not found:
        raise r.bad("dopplerCentroid/dcEstimateList", "has no entries")
    return tuple(found)


def _read_bursts(r: _Reader, track: int) -> tuple[Burst, ...]:
    elements = r.root.findall("swathTiming/burstList/burst")
    if not elements:
        return ()
    subswath = r.text("adsHeader/swath")
    anx = [r.number("azimuthAnxTime", e) for e in elements]
    after_node = anx[0] > ORBIT_PERIOD_S
    bursts = []
    for index, (e, anx_s) in enumerate(zip(elements, anx, strict=True)):
        start = r.seconds("azimuthTime", e)
        annotated = e.findtext("burstId")
        if annotated and annotated.strip().isdigit():
            number = int(annotated)
        else:
            number = burst_number(
                anx_s=anx_s,
                raw_delay_s=r.seconds("sensingTime", e) - start,
                subswath=subswath,
                track=track,
                after_node=after_node,
            )
        first, last = r.numbers("firstValidSample", e), r.numbers("lastValidSample", e)
        valid = np.flatnonzero(first >= 0)
        if len(valid) == 0:
            first_valid, last_valid, lines = 0, -1, (0, -1)
        else:
            first_valid, last_valid = int(first[valid].max()), int(last[valid].min())
            lines = int(valid[0]), int(valid[-1])
        bursts.append(Burst(BurstId(number, subswath), index, start, first_valid, last_valid, *lines))
    return tuple(bursts)


def _read_grid(r: _Reader) -> GridPoints:
    points = r.root.findall("geolocationGrid/geolocationGridPointList/geolocationGridPoint")
    if not points:
        raise r.bad("geolocationGrid/geolocationGridPointList", "has no points")

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
