"""Numbers that tell whether a triplet is good; `domain.quality` says what is expected of each.

What cannot be measured has no number: a layer without data, edges where a tile has none, seams where it is one burst.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.domain.layers import (
    BACKSCATTER_RANGE_DB,
    FRAME_LAYERS,
    FRAMES,
    NODATA,
    REFLECTANCE_RANGE,
    S1_LAYERS,
    S1_MASK,
    S2_BANDS,
    S2_MASK,
)
from sen12ts_pipeline.ports import Bool, Float32, Int16, UInt8

Array = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]

PIXEL_M = 10.0
CELLS_AWAY = 3
"""Cells of 20 m between a seam and the cells that are compared: the kernel of the phase reaches over 60 m."""
CONTROL = 2 * CELLS_AWAY + 1
"""Distance of the compared cells, across a seam and, for control, on either side of it."""
SURE_RAD = 0.1
"""Standard deviation above which the jump at a seam is not known."""
CELLS_OF_A_LOOK = 2.65
"""Neighbouring cells that share one kernel of 53 m."""
EDGE_SIGMA = 1.0
"""Width of the derivative that finds edges, pixels."""
LARGEST_OFFSET = 8
"""Pixels."""
CLEAR = 6.0
"""Standard deviations by which the best offset must stand out."""
OPTICAL_EDGES = ("B02", "B03", "B04", "B08")
_CHOICE_NONE = 255
_RANGES = {"vh": BACKSCATTER_RANGE_DB, "vv": BACKSCATTER_RANGE_DB, "coherence": (0.0, 1.0), "phase": (-3.1416, 3.1416)}
_TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True)
class Offset:
    """How far the edges of the radar lie from the optical ones.

    Attributes
    ----------
    east, south : float
        Pixels.
    clearness : float
        Height of the peak of their correlation, in standard deviations.
    """

    east: float
    south: float
    clearness: float


def numbers(s1: Float32, s2: Int16, floor: float, choice: UInt8 | None = None) -> dict[str, float]:
    """Numbers of a triplet, by the names of `domain.quality`.

    Parameters
    ----------
    s1 : float32 (19, rows, cols)
        Radar stack.
    s2 : int16 (14, rows, cols)
        Optical stack.
    floor : float
        Mean of the estimated coherence where there is none.
    choice : uint8 (rows, cols), optional
        Number of the burst that serves each pixel, 255 for none; without it no seam is looked at.
    """
    found = dict(_means(s1, s2))
    found["outside"] = max(_shares_outside(s1, s2))
    backscatter = [layer for k, layer in _of_frames(s1) if k < 2]
    found["clipped_low"], found["clipped_high"] = (
        max(float(np.mean(layer == limit)) for layer in backscatter) for limit in BACKSCATTER_RANGE_DB
    )
    found["clipped_s2"] = max(float(np.mean(np.isin(band, REFLECTANCE_RANGE))) for band in s2[: len(S2_BANDS)])
    coherences = [found[name] for name in S1_LAYERS if name.startswith("coherence") and name in found]
    if coherences:
        found["coherence_excess"] = min(coherences) - floor
    offset = edge_offset(s1, s2)
    if offset.clearness >= CLEAR:
        found["alignment"] = PIXEL_M * float(np.hypot(offset.east, offset.south))
    if choice is not None and (jumps := list(seam_jumps(s1, choice))):
        found["seam_jump"] = max(abs(jump) for jump in jumps)
    return {name: float(f"{value:.5g}") for name, value in found.items()}


def edge_offset(s1: Float32, s2: Int16) -> Offset:
    """Offset at which the edges of the backscatter agree best with the optical ones.

    Edges are magnitudes of gradients, so that it does not matter which side is the brighter one. The radar's are those
    of the mean of all dates and polarisations in dB; the peak of the correlation is placed by a parabola on each axis.
    """
    radar = np.mean([_filled(layer) for k, layer in _of_frames(s1) if k < 2], axis=0)
    valid = s2[S2_MASK] == 1
    one = _evened(_edges(radar), s1[S1_MASK] == 1)
    other = sum(_evened(_edges(_filled(s2[S2_BANDS.index(band)])), valid) for band in OPTICAL_EDGES)
    return _peak(np.fft.irfft2(np.conj(np.fft.rfft2(other)) * np.fft.rfft2(one), s=one.shape))


def seam_jumps(s1: Float32, choice: UInt8) -> Iterator[float]:
    """Jumps of the phase, radians, at the seams between bursts, one for each date, pair of bursts and direction.

    The phase is compared on both sides of a seam, beyond the reach of its kernel; what it changes by over the same
    distance within each of the bursts is taken off. Cells count by their coherence. Seams of which too little is seen,
    or too incoherent, are left out.
    """
    cells = choice[::2, ::2]
    for k in range(FRAMES):
        coherence, phase = (s1[k * len(FRAME_LAYERS) + layer, ::2, ::2].astype(np.float64) for layer in (2, 3))
        signal = np.where((coherence == NODATA) | (phase == NODATA), 0, coherence * np.exp(1j * phase))
        for axis_cells, axis_signal in ((cells, signal), (cells.T, signal.T)):
            yield from _jumps(axis_cells, axis_signal)


def _means(s1: Float32, s2: Int16) -> Iterator[tuple[str, float]]:
    for name, layer in [*zip(S1_LAYERS[:S1_MASK], s1, strict=False), *zip(S2_BANDS, s2, strict=False)]:
        values = layer[layer != NODATA].astype(np.float64)
        if not values.size:
            continue
        if name.startswith("phase"):
            yield name, float(np.angle(np.exp(1j * values).sum()))
        else:
            yield name, float(values.mean())


def _shares_outside(s1: Float32, s2: Int16) -> Iterator[float]:
    for k, layer in _of_frames(s1):
        yield _outside(layer, _RANGES[FRAME_LAYERS[k]])
    for layer in s1[16:S1_MASK]:
        yield _outside(layer, (0.0, 90.0))
    for band in s2[: len(S2_BANDS)]:
        yield _outside(band, REFLECTANCE_RANGE)


def _of_frames(s1: Float32) -> Iterable[tuple[int, Float32]]:
    """Layers of the four dates, with their place in a date."""
    return [(k % len(FRAME_LAYERS), s1[k]) for k in range(FRAMES * len(FRAME_LAYERS))]


def _outside(layer: npt.NDArray[Any], between: tuple[float, float]) -> float:
    low, high = between[0] - _TOLERANCE, between[1] + _TOLERANCE
    return float(np.mean((layer != NODATA) & ~((layer >= low) & (layer <= high))))


def _filled(layer: npt.NDArray[Any]) -> Array:
    """A layer with its mean where it has no data."""
    values = layer.astype(np.float64)
    there = layer != NODATA
    values[~there] = values[there].mean() if there.any() else 0.0
    return values


def _edges(layer: Array) -> Array:
    """Magnitude of the gradient of a layer that was smoothed by a Gaussian."""
    south = 2 * np.pi * np.fft.fftfreq(layer.shape[0])[:, None]
    east = 2 * np.pi * np.fft.rfftfreq(layer.shape[1])[None, :]
    smooth = np.fft.rfft2(layer) * np.exp(-0.5 * EDGE_SIGMA**2 * (south**2 + east**2))
    parts = [np.fft.irfft2(smooth * 1j * way, s=layer.shape) for way in (south, east)]
    return np.hypot(*parts)


def _evened(edges: Array, valid: Bool) -> Array:
    """Edges with mean 0, so that a few strong ones do not decide alone; 0 at the border and near what is not valid."""
    kept = valid.copy()
    reach = round(4 * EDGE_SIGMA)
    for axis in (0, 1):
        kept = np.logical_and.reduce([np.roll(kept, step, axis) for step in range(-reach, reach + 1)])
    kept[:reach], kept[-reach:], kept[:, :reach], kept[:, -reach:] = False, False, False, False
    if not kept.any():
        return np.zeros_like(edges)
    capped = np.minimum(edges, np.quantile(edges[kept], 0.99))
    mean, spread = capped[kept].mean(), capped[kept].std()
    return np.where(kept, capped - mean, 0.0) / (spread or 1.0)


def _peak(correlation: Array) -> Offset:
    spread = correlation.std()
    if not spread:
        return Offset(0.0, 0.0, 0.0)
    n = LARGEST_OFFSET + 1
    near = np.roll(correlation, (n, n), (0, 1))[: 2 * n + 1, : 2 * n + 1]
    row, col = (1 + k for k in divmod(int(np.argmax(near[1:-1, 1:-1])), 2 * n - 1))
    south = row - n + _vertex(*near[row - 1 : row + 2, col])
    east = col - n + _vertex(*near[row, col - 1 : col + 2])
    return Offset(float(east), float(south), float((near[row, col] - correlation.mean()) / spread))


def _vertex(before: float, at: float, after: float) -> float:
    """Place of the top of a parabola through three points, from the middle one."""
    bend = before - 2 * at + after
    return float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5)) if bend < 0 else 0.0


def _jumps(cells: UInt8, signal: Complex) -> Iterator[float]:
    """Jumps at the seams that are crossed from one row to the next."""
    reach, size = CELLS_AWAY + CONTROL, cells.shape[0]
    seam = cells[1:] != cells[:-1]
    if not seam.any():
        return
    many = np.cumsum(np.pad(seam, ((1, 0), (0, 0))), axis=0)
    rows, cols = np.nonzero(seam)
    inside = (rows >= reach) & (rows + 1 + reach < size)
    rows, cols = rows[inside], cols[inside]
    alone = many[rows + 1 + reach, cols] - many[rows - reach, cols] == 1
    rows, cols = rows[alone], cols[alone]
    pairs = cells[rows, cols].astype(np.int64) * 256 + cells[rows + 1, cols]
    near_a, near_b = signal[rows - CELLS_AWAY, cols], signal[rows + 1 + CELLS_AWAY, cols]
    far_a, far_b = signal[rows - reach, cols], signal[rows + 1 + reach, cols]
    across, within = near_b * np.conj(near_a), (near_a * np.conj(far_a), far_b * np.conj(near_b))
    for pair in np.unique(pairs):
        if _CHOICE_NONE not in divmod(int(pair), 256):
            here = pairs == pair
            jump, control = across[here], np.concatenate([one[here] for one in within])
            if _deviation(jump) ** 2 + _deviation(control) ** 2 <= SURE_RAD**2:
                yield float(np.angle(jump.sum() * np.conj(control.sum())))


def _deviation(products: Complex) -> float:
    """Standard deviation of the direction of a sum, radians (Mardia and Jupp 2000, section 9.3)."""
    whole = np.abs(products).sum()
    length = abs(products.sum()) / whole if whole else 0.0
    if length < 0.1:
        return np.inf
    return float(np.sqrt((1 - length**2) / (2 * length**2) * CELLS_OF_A_LOOK / products.size))
