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


_WHOLE = 1.5 * 2.0**52
"""Added and taken off again, it leaves the nearest whole number of a float64, and loops with it are vectorised."""


@njit(nogil=True, cache=True, inline="always")
def _cis(cycles: float) -> tuple[np.float32, np.float32]:
    """Cosine and sine of 2 pi cycles to 4e-7: Taylor polynomials of half the angle, within +-pi/2, then doubled."""
    turn = cycles - ((cycles + _WHOLE) - _WHOLE)
    x = np.float32(turn * math.pi)
    x2 = x * x
    s = x * (
        np.float32(1.0)
        + x2
        * (
            np.float32(-1 / 6)
            + x2
            * (
                np.float32(1 / 120)
                + x2 * (np.float32(-1 / 5040) + x2 * (np.float32(1 / 362880) + x2 * np.float32(-1 / 39916800)))
            )
        )
    )
    c = np.float32(1.0) + x2 * (
        np.float32(-1 / 2)
        + x2
        * (
            np.float32(1 / 24)
            + x2
            * (
                np.float32(-1 / 720)
                + x2 * (np.float32(1 / 40320) + x2 * (np.float32(-1 / 3628800) + x2 * np.float32(1 / 479001600)))
            )
        )
    )
    return np.float32(1.0) - np.float32(2.0) * s * s, np.float32(2.0) * s * c


@njit(nogil=True, cache=True, inline="always")
def _quadratic(c: Float64, x: float) -> float:
    return float(c[0] + x * (c[1] + x * c[2]))


@njit(nogil=True, cache=True)
def deramp(raw: Numbers, scale: tuple[float, float, float, float], carrier: Float64, out: Float32) -> None:
    """Take the TOPS carrier off the samples of all polarisations.

    The carrier is ``k_t / 2 (eta - eta_ref)^2 + f_dc (eta - eta_ref)`` cycles (Miranda 2017). raw : (polarisations,
    lines, samples, 2) real and imaginary numbers. scale : time of the first line from the burst's middle and line step
    (s), scaled range coordinate of the first sample and step. carrier : (3, 3) quadratics in that coordinate of k_t
    (Hz/s), eta_ref (s) and f_dc (Hz). out : (lines, samples, 2 * polarisations).
    """
    eta0, dt, x0, dx = scale
    samples = raw.shape[2]
    half_kt, ref, fdc = np.empty(samples), np.empty(samples), np.empty(samples)
    for j in range(samples):
        x = x0 + j * dx
        half_kt[j] = 0.5 * _quadratic(carrier[0], x)
        ref[j], fdc[j] = _quadratic(carrier[1], x), _quadratic(carrier[2], x)
    cosine, sine = np.empty(samples, np.float32), np.empty(samples, np.float32)
    for i in range(raw.shape[1]):
        eta = eta0 + i * dt
        for j in range(samples):
            d = eta - ref[j]
            cosine[j], sine[j] = _cis(d * (half_kt[j] * d + fdc[j]))
        for p in range(raw.shape[0]):
            numbers, row = raw[p, i], out[i]
            for j in range(samples):
                a, b = np.float32(numbers[j, 0]), np.float32(numbers[j, 1])
                row[j, 2 * p] = a * cosine[j] + b * sine[j]
                row[j, 2 * p + 1] = b * cosine[j] - a * sine[j]


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
def bounds(line: Float64, position: Float64, chosen: UInt8, index: int) -> tuple[float, float, float, float]:
    """Smallest and largest line and position (m, n) where `chosen` is `index`; the smallest is infinite if nowhere."""
    top, bottom, left, right = np.inf, -np.inf, np.inf, -np.inf
    for i in range(line.shape[0]):
        for j in range(line.shape[1]):
            if chosen[i, j] == index:
                a, b = line[i, j], position[i, j]
                top, bottom = a if a < top else top, a if a > bottom else bottom
                left, right = b if b < left else left, b if b > right else right
    return top, bottom, left, right


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

    values : (m, n, width) of `sample`. distance : (m, n) slant range, metres. scale, carrier : as of `deramp`. out :
    (m, n); left alone elsewhere.
    """
    eta0, dt, x0, dx = scale
    kt, ref, fdc = carrier[0], carrier[1], carrier[2]
    turns = 2.0 / wavelength
    cols = line.shape[1]
    cosine, sine = np.empty(cols, np.float32), np.empty(cols, np.float32)
    for i in range(line.shape[0]):
        lines, positions, distances = line[i], position[i], distance[i]
        for j in range(cols):
            x = x0 + positions[j] * dx
            d = eta0 + lines[j] * dt - _quadratic(ref, x)
            cycles = d * (0.5 * _quadratic(kt, x) * d + _quadratic(fdc, x))
            cosine[j], sine[j] = _cis(cycles + distances[j] * turns)
        for j in range(cols):
            if chosen[i, j] == index:
                a, b = values[i, j, 0], values[i, j, 1]
                out[i, j] = complex(a * cosine[j] - b * sine[j], a * sine[j] + b * cosine[j])


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
    scale = np.empty(beta.shape[0])
    for b in range(beta.shape[0]):
        scale[b] = 1.0 / (beta[b] * beta[b])
    last_line, last_sample = float(azimuth.shape[0] - 1), float(distance.shape[0] - 1)
    for i in range(line.shape[0]):
        lines, positions, row = line[i], position[i], chosen[i]
        for j in range(row.shape[0]):
            if row[j] != index or not math.isfinite(lines[j] + positions[j]):
                continue
            a = int(min(max(lines[j] + 0.5, 0.0), last_line))
            b = int(min(max(positions[j] + 0.5, 0.0), last_sample))
            re, im = values[i, j, 2 * polarisation], values[i, j, 2 * polarisation + 1]
            power[i, j] = (re * re + im * im) * scale[b]
            noise[i, j] = azimuth[a] * distance[b] * scale[b]
