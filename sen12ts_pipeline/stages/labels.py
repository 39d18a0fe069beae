"""labels: the land cover of every selected tile, once a tile."""

from __future__ import annotations

from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.stages.recipes import label_recipe
from sen12ts_pipeline.stages.select import selection_of
from sen12ts_pipeline.stages.services import Services

TILES_PER_SHARD = 64


def tile_shards(partition: Partition, services: Services) -> list[list[TileId]]:
    """Selected tiles in their frozen order, cut into shards."""
    tiles = [t.tile for t in selection_of(partition, services).tiles]
    return [tiles[k : k + TILES_PER_SHARD] for k in range(0, len(tiles), TILES_PER_SHARD)]


def shards(partition: str, services: Services) -> list[str]:
    """Numbers of the shards."""
    return [str(k) for k in range(len(tile_shards(Partition.parse(partition), services)))]


def run(partition: str, shard: str, services: Services) -> str:
    """Make the labels of a shard's tiles; returns the shard."""
    tiles = tile_shards(Partition.parse(partition), services)[int(shard)]
    services.each(lambda tile: make(tile, services), tiles)
    return shard


def make(tile: TileId, services: Services) -> None:
    """Make a tile's label artifact unless it is there."""
    recipe = label_recipe(tile, services)
    if not services.artifacts.present(recipe):
        services.artifacts.put_arrays(recipe, {"label": services.labels.label(tile.grid)}, {})
