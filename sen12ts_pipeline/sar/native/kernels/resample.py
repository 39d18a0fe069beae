"""Sampling a burst at arbitrary positions: deramp, 8 x 8 taps, reramp and flatten.

Phases are kept in cycles as float64, reduced, and only then turned into float32 sines: the carrier runs through
thousands of cycles. All polarisations lie side by side in one block, so that a row of taps is one run of numbers; sums
are written out in a fixed order, so that they are vectorised without reordering anything.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

Complex64 = npt.NDArray[np.complex64]
Float64 = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int16] | Float32
Int32 = npt.NDArray[np.int32]
UInt8 = npt.NDArray[np.uint8]

TAPS = 8
FRACTIONS = 512


@njit(nogil=True, cache=True, inline="always")
def _cis(cycles: float) -> tuple[np.float32, np.float32]:
    """Cosine and sine of 2 pi cycles to 3e-7: quarter-turn reduction and Taylor polynomials on +-1/8 turn."""
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
        return c, s
    if q == 1:
        return -s, c
    if q == 2:
        return -c, -s
    return s, -c


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
def deramp(raw: Numbers, scale: tuple[float, float, float, float], carrier: Float64, out: Float32) -> int:
    """Take the carrier off the samples of all polarisations.

    raw : (polarisations, lines, samples, 2) real and imaginary numbers. scale : time of the first line from the burst's
    middle and line step (s), scaled range coordinate of the first sample and step. out : (lines, samples,
    2 * polarisations). Returns how many samples are exactly zero in some polarisation.
    """
    eta0, dt, x0, dx = scale
    holes = 0
    for i in range(raw.shape[1]):
        eta = eta0 + i * dt
        for j in range(raw.shape[2]):
            c, s = _cis(-_carrier(eta, x0 + j * dx, carrier))
            hole = 0
            for p in range(raw.shape[0]):
                a, b = np.float32(raw[p, i, j, 0]), np.float32(raw[p, i, j, 1])
                out[i, j, 2 * p] = a * c - b * s
                out[i, j, 2 * p + 1] = a * s + b * c
                hole |= int(a == 0 and b == 0)
            holes += hole
    return holes


@njit(nogil=True, cache=True)
def count_holes(raw: Numbers, out: Int32) -> None:
    """Summed-area table (lines + 1, samples + 1) of the samples that are exactly zero in some polarisation.

    out : zeros when called.
    """
    for i in range(raw.shape[1]):
        row = 0
        for j in range(raw.shape[2]):
            hole = 0
            for p in range(raw.shape[0]):
                hole |= int(raw[p, i, j, 0] == 0 and raw[p, i, j, 1] == 0)
            row += hole
            out[i + 1, j + 1] = out[i, j + 1] + row


@njit(nogil=True, cache=True)
def sample(
    block: Float32,
    holes: Int32,
    line: Float64,
    position: Float64,
    chosen: UInt8,
    index: int,
    azimuth_taps: Float32,
    range_taps: Float32,
    out: Float32,
) -> None:
    """Values of one burst where `chosen` is `index`, still without their carrier.

    block : (lines, samples, width) deramped. holes : summed-area table, or (1, 1) when there are too few to matter.
    line, position : (m, n) in the block. *_taps : (FRACTIONS + 1, TAPS). out : (m, n, width), NaN where a tap lies
    outside the block or more than half of the taps are holes; left alone elsewhere.
    """
    lines, samples, width = block.shape
    flat, stride, run = block.reshape(-1), samples * width, TAPS * width
    column = np.empty(run, np.float32)
    for i in range(line.shape[0]):
        for j in range(line.shape[1]):
            if chosen[i, j] != index:
                continue
            a, b = line[i, j], position[i, j]
            known = math.isfinite(a + b)
            la, sb = (math.floor(a), math.floor(b)) if known else (0, 0)
            top, left = la - TAPS // 2 + 1, sb - TAPS // 2 + 1
            known = known and top >= 0 and left >= 0 and top + TAPS <= lines and left + TAPS <= samples
            if known and holes.shape[0] > 1:
                low, right = top + TAPS, left + TAPS
                inside = holes[low, right] - holes[top, right] - holes[low, left] + holes[top, left]
                known = 2 * inside <= TAPS * TAPS
            if not known:
                out[i, j, :] = np.nan
                continue
            w = azimuth_taps[int((a - la) * FRACTIONS + 0.5)]
            w0, w1, w2, w3, w4, w5, w6, w7 = w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7]
            o = top * stride + left * width
            r0, r1 = flat[o : o + run], flat[o + stride : o + stride + run]
            r2, r3 = flat[o + 2 * stride : o + 2 * stride + run], flat[o + 3 * stride : o + 3 * stride + run]
            r4, r5 = flat[o + 4 * stride : o + 4 * stride + run], flat[o + 5 * stride : o + 5 * stride + run]
            r6, r7 = flat[o + 6 * stride : o + 6 * stride + run], flat[o + 7 * stride : o + 7 * stride + run]
            for k in range(run):
                column[k] = ((w0 * r0[k] + w1 * r1[k]) + (w2 * r2[k] + w3 * r3[k])) + (
                    (w4 * r4[k] + w5 * r5[k]) + (w6 * r6[k] + w7 * r7[k])
                )
            q = range_taps[int((b - sb) * FRACTIONS + 0.5)]
            for c in range(width):
                out[i, j, c] = (
                    (q[0] * column[c] + q[1] * column[width + c])
                    + (q[2] * column[2 * width + c] + q[3] * column[3 * width + c])
                ) + (
                    (q[4] * column[4 * width + c] + q[5] * column[5 * width + c])
                    + (q[6] * column[6 * width + c] + q[7] * column[7 * width + c])
                )


@njit(nogil=True, cache=True)
def flatten(
    values: Float32,
    line: Float64,
    position: Float64,
    distance: Float64,
    chosen: UInt8,
    index: int,
    scale: tuple[float, float, float, float],
    carrier: Float64,
    wavelength: float,
    out: Complex64,
) -> None:
    """Restore the carrier of the first polarisation's values and take off their range phase, 4 pi R / lambda.

    values : (m, n, width) of `sample`. distance : (m, n) slant range, metres. out : (m, n); left alone elsewhere.
    """
    eta0, dt, x0, dx = scale
    for i in range(line.shape[0]):
        for j in range(line.shape[1]):
            if chosen[i, j] != index:
                continue
            a, b = values[i, j, 0], values[i, j, 1]
            if not math.isfinite(a):
                out[i, j] = complex(np.nan, np.nan)
                continue
            cycles = _carrier(eta0 + line[i, j] * dt, x0 + position[i, j] * dx, carrier)
            c, s = _cis(cycles + 2.0 * distance[i, j] / wavelength)
            out[i, j] = complex(a * c - b * s, a * s + b * c)


@njit(nogil=True, cache=True)
def powers(
    values: Float32,
    line: Float64,
    position: Float64,
    chosen: UInt8,
    index: int,
    azimuth: Float64,
    distance: Float64,
    beta: Float64,
    polarisation: int,
    power: Float32,
    noise: Float32,
) -> None:
    """Turn values of one polarisation into beta nought, and their thermal noise too.

    azimuth, distance : noise vectors over the block's lines and samples (squared digital numbers). beta : calibration
    vector over its samples. power, noise : (m, n); left alone elsewhere.
    """
    for i in range(line.shape[0]):
        for j in range(line.shape[1]):
            if chosen[i, j] != index or not math.isfinite(line[i, j] + position[i, j]):
                continue
            a = min(max(int(line[i, j] + 0.5), 0), azimuth.shape[0] - 1)
            b = min(max(int(position[i, j] + 0.5), 0), distance.shape[0] - 1)
            scale = 1.0 / (beta[b] * beta[b])
            re, im = values[i, j, 2 * polarisation], values[i, j, 2 * polarisation + 1]
            power[i, j] = (re * re + im * im) * scale
            noise[i, j] = azimuth[a] * distance[b] * scale
