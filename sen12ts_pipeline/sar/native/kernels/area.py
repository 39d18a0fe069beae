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
    split: int,
    out: Float64,
) -> None:
    """Add the projected area of every lit facet to the bins around its centre.

    height : (m, n) metres, row 0 north, NaN where void. line, sample : (m, n) bin coordinates, bin centres at integers.
    look : (3, m, n) unit vector satellite to ground in east, north, up. dark : (m, n) nodes in shadow.
    step : true metres between nodes, (east, north). split : sub-facets per quad and axis. out : (lines, samples), added
    to.
    """
    rows, cols = height.shape
    area = step[0] * step[1] / (split * split)
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
            for k in range(split):
                v = (k + 0.5) / split
                for m in range(split):
                    u = (m + 0.5) / split
                    near = dark[i + (1 if v > 0.5 else 0), j + (1 if u > 0.5 else 0)]
                    east = ((z01 - z00) * (1 - v) + (z11 - z10) * v) / step[0]
                    north = ((z00 - z10) * (1 - u) + (z01 - z11) * u) / step[1]
                    seen = (east * ux + north * uy - uz) * area
                    if seen <= 0.0 or near:
                        continue
                    a = (line[i, j] * (1 - u) + line[i, j + 1] * u) * (1 - v) + (
                        line[i + 1, j] * (1 - u) + line[i + 1, j + 1] * u
                    ) * v
                    b = (sample[i, j] * (1 - u) + sample[i, j + 1] * u) * (1 - v) + (
                        sample[i + 1, j] * (1 - u) + sample[i + 1, j + 1] * u
                    ) * v
                    la, sb = math.floor(a), math.floor(b)
                    if la < 0 or sb < 0 or la + 1 >= out.shape[0] or sb + 1 >= out.shape[1]:
                        continue
                    fa, fb = a - la, b - sb
                    out[la, sb] += seen * (1 - fa) * (1 - fb)
                    out[la, sb + 1] += seen * (1 - fa) * fb
                    out[la + 1, sb] += seen * fa * (1 - fb)
                    out[la + 1, sb + 1] += seen * fa * fb


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
