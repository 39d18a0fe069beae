"""Opening the granules of a scene, and its cloud mask, made once and kept for the screen and for the stacks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from sen12ts_pipeline.domain.granules import Scene
from sen12ts_pipeline.ports import Bool
from sen12ts_pipeline.sentinel2 import scene as granules
from sen12ts_pipeline.sentinel2.masks import SceneMask, by_pixel, pixel_mask, valid_pixels
from sen12ts_pipeline.sentinel2.scene import Mask, OpenScene
from sen12ts_pipeline.stages.recipes import mask_recipe
from sen12ts_pipeline.stages.services import Services, obtained


@contextmanager
def open_scene(scene: Scene, services: Services) -> Iterator[OpenScene]:
    """Granules of a scene, best first, open together; BadProduct when one is broken."""
    with granules.open_scene([services.source.open(product) for product in scene.products]) as opened:
        yield opened


def mask_of(scene: Scene, opened: OpenScene, services: Services) -> Mask:
    """Cloud mask of a scene: read with each tile where the masker judges by pixel, else that of the whole granule."""
    if by_pixel(services.masker):
        return pixel_mask(opened, services.masker)
    recipe = mask_recipe(scene, services)

    def make() -> None:
        if not services.artifacts.present(recipe):
            packed = np.packbits(valid_pixels(opened, services.masker), axis=1)
            services.artifacts.put_arrays(recipe, {"valid": packed}, {"shape": list(opened.shape_20m)})

    def get() -> Bool:
        arrays, notes = services.artifacts.get_arrays(recipe)
        valid: Bool = np.unpackbits(arrays["valid"], axis=1, count=notes["shape"][1]).view(bool)
        return valid

    return SceneMask(opened.parts[0].product, obtained(make, get))
