"""The network of ukis-csmask (Wieland et al. 2019, doi:10.1016/j.rse.2019.05.022), with the weights of its wheel."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib import metadata, util
from pathlib import Path

import numpy as np

from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.ports import Bool, EngineIdentity, Float32, Int16
from sen12ts_pipeline.sentinel2.masks import dilated, has_data

NAMES = {"B02": "blue", "B03": "green", "B04": "red", "B08": "nir", "B11": "swir16", "B12": "swir22"}
CLEAR = 0
WINDOW = 256
"""Edge of the network's input, pixels."""
WIDTH = 1536
"""Columns that are judged at once: bounds the memory, of which the package takes 2 kB a pixel."""


class CsmaskMasker:
    """Cloud and cloud shadow by a convolutional network over 4 or 6 bands; implements `ports.CloudMasker`.

    Windows of 256 pixels overlap by a fifth and are blended. One thread computes, on the processor: numbers then depend
    on the version of onnxruntime and, in pixels that the network holds for a toss-up, on the kind of processor.

    Parameters
    ----------
    bands : int
        4 (blue, green, red, near infrared) or 6 (with both of short-wave infrared).
    dilation_m : int
        Cloud and shadow grow by this distance.

    Raises
    ------
    ConfigurationError
        When the package is not installed.
    """

    context = WINDOW // 2

    def __init__(self, bands: int = 6, dilation_m: int = 0) -> None:
        self.bands = tuple(NAMES)[:bands]
        self._dilation_m = dilation_m
        self._folder = _package()

    @property
    def identity(self) -> EngineIdentity:
        """Versions, bands and the digest of the weights."""
        model = self._folder / f"model_{len(self.bands)}b_l2a"
        parameters = {
            "bands": list(self.bands),
            "dilation_m": self._dilation_m,
            "model": json.loads(model.with_suffix(".json").read_text())["model"]["version"],
            "weights_sha256": hashlib.sha256(model.with_suffix(".onnx").read_bytes()).hexdigest(),
            "onnxruntime": metadata.version("onnxruntime"),
        }
        return EngineIdentity("ukis-csmask", metadata.version("ukis-csmask"), parameters)

    def valid(self, bands: Mapping[str, Int16]) -> Bool:
        """True where the network sees neither cloud nor shadow, and its bands have data."""
        known = has_data(bands, self.bands)
        unclear: Bool = np.empty(known.shape, bool)
        for left in range(0, known.shape[1], WIDTH):
            right, first = left + WIDTH, max(0, left - self.context)
            found = self._unclear({band: bands[band][:, first : right + self.context] for band in self.bands})
            unclear[:, left:right] = found[:, left - first :][:, :WIDTH]
        return ~dilated(unclear & known, self._dilation_m) & known

    def _unclear(self, bands: Mapping[str, Int16]) -> Bool:
        from ukis_csmask.mask import CSmask

        image: Float32 = np.stack([np.maximum(bands[band], 0) for band in self.bands], axis=-1).astype(np.float32)
        image /= 10_000
        rows, cols = image.shape[:2]
        short = [(0, max(0, WINDOW - size)) for size in (rows, cols)]
        found = CSmask(
            np.pad(image, (*short, (0, 0)), mode="symmetric"),
            band_order=[NAMES[band] for band in self.bands],
            product_level="l2a",
            invalid_buffer=1,
            intra_op_num_threads=1,
            inter_op_num_threads=1,
            providers=["CPUExecutionProvider"],
        )
        unclear: Bool = found.csm[:rows, :cols, 0] != CLEAR
        return unclear


def _package() -> Path:
    found = util.find_spec("ukis_csmask")
    if found is None or found.origin is None or util.find_spec("onnxruntime") is None:
        rule = "needs ukis-csmask: install the project's extra cloudmask, or choose another masker"
        raise ConfigurationError("settings", "masker", rule, "ukis-csmask")
    return Path(found.origin).parent
