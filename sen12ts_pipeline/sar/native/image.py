"""One pass on the lattice of one grid: flattened VV samples, powers of both polarisations, thermal noise."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.domain.bursts import BurstId
from sen12ts_pipeline.ports import Float32, UInt8
from sen12ts_pipeline.sar.native import geometry
from sen12ts_pipeline.sar.native.kernels import resample
from sen12ts_pipeline.sar.native.measurement import Part, read_part
from sen12ts_pipeline.sar.native.scene import AS_ANNOTATED, OpenPass, PlacedBurst, Sampling
from sen12ts_pipeline.sar.native.surface import Surface
from sen12ts_pipeline.sar.native.taps import DOPPLER_MARGIN, least_squares_taps
from sen12ts_pipeline.sentinel1.orbit import fit_powers

Complex64 = npt.NDArray[np.complex64]
Float64 = npt.NDArray[np.float64]

_HALF = resample.TAPS // 2
_CARRIER_POINTS = 9


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """Samples of one pass; all (rows + 10, 2 * cols + 20), NaN without data.

    Attributes
    ----------
    flat : complex64
        The interferogram polarisation with carrier restored and range phase removed, in digital numbers.
    power : dict of float32
        beta nought by polarisation, thermal noise not yet removed.
    noise : dict of float32
        beta nought of the thermal noise.
    """

    flat: Complex64
    power: dict[str, Float32]
    noise: dict[str, Float32]


@dataclass(frozen=True, eq=False)
class _Block:
    """The part of a burst that a grid needs."""

    placed: PlacedBurst
    part: Part

    @property
    def scale(self) -> tuple[float, float, float, float]:
        """First line's time from the burst's middle, line step; scaled range of the first sample, and step."""
        swath = self.placed.swath
        eta0 = (self.part.top - swath.lines_per_burst / 2) * swath.line_interval_s
        return eta0, swath.line_interval_s, -1.0, 2.0 / (self.part.cols - 1)

    @functools.cached_property
    def carrier(self) -> Float64:
        """Quadratics of k_t, eta_ref and f_dc over the block's samples, (3, 3).

        The same quadratics serve removal and restoration, so their error cancels.
        """
        swath = self.placed.swath
        x = np.linspace(-1.0, 1.0, _CARRIER_POINTS)
        sample = self.part.left + (x + 1) / 2 * (self.part.cols - 1)
        tau = swath.range_start_s + sample / swath.range_rate_hz
        return np.ascontiguousarray(fit_powers(np.stack(self.placed.carrier(tau), 1), degree=2).T)

    def sampled(self, raw: resample.Numbers, where: tuple[Float64, Float64, UInt8, int]) -> Float32:
        """Values (m, n, 2 * polarisations) at positions in the block, still without their carrier.

        raw : (polarisations, rows, cols, 2) digital numbers. where : line, sample, choice (m, n), and the index.
        """
        rows, cols = raw.shape[1:3]
        data = np.empty((rows, cols, 2 * len(raw)), np.float32)
        resample.deramp(raw, self.scale, self.carrier, data)
        few = 2 * _zeros(raw) <= resample.TAPS**2
        holes = np.zeros((1, 1) if few else (rows + 1, cols + 1), np.int32)
        if not few:
            resample.count_holes(raw, holes)
        values = np.empty((*where[0].shape, data.shape[-1]), np.float32)
        resample.sample(data, holes, *where, *_taps(self.placed), values)
        return values


def _as_annotated(_burst: BurstId) -> Sampling:
    return AS_ANNOTATED


def make_image(
    bursts: tuple[BurstId, ...],
    choice: UInt8,
    one: OpenPass,
    surface: Surface,
    polarisations: tuple[str, ...],
    flat: str,
    sampling: Callable[[BurstId], Sampling] = _as_annotated,
) -> Image:
    """Sample a pass where the choice of bursts says.

    Parameters
    ----------
    bursts : tuple of BurstId
        Bursts that serve the grid.
    choice : uint8 (rows + 10, 2 * cols + 20)
        Index of the burst that serves each sample.
    one : OpenPass
        The pass; it must have every burst.
    surface : Surface
        The grid's lattice on the ground.
    polarisations : tuple of str
        Those whose power is wanted.
    flat : str
        Polarisation of the flattened complex samples; empty for none.
    sampling : callable
        Corrections of where a target is looked for in a burst.

    Raises
    ------
    BadProduct
        When a burst is missing or a file cannot be read.
    """
    seen, lattice = geometry.sight(surface.ground, one.orbit), surface.lattice
    nothing = np.full(lattice.shape, complex(np.nan, np.nan), np.complex64)
    image = Image(nothing, *({p: np.full(lattice.shape, np.nan, np.float32) for p in polarisations} for _ in range(2)))
    order = tuple(dict.fromkeys((flat, *polarisations) if flat else polarisations))
    for index, burst_id in enumerate(bursts):
        placed = one.require(burst_id)
        # Positions are polynomials themselves, and so is the range that flattens: it takes no part in corrections.
        where = geometry.Field.through(
            surface.ground.box, np.stack([*placed.position(seen, sampling(burst_id)), seen.range_m])
        )
        line, sample, distance = where.on_lattice(lattice.easting, lattice.northing, surface.heights)
        block = _block(placed, resample.bounds(line, sample, choice, index))
        if block is not None:
            line -= block.part.top
            sample -= block.part.left
            _sample(block, order, (line, sample, choice, index), distance, image, flatten=bool(flat))
    return image


def _zeros(raw: resample.Numbers) -> int:
    """How many complex numbers are exactly zero."""
    whole = raw.view(f"i{2 * raw.itemsize}")
    return int(whole.size - np.count_nonzero(whole))


def _block(placed: PlacedBurst, bounds: tuple[float, float, float, float]) -> _Block | None:
    """Block around the lines and samples within bounds, with the taps' margin, within what is valid in the burst."""
    if not np.isfinite(bounds).all():
        return None
    burst = placed.burst
    top = max(int(np.floor(bounds[0])) - _HALF, burst.first_line)
    bottom = min(int(np.ceil(bounds[1])) + _HALF, burst.last_line)
    left = max(int(np.floor(bounds[2])) - _HALF, burst.first_valid)
    right = min(int(np.ceil(bounds[3])) + _HALF, burst.last_valid)
    if bottom - top < resample.TAPS or right - left < resample.TAPS:
        return None
    return _Block(placed, Part(top, left, bottom - top + 1, right - left + 1))


