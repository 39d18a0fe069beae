"""screen: count the invalid pixels of both masks before any SLC sample is read.

Clouds come from the scene classification, layover and shadow from orbit and DEM alone. Optical shards are scenes, radar
shards are the tiles of one burst.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from sen12ts_pipeline.domain.bursts import BurstId
from sen12ts_pipeline.domain.granules import Scene
from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.domain.pairing import Candidate, Refusal, pair
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.errors import BadProduct, Rejected
from sen12ts_pipeline.ports import Terrain
from sen12ts_pipeline.sentinel2.bands import OpenGranule, scene_scl
from sen12ts_pipeline.stages.documents import Plan, PlannedTile
from sen12ts_pipeline.stages.match import plan_of
from sen12ts_pipeline.stages.recipes import cloud_recipe, read_terrain, terrain_arrays, terrain_notes, terrain_recipe
from sen12ts_pipeline.stages.scenes import open_scene
from sen12ts_pipeline.stages.services import Services


def pairings(plan: Plan, planned: PlannedTile, services: Services) -> tuple[list[Candidate], list[Refusal]]:
    """Candidates of a tile and what rules 1 and 3 refuse; a pure function of the plan."""
    scenes = {s.id: s for s in plan.scenes}
    return pair(planned.tile, [scenes[i] for i in planned.scenes], planned.tracks, services.rules)


def _candidates(partition: Partition, services: Services) -> tuple[Plan, Iterator[tuple[PlannedTile, list[Candidate]]]]:
    plan = plan_of(partition, services)
    return plan, ((t, pairings(plan, t, services)[0]) for t in plan.tiles)


def scene_tiles(partition: Partition, services: Services) -> tuple[Plan, dict[str, list[TileId]]]:
    """Tiles with an open candidate, by scene."""
    plan, tiles = _candidates(partition, services)
    found: dict[str, list[TileId]] = defaultdict(list)
    for planned, candidates in tiles:
        for scene_id in sorted({c.scene_id for c in candidates}):
            found[scene_id].append(planned.tile)
    return plan, dict(sorted(found.items()))


def burst_tiles(partition: Partition, services: Services) -> tuple[Plan, dict[BurstId, list[tuple[TileId, str]]]]:
    """Tiles with an open candidate and their reference passes, by the burst that serves their centre."""
    plan, tiles = _candidates(partition, services)
    found: dict[BurstId, list[tuple[TileId, str]]] = defaultdict(list)
    for planned, candidates in tiles:
        wanted = {c.track for c in candidates}
        for track, reference in zip(planned.tracks, planned.references, strict=True):
            if track.track in wanted:
                found[track.burst].append((planned.tile, reference))
    return plan, dict(sorted(found.items()))


def optical_shards(partition: str, services: Services) -> list[str]:
    """Scenes to screen."""
    return list(scene_tiles(Partition.parse(partition), services)[1])


def radar_shards(partition: str, services: Services) -> list[str]:
    """Bursts whose tiles are to be screened."""
    return [str(b) for b in burst_tiles(Partition.parse(partition), services)[1]]


def optical(partition: str, shard: str, services: Services) -> str:
    """Count invalid pixels of every tile of a scene; returns the key of the counts."""
    plan, tiles = scene_tiles(Partition.parse(partition), services)
    scene, wanted = plan.scene(shard), tiles[shard]
    recipe = cloud_recipe(scene, wanted, services)
    if not services.artifacts.present(recipe):
        services.artifacts.put_json(recipe, _count_clouds(scene, wanted, services))
    return recipe.key


def _count_clouds(scene: Scene, tiles: list[TileId], services: Services) -> dict[str, Any]:
    try:
        with open_scene(scene, services) as parts:
            measured = scene.cloud_percent if scene.cloud_percent is not None else _measured_cloud(parts)
            invalid = {
                str(tile): int((~services.masker.valid(scene_scl(parts, tile.grid))).sum())
                for tile in sorted(tiles, key=lambda t: (-t.row, t.column))
            }
    except BadProduct as error:
        reason = f"{error.member}: {error.reason}" if error.member else error.reason
        services.ledger.quarantine(error.product, reason)
        return {"bad_product": f"{error.product}: {reason}"}
    return {"invalid": invalid, "cloud_percent": measured}


def _measured_cloud(parts: Sequence[OpenGranule]) -> float:
    """Highest cloud cover of the parts; one without any pixel of data counts as all cloud."""
    measured = [part.cloud_percent() for part in parts]
    return max(100.0 if m is None else m for m in measured)


def radar(partition: str, shard: str, services: Services) -> str:
    """Make the terrain of every tile of a burst; returns the shard."""
    plan, tiles = burst_tiles(Partition.parse(partition), services)
    flights = {p.id: p for p in plan.references}

    def one(work: tuple[TileId, str]) -> None:
        make_terrain(work[0], flights[work[1]].id, plan, services)

    services.each(one, tiles[BurstId.parse(shard)])
    return shard


def make_terrain(tile: TileId, reference_id: str, plan: Plan, services: Services) -> None:
    """Make a tile's terrain artifact unless it is there; a refusal is an artifact too."""
    reference = plan.flight(reference_id)
    recipe = terrain_recipe(tile, reference, services)
    if services.artifacts.present(recipe):
        return
    try:
        terrain = services.engine.terrain(tile.grid, reference)
    except Rejected as refused:
        nothing = {"invalid": np.array(tile.grid.rows * tile.grid.cols)}
        services.artifacts.put_arrays(recipe, nothing, {"rule": refused.rule, "detail": refused.detail})
        return
    services.artifacts.put_arrays(recipe, terrain_arrays(terrain), terrain_notes(terrain))


def terrain_of(tile: TileId, reference_id: str, plan: Plan, services: Services) -> Terrain:
    """A tile's terrain, made if it is not there; Rejected as the engine said when it was made."""
    reference = plan.flight(reference_id)
    recipe = terrain_recipe(tile, reference, services)
    make_terrain(tile, reference_id, plan, services)
    _, notes = services.artifacts.get_arrays(recipe)
    if "rule" in notes:
        raise Rejected(str(notes["rule"]), str(tile), str(notes["detail"]))
    return read_terrain(recipe, tile, services)
