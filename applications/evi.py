"""The enhanced vegetation index."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.domain.layers import NODATA, S2_LAYERS

BLUE, RED, NIR = (S2_LAYERS.index(name) for name in ("B02", "B04", "B08"))


def evi_of(s2: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
    """EVI of an optical stack, equation (1) of Conlon and Rustowicz (2022).

    Parameters
    ----------
    s2 : int16 (14, rows, cols)
        Reflectance x 10,000.

    Returns
    -------
    float32 (rows, cols)
        ``2.5 (NIR - RED) / (NIR + 6 RED - 7.5 BLUE + 10000)``, clipped to -1..1; NaN without data.
    """
    blue, red, nir = (s2[k].astype(np.float32) for k in (BLUE, RED, NIR))
    below = nir + 6.0 * red - 7.5 * blue + 10_000.0
    with np.errstate(divide="ignore", invalid="ignore"):
        index = np.clip(2.5 * (nir - red) / below, -1.0, 1.0)
    missing = (s2[[BLUE, RED, NIR]] == NODATA).any(axis=0) | (below == 0)
    return np.where(missing, np.float32(np.nan), index).astype(np.float32)
