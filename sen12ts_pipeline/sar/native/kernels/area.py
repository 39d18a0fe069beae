"""Area projection: ground area of every radar bin, seen along the line of sight (Small 2011; Shiroma et al. 2022)."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]


@njit(nogil=True, cache=True)
def accumulate(
    height: Float64,
    line: Float64,
    sample: Float64,
    look: Float64,
    dark: Bool,
    step: tuple[float, float],
    split: tuple[int, int],
    out: Float64,
) -> None:
    """Add the projected area of every lit facet to the bins around its centre.

    height : (m, n) metres, row 0 north, NaN where void. line, sample : (m, n) bin coordinates, bin centres at integers.
    look : (3, m, n) unit vector satellite to ground in east, north, up. dark : (m, n) nodes in shadow. step : true
    metres between nodes, (east, north). split : sub-facets per quad, southwards and eastwards. out : (lines, samples),
    added to.
    """
    rows, cols = height.shape
    area, down, over = step[0] * step[1] / (split[0] * split[1]), 1.0 / split[0], 1.0 / split[1]
    last_line, last_sample = out.shape[0] - 1, out.shape[1] - 1
    for i in range(rows - 1):
        for j in range(cols - 1):
            z00, z01, z10, z11 = height[i, j], height[i, j + 1], height[i + 1, j], height[i + 1, j + 1]
            if not math.isfinite(z00 + z01 + z10 + z11):
                continue
            if dark[i, j] and dark[i, j + 1] and dark[i + 1, j] and dark[i + 1, j + 1]:
                continue
            ux = 0.25 * (look[0, i, j] + look[0, i, j + 1] + look[0, i + 1, j] + look[0, i + 1, j + 1])
            uy = 0.25 * (look[1, i, j] + look[1, i, j + 1] + look[1, i + 1, j] + look[1, i + 1, j + 1])
            uz = 0.25 * (look[2, i, j] + look[2, i, j + 1] + look[2, i + 1, j] + look[2, i + 1, j + 1])
            for k in range(split[0]):
                v = (k + 0.5) * down
                below = 1 if v > 0.5 else 0
                a0, a1 = _between(line[i, j], line[i + 1, j], v), _between(line[i, j + 1], line[i + 1, j + 1], v)
                b0, b1 = (
                    _between(sample[i, j], sample[i + 1, j], v),
                    _between(sample[i, j + 1], sample[i + 1, j + 1], v),
                )
                up_east = _between(z01 - z00, z11 - z10, v) / step[0] * ux - uz
                for m in range(split[1]):
                    u = (m + 0.5) * over
                    seen = (up_east + _between(z00 - z10, z01 - z11, u) / step[1] * uy) * area
                    if seen <= 0.0 or dark[i + below, j + (1 if u > 0.5 else 0)]:
                        continue
                    a, b = _between(a0, a1, u), _between(b0, b1, u)
                    if a < 0.0 or b < 0.0 or a >= last_line or b >= last_sample:
                        continue
                    la, sb = int(a), int(b)
                    fa, fb = a - la, b - sb
                    near, far = seen * (1.0 - fa), seen * fa
                    out[la, sb] += near * (1.0 - fb)
                    out[la, sb + 1] += near * fb
                    out[la + 1, sb] += far * (1.0 - fb)
                    out[la + 1, sb + 1] += far * fb


@njit(nogil=True, cache=True, inline="always")
def _between(first: float, second: float, share: float) -> float:
    return first + (second - first) * share


@njit(nogil=True, cache=True)
def look_up(bins: Float64, line: Float64, sample: Float64, out: Float64) -> None:
    """Bilinear value of the bins at (line, sample), all (m, n); NaN outside or where a coordinate is NaN."""
    for i in range(line.shape[0]):
        for j in range(line.shape[1]):
            a, b = line[i, j], sample[i, j]
            out[i, j] = np.nan
            if not math.isfinite(a + b):
                continue
            la, sb = math.floor(a), math.floor(b)
            if la < 0 or sb < 0 or la + 1 >= bins.shape[0] or sb + 1 >= bins.shape[1]:
                continue
            fa, fb = a - la, b - sb
            out[i, j] = (bins[la, sb] * (1 - fb) + bins[la, sb + 1] * fb) * (1 - fa) + (
                bins[la + 1, sb] * (1 - fb) + bins[la + 1, sb + 1] * fb
            ) * fa
