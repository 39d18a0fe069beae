"""Recipes of the artifacts that stages share, and how arrays and values become one another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sen12ts_pipeline.domain.bursts import BurstId
from sen12ts_pipeline.domain.granules import Scene
from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.domain.passes import Pass
from sen12ts_pipeline.domain.recipe import Recipe
from sen12ts_pipeline.ports import Frame, Terrain
from sen12ts_pipeline.sentinel2.warp import HOW
from sen12ts_pipeline.stages.services import Services

GENERATION = 1
"""Recipe generation of a data set; raised when a change of layout alters bytes of every artifact."""


def terrain_recipe(tile: TileId, reference: Pass, services: Services) -> Recipe:
    """Terrain of a tile and track."""
    inputs = {"tile": str(tile), "reference": list(reference.inputs), "engine": services.engine.identity.as_json()}
    return Recipe("terrain", {**inputs, "generation": GENERATION})


def frame_recipe(tile: TileId, reference: Pass, later: Pass, earlier: Pass, services: Services) -> Recipe:
    """Frame of a tile, track and date."""
    inputs = {
        "terrain": terrain_recipe(tile, reference, services).digest,
        "products": list(later.inputs),
        "earlier": list(earlier.inputs),
    }
    return Recipe("frame", inputs)


def optical_recipe(tile: TileId, scene: Scene, services: Services) -> Recipe:
    """Optical stack of a tile and scene."""
    inputs: dict[str, Any] = {"tile": str(tile), "products": list(scene.products)}
    if not scene.contains(tile):
        inputs["warped"] = HOW
    return Recipe("optical", {**inputs, "masker": services.masker.identity.as_json(), "generation": GENERATION})


def cloud_recipe(scene: Scene, tiles: list[TileId], services: Services) -> Recipe:
    """Invalid pixels of a scene's tiles."""
    inputs = {"tiles": [str(t) for t in tiles], "products": list(scene.products)}
    return Recipe("cloud", {**inputs, "masker": services.masker.identity.as_json(), "generation": GENERATION})


def mask_recipe(scene: Scene, services: Services) -> Recipe:
    """Cloud mask of a whole scene."""
    inputs = {"products": list(scene.products), "masker": services.masker.identity.as_json()}
    return Recipe("mask", {**inputs, "generation": GENERATION})


def label_recipe(tile: TileId, services: Services) -> Recipe:
    """Label of a tile."""
    return Recipe("label", {"tile": str(tile), "source": services.labels.identity["sha256"], "generation": GENERATION})


def terrain_arrays(terrain: Terrain) -> dict[str, np.ndarray[Any, Any]]:
    """Arrays of a terrain artifact."""
    return {
        "choice": terrain.choice,
        "incidence": terrain.incidence,
        "slope": terrain.slope,
        "factor": terrain.factor,
        "shadow": terrain.shadow,
        "layover": terrain.layover,
    }


def terrain_notes(terrain: Terrain) -> dict[str, Any]:
    """Notes of a terrain artifact."""
    return {**terrain.notes, "bursts": [str(b) for b in terrain.bursts]}


def read_terrain(tile: TileId, arrays: Mapping[str, np.ndarray[Any, Any]], notes: Mapping[str, Any]) -> Terrain:
    """Terrain of the arrays and notes of its artifact."""
    bursts = tuple(BurstId.parse(b) for b in notes["bursts"])
    return Terrain(grid=tile.grid, bursts=bursts, notes=notes, **arrays)


def frame_arrays(frame: Frame) -> dict[str, np.ndarray[Any, Any]]:
    """Arrays of a frame artifact; coherence and phase stay on 20 m cells."""
    return {"vh": frame.vh, "vv": frame.vv, "coherence": frame.coherence, "phase": frame.phase}


def frame_notes(frame: Frame) -> dict[str, Any]:
    """Notes of a frame artifact."""
    return {**frame.notes, "pass_id": frame.pass_id, "earlier_pass_id": frame.earlier_pass_id}


def frame_of(tile: TileId, arrays: Mapping[str, np.ndarray[Any, Any]], notes: Mapping[str, Any]) -> Frame:
    """Frame of the arrays and notes of its artifact."""
    return Frame(
        grid=tile.grid, pass_id=notes["pass_id"], earlier_pass_id=notes["earlier_pass_id"], notes=notes, **arrays
    )
