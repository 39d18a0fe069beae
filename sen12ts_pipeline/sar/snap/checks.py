"""What must hold of products whose making ended well: gpt ends well without heights, orbit or data, too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline import xml
from sen12ts_pipeline.domain.lattice import Grid
from sen12ts_pipeline.errors import EngineFailure, Rejected
from sen12ts_pipeline.ports import Bool, Float32
from sen12ts_pipeline.sar.snap.dimap import Raster

Float64 = npt.NDArray[np.float64]

LARGEST_MISSING_SHARE, LARGEST_EXCESS_SHARE = 0.05, 0.01
LARGEST_HEIGHT_BIAS_M = 3.0
"""A geoid that is left out or added twice is tens of metres."""
_ROUNDING = 1e-3


def on_grid(raster: Raster, grid: Grid, what: str) -> tuple[Float32, ...]:
    """Layers of a raster on a grid, NaN beyond it; EngineFailure when their pixels are not the grid's to the metre."""
    try:
        return raster.on(grid)
    except ValueError as error:
        raise EngineFailure("gpt", what, f"pixels must be those of the lattice of 10 m: {error}") from None


def check_heights(used: Float32, heights: Float64, what: str) -> None:
    """Refuse geocoding by other heights than the native geometry's: another datum, or no model at all.

    used, heights : (rows, cols), metres above the ellipsoid; NaN where unknown.
    """
    known = np.isfinite(used) & np.isfinite(heights)
    bias = float(np.median(used[known] - heights[known])) if known.any() else 0.0
    if abs(bias) > LARGEST_HEIGHT_BIAS_M:
        reason = f"heights that were used lie {bias:+.1f} m off the model's, at most {LARGEST_HEIGHT_BIAS_M:g} m may be"
        raise EngineFailure("gpt", what, reason)


def check_filled(layer: Float32, valid: Bool, subject: str) -> None:
    """Refuse a layer that lacks data on more than a twentieth of the valid ground.

    A layer of nothing is a failure that was found before; this is ground of which SNAP leaves out more than the native
    geometry, or a tile of its image that went lost. Rejected, rule ``snap_gaps``.
    """
    missing, whole = int((valid & np.isnan(layer)).sum()), int(valid.sum())
    if missing > LARGEST_MISSING_SHARE * whole:
        allowed = f"at most {LARGEST_MISSING_SHARE:.0%} may"
        raise Rejected("snap_gaps", subject, f"{missing} of {whole} valid pixels have no data, {allowed}")


def check_powers(interferogram: Sequence[Float32], powers: Sequence[Float32], what: str) -> None:
    """Refuse powers that are not those of the interferogram's samples: no product may exceed its factors."""
    crossed = sum(part.astype(float) ** 2 for part in interferogram)
    limit = np.prod([power.astype(float) for power in powers], axis=0) * (1 + _ROUNDING)
    with np.errstate(invalid="ignore"):
        beyond = int((crossed > limit).sum())
    if beyond > LARGEST_EXCESS_SHARE * limit.size:
        raise EngineFailure("gpt", what, f"the interferogram exceeds both powers in {beyond} of {limit.size} pixels")


def check_orbits(dim: Path, expected: Sequence[str], what: str) -> None:
    """Refuse a product to which another orbit file was applied: SNAP takes a restituted one where it finds no precise.

    expected : names of files; none of them empty.
    """
    root = xml.parse(dim.read_bytes(), product=dim.name, member="")
    said = [(e.text or "").strip() for e in root.iterfind(".//MDATTR[@name='orbit_state_vector_file']")]
    for name in expected:
        if not any(name.removesuffix(".EOF") in text for text in said):
            raise EngineFailure("gpt", what, f"orbit file {name} must be applied; applied are {said or 'none'}")
