"""The image of a burst: scatterers spread onto a grid, filtered to the processed band, carrier and noise put on.

Without its carrier the image of a scatterer is band-limited, so the sum of all is a non-uniform Fourier transform:
spreading with a short window onto an oversampled grid, transform, division by the window's own transform, times the
processor's Hamming window, and back at the image's own sampling. The impulse response has unit energy and is exact to
some 1e-4.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.simulate import kernels
from sen12ts_pipeline.simulate.acquisition import Acquisition, Burst, Swath
from sen12ts_pipeline.simulate.geodesy import Array
from sen12ts_pipeline.simulate.sensor import (
    BETA_NOUGHT,
    LINE_INTERVAL_S,
    RANGE_SAMPLING_HZ,
    RANGE_SPACING_M,
    SPEED_OF_LIGHT_M_S,
    WAVELENGTH_M,
)

Complex64 = npt.NDArray[np.complex64]
Float32 = npt.NDArray[np.float32]
Int16 = npt.NDArray[np.int16]
Spectrum = npt.NDArray[np.complexfloating[Any, Any]]

_PAD = 24
_OVERSAMPLED_LINES, _OVERSAMPLED_SAMPLES = 1.25, 1.5


@dataclass(frozen=True, slots=True)
class Echoes:
    """What comes back on one date.

    Attributes
    ----------
    time_s : float64 (n,)
        Annotated azimuth time, after the node.
    range_m : float64 (n,)
        Slant range.
    delay_m : float32 (n,)
        Further range that only the phase feels.
    amplitude : float32 (n,)
        Root of the area seen over the area of a sample; 0 where nothing returns.
    reflectivity : complex64 (n, 2)
        Circular Gaussian, VV and VH.
    strength : float32 (2, n)
        Root of gamma nought.
    """

    time_s: Array
    range_m: Array
    delay_m: Float32
    amplitude: Float32
    reflectivity: Complex64
    strength: Float32


@dataclass(frozen=True, slots=True)
class Window:
    """Part of a burst that holds echoes: first line of the burst, first sample of the swath, size."""

    line: int
    sample: int
    lines: int
    samples: int


def window_of(swath: Swath, burst: Burst, echoes: Echoes) -> Window | None:
    """Lines and samples of a burst that the echoes reach, inside its valid samples."""
    line = (echoes.time_s - burst.start_s) / LINE_INTERVAL_S
    sample = (echoes.range_m - swath.slant_range_time_s * SPEED_OF_LIGHT_M_S / 2) / RANGE_SPACING_M
    first = max(burst.valid_lines[0], int(np.floor(line.min())))
    last = min(burst.valid_lines[1], int(np.ceil(line.max())))
    near = max(burst.valid_samples[0], int(np.floor(sample.min())))
    far = min(burst.valid_samples[1], int(np.ceil(sample.max())))
    if last <= first or far <= near:
        return None
    return Window(first, near, last - first + 1, far - near + 1)


def image(
    acquisition: Acquisition, burst: Burst, echoes: Echoes, window: Window, noise: tuple[Array, Array], seed: list[int]
) -> Int16:
    """Digital numbers of a burst's window, int16 (2, lines, samples, 2): VV and VH, real and imaginary.

    Parameters
    ----------
    acquisition, burst, echoes, window
        What is imaged; the burst is one of the imaged swath.
    noise : tuple of float64 (lines,), (2, samples)
        Thermal noise power in digital numbers squared is their product.
    seed : list of int
        Of the thermal noise.
    """
    swath = acquisition.imaged
    lines, samples = _even_length(window.lines + 2 * _PAD, 8), _even_length(window.samples + 2 * _PAD, 4)
    first_line, first_sample = window.line - _PAD, window.sample - _PAD
    carrier = swath.carrier(burst, acquisition.orbit)
    fine_lines, fine_samples = int(lines * _OVERSAMPLED_LINES), int(samples * _OVERSAMPLED_SAMPLES)
    origin = np.array(
        [
            burst.start_s + first_line * LINE_INTERVAL_S,
            swath.slant_range_time_s * SPEED_OF_LIGHT_M_S / 2 + first_sample * RANGE_SPACING_M,
            _OVERSAMPLED_LINES / LINE_INTERVAL_S,
            _OVERSAMPLED_SAMPLES / RANGE_SPACING_M,
        ]
    )
    grid = np.zeros((2, fine_lines, fine_samples), np.complex64)
    kernels.spread(
        grid,
        _spreading_table(),
        echoes.time_s,
        echoes.range_m,
        echoes.delay_m,
        echoes.amplitude,
        echoes.reflectivity,
        echoes.strength,
        origin,
        swath.middle_s(burst),
        -2 / WAVELENGTH_M,
        carrier,
    )
    band_a = _band(lines, swath.design.azimuth_bandwidth_hz * LINE_INTERVAL_S, swath.design.azimuth_window)
    band_r = _band(samples, swath.design.range_bandwidth_hz / RANGE_SAMPLING_HZ, swath.design.range_window)
    inner = (slice(_PAD, _PAD + window.lines), slice(_PAD, _PAD + window.samples))
    signal = np.empty((2, window.lines, window.samples), np.complex64)
    white = np.empty_like(signal)
    rng = np.random.default_rng(seed)
    for p in range(2):
        signal[p] = _filtered(grid[p], band_a, band_r)[inner]
        white[p] = _band_noise(rng, band_a, band_r)[inner]
    rows, cols = noise
    eta = burst.start_s + window.line * LINE_INTERVAL_S - swath.middle_s(burst)
    tau = swath.slant_range_time_s + window.sample / RANGE_SAMPLING_HZ
    return np.asarray(
        kernels.digitise(
            signal, white, BETA_NOUGHT, rows, cols, eta, tau, LINE_INTERVAL_S, 1 / RANGE_SAMPLING_HZ, carrier
        )
    )


def _even_length(at_least: int, multiple: int) -> int:
    """Next length without prime factors above 5 that is a multiple."""
    n = -(-at_least // multiple) * multiple
    while True:
        rest = n
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return n
        n += multiple


def hamming_band(frequency: Array, bandwidth: float, coefficient: float) -> Array:
    """Amplitude of the processor's window at frequencies in the unit of the bandwidth; 0 outside the band."""
    inside = np.abs(frequency) <= bandwidth / 2
    return np.where(inside, coefficient + (1 - coefficient) * np.cos(2 * np.pi * frequency / bandwidth), 0.0)


