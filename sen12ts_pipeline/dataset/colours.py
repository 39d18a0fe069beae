"""Layers to colours: uint8 pictures (rows, cols, 3) that look the same on every machine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.dataset.classes import RGB, Table, rgb_of_code
from sen12ts_pipeline.domain.layers import NODATA, S2_BANDS
from sen12ts_pipeline.ports import Float32, Int16, UInt8

NOTHING: RGB = (46, 48, 54)
"""Where a layer has no data."""

VV_RANGE_DB, VH_RANGE_DB, RATIO_RANGE_DB = (-22.0, -2.0), (-28.0, -8.0), (2.0, 16.0)
COHERENCE = ((10, 12, 32), (38, 54, 112), (42, 112, 142), (72, 170, 138), (178, 214, 96), (252, 246, 176))
PHASE = ((168, 120, 13), (212, 72, 70), (208, 62, 165), (122, 116, 238), (32, 148, 186), (40, 158, 92), (168, 120, 13))
"""Both ends are the same: -pi and pi."""

REFLECTANCE_QUANTILES = (0.005, 0.99)
MIN_REFLECTANCE_SPAN = 900.0

Float = npt.NDArray[np.floating]


def backscatter(vh: Float32, vv: Float32) -> UInt8:
    """False colour of backscatter in dB: red VV, green VH, blue the ratio VV / VH."""
    has_data = (vh != NODATA) & (vv != NODATA)
    channels = _unit(vv, *VV_RANGE_DB), _unit(vh, *VH_RANGE_DB), _unit(vv - vh, *RATIO_RANGE_DB)
    return _with_nothing(_bytes(np.stack(channels, axis=-1)), has_data)


def coherence(layer: Float32) -> UInt8:
    """Coherence from dark, 0, to light, 1."""
    return _with_nothing(gradient(COHERENCE, layer), layer != NODATA)


def phase(layer: Float32) -> UInt8:
    """Phase, -pi to pi, on a closed circle of colours."""
    return _with_nothing(gradient(PHASE, (layer + np.pi) / (2 * np.pi)), layer != NODATA)


def true_colour(stack: Int16) -> UInt8:
    """Natural colours of an optical stack; one stretch for all three bands, so that hues stay true."""
    bands = stack[[S2_BANDS.index(band) for band in ("B04", "B03", "B02")]]
    has_data = (bands != NODATA).all(axis=0)
    values = bands[:, has_data]
    low, high = np.quantile(values, REFLECTANCE_QUANTILES) if values.size else (0.0, MIN_REFLECTANCE_SPAN)
    stretched = _unit(np.moveaxis(bands, 0, -1), low, max(high, low + MIN_REFLECTANCE_SPAN))
    return _with_nothing(_bytes(stretched ** (1 / 1.25)), has_data)


def label(codes: Int16, classes: Table) -> UInt8:
    """Codes in the colours of their classes."""
    picture: UInt8 = np.empty((*codes.shape, 3), np.uint8)
    for code in np.unique(codes).tolist():
        colour = classes[code].rgb if code in classes else NOTHING if code == NODATA else rgb_of_code(code)
        picture[codes == code] = colour
    return picture


def gradient(colours: Sequence[RGB], position: Float) -> UInt8:
    """Colours between evenly spaced anchors; position 0 to 1."""
    anchors = np.linspace(0.0, 1.0, len(colours))
    clipped = np.clip(position, 0.0, 1.0)
    channels = [np.interp(clipped, anchors, [colour[k] for colour in colours]) for k in range(3)]
    picture: UInt8 = np.rint(np.stack(channels, axis=-1)).astype(np.uint8)
    return picture


def _unit(values: npt.NDArray[np.generic], low: float, high: float) -> Float:
    scaled: Float = np.clip((values.astype(np.float64) - low) / (high - low), 0.0, 1.0)
    return scaled


def _bytes(unit: Float) -> UInt8:
    picture: UInt8 = np.rint(unit * 255).astype(np.uint8)
    return picture


def _with_nothing(picture: UInt8, has_data: npt.NDArray[np.bool_]) -> UInt8:
    picture[~has_data] = NOTHING
    return picture
