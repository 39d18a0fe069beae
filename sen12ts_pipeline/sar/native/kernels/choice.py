"""One burst for every lattice sample of a subswath: the largest margin to the valid edge in azimuth."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

Float64 = npt.NDArray[np.float64]
UInt8 = npt.NDArray[np.uint8]

NONE = 255


@njit(nogil=True, cache=True)
def claim(
    line: Float64,
    sample: Float64,
    index: int,
    window: tuple[float, float, float, float],
    azimuth: Float64,
    distance: Float64,
    out: UInt8,
) -> None:
    """Let one burst claim the samples where no earlier one has a larger margin.

    line, sample : (m, n) position in the burst. window : first line, last line, first sample, last sample that may be
    used. azimuth, distance : (m, n) margins of the winner so far, in lines and samples, updated. out : index of the
    winner, NONE where there is none.
    """
    for i in range(line.shape[0]):
        for j in range(line.shape[1]):
            az = min(line[i, j] - window[0], window[1] - line[i, j])
            rg = min(sample[i, j] - window[2], window[3] - sample[i, j])
            if az >= 0.0 and rg >= 0.0 and (out[i, j] == NONE or az > azimuth[i, j]):
                out[i, j] = index
                azimuth[i, j] = az
                distance[i, j] = rg
