"""Tiles and outlines of an area, small enough that a browser draws tens of thousands of them at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from shapely import wkt
from shapely.geometry.base import BaseGeometry

from sen12ts_pipeline.dashboard import queries
from sen12ts_pipeline.dataset.figures import STEP_COLOURS, STEPS
from sen12ts_pipeline.dataset.stac import footprint
from sen12ts_pipeline.domain.lattice import CENTRAL_EASTING_M, TILE_M, Grid, TileId, tiles_of, to_geographic
from sen12ts_pipeline.domain.seasons import Partition, Season
from sen12ts_pipeline.ports import ObjectStore
from sen12ts_pipeline.settings.boundary import read_boundary
from sen12ts_pipeline.settings.model import AoiSettings
from sen12ts_pipeline.stages.documents import INVENTORY
from sen12ts_pipeline.state.ledger import SqlLedger

SCALE = 100_000
"""Coordinates are whole hundred-thousandths of a degree, about a metre."""
OUTLINE_TOLERANCE = 0.0005
GRANULE_PIXELS = 10_980

Rings = list[list[int]]
"""Rings as longitude, latitude, longitude, latitude, ..."""


@dataclass(frozen=True, slots=True)
class Atlas:
    """A map of an area.

    Attributes
    ----------
    scale : int
        Coordinates are degrees times this.
    tiles : list of str
        Identities.
    triplets : list of int
        Of each tile; 0 for a tile that has none.
    corners : list of int
        Eight numbers a tile: longitude and latitude of the south-west corner, then of the south-east, north-east and
        north-west corners from there.
    outline : list of list of int
        Rings of the boundary.
    steps, colours
        Numbers of triplets that share a colour, first and last, and the colours.
    """

    aoi: str
    scale: int
    tiles: list[str]
    triplets: list[int]
    corners: list[int]
    outline: Rings
    steps: list[tuple[int, int]]
    colours: list[str]


@dataclass(frozen=True, slots=True)
class Shape:
    """A product's outline."""

    name: str
    rings: Rings


@dataclass(frozen=True, slots=True)
class Layers:
    """Sentinel-1 tracks and Sentinel-2 granules over an area in a season, each outline once."""

    scale: int
    tracks: list[Shape]
    granules: list[Shape]


def atlas(ledger: SqlLedger, aoi: str, settings: AoiSettings | None) -> Atlas:
    """Map of an area: the tiles of its boundary, and those that have triplets."""
    with ledger.reading() as connection:
        counts = queries.tiles_of(connection, aoi)
    boundary = read_boundary(settings) if settings else None
    inside = tiles_of(boundary) if boundary is not None else ()
    tiles = sorted({*inside, *(TileId.parse(text) for text in counts)})
    return Atlas(
        aoi=aoi,
        scale=SCALE,
        tiles=[str(tile) for tile in tiles],
        triplets=[counts.get(str(tile), 0) for tile in tiles],
        corners=_corners(tiles),
        outline=_rings(boundary.simplify(OUTLINE_TOLERANCE)) if boundary is not None else [],
        steps=list(STEPS),
        colours=list(STEP_COLOURS),
    )


def layers(store: ObjectStore, partition: Partition) -> Layers:
    """Outlines of what was found for a partition; KeyError before it was searched."""
    found = INVENTORY.read(store, partition)
    tracks: dict[str, list[BaseGeometry]] = defaultdict(list)
    for one in found.slices:
        shape = wkt.loads(one.footprint)
        known = tracks[f"track {one.relative_orbit} {one.direction}"]
        if not any(shape.intersection(other).area > 0.9 * shape.area for other in known):
            known.append(shape)
    granules = {g.mgrs: Grid(g.epsg, g.ulx_m, g.uly_m, GRANULE_PIXELS, GRANULE_PIXELS) for g in found.granules}
    return Layers(
        SCALE,
        [Shape(name, [r for s in shapes for r in _rings(s)]) for name, shapes in sorted(tracks.items())],
        [Shape(name, _rings(footprint(grid))) for name, grid in sorted(granules.items())],
    )


def partitions_of(aoi: str, year: int) -> Iterator[Partition]:
    """The four partitions of an area's year."""
    return (Partition(aoi, year, season) for season in Season)


def _corners(tiles: Sequence[TileId]) -> list[int]:
    """Corners of tiles, zone by zone at once, in the order of the tiles."""
    corners = np.empty((len(tiles), 4, 2))
    zones = np.array([tile.zone for tile in tiles], dtype=int)
    cells = np.array([(tile.column, tile.row) for tile in tiles], dtype=float).reshape(-1, 2)
    for zone in np.unique(zones).tolist():
        mine = zones == zone
        for k, (east, north) in enumerate(((0, 0), (1, 0), (1, 1), (0, 1))):
            metres = TILE_M * (cells[mine] + (east, north))
            lonlat = to_geographic(32600 + zone).transform(CENTRAL_EASTING_M + metres[:, 0], metres[:, 1])
            corners[mine, k] = np.stack(lonlat, axis=-1)
    whole = np.rint(corners * SCALE).astype(int)
    whole[:, 1:] -= whole[:, :1]
    flat: list[int] = whole.reshape(-1).tolist()
    return flat


def _rings(shape: BaseGeometry) -> Rings:
    parts: Iterable[BaseGeometry] = getattr(shape, "geoms", [shape])
    rings = [ring for part in parts if part.geom_type == "Polygon" for ring in (part.exterior, *part.interiors)]
    return [np.rint(np.asarray(ring.coords)[:, :2] * SCALE).astype(int).reshape(-1).tolist() for ring in rings]
