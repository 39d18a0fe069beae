"""Opening the granules of a scene."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from sen12ts_pipeline.domain.granules import Scene
from sen12ts_pipeline.sentinel2.bands import OpenGranule, open_granule
from sen12ts_pipeline.stages.services import Services


@contextmanager
def open_scene(scene: Scene, services: Services) -> Iterator[list[OpenGranule]]:
    """Granules of a scene, best first, open together; BadProduct when one is broken."""
    with ExitStack() as stack:
        yield [stack.enter_context(open_granule(services.source.open(p))) for p in scene.products]
