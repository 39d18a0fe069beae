"""The radar stack of a triplet, put together from four frames and the terrain of their track."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.domain.layers import BACKSCATTER_RANGE_DB, FRAME_LAYERS, FRAMES, NODATA, S1_LAYERS, S1_MASK
from sen12ts_pipeline.ports import Bool, Float32, Frame, Terrain

INCIDENCE, SLOPE = 16, 17


def s1_stack(frames: Sequence[Frame], terrain: Terrain) -> Float32:
    """The 19 radar layers of a triplet.

    Parameters
    ----------
    frames : sequence of 4 Frame
        Of t, t-1, t-2, t-3: newest first.
    terrain : Terrain
        Of the same grid and track.

    Returns
    -------
    float32 (19, rows, cols)
        Four times VH and VV in dB, -40 to 30, coherence 0 to 1, phase -pi to pi; incidence and slope in degrees; mask:
        0 in shadow, in layover and where any layer has no data, 1 valid. -3000 where nothing could be computed; layers
        keep their values in shadow and layover. Coherence and phase of 20 m cells are repeated 2 x 2.
    """
    _check(frames, terrain)
    stack: Float32 = np.empty((len(S1_LAYERS), *terrain.grid.shape), np.float32)
    for k, frame in enumerate(frames):
        first = k * len(FRAME_LAYERS)
        stack[first] = np.clip(frame.vh, *BACKSCATTER_RANGE_DB)
        stack[first + 1] = np.clip(frame.vv, *BACKSCATTER_RANGE_DB)
        stack[first + 2] = repeat_cells(frame.coherence)
        stack[first + 3] = repeat_cells(frame.phase)
    stack[INCIDENCE], stack[SLOPE] = terrain.incidence, terrain.slope
    has_data = np.isfinite(stack[:S1_MASK])
    stack[S1_MASK] = has_data.all(axis=0) & ~terrain.shadow & ~terrain.layover
    stack[:S1_MASK][~has_data] = NODATA
    return stack


def repeat_cells(cells: Float32) -> Float32:
    """Values of 20 m cells on the 10 m pixels they cover: (rows / 2, cols / 2) to (rows, cols)."""
    return cells.repeat(2, axis=0).repeat(2, axis=1)


def valid_pixels(stack: npt.NDArray[np.float32] | npt.NDArray[np.int16]) -> Bool:
    """Mask of a radar or optical stack, its last layer, as bool: True for valid pixels."""
    valid: Bool = stack[-1] == 1
    return valid


def _check(frames: Sequence[Frame], terrain: Terrain) -> None:
    if len(frames) != FRAMES:
        raise ValueError(f"a radar stack is made of {FRAMES} frames, newest first; got {len(frames)}")
    rows, cols = terrain.grid.shape
    for frame in frames:
        if frame.grid != terrain.grid:
            raise ValueError(f"frames and terrain must have one grid; got {frame.grid} and {terrain.grid}")
        found = frame.vh.shape, frame.vv.shape, frame.coherence.shape, frame.phase.shape
        if found != ((rows, cols), (rows, cols), (rows // 2, cols // 2), (rows // 2, cols // 2)):
            raise ValueError(f"a frame of {rows} x {cols} has layers of other shapes: {found}")
