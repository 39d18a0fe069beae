"""screen: count the invalid pixels of both masks before any SLC sample is read.

Clouds come from the bands that the masker reads, layover and shadow from orbit and DEM alone. Optical shards are
scenes, radar shards are the tiles of one burst.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from sen12ts_pipeline.domain.bursts import BurstId
from sen12ts_pipeline.domain.granules import Scene
from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.domain.pairing import Candidate, Refusal, pair
from sen12ts_pipeline.domain.passes import Pass
from sen12ts_pipeline.domain.rules import Rules
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.errors import BadProduct, Rejected
from sen12ts_pipeline.ports import Terrain
from sen12ts_pipeline.stages.documents import Plan, PlannedTile
from sen12ts_pipeline.stages.match import plan_of
from sen12ts_pipeline.stages.recipes import cloud_recipe, read_terrain, terrain_arrays, terrain_notes, terrain_recipe
from sen12ts_pipeline.stages.scenes import mask_of, open_scene
from sen12ts_pipeline.stages.services import Services, obtained


def pairings(plan: Plan, planned: PlannedTile, services: Services) -> tuple[list[Candidate], list[Refusal]]:
    """Candidates of a tile and what rules 1 and 3 refuse; a pure function of the plan."""
    return pair(planned.tile, [plan.scene(i) for i in planned.scenes], planned.tracks, services.rules)


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """What is to be screened.

    Attributes
    ----------
    scenes : dict
        Tiles with an open candidate, by the identity of the scene.
    bursts : dict
        Tiles with an open candidate and their reference passes, by the burst that serves their centre.
    """

    scenes: dict[str, list[TileId]]
    bursts: dict[BurstId, list[tuple[TileId, str]]]


def work_of(plan: Plan, services: Services) -> Work:
    """What is to be screened of a plan."""
    return _work(plan, services.rules)


@functools.lru_cache(maxsize=4)
def _work(plan: Plan, rules: Rules) -> Work:
    scenes: dict[str, list[TileId]] = defaultdict(list)
    bursts: dict[BurstId, list[tuple[TileId, str]]] = defaultdict(list)
    for planned in plan.tiles:
        candidates = pair(planned.tile, [plan.scene(i) for i in planned.scenes], planned.tracks, rules)[0]
        for scene_id in sorted({c.scene_id for c in candidates}):
            scenes[scene_id].append(planned.tile)
        wanted = {c.track for c in candidates}
        for track, reference in zip(planned.tracks, planned.references, strict=True):
            if track.track in wanted:
                bursts[track.burst].append((planned.tile, reference))
    return Work(dict(sorted(scenes.items())), dict(sorted(bursts.items())))


def optical_shards(partition: str, services: Services) -> list[str]:
    """Scenes to screen."""
    return list(work_of(plan_of(Partition.parse(partition), services), services).scenes)


def radar_shards(partition: str, services: Services) -> list[str]:
    """Bursts whose tiles are to be screened."""
    return [str(b) for b in work_of(plan_of(Partition.parse(partition), services), services).bursts]


def optical(partition: str, shard: str, services: Services) -> str:
    """Count invalid pixels of every tile of a scene; returns the shard."""
    plan = plan_of(Partition.parse(partition), services)
    clouds_of(plan.scene(shard), work_of(plan, services).scenes[shard], services)
    return shard


def clouds_of(scene: Scene, tiles: list[TileId], services: Services) -> dict[str, Any]:
    """Invalid pixels of a scene's tiles and its cloud cover, counted if they are not there; or why it is broken."""
    recipe = cloud_recipe(scene, tiles, services)

    def count() -> None:
        if not services.artifacts.present(recipe):
            services.artifacts.put_json(recipe, _count_clouds(scene, tiles, services))

    counts: dict[str, Any] = obtained(count, lambda: services.artifacts.get_json(recipe))
    return counts


def _count_clouds(scene: Scene, tiles: list[TileId], services: Services) -> dict[str, Any]:
    try:
        with open_scene(scene, services) as opened:
            measured = scene.cloud_percent if scene.cloud_percent is not None else opened.cloud_percent()
            mask = mask_of(scene, opened, services)
            invalid = {
                str(tile): int((~mask(tile.grid)).sum()) for tile in sorted(tiles, key=lambda t: (-t.row, t.column))
            }
    except BadProduct as error:
        return {"bad_product": services.quarantine(error)}
    return {"invalid": invalid, "cloud_percent": measured}


def radar(partition: str, shard: str, services: Services) -> str:
    """Make the terrain of every tile of a burst; returns the shard."""
    parsed = Partition.parse(partition)
    plan = plan_of(parsed, services)

    def one(work: tuple[TileId, str]) -> None:
        make_terrain(work[0], plan.reference(work[1]), services)

    with services.noting(parsed, "screen_radar"):
        services.each(one, work_of(plan, services).bursts[BurstId.parse(shard)])
    return shard


def make_terrain(tile: TileId, reference: Pass, services: Services) -> None:
    """Make a tile's terrain artifact unless it is there; a refusal is an artifact too."""
    recipe = terrain_recipe(tile, reference, services)
    if services.artifacts.present(recipe):
        return
    try:
        terrain = services.engine.terrain(tile.grid, reference)
    except Rejected as refused:
        services.artifacts.put_arrays(recipe, {}, {"rule": refused.rule, "detail": refused.detail})
        return
    services.artifacts.put_arrays(recipe, terrain_arrays(terrain), terrain_notes(terrain))


def terrain_of(tile: TileId, reference: Pass, services: Services) -> Terrain:
    """A tile's terrain, made if it is not there; Rejected as the engine said when it was made."""
    recipe = terrain_recipe(tile, reference, services)
    arrays, notes = obtained(
        lambda: make_terrain(tile, reference, services), lambda: services.artifacts.get_arrays(recipe)
    )
    if "rule" in notes:
        raise Rejected(str(notes["rule"]), str(tile), str(notes["detail"]))
    return read_terrain(tile, arrays, notes)