def _taps(placed: PlacedBurst) -> tuple[Float32, Float32]:
    swath = placed.swath
    return (
        least_squares_taps(swath.azimuth_bandwidth_hz * swath.line_interval_s, swath.azimuth_window, DOPPLER_MARGIN),
        least_squares_taps(swath.range_bandwidth_hz / swath.range_rate_hz, swath.range_window, margin=0.0),
    )


def _sample(
    block: _Block,
    polarisations: tuple[str, ...],
    where: tuple[Float64, Float64, UInt8, int],
    distance: Float64,
    image: Image,
    *,
    flatten: bool,
) -> None:
    """Fill an image where the block's burst serves.

    where : line and sample in the block, the choice, and the burst's index in it. flatten : whether the first
    polarisation is flattened.
    """
    placed, part = block.placed, block.part
    swath, burst = placed.swath, placed.burst
    values = block.sampled(np.stack([read_part(placed, p, part) for p in polarisations]), where)
    if flatten:
        line, sample, chosen, index = where
        scale, carrier = block.scale, block.carrier
        resample.flatten(values, line, sample, distance, chosen, index, scale, carrier, swath.wavelength_m, image.flat)
    samples = part.left + np.arange(part.cols, dtype=float)
    lines = part.top + np.arange(part.rows, dtype=float)
    for k, polarisation in enumerate(polarisations):
        if polarisation in image.power:
            beta = placed.files.calibration(swath.subswath, polarisation).beta_nought(swath, burst, samples)
            thermal = placed.files.noise(swath.subswath, polarisation)
            noise = thermal.over_azimuth(swath, burst, lines), thermal.over_range(burst, samples)
            resample.powers(values, *where, *noise, beta, k, image.power[polarisation], image.noise[polarisation])
