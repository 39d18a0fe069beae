"""One pass opened for the engine: where each burst lies, the pass's orbit, and the timing of its lines."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.domain.bursts import BurstId
from sen12ts_pipeline.domain.passes import Pass
from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.ports import NO_ORBIT_FILES, OrbitFiles, Source
from sen12ts_pipeline.sar.native.geometry import Sight
from sen12ts_pipeline.sentinel1.annotation import SPEED_OF_LIGHT_M_S, Burst, Swath, pass_epoch
from sen12ts_pipeline.sentinel1.orbit import Orbit
from sen12ts_pipeline.sentinel1.orbit_file import read_orbit_file
from sen12ts_pipeline.sentinel1.product import SliceFiles

Float64 = npt.NDArray[np.float64]

SUBSWATHS = ("IW1", "IW2", "IW3")
_BURST_MARGIN_S = 0.5


@dataclass(frozen=True, slots=True)
class Sampling:
    """Corrections of where in a burst a target is looked for; the range that flattens phase has no part in them.

    Attributes
    ----------
    doppler_range_shift : bool
        Whether the range shift of a chirp with Doppler is followed.
    fm_mismatch : bool
        Whether the azimuth shift is followed of focusing at another height than the target's.
    late_s : float
        Azimuth time by which the burst's data lie later than its annotation says.
    """

    doppler_range_shift: bool = False
    fm_mismatch: bool = False
    late_s: float = 0.0


AS_ANNOTATED = Sampling()


@dataclass(frozen=True, slots=True, eq=False)
class PlacedBurst:
    """A burst, the slice it is read from, and how times and ranges become its lines and samples."""

    files: SliceFiles
    swath: Swath
    burst: Burst
    middle_range_s: float

    @property
    def stop_s(self) -> float:
        """Zero-Doppler time at which its last line ends."""
        return self.burst.start_s + self.swath.lines_per_burst * self.swath.line_interval_s

    def bistatic_s(self, range_time_s: Float64) -> Float64:
        """True minus annotated azimuth time: what IPF's bulk correction leaves (Gisinger et al. 2021, eq. 21)."""
        residual = self.middle_range_s / 2 + range_time_s / 2 - self.swath.rank / self.swath.prf_hz
        return np.asarray(residual)

    def line_sample(self, time_s: Float64, range_m: Float64) -> tuple[Float64, Float64]:
        """Fractional line of the burst and range sample at which a target of given geometry lies."""
        tau = 2.0 * range_m / SPEED_OF_LIGHT_M_S
        line = (time_s - self.bistatic_s(tau) - self.burst.start_s) / self.swath.line_interval_s
        return line, (tau - self.swath.range_start_s) * self.swath.range_rate_hz

    def position(self, seen: Sight, sampling: Sampling = AS_ANNOTATED) -> tuple[Float64, Float64]:
        """Fractional line and sample (343,) of a box's nodes, with corrections.

        A target with Doppler frequency f_D lies earlier in range by ``f_D / K_r`` of its annotated place, K_r the rate
        of the transmitted chirp, and in azimuth by ``f_D (1 / k_a - 1 / k_geo)``, k_a the rate it was focused with and
        k_geo its own (Gisinger et al. 2021; the signs are those of a matched filter, not settled on real data).
        """
        line, sample = self.line_sample(seen.time_s, seen.range_m)
        line = line - sampling.late_s / self.swath.line_interval_s
        if sampling.doppler_range_shift or sampling.fm_mismatch:
            tau = 2.0 * seen.range_m / SPEED_OF_LIGHT_M_S
            doppler = self._doppler(line, tau)
            if sampling.doppler_range_shift:
                sample = sample - doppler / self._chirp_rate_hz_s() * self.swath.range_rate_hz
            if sampling.fm_mismatch:
                focused, own = self.swath.fm_rate(self.burst)(tau), seen.fm_rate(self.swath.wavelength_m)
                line = line - doppler * (1.0 / focused - 1.0 / own) / self.swath.line_interval_s
        return line, sample

    def _chirp_rate_hz_s(self) -> float:
        if self.swath.chirp_rate_hz_s is None:
            reason = "element txPulseRampRate: missing; following the range shift by Doppler needs it"
            raise BadProduct(self.swath.product, self.swath.member, reason)
        return self.swath.chirp_rate_hz_s

    def _doppler(self, line: Float64, range_time_s: Float64) -> Float64:
        """Doppler frequency (Hz) at which the burst holds what lies at a line and range time."""
        eta = (line - self.swath.lines_per_burst / 2) * self.swath.line_interval_s
        kt, ref, fdc = self.carrier(range_time_s)
        return np.asarray(kt * (eta - ref) + fdc)

    def carrier(self, range_time_s: Float64) -> tuple[Float64, Float64, Float64]:
        """Doppler rate k_t (Hz/s), time reference eta_ref (s) and Doppler centroid f_dc (Hz) of the burst's carrier.

        Miranda 2017: ``k_t = k_a k_s / (k_a - k_s)``, ``k_s = 2 V omega / lambda``, ``eta_ref = eta_c - eta_c(tau_0)``,
        ``eta_c = - f_dc / k_a``; the carrier's frequency is ``k_t (eta - eta_ref) + f_dc``.
        """
        swath, burst, ks = self.swath, self.burst, _steering_doppler_rate(self)
        fm, dc = swath.fm_rate(burst), swath.doppler_centroid(burst)
        near = np.array([swath.range_start_s])
        ka, fdc = fm(range_time_s), dc(range_time_s)
        return ka * ks / (ka - ks), -fdc / ka + dc(near) / fm(near), fdc

    def doppler_hz(self, time_s: float, range_m: float) -> float:
        """Doppler frequency at which the burst holds a target of given geometry."""
        line, _ = self.line_sample(np.array([time_s]), np.array([range_m]))
        return float(self._doppler(line, np.array([2.0 * range_m / SPEED_OF_LIGHT_M_S]))[0])


