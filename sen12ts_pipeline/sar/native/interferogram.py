"""Coherence and phase of two flattened images on 20 m cells.

The kernel's gain is one half at a wavelength of 80 m: ``exp(-2 pi^2 sigma^2 / 80^2) = 1/2``, sigma = 14.99 m, the
language of GMTSAR (make_gaussian_filter.c); its equal-area side is 53 m, the paper's "~50 m".
"""

from __future__ import annotations

import functools
import math

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.ports import Float32
from sen12ts_pipeline.sar.native.kernels import gauss
from sen12ts_pipeline.sar.native.lattice import EASTING_STEP_M, HALO_COLS, HALO_ROWS, NORTHING_STEP_M

Complex64 = npt.NDArray[np.complex64]
Float64 = npt.NDArray[np.float64]

KERNEL_WAVELENGTH_M = 80.0
KERNEL_SIGMA_M = KERNEL_WAVELENGTH_M * math.sqrt(math.log(2) / 2) / math.pi
KERNEL_CUT_M = 4 * KERNEL_SIGMA_M
CELL_M = 20.0


@functools.lru_cache(maxsize=4)
def gaussian_taps(step_m: float) -> Float64:
    """Even-length weights at +- step/2, +- 3 step/2, ... within 4 sigma of a cell's centre; their sum is 1."""
    half = round(KERNEL_CUT_M / step_m)
    offset = (np.arange(-half, half) + 0.5) * step_m
    weight = np.exp(-(offset**2) / (2 * KERNEL_SIGMA_M**2))
    return np.asarray(weight / weight.sum())


def estimate(earlier: Complex64, later: Complex64) -> tuple[Float32, Float32]:
    """Coherence and phase of ``later * conj(earlier)``.

    Parameters
    ----------
    earlier, later : complex64 (rows + 10, 2 * cols + 20)
        Flattened samples on the lattice; NaN without data. A sample without data on one date counts on neither.

    Returns
    -------
    coherence, phase : float32 (rows / 2, cols / 2)
        0 to 1 and -pi to pi; NaN where less than half of the kernel's weight is valid.
    """
    east, north = gaussian_taps(EASTING_STEP_M), gaussian_taps(NORTHING_STEP_M)
    rows, cols = (earlier.shape[0] - 2 * HALO_ROWS) // 2, (earlier.shape[1] - 2 * HALO_COLS) // 4
    sums = np.empty((5, earlier.shape[0], cols))
    gauss.cross(earlier, later, east, int(CELL_M / EASTING_STEP_M), sums)
    coherence, phase = np.empty((rows, cols), np.float32), np.empty((rows, cols), np.float32)
    gauss.finish(sums, north, int(CELL_M / NORTHING_STEP_M), coherence, phase)
    return coherence, phase
