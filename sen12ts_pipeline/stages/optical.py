"""optical: the Sentinel-2 stacks of what was selected, a scene at a time."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable

from sen12ts_pipeline.domain.granules import Scene
from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.stages.documents import Selection
from sen12ts_pipeline.stages.match import plan_of
from sen12ts_pipeline.stages.recipes import optical_recipe
from sen12ts_pipeline.stages.scenes import mask_of, open_scene
from sen12ts_pipeline.stages.select import selection_of
from sen12ts_pipeline.stages.services import Services


@functools.lru_cache(maxsize=4)
def _scene_tiles(selection: Selection) -> dict[str, list[TileId]]:
    found: dict[str, set[TileId]] = defaultdict(set)
    for chosen in selection.tiles:
        for screened in chosen.candidates[chosen.pinned : chosen.slots]:
            found[screened.candidate.scene_id].add(chosen.tile)
    return {scene_id: sorted(found[scene_id]) for scene_id in sorted(found)}


def shards(partition: str, services: Services) -> list[str]:
    """Scenes of which a tile was selected."""
    return list(_scene_tiles(selection_of(Partition.parse(partition), services)))


def run(partition: str, shard: str, services: Services) -> str:
    """Make the stacks of a scene's selected tiles; returns the shard.

    A broken product is quarantined; its candidates fail when they are assembled, and the next ones take their place.
    """
    parsed = Partition.parse(partition)
    scene = plan_of(parsed, services).scene(shard)
    try:
        make(scene, _scene_tiles(selection_of(parsed, services))[shard], services)
    except BadProduct as error:
        services.quarantine(error)
    return shard


def make(scene: Scene, tiles: Iterable[TileId], services: Services) -> None:
    """Make the optical artifacts of tiles that are not there yet; BadProduct when a product is broken."""
    missing = [t for t in tiles if not services.artifacts.present(optical_recipe(t, scene, services))]
    if not missing:
        return
    with open_scene(scene, services) as opened:
        mask = mask_of(scene, opened, services)
        for tile in sorted(missing, key=lambda t: (-t.row, t.column)):
            stack = opened.stack(tile.grid, mask)
            recipe = optical_recipe(tile, scene, services)
            services.artifacts.put_arrays(recipe, {"stack": stack.layers}, stack.notes)
