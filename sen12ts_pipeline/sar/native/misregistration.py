"""Azimuth misregistration of two passes by spectral diversity, over the whole overlap of two neighbouring bursts.

Data that lie late by dt turn a burst's interferogram by ``2 pi f dt``, f the Doppler frequency at which the burst holds
the ground. Ground in the overlap is held twice, at frequencies some 4 kHz apart, so dt follows from the difference of
its two phases (Prats-Iraola et al. 2012; Yague-Martinez et al. 2016).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.domain.bursts import BurstId
from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.errors import Rejected
from sen12ts_pipeline.sar.native import geometry
from sen12ts_pipeline.sar.native.image import make_image
from sen12ts_pipeline.sar.native.interferogram import CELL_M, KERNEL_SIGMA_M, estimate
from sen12ts_pipeline.sar.native.scene import OpenPass, PlacedBurst
from sen12ts_pipeline.sar.native.surface import Surface, centre_height
from sen12ts_pipeline.sentinel1.annotation import SPEED_OF_LIGHT_M_S
from sen12ts_pipeline.terrain.dem import Dem

Complex128 = npt.NDArray[np.complex128]
Float64 = npt.NDArray[np.float64]

LARGEST_SPREAD_S = 2e-6
"""Standard deviation above which an estimate is not used: 0.05 rad at a seam."""

SIGNIFICANT_SPREADS = 3.0

_LOOKS = 20.0
"""Of a cell of the interferogram, in all subswaths."""

_CELLS_PER_KERNEL = 4 * math.pi * KERNEL_SIGMA_M**2 / CELL_M**2
"""Neighbouring cells share samples: as many make one independent estimate."""

_MESH_M = 500.0


@dataclass(frozen=True, slots=True)
class Delay:
    """By how much the later pass's data lie later than its annotation says, beside the earlier pass's.

    Attributes
    ----------
    seconds : float
        The estimate.
    spread_s : float
        Its standard deviation; more than an age without coherent ground.
    """

    seconds: float
    spread_s: float

    @property
    def usable(self) -> bool:
        """Whether the overlap is coherent enough for a correction."""
        return self.spread_s < LARGEST_SPREAD_S


UNKNOWN = Delay(0.0, 1e9)


def delay_in_overlap(earlier: OpenPass, later: OpenPass, burst: BurstId, dem: Dem) -> Delay:
    """Delay from the overlap of a burst and the next one of its subswath; `UNKNOWN` without coherent ground.

    Raises
    ------
    BadProduct
        When a pass lacks one of the bursts or a file cannot be read.
    """
    following = burst.after
    products, powers, dopplers = [], [], []
    for tile in _tiles(earlier.require(burst), earlier.require(following), earlier, dem):
        try:
            surface = Surface.of(tile.grid, dem)
        except Rejected:  # all sea: nothing coherent there
            continue
        one, other = (_interferogram(earlier, later, b, surface) for b in (burst, following))
        both = np.isfinite(one) & np.isfinite(other)
        at = geometry.fit(surface.ground, later.orbit).at(*tile.grid.centre, float(np.nanmean(surface.heights)))
        products.append((complex((other[both] * np.conj(one[both])).sum()), int(both.sum())))
        powers.append(float((np.abs(one[both]) ** 2 + np.abs(other[both]) ** 2).sum()) / 2)
        dopplers.append(later.require(following).doppler_hz(*at) - later.require(burst).doppler_hz(*at))
    cells = sum(count for _, count in products)
    if not cells:
        return UNKNOWN
    weights = [abs(product) for product, _ in products]
    doppler_hz = math.fsum(w * f for w, f in zip(weights, dopplers, strict=True)) / math.fsum(weights)
    return _delay(sum(product for product, _ in products), math.fsum(powers) / cells, cells, doppler_hz)


def _delay(product: complex, square: float, cells: int, doppler_hz: float) -> Delay:
    """Delay of the summed product of two bursts' interferograms; square : mean squared coherence of the cells.

    The phase of N looks has the variance ``(1 - c^2) / (2 N c^2)``, and the two bursts' speckle is not the same.
    """
    coherent = (square - 1 / _LOOKS) / (1 - 1 / _LOOKS)
    if coherent <= 0.0:
        return UNKNOWN
    looks = _LOOKS * cells / _CELLS_PER_KERNEL
    turn = 2.0 * math.pi * doppler_hz
    spread = math.sqrt((1.0 - min(coherent, 0.999)) / (looks * coherent)) / abs(turn)
    return Delay(math.atan2(product.imag, product.real) / turn, spread)


def combined(delays: list[Delay]) -> float:
    """Delay of a burst, seconds: mean of what its overlaps say, by their variance; 0 where that is not significant."""
    usable = [d for d in delays if d.usable]
    if not usable:
        return 0.0
    weights = [1.0 / d.spread_s**2 for d in usable]
    mean = math.fsum(w * d.seconds for w, d in zip(weights, usable, strict=True)) / math.fsum(weights)
    return mean if abs(mean) > SIGNIFICANT_SPREADS / math.sqrt(math.fsum(weights)) else 0.0


def _interferogram(earlier: OpenPass, later: OpenPass, burst: BurstId, surface: Surface) -> Complex128:
    """Coherence and phase of one burst on cells as complex numbers; NaN where it has no data."""
    everywhere = np.zeros(surface.lattice.shape, np.uint8)
    first, second = (make_image((burst,), everywhere, one, surface, (), "VV").flat for one in (earlier, later))
    coherence, phase = estimate(first, second)
    return np.asarray(coherence * np.exp(1j * phase.astype(float)))


def _tiles(first: PlacedBurst, second: PlacedBurst, one: OpenPass, dem: Dem) -> list[TileId]:
    """Tiles with ground that both bursts hold."""
    swath = first.swath
    start = second.burst.start_s + second.burst.first_line * swath.line_interval_s
    stop = first.burst.start_s + first.burst.last_line * swath.line_interval_s
    near, far = (
        (swath.range_start_s + sample / swath.range_rate_hz) * SPEED_OF_LIGHT_M_S / 2
        for sample in (
            max(first.burst.first_valid, second.burst.first_valid),
            min(first.burst.last_valid, second.burst.last_valid),
        )
    )
    times = np.linspace(start, stop, max(math.ceil((stop - start) * 7000.0 / _MESH_M), 2))
    ranges = np.linspace(near, far, max(math.ceil((far - near) / _MESH_M), 2))
    time, distance = (x.ravel() for x in np.meshgrid(times, ranges))
    local = one.orbit.local((start + stop) / 2)
    on_ellipsoid = _tiles_at(geometry.locate(local, time, distance, np.zeros(len(time))))
    height = {tile: centre_height(tile.grid, dem) for tile in set(on_ellipsoid)}
    heights = np.array([height[tile] for tile in on_ellipsoid])
    return sorted(set(_tiles_at(geometry.locate(local, time, distance, heights))))


def _tiles_at(points: Float64) -> list[TileId]:
    lon, lat = geometry.longitude_latitude(points)
    return [TileId.at(x, y) for x, y in zip(lon.tolist(), lat.tolist(), strict=True)]
