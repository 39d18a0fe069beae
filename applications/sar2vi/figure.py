"""The figure of section 4.1: backscatter, coherence, predicted index, index, true colour; a row a triplet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from applications.evi import evi_of
from sen12ts_pipeline.dataset import Sample

TITLES = ("VH / VH / VV", "coherence", "EVI predicted", "EVI", "true colour")
SIDE, GAP, HEAD = 256, 8, 28
DB_RANGES = ((-26.0, -8.0), (-26.0, -8.0), (-20.0, 0.0))
_RAMP = np.array([(120, 80, 40), (240, 230, 170), (120, 180, 70), (10, 80, 30)], float)

RGB = npt.NDArray[np.uint8]


def figure(samples: Sequence[Sample], predicted: Sequence[npt.NDArray[np.float32]]) -> Image.Image:
    """Five panels for each triplet."""
    width, height = len(TITLES) * (SIDE + GAP) + GAP, len(samples) * (SIDE + GAP) + HEAD + GAP
    page = Image.new("RGB", (width, height), (250, 250, 247))
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(15)
    for column, title in enumerate(TITLES):
        draw.text((GAP + column * (SIDE + GAP), 8), title, (28, 32, 40), font)
    for row, (sample, made) in enumerate(zip(samples, predicted, strict=True)):
        for column, panel in enumerate(_panels(sample, made)):
            page.paste(Image.fromarray(panel), (GAP + column * (SIDE + GAP), HEAD + row * (SIDE + GAP)))
    return page


def _panels(sample: Sample, made: npt.NDArray[np.float32]) -> list[RGB]:
    vh, vv, coherence = sample.s1[0], sample.s1[1], sample.s1[2]
    radar = np.stack([_stretched(b, *r) for b, r in zip((vh, vh, vv), DB_RANGES, strict=True)], axis=-1)
    colour = np.stack([_stretched(sample.s2[k], 0, 3000) for k in (3, 2, 1)], axis=-1)
    grey = np.repeat(_stretched(coherence, 0, 1)[..., None], 3, axis=-1)
    return [radar, grey, _green(made), _green(evi_of(sample.s2)), colour]


def _stretched(layer: npt.NDArray[np.generic], low: float, high: float) -> RGB:
    return (255 * np.clip((layer.astype(float) - low) / (high - low), 0, 1)).astype(np.uint8)


def _green(index: npt.NDArray[np.float32]) -> RGB:
    """Brown at 0, dark green at 1; grey where it is not known."""
    place = np.clip(np.nan_to_num(index), 0, 1) * (len(_RAMP) - 1)
    found = np.stack([np.interp(place, range(len(_RAMP)), _RAMP[:, k]) for k in range(3)], axis=-1)
    found[~np.isfinite(index)] = 128
    return found.astype(np.uint8)