@functools.lru_cache(maxsize=4096)
def _steering_doppler_rate(placed: PlacedBurst) -> float:
    """Doppler rate k_s (Hz/s) that the steering of the antenna gives a burst."""
    swath, middle_s = placed.swath, placed.swath.middle_s(placed.burst)
    velocity = swath.orbit.local(middle_s).state(np.array([middle_s]))[1]
    return float(2.0 * np.sqrt((velocity * velocity).sum()) * swath.steering_rad_s / swath.wavelength_m)


@dataclass(frozen=True, slots=True, eq=False)
class OpenPass:
    """A pass whose annotation was read.

    Attributes
    ----------
    id : str
        Identity of the pass.
    epoch : datetime
        Zero of all times.
    keeps_antenna_phase : bool
        Whether a slice's samples hold the elevation antenna pattern's phase.
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
    keeps_antenna_phase: bool
    bursts: dict[BurstId, PlacedBurst]
    orbit: Orbit
    uncovered: dict[BurstId, BadProduct]

    def near(self, start_s: float, stop_s: float) -> Iterator[PlacedBurst]:
        """Bursts whose lines meet an interval of zero-Doppler time, in order of identity."""
        for burst_id in sorted(self.bursts):
            placed = self.bursts[burst_id]
            if placed.burst.start_s - _BURST_MARGIN_S < stop_s and start_s < placed.stop_s + _BURST_MARGIN_S:
                yield placed

    def require(self, burst_id: BurstId) -> PlacedBurst:
        """The burst; BadProduct when the pass lacks it or its orbit does not cover it."""
        if burst_id in self.uncovered:
            raise self.uncovered[burst_id]
        if burst_id not in self.bursts:
            raise BadProduct(self.products[0], "", f"pass {self.id} has no burst {burst_id}")
        return self.bursts[burst_id]


def open_pass(one: Pass, source: Source, orbits: OrbitFiles = NO_ORBIT_FILES, polarisation: str = "VV") -> OpenPass:
    """Read the annotation of a pass, and the orbit file that it names.

    Raises
    ------
    BadProduct
        When an annotation is missing or malformed, the state vectors cover none of the bursts, or the product is one
        of those that are known to be wrong; with the name of an orbit file as its product, when that one is.
    """
    epoch = pass_epoch(one.start)
    bursts: dict[BurstId, tuple[tuple[object, ...], PlacedBurst]] = {}
    annotated: list[Orbit] = []
    for part in one.slices:
        if part.known_fault:
            raise BadProduct(part.product, "", part.known_fault)
        files = SliceFiles(part, source.open(part.product), epoch)
        files.check()
        swaths = [files.swath(name, polarisation) for name in files.subswaths(polarisation)]
        if not any(s.bursts for s in swaths):
            raise BadProduct(part.product, "annotation", f"has no subswath with bursts in {polarisation}")
        middle_s = _middle_of_iw2(swaths, part.product)
        annotated.extend(s.orbit for s in swaths)
        for swath in swaths:
            for burst in swath.bursts:
                inner = 0 < burst.index < len(swath.bursts) - 1
                rank = (part.processed, inner, part.product)
                if burst.id not in bursts or rank > bursts[burst.id][0]:
                    bursts[burst.id] = rank, PlacedBurst(files, swath, burst, middle_s)
    placed = {k: v[1] for k, v in bursts.items()}
    orbit = functools.reduce(Orbit.extended, _precise(one, placed.values(), orbits) or annotated)
    uncovered = _uncovered(orbit, placed)
    if len(uncovered) == len(placed):
        raise next(iter(uncovered.values()))
    early = any(s.keeps_antenna_phase for s in one.slices)
    usable = {k: v for k, v in placed.items() if k not in uncovered}
    return OpenPass(one.id, epoch, one.direction, one.products, early, usable, orbit, uncovered)


def _precise(one: Pass, bursts: Collection[PlacedBurst], orbits: OrbitFiles) -> list[Orbit]:
    """State vectors of the orbit files that a pass names."""
    start = min(placed.burst.start_s for placed in bursts)
    stop = max(placed.stop_s for placed in bursts)
    epoch = pass_epoch(one.start)
    return [read_orbit_file(orbits.read(name), name=name, epoch=epoch, during=(start, stop)) for name in one.orbits]


def _middle_of_iw2(swaths: list[Swath], product: str) -> float:
    for swath in swaths:
        if swath.subswath == "IW2":
            return swath.middle_range_s
    raise BadProduct(product, "annotation", "needs the annotation of IW2, to whose middle azimuth times refer")


def _uncovered(orbit: Orbit, bursts: dict[BurstId, PlacedBurst]) -> dict[BurstId, BadProduct]:
    found = {}
    for burst_id, placed in sorted(bursts.items()):
        start, stop, swath = placed.burst.start_s, placed.stop_s, placed.swath
        if not orbit.covers(start, stop):
            reason = (
                f"orbit does not cover burst {burst_id}: state vectors span {orbit.time_s[0]:.1f} to "
                f"{orbit.time_s[-1]:.1f} s of the day, the burst {start:.1f} to {stop:.1f} s"
            )
            found[burst_id] = BadProduct(swath.product, swath.member, reason)
    return found