@functools.lru_cache(maxsize=64)
def _band(length: int, fraction: float, coefficient: float) -> Float32:
    """Transfer function over the frequencies of an axis, scaled so that its impulse response has unit energy."""
    response = hamming_band(np.fft.fftfreq(length), fraction, coefficient)
    return np.asarray(response / np.sqrt(np.mean(response**2)), np.float32)


def _shape() -> float:
    """Parameter of the Kaiser-Bessel window for the smaller of the two oversamplings."""
    alias_free = kernels.TAPS * 0.69
    return float(np.pi * np.sqrt(alias_free**2 - 0.8))


@functools.lru_cache(maxsize=1)
def _spreading_table() -> Float32:
    """Kaiser-Bessel weights of the taps, by fraction of a node: float32 (TABLE + 1, TAPS)."""
    fraction = np.arange(kernels.TABLE + 1)[:, None] / kernels.TABLE
    offset = np.arange(kernels.TAPS)[None, :] - (kernels.TAPS // 2 - 1) - fraction
    return _kaiser(offset).astype(np.float32)


def _kaiser(offset: Array) -> Array:
    inside = np.sqrt(np.clip(1 - (2 * offset / kernels.TAPS) ** 2, 0, None))
    return np.asarray(np.i0(_shape() * inside) / np.i0(_shape()) * (np.abs(offset) <= kernels.TAPS / 2))


@functools.lru_cache(maxsize=64)
def _spread_response(fine: int, coarse: int) -> Array:
    """Transform of the spreading window at the coarse grid's frequencies."""
    step = 1 / 256
    offset = np.arange(-kernels.TAPS / 2, kernels.TAPS / 2 + step / 2, step)
    frequency = np.fft.fftfreq(coarse) * coarse / fine
    return np.asarray(np.cos(2 * np.pi * frequency[:, None] * offset) @ _kaiser(offset) * step)


def _filtered(grid: Complex64, band_a: Float32, band_r: Float32) -> Complex64:
    """Band-limited image at the coarse sampling from the spread grid."""
    fine_lines, fine_samples = grid.shape
    lines, samples = band_a.size, band_r.size
    gain_r = (band_r / _spread_response(fine_samples, samples)).astype(np.float32)
    gain_a = (band_a / _spread_response(fine_lines, lines)).astype(np.float32)
    spectrum = _cut(np.fft.fft(grid, axis=1), samples, axis=1) * gain_r
    spectrum = _cut(np.fft.fft(spectrum, axis=0), lines, axis=0) * gain_a[:, None]
    return np.asarray(np.fft.ifft2(spectrum))


def _cut(spectrum: Spectrum, length: int, axis: int) -> Spectrum:
    half = length // 2
    head, tail = [slice(None)] * 2, [slice(None)] * 2
    head[axis], tail[axis] = slice(0, length - half), slice(spectrum.shape[axis] - half, None)
    return np.concatenate([spectrum[tuple(head)], spectrum[tuple(tail)]], axis=axis)


def _band_noise(rng: np.random.Generator, band_a: Float32, band_r: Float32) -> Complex64:
    """Circular Gaussian noise of unit power, white within the band."""
    lines, samples = band_a.size, band_r.size
    parts = rng.standard_normal((lines, samples, 2), dtype=np.float32)
    spectrum = parts.view(np.complex64)[..., 0]
    spectrum *= band_r * np.float32(np.sqrt(0.5 * lines * samples))
    spectrum *= band_a[:, None]
    return np.asarray(np.fft.ifft2(spectrum))
