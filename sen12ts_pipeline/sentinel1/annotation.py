"""Annotation of one subswath and polarisation of an IW SLC product, as values.

Paths and pitfalls follow ESA's product specification as read in isce-framework/s1-reader; polynomials are picked by
the time nearest to the burst's middle, never by index, and each is evaluated from its own ``t0``.
"""

from __future__ import annotations

import itertools
import logging
import math
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.domain.bursts import BURSTS_PER_CYCLE, MID_IW2_OFFSET_S, ORBIT_PERIOD_S, BurstId, burst_number
from sen12ts_pipeline.sentinel1 import plausible
from sen12ts_pipeline.sentinel1.elements import Elements
from sen12ts_pipeline.sentinel1.node import ascending_node_s
from sen12ts_pipeline.sentinel1.orbit import Orbit
from sen12ts_pipeline.xml import parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lxml.etree import _Element

Float64 = npt.NDArray[np.float64]

log = logging.getLogger(__name__)

SPEED_OF_LIGHT_M_S = 299_792_458.0

_NODE_TOLERANCE_S = 0.5
"""By which annotated times since the node may be wrong: numbers have a margin of 1.2 s, and the vectors tell 0.03 s."""

_GENERAL, _INFO = "generalAnnotation/productInformation/", "imageAnnotation/imageInformation/"
_BURST = "swathTiming/burstList/burst"
_POLYNOMIAL_TERMS = 3


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
    chirp_rate_hz_s: float | None
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


