"""One pass opened for the engine: where each burst lies, the pass's orbit, and the timing of its lines."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.domain.bursts import BurstId
from sen12ts_pipeline.domain.passes import Pass
from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.ports import Source
from sen12ts_pipeline.sentinel1.annotation import SPEED_OF_LIGHT_M_S, Burst, Swath, pass_epoch
from sen12ts_pipeline.sentinel1.orbit import Orbit
from sen12ts_pipeline.sentinel1.product import SliceFiles

Float64 = npt.NDArray[np.float64]

SUBSWATHS = ("IW1", "IW2", "IW3")
_BURST_MARGIN_S = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class PlacedBurst:
    """A burst, the slice it is read from, and how times and ranges become its lines and samples."""

    files: SliceFiles
    swath: Swath
    burst: Burst
    middle_range_s: float

    def bistatic_s(self, range_time_s: Float64) -> Float64:
        """True minus annotated azimuth time: what IPF's bulk correction leaves (Gisinger et al. 2021, eq. 21)."""
        residual = self.middle_range_s / 2 + range_time_s / 2 - self.swath.rank / self.swath.prf_hz
        return np.asarray(residual)

    def line_sample(self, time_s: Float64, range_m: Float64) -> tuple[Float64, Float64]:
        """Fractional line of the burst and range sample at which a target of given geometry lies."""
        tau = 2.0 * range_m / SPEED_OF_LIGHT_M_S
        line = (time_s - self.bistatic_s(tau) - self.burst.start_s) / self.swath.line_interval_s
        return line, (tau - self.swath.range_start_s) * self.swath.range_rate_hz

    def carrier(self, range_time_s: Float64) -> tuple[Float64, Float64, Float64]:
        """Doppler rate k_t (Hz/s), time reference eta_ref (s) and Doppler centroid f_dc (Hz) of the burst's carrier.

        Miranda 2017: ``k_t = k_a k_s / (k_a - k_s)``, ``k_s = 2 V omega / lambda``, ``eta_ref = eta_c - eta_c(tau_0)``,
        ``eta_c = - f_dc / k_a``; the carrier's frequency is ``k_t (eta - eta_ref) + f_dc``.
        """
        swath, burst = self.swath, self.burst
        middle_s = swath.middle_s(burst)
        velocity = swath.orbit.local(middle_s).state(np.array([middle_s]))[1]
        speed = float(np.sqrt((velocity * velocity).sum()))
        ks = 2.0 * speed * swath.steering_rad_s / swath.wavelength_m
        fm, dc = swath.fm_rate(burst), swath.doppler_centroid(burst)
        near = np.array([swath.range_start_s])
        ka, fdc = fm(range_time_s), dc(range_time_s)
        return ka * ks / (ka - ks), -fdc / ka + dc(near) / fm(near), fdc

    def doppler_hz(self, time_s: float, range_m: float) -> float:
        """Doppler frequency at which the burst holds a target of given geometry."""
        line, _ = self.line_sample(np.array([time_s]), np.array([range_m]))
        eta = (line - self.swath.lines_per_burst / 2) * self.swath.line_interval_s
        kt, ref, fdc = self.carrier(np.array([2.0 * range_m / SPEED_OF_LIGHT_M_S]))
        return float((kt * (eta - ref) + fdc)[0])


@dataclass(frozen=True, slots=True, eq=False)
class OpenPass:
    """A pass whose annotation was read.

    Attributes
    ----------
    id : str
        Identity of the pass.
    epoch : datetime
        Zero of all times.
    bursts : dict
        Every burst of the pass by its identity; of a burst that two slices repeat, one copy.
    orbit : Orbit
        State vectors of all slices together.
    uncovered : dict
        Bursts that cannot be used because the orbit does not cover them, and what to say of it.
    """

    id: str
    epoch: datetime
    direction: str
    products: tuple[str, ...]
    bursts: dict[BurstId, PlacedBurst]
    orbit: Orbit
    uncovered: dict[BurstId, BadProduct]

    def near(self, start_s: float, stop_s: float) -> Iterator[PlacedBurst]:
        """Bursts whose lines meet an interval of zero-Doppler time, in order of identity."""
        for burst_id in sorted(self.bursts):
            placed = self.bursts[burst_id]
            length_s = placed.swath.lines_per_burst * placed.swath.line_interval_s
            first = placed.burst.start_s - _BURST_MARGIN_S
            if first < stop_s and start_s < first + length_s + 2 * _BURST_MARGIN_S:
                yield placed

    def require(self, burst_id: BurstId) -> PlacedBurst:
        """The burst; BadProduct when the pass lacks it or its orbit does not cover it."""
        if burst_id in self.uncovered:
            raise self.uncovered[burst_id]
        if burst_id not in self.bursts:
            raise BadProduct(self.products[0], "", f"pass {self.id} has no burst {burst_id}")
        return self.bursts[burst_id]


def open_pass(one: Pass, source: Source, polarisation: str = "VV") -> OpenPass:
    """Read the annotation of a pass.

    Raises
    ------
    BadProduct
        When an annotation is missing or malformed, or the state vectors cover none of the bursts.
    """
    epoch = pass_epoch(one.start)
    bursts: dict[BurstId, tuple[tuple[object, ...], PlacedBurst]] = {}
    orbits: list[Orbit] = []
    for part in one.slices:
        files = SliceFiles(part, source.open(part.product), epoch)
        files.check()
        swaths = [files.swath(name, polarisation) for name in files.subswaths(polarisation)]
        if not any(s.bursts for s in swaths):
            raise BadProduct(part.product, "annotation", f"has no subswath with bursts in {polarisation}")
        middle_s = _middle_of_iw2(swaths, part.product)
        orbits.extend(s.orbit for s in swaths)
        for swath in swaths:
            for burst in swath.bursts:
                inner = 0 < burst.index < len(swath.bursts) - 1
                rank = (part.processed, inner, part.product)
                if burst.id not in bursts or rank > bursts[burst.id][0]:
                    bursts[burst.id] = rank, PlacedBurst(files, swath, burst, middle_s)
    orbit = functools.reduce(Orbit.extended, orbits)
    placed = {k: v[1] for k, v in bursts.items()}
    uncovered = _uncovered(orbit, placed)
    if len(uncovered) == len(placed):
        raise next(iter(uncovered.values()))
    usable = {k: v for k, v in placed.items() if k not in uncovered}
    return OpenPass(one.id, epoch, one.direction, one.products, usable, orbit, uncovered)


def _middle_of_iw2(swaths: list[Swath], product: str) -> float:
    for swath in swaths:
        if swath.subswath == "IW2":
            return swath.middle_range_s
    raise BadProduct(product, "annotation", "needs the annotation of IW2, to whose middle azimuth times refer")


def _uncovered(orbit: Orbit, bursts: dict[BurstId, PlacedBurst]) -> dict[BurstId, BadProduct]:
    found = {}
    for burst_id, placed in sorted(bursts.items()):
        start, swath = placed.burst.start_s, placed.swath
        stop = start + swath.lines_per_burst * swath.line_interval_s
        if not orbit.covers(start, stop):
            reason = (
                f"orbit does not cover burst {burst_id}: state vectors span {orbit.time_s[0]:.1f} to "
                f"{orbit.time_s[-1]:.1f} s of the day, the burst {start:.1f} to {stop:.1f} s"
            )
            found[burst_id] = BadProduct(swath.product, swath.member, reason)
    return found
