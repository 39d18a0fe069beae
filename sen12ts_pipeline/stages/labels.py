"""labels: the land cover of every selected tile, once a tile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from sen12ts_pipeline.dataset.triplet import histogram
from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.domain.layers import NODATA
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.ports import Label
from sen12ts_pipeline.stages.recipes import label_recipe
from sen12ts_pipeline.stages.select import selection_of
from sen12ts_pipeline.stages.services import Services, obtained

TILES_PER_SHARD = 64


def tile_shards(partition: Partition, services: Services) -> list[list[TileId]]:
    """Selected tiles in their frozen order, cut into shards."""
    tiles = [t.tile for t in selection_of(partition, services).tiles]
    return [tiles[k : k + TILES_PER_SHARD] for k in range(0, len(tiles), TILES_PER_SHARD)]


def shards(partition: str, services: Services) -> list[str]:
    """Numbers of the shards."""
    return [str(k) for k in range(len(tile_shards(Partition.parse(partition), services)))]


def run(partition: str, shard: str, services: Services) -> str:
    """Make the labels of a shard's tiles, and tell the ledger how much of them is labelled; returns the shard."""
    parsed = Partition.parse(partition)
    tiles = tile_shards(parsed, services)[int(shard)]
    labels = services.each(lambda tile: obtained(lambda: make(tile, services), lambda: of(tile, services)), tiles)
    figures = figures_of(labels, services.labels.silent)
    services.ledger.record_event(parsed, "labels", f"labels of shard {shard}", tiles=float(len(tiles)), **figures)
    for name in sorted({name for label in labels for name in label.notes.get("missing_maps", [])}):  # type: ignore[union-attr]
        services.ledger.record_event(parsed, "labels", f"no map {name}: taken for open sea, without labels")
    return shard


def make(tile: TileId, services: Services) -> None:
    """Make a tile's label artifact unless it is there."""
    recipe = label_recipe(tile, services)
    if not services.artifacts.present(recipe):
        label = services.labels.label(tile.grid)
        services.artifacts.put_arrays(recipe, {"label": label.codes}, label.notes)


def of(tile: TileId, services: Services) -> Label:
    """Label of a tile from its artifact; KeyError if it is not there or damaged."""
    arrays, notes = services.artifacts.get_arrays(label_recipe(tile, services))
    return Label(arrays["label"], notes)


def figures_of(labels: Iterable[Label], silent: tuple[int, ...]) -> dict[str, float]:
    """Figures of some labels, for the ledger.

    Parameters
    ----------
    labels : iterable of Label
        Of tiles of one size.
    silent : tuple of int
        Codes that count as unlabelled.

    Returns
    -------
    dict of str to float
        ``unlabelled_percent``, pixels of -3000 or a silent code; ``pixels_of_<code>`` for each silent code that occurs;
        the sums of the sources' counts.
    """
    pixels: Counter[int] = Counter()
    counts: Counter[str] = Counter()
    for label in labels:
        pixels.update(histogram(label.codes))
        counts.update({name: value for name, value in label.notes.items() if isinstance(value, int)})
    unlabelled = sum(pixels[code] for code in (NODATA, *silent))
    figures = {"unlabelled_percent": round(100.0 * unlabelled / max(pixels.total(), 1), 4)}
    figures |= {f"pixels_of_{code}": float(pixels[code]) for code in silent if pixels[code]}
    return figures | {name: float(count) for name, count in sorted(counts.items())}