def pass_epoch(start: datetime) -> datetime:
    """Integer second from which all times of a pass count: the midnight before its start."""
    return start.replace(hour=0, minute=0, second=0, microsecond=0)


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
        When XML is not well formed, or an element is missing, malformed, or beyond what an IW product can have. The
        bounds hold all products of 2014 to 2025 at hand with room to spare.
    """
    r = Elements(parse(body, product=product, member=member), product, member, epoch)
    _refuse_denoised(r)
    downlink = "generalAnnotation/downlinkInformationList/downlinkInformation/"
    processing = "imageAnnotation/processingInformation/swathProcParamsList/swathProcParams/"
    subswath = r.one_of("adsHeader/swath", *MID_IW2_OFFSET_S)
    lines_per_burst = r.whole("swathTiming/linesPerBurst", 1000, 2500)
    samples = r.whole(_INFO + "numberOfSamples", 100, 50_000)
    range_rate_hz = r.within(_GENERAL + "rangeSamplingRate", 60e6, 70e6)
    line_interval_s = r.within(_INFO + "azimuthTimeInterval", 2.0e-3, 2.1e-3)
    steering_deg_s = plausible.STEERING_DEG_S[subswath]
    orbit = _read_orbit(r)
    swath = Swath(
        product=product,
        member=member,
        platform=r.text("adsHeader/missionId"),
        subswath=subswath,
        polarisation=r.one_of("adsHeader/polarisation", "VV", "VH", "HH", "HV"),
        direction=r.one_of(_GENERAL + "pass", "ASCENDING", "DESCENDING")[0],
        epoch=epoch,
        wavelength_m=SPEED_OF_LIGHT_M_S / r.within(_GENERAL + "radarFrequency", 5.35e9, 5.45e9),
        range_rate_hz=range_rate_hz,
        range_start_s=r.within(_INFO + "slantRangeTime", 5e-3, 7e-3 - samples / range_rate_hz),
        line_interval_s=line_interval_s,
        azimuth_spacing_m=r.within(_INFO + "azimuthPixelSpacing", 13.0, 15.0),
        steering_rad_s=math.radians(
            r.within(_GENERAL + "azimuthSteeringRate", 0.9 * steering_deg_s, 1.1 * steering_deg_s)
        ),
        prf_hz=r.within(downlink + "prf", 1000.0, 2500.0),
        rank=r.whole(downlink + "downlinkValues/rank", 5, 15),
        chirp_rate_hz_s=_read_chirp_rate(r, downlink + "downlinkValues/txPulseRampRate"),
        lines_per_burst=lines_per_burst,
        samples=samples,
        range_bandwidth_hz=r.within(processing + "rangeProcessing/processingBandwidth", 20e6, range_rate_hz),
        range_window=r.within(processing + "rangeProcessing/windowCoefficient", 0.5, 1.0),
        azimuth_bandwidth_hz=r.within(processing + "azimuthProcessing/processingBandwidth", 200.0, 1 / line_interval_s),
        azimuth_window=r.within(processing + "azimuthProcessing/windowCoefficient", 0.5, 1.0),
        orbit=orbit,
        fm_rates=_read_fm_rates(r),
        doppler=_read_doppler(r),
        bursts=_read_bursts(r, subswath, (lines_per_burst, samples), track, orbit),
    )
    _check(r, swath)
    return swath


def _check(r: Elements, swath: Swath) -> None:
    """Refuse values that cannot all be those of one swath."""
    tau = swath.range_start_s + np.linspace(0.0, swath.samples, 9) / swath.range_rate_hz
    echoes = tau[[0, -1]] * swath.prf_hz
    if not swath.rank <= echoes[0] <= echoes[1] <= swath.rank + 1:
        found = f"echoes arrive {echoes[0]:.2f} to {echoes[1]:.2f} pulses after their own, with {swath.rank} in the air"
        raise r.bad("generalAnnotation/downlinkInformationList/downlinkInformation/downlinkValues/rank", found)
    for path, entries, low, high in (
        ("generalAnnotation/azimuthFmRateList/azimuthFmRate", swath.fm_rates, *plausible.FM_RATE_HZ_S),
        ("dopplerCentroid/dcEstimateList/dcEstimate", swath.doppler, -swath.prf_hz / 2, swath.prf_hz / 2),
    ):
        fault = plausible.polynomial_fault(entries, tau, low, high)
        fault = fault or plausible.reach_fault([e.azimuth_time_s for e in entries], map(swath.middle_s, swath.bursts))
        if fault:
            raise r.bad(path, fault)
    if swath.bursts:
        _check_bursts(r, swath)


def _check_bursts(r: Elements, swath: Swath) -> None:
    starts = [b.start_s for b in swath.bursts]
    steps = [b - a for a, b in itertools.pairwise(starts)]
    if not all(low <= step <= high for step in steps for low, high in [plausible.BURST_STEP_S]):
        raise r.bad(f"{_BURST}/azimuthTime", f"bursts begin {', '.join(f'{s:.3f}' for s in steps)} s apart")
    numbers = [b.id.number for b in swath.bursts]
    if any((b - a) % BURSTS_PER_CYCLE != 1 for a, b in itertools.pairwise(numbers)):
        raise r.bad(f"{_BURST}/burstId", f"numbers must follow one another, found or computed {numbers}")
    lines = r.number(_INFO + "numberOfLines")
    if lines != swath.lines_per_burst * len(starts):
        found = f"has {len(starts)} bursts of {swath.lines_per_burst} lines, the image {lines:g} lines"
        raise r.bad("swathTiming/burstList", found)
    first, last = float(swath.orbit.time_s[0]), float(swath.orbit.time_s[-1])
    if not any(first <= s <= last for s in starts):
        found = (
            f"orbit does not cover bursts: state vectors span {first:.1f} to {last:.1f} s of the day, the bursts "
            f"begin at {starts[0]:.1f} to {starts[-1]:.1f} s"
        )
        raise r.bad("generalAnnotation/orbitList", found)


def _refuse_denoised(r: Elements) -> None:
    """BadProduct for samples without their thermal noise: it would be taken off twice. No SLC at hand is so."""
    path = "imageAnnotation/processingInformation/thermalNoiseCorrectionPerformed"
    if (r.root.findtext(path) or "").strip().lower() == "true":
        raise r.bad(path, "needs false: thermal noise is taken off here")


def _read_chirp_rate(r: Elements, path: str) -> float | None:
    """Rate of the transmitted chirp; only a correction that is off by default needs it."""
    return r.within(path, 1e11, 1e13) if r.root.find(path) is not None else None


def _read_orbit(r: Elements) -> Orbit:
    states = r.root.findall("generalAnnotation/orbitList/orbit")
    vector = [[[r.number(f"{kind}/{axis}", s) for axis in "xyz"] for s in states] for kind in ("position", "velocity")]
    times = np.array([r.seconds("time", s) for s in states])
    order = np.argsort(times)
    position, velocity = (np.reshape(v, (-1, 3))[order] for v in vector)
    orbit = Orbit(times[order], position, velocity, "annotation")
    fault = plausible.orbit_fault(orbit)
    if fault:
        raise r.bad("generalAnnotation/orbitList/orbit", fault)
    return orbit


def _read_fm_rates(r: Elements) -> tuple[RangePolynomial, ...]:
    found = []
    for e in r.root.findall("generalAnnotation/azimuthFmRateList/azimuthFmRate"):
        if e.find("azimuthFmRatePolynomial") is not None:
            coefficients = r.numbers("azimuthFmRatePolynomial", e, count=_POLYNOMIAL_TERMS)
        else:  # IPF 2.36 wrote three elements
            coefficients = np.array([r.number(name, e) for name in ("c0", "c1", "c2")])
        found.append(RangePolynomial(r.seconds("azimuthTime", e), r.within("t0", *plausible.RANGE_S, e), coefficients))
    if not found:
        raise r.bad("generalAnnotation/azimuthFmRateList", "has no entries")
    return tuple(found)


def _read_doppler(r: Elements) -> tuple[RangePolynomial, ...]:
    method = r.root.findtext("imageAnnotation/processingInformation/dcMethod") or "Data Analysis"
    measured = "data analysis" in method.lower()
    found = []
    for e in r.root.findall("dopplerCentroid/dcEstimateList/dcEstimate"):
        doubtful = (e.findtext("dataDcRmsErrorAboveThreshold") or "").strip().lower() == "true"
        name = "dataDcPolynomial" if measured and not doubtful else "geometryDcPolynomial"
        coefficients = r.numbers(name, e, count=_POLYNOMIAL_TERMS)
        found.append(RangePolynomial(r.seconds("azimuthTime", e), r.within("t0", *plausible.RANGE_S, e), coefficients))
    if not found:
        raise r.bad("dopplerCentroid/dcEstimateList", "has no entries")
    return tuple(found)


def _read_bursts(r: Elements, subswath: str, shape: tuple[int, int], track: int, orbit: Orbit) -> tuple[Burst, ...]:
    """Bursts of the slice; shape : lines and samples of each."""
    elements = r.root.findall(_BURST)
    starts = [r.seconds("azimuthTime", e) for e in elements]
    numbers = [_annotated_number(r, e) for e in elements]
    if None in numbers:
        since_node = _since_node(r, elements, starts, orbit)
        numbers = [
            burst_number(
                anx_s=anx,
                raw_delay_s=_raw_delay(r, e, start),
                subswath=subswath,
                track=track,
                after_node=since_node[0] > ORBIT_PERIOD_S,
            )
            for e, start, anx in zip(elements, starts, since_node, strict=True)
        ]
    bursts = []
    for index, (e, start, number) in enumerate(zip(elements, starts, numbers, strict=True)):
        try:
            burst_id = BurstId(number or 0, subswath)
        except ValueError as error:
            raise r.bad(f"{_BURST}/burstId", str(error)) from None
        bursts.append(Burst(burst_id, index, start, *_valid_samples(r, e, *shape)))
    return tuple(bursts)


def _since_node(r: Elements, bursts: list[_Element], starts: list[float], orbit: Orbit) -> list[float]:
    """Times of the bursts since the ascending node: as annotated, unless the state vectors tell another node."""
    annotated = [r.within("azimuthAnxTime", 0.0, 2 * ORBIT_PERIOD_S, e) for e in bursts]
    node = ascending_node_s(orbit, starts[0])
    if node is None:
        return annotated
    off = (starts[0] - node - annotated[0] + ORBIT_PERIOD_S / 2) % ORBIT_PERIOD_S - ORBIT_PERIOD_S / 2
    if abs(off) < _NODE_TOLERANCE_S:
        return annotated
    log.warning("annotated times since the node are wrong", extra={"product": r.product, "off_s": round(off, 3)})
    return [start - node for start in starts]


def _raw_delay(r: Elements, burst: _Element, start_s: float) -> float:
    """From a burst's zero-Doppler time to that of its raw data."""
    delay = r.seconds("sensingTime", burst) - start_s
    if not plausible.RAW_DELAY_S[0] <= delay <= plausible.RAW_DELAY_S[1]:
        raise r.bad(f"{_BURST}/sensingTime", f"lies {delay:.3f} s after the burst's azimuthTime")
    return delay


