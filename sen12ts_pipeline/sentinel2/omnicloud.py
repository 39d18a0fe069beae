"""The networks of OmniCloudMask (MIT), with weights that the user names: nothing is fetched silently."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata, util
from pathlib import Path
from typing import Any

import numpy as np

from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.ports import Bool, EngineIdentity, Int16
from sen12ts_pipeline.sentinel2.masks import dilated, has_data

ENCODERS = ("regnety_004", "edgenext_small")
"""Networks of the published weights, as their files are named."""
PATCH, OVERLAP = 1000, 300
CLEAR = 0


class OmniCloudMasker:
    """Thick cloud, thin cloud and cloud shadow by the mean of networks; implements `ports.CloudMasker`.

    Red, green and near infrared are normalised within each patch, so that neither offset nor level matters. The
    processor computes, with numbers of 32 bits.

    Parameters
    ----------
    weights : mapping of Path to str
        Files of weights, ``.safetensors``, with their SHA-256; the name of each holds the name of its network.
    dilation_m : int
        Cloud and shadow grow by this distance.

    Raises
    ------
    ConfigurationError
        When a file is not there, has another digest or an unknown network, or the package is not installed.
    """

    bands = ("B04", "B03", "B08")
    context = OVERLAP

    def __init__(self, weights: Mapping[Path, str], dilation_m: int = 0) -> None:
        if not weights:
            raise _wrong("weights", "must name files of weights and their SHA-256; this program fetches none", {})
        for path, digest in weights.items():
            _check(path, digest)
        if util.find_spec("omnicloudmask") is None:
            rule = "needs omnicloudmask: install the project's extra omnicloudmask, or choose another masker"
            raise ConfigurationError("settings", "masker", rule, "omnicloudmask")
        self._weights = {path: weights[path] for path in sorted(weights, key=lambda p: weights[p])}
        self._dilation_m = dilation_m

    @property
    def identity(self) -> EngineIdentity:
        """Versions, and digests of the weights."""
        parameters = {
            "dilation_m": self._dilation_m,
            "weights_sha256": list(self._weights.values()),
            "patch": PATCH,
            "overlap": OVERLAP,
            "torch": metadata.version("torch"),
        }
        return EngineIdentity("omnicloudmask", metadata.version("omnicloudmask"), parameters)

    def valid(self, bands: Mapping[str, Int16]) -> Bool:
        """True where the networks see neither cloud nor shadow, and their bands have data."""
        from omnicloudmask import predict_from_array

        known = has_data(bands, self.bands)
        # The package takes 0 for no data: a reflectance of 0 becomes the next that is none.
        image = np.stack([np.where(known, np.maximum(bands[band], 1), 0) for band in self.bands]).astype(np.float32)
        if not known.any():
            return known
        patch = min(PATCH, *known.shape)
        with _one_thread():
            classes = predict_from_array(
                image,
                patch_size=patch,
                patch_overlap=min(OVERLAP, patch // 2),
                inference_device="cpu",
                mosaic_device="cpu",
                custom_models=list(_models(tuple(self._weights))),
            )[0]
        return ~dilated((classes != CLEAR) & known, self._dilation_m) & known


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let PyTorch compute on one thread: sums of several depend on their number."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@functools.lru_cache(maxsize=2)
def _models(paths: Sequence[Path]) -> tuple[Any, ...]:
    import torch
    from omnicloudmask.model_utils import load_model_from_weights

    device = torch.device("cpu")
    return tuple(load_model_from_weights(f"tu-{_encoder(path)}", path, "smp", device) for path in paths)


def _encoder(path: Path) -> str:
    found = [name for name in ENCODERS if name in path.name]
    if len(found) != 1:
        raise _wrong(
            str(path), f"must have the name of its network in its own: one of {', '.join(ENCODERS)}", path.name
        )
    return found[0]


def _check(path: Path, digest: str) -> None:
    if not path.is_file():
        raise _wrong(str(path), "must be a file of weights", "no such file")
    _encoder(path)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != digest.lower():
        raise _wrong(str(path), f"must have the SHA-256 {digest}", found)


def _wrong(key: str, rule: str, value: object) -> ConfigurationError:
    return ConfigurationError("settings", f"clouds.{key}", rule, value)
