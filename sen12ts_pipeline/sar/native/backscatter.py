"""gamma0 of 10 m pixels from the samples of the lattice."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.domain.layers import BACKSCATTER_RANGE_DB
from sen12ts_pipeline.ports import Float32
from sen12ts_pipeline.sar.native.lattice import HALO_COLS, HALO_ROWS

Float64 = npt.NDArray[np.float64]


def gamma0_db(power: Float32, noise: Float32, factor: Float32) -> tuple[Float32, int]:
    """Terrain-flattened backscatter in dB.

    Mean power of a pixel's two samples, less the mean thermal noise, times the terrain factor; only then is a power at
    or below zero set to the floor, for cutting single samples would brighten dark areas.

    Parameters
    ----------
    power, noise : float32 (rows + 10, 2 * cols + 20)
        beta nought of the samples and of their thermal noise; NaN without data.
    factor : float32 (rows, cols)
        gamma0 / beta0.

    Returns
    -------
    gamma0 : float32 (rows, cols)
        dB, -40 to 30; NaN without data.
    floored : int
        Pixels set to the floor.
    """
    low, high = BACKSCATTER_RANGE_DB
    signal = _pixels(power) - _pixels(noise)
    gamma0 = signal * factor.astype(float)
    known = np.isfinite(gamma0)
    floor = 10.0 ** (low / 10)
    below = known & (gamma0 < floor)
    with np.errstate(invalid="ignore"):
        decibel = 10.0 * np.log10(np.where(below | ~known, floor, gamma0))
    decibel = np.where(known, np.clip(decibel, low, high), np.nan)
    return decibel.astype(np.float32), int(below.sum())


def _pixels(samples: Float32) -> Float64:
    inner = samples[HALO_ROWS:-HALO_ROWS, HALO_COLS:-HALO_COLS].astype(float)
    return np.asarray((inner[:, 0::2] + inner[:, 1::2]) / 2)