def _annotated_number(r: Elements, burst: _Element) -> int | None:
    """ESA's number of a burst; None where the processor (IPF < 3.40) wrote none."""
    text = (burst.findtext("burstId") or "").strip()
    if text and not (text.isascii() and text.isdigit()):
        raise r.bad(f"{_BURST}/burstId", f"needs a whole number, got {text!r}")
    return int(text) if text else None


def _valid_samples(r: Elements, burst: _Element, lines: int, samples: int) -> tuple[int, int, int, int]:
    """First and last sample that every valid line has, first and last valid line; no samples if no line is valid."""
    first, last = (r.numbers(name, burst, count=lines) for name in ("firstValidSample", "lastValidSample"))
    valid = np.flatnonzero(first >= 0)
    if len(valid) == 0:
        return 0, -1, 0, -1
    if not ((first[valid] <= last[valid]) & (last[valid] < samples)).all():
        found = f"valid lines need samples from firstValidSample on, below {samples}"
        raise r.bad(f"{_BURST}/lastValidSample", found)
    return int(first[valid].max()), int(last[valid].min()), int(valid[0]), int(valid[-1])


def read_geolocation_grid(body: bytes, *, product: str, member: str, epoch: datetime) -> GridPoints:
    """Read the geolocation grid of an annotation file: an independent solution to compare with, never used itself."""
    r = Elements(parse(body, product=product, member=member), product, member, epoch)
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
