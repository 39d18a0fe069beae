"""Sampling a burst at arbitrary positions: deramp, 8 x 8 taps, reramp and flatten.

Phases are kept in cycles as float64, reduced, and only then turned into float32 sines: the carrier runs through
thousands of cycles.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

Complex64 = npt.NDArray[np.complex64]
Float64 = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
UInt8 = npt.NDArray[np.uint8]

TAPS = 8
FRACTIONS = 512


@njit(nogil=True, cache=True, inline="always")
def _cis(cycles: float) -> complex:
    """exp(2j pi cycles) to 3e-7: quarter-turn reduction and Taylor polynomials on +-1/8 turn."""
    turn = cycles - math.floor(cycles + 0.5)
    quarter = math.floor(4.0 * turn + 0.5)
    x = np.float32((turn - 0.25 * quarter) * 6.283185307179586)
    x2 = x * x
    s = x * (
        np.float32(1.0)
        + x2 * (np.float32(-0.16666667) + x2 * (np.float32(0.008333333) + x2 * np.float32(-0.00019841270)))
    )
    c = np.float32(1.0) + x2 * (
        np.float32(-0.5)
        + x2 * (np.float32(0.041666668) + x2 * (np.float32(-0.0013888889) + x2 * np.float32(0.000024801587)))
    )
    q = int(quarter) & 3
    if q == 0:
        return complex(c, s)
    if q == 1:
        return complex(-s, c)
    if q == 2:
        return complex(-c, -s)
    return complex(s, -c)


@njit(nogil=True, cache=True, inline="always")
def _carrier(eta: float, x: float, carrier: Float64) -> float:
    """TOPS carrier in cycles (Miranda 2017): k_t / 2 (eta - eta_ref)^2 + f_dc (eta - eta_ref).

    carrier : (3, 3) quadratics in x of k_t (Hz/s), eta_ref (s), f_dc (Hz).
    """
    kt = carrier[0, 0] + x * (carrier[0, 1] + x * carrier[0, 2])
    ref = carrier[1, 0] + x * (carrier[1, 1] + x * carrier[1, 2])
    fdc = carrier[2, 0] + x * (carrier[2, 1] + x * carrier[2, 2])
    d = eta - ref
    return float(d * (0.5 * kt * d + fdc))


@njit(nogil=True, cache=True)
def deramp(block: Complex64, eta0: float, dt: float, x0: float, dx: float, carrier: Float64) -> None:
    """Take the carrier off a block (lines, samples) in place.

    eta0, dt : time of the first line from the burst's middle, and line step, seconds. x0, dx : scaled range coordinate
    of the first sample, and step.
    """
    for i in range(block.shape[0]):
        eta = eta0 + i * dt
        for j in range(block.shape[1]):
            block[i, j] *= np.complex64(_cis(-_carrier(eta, x0 + j * dx, carrier)))


@njit(nogil=True, cache=True)
def sample_complex(
    block: Complex64,
    line: Float64,
    sample: Float64,
    distance: Float64,
    chosen: UInt8,
    index: int,
    azimuth_taps: Float32,
    range_taps: Float32,
    scale: tuple[float, float, float, float],
    carrier: Float64,
    wavelength: float,
    out: Complex64,
) -> None:
    """Samples of one burst, carrier restored and range phase removed, where `chosen` is `index`.

    block : (lines, samples) deramped. line, sample : (m, n) positions in the block. distance : (m, n) slant range,
    metres. *_taps : (FRACTIONS + 1, TAPS). scale : eta0, dt, x0, dx as in `deramp`. out : (m, n), NaN where a tap lies
    outside the block or more than half of the taps are exactly zero; left alone elsewhere.
    """
    eta0, dt, x0, dx = scale
    nan = np.complex64(complex(np.nan, np.nan))
    for i in range(line.shape[0]):
        for j in range(line.shape[1]):
            if chosen[i, j] != index:
                continue
            a, b = line[i, j], sample[i, j]
            value, zeros = _interpolate(block, a, b, azimuth_taps, range_taps)
            if zeros * 2 > TAPS * TAPS:
                out[i, j] = nan
                continue
            cycles = _carrier(eta0 + a * dt, x0 + b * dx, carrier) + 2.0 * distance[i, j] / wavelength
            out[i, j] = value * np.complex64(_cis(cycles))


@njit(nogil=True, cache=True)
def sample_power(
    block: Complex64,
    line: Float64,
    sample: Float64,
    chosen: UInt8,
    index: int,
    azimuth_taps: Float32,
    range_taps: Float32,
    out: Float32,
) -> None:
    """Power of samples of one burst where `chosen` is `index`; arguments as in `sample_complex`."""
    for i in range(line.shape[0]):
        for j in range(line.shape[1]):
            if chosen[i, j] != index:
                continue
            value, zeros = _interpolate(block, line[i, j], sample[i, j], azimuth_taps, range_taps)
            if zeros * 2 > TAPS * TAPS:
                out[i, j] = np.nan
            else:
                out[i, j] = value.real * value.real + value.imag * value.imag


@njit(nogil=True, cache=True, inline="always")
def _interpolate(
    block: Complex64, line: float, sample: float, azimuth_taps: Float32, range_taps: Float32
) -> tuple[np.complex64, int]:
    """Value at a position, and how many of the taps were exactly zero (all of them outside the block)."""
    zero = np.complex64(0.0)
    if not math.isfinite(line + sample):
        return zero, TAPS * TAPS
    a, b = math.floor(line), math.floor(sample)
    top, left = a - TAPS // 2 + 1, b - TAPS // 2 + 1
    if top < 0 or left < 0 or top + TAPS > block.shape[0] or left + TAPS > block.shape[1]:
        return zero, TAPS * TAPS
    ka = int((line - a) * FRACTIONS + 0.5)
    kb = int((sample - b) * FRACTIONS + 0.5)
    total, zeros = zero, 0
    for i in range(TAPS):
        row = zero
        for j in range(TAPS):
            v = block[top + i, left + j]
            if v == zero:
                zeros += 1
            row += v * range_taps[kb, j]
        total += row * azimuth_taps[ka, i]
    return total, zeros


@njit(nogil=True, cache=True)
def noise_power(
    line: Float64, sample: Float64, chosen: UInt8, index: int, azimuth: Float64, distance: Float64, out: Float32
) -> None:
    """Thermal noise (squared digital numbers) at positions in a block: range vector times azimuth vector."""
    for i in range(line.shape[0]):
        for j in range(line.shape[1]):
            if chosen[i, j] != index or not math.isfinite(line[i, j] + sample[i, j]):
                continue
            a = min(max(int(line[i, j] + 0.5), 0), azimuth.shape[0] - 1)
            b = min(max(int(sample[i, j] + 0.5), 0), distance.shape[0] - 1)
            out[i, j] = azimuth[a] * distance[b]
