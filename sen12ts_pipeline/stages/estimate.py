"""estimate: what a partition would need, from the plan or, where no product may be opened yet, from outlines alone."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from sen12ts_pipeline.acquisition.spool import Spool
from sen12ts_pipeline.domain import cost
from sen12ts_pipeline.domain.bursts import BURST_PERIOD_S, BurstId, Track
from sen12ts_pipeline.domain.cost import Needs
from sen12ts_pipeline.domain.granules import Scene, scenes_of
from sen12ts_pipeline.domain.lattice import TileId, tiles_of
from sen12ts_pipeline.domain.pairing import Candidate, TrackVisits
from sen12ts_pipeline.domain.passes import Pass, Slice, Visit, passes_of
from sen12ts_pipeline.stages.documents import Inventory, Plan, PlannedPass, PlannedTile
from sen12ts_pipeline.stages.match import distinct, scenes_over
from sen12ts_pipeline.stages.services import Services

SWATHS = ("IW1", "IW2", "IW3")
ROWS, SLICES = 20, 50
"""Numbers that are kept free for the rows of a slice and the slices of a pass."""


def plan_by_outlines(found: Inventory, services: Services) -> Plan:
    """A plan as `match` would make it, but from the outlines of products, none of which is opened.

    A slice's outline is divided into its bursts: three subswaths, and as many rows as its length in time has. What a
    tile's centre lies in serves it; every pass of a relative orbit has the bursts of the one that covers most.
    """
    tiles = distinct(tiles_of(services.area))
    scenes, passes = scenes_of(found.granules), passes_of(found.slices)
    orbits: dict[int, list[Pass]] = defaultdict(list)
    for one in passes:
        orbits[one.slices[0].relative_orbit].append(one)
    centres = np.array([tile.centre_lonlat for tile in tiles]).reshape(-1, 2)
    seen: dict[TileId, list[tuple[TrackVisits, str]]] = defaultdict(list)
    references, cells = [], {}
    for orbit, flown in sorted(orbits.items()):
        best = max(flown, key=lambda p: _outline(p).intersection(services.area).area)
        references.append(best)
        bursts = _bursts_at(best, orbit, centres)
        cells[orbit] = tuple(sorted({b for b in bursts if b}))
        for tile, track in _tracks(orbit, flown, tiles, centres, bursts):
            seen[tile].append((track, best.id))
    planned = tuple(_planned(tile, scenes, seen[tile], services) for tile in tiles)
    flights = tuple(PlannedPass(p, cells[p.slices[0].relative_orbit]) for p in passes)
    return Plan(scenes, flights, tuple(references), planned)


def needs_of(plan: Plan, candidates: Sequence[Sequence[Candidate]], services: Services) -> Needs:
    """What the candidates of a plan's tiles need, all of them together, in the order of the tiles."""
    bursts: set[tuple[str, BurstId]] = set()
    frames: set[tuple[TileId, str]] = set()
    terrains: set[tuple[TileId, Track]] = set()
    for planned, good in zip(plan.tiles, candidates, strict=True):
        serving = {t.track: t.burst for t in planned.tracks}
        for one in good:
            bursts |= {(visit.pass_id, serving[one.track]) for visit in one.series.visits}
            frames |= {(one.tile, later.pass_id) for later, _ in one.series.pairs}
            terrains.add((one.tile, one.track))
    scenes = {one.scene_id for good in candidates for one in good}
    granules = sum(len(plan.scene(scene).granules) for scene in scenes)
    most = sum(min(services.rules.cap_per_season, len(good)) for good in candidates)
    return Needs(
        tiles=sum(1 for good in candidates if good),
        triplets=min(most, services.rules.season_triplets),
        frames=len(frames),
        terrains=len(terrains),
        slices=sum(len(plan.flight(pass_id).slices) for pass_id in {pass_id for pass_id, _ in bursts}),
        bursts=len(bursts),
        screened=granules,
        granules=granules,
    )


def lines_of(needs: Needs, services: Services, *, fetched: bool, estimated: bool) -> list[str]:
    """What needs cost, for people.

    Parameters
    ----------
    needs : Needs
        Of a partition.
    services : Services
        Of which the provider and its quota are taken.
    fetched : bool
        Whether products come from a provider.
    estimated : bool
        Whether bursts were counted in outlines.
    """
    about = " (estimated from outlines)" if estimated else ""
    lines = [f"  needs       {needs.slices} slices with {needs.bursts} bursts{about}, {needs.granules} granules"]
    if fetched:
        lines += _fetching_lines(needs, services)
    spool = Spool.from_environment().limit_bytes if fetched else 0
    lines.append(f"  processors  {_number(cost.cpu_hours(needs))} CPU hours")
    lines.append(f"  disk        {_size(cost.disk_peak_bytes(needs, spool))} at most, spool and store")
    return lines


def _fetching_lines(needs: Needs, services: Services) -> list[str]:
    quota = services.quota
    ways = {"by parts": cost.by_parts(needs), "whole": cost.by_products(needs)}
    lines = [
        f"  {'fetched' if name == 'by parts' else '':11s} {name:8s} {_size(way.size)}, {way.requests} requests, "
        f"{_number(way.days(quota))} days at the quota of {services.provider}"
        for name, way in ways.items()
    ]
    volume = quota.bytes_per_30_days
    if volume:
        lines.append(f"              by parts is {100 * ways['by parts'].size / volume:.2g} % of its volume of 30 days")
    return lines


def _planned(
    tile: TileId, scenes: tuple[Scene, ...], tracks: list[tuple[TrackVisits, str]], services: Services
) -> PlannedTile:
    over = scenes_over(tile, scenes, services)
    return PlannedTile(tile, over, tuple(t for t, _ in tracks), tuple(r for _, r in tracks))


def _tracks(
    orbit: int,
    flown: Iterable[Pass],
    tiles: Sequence[TileId],
    centres: np.ndarray,
    bursts: Sequence[BurstId | None],
) -> list[tuple[TileId, TrackVisits]]:
    """Visits of one relative orbit to every tile that one of its bursts serves."""
    visits: dict[int, list[Visit]] = defaultdict(list)
    direction = ""
    for one in flown:
        direction = one.direction
        for k in np.flatnonzero(shapely.contains_xy(_outline(one), *centres.T)):
            visits[int(k)].append(Visit(one.start, one.id, one.platform))
    served = ((tile, burst, visits[k]) for k, (tile, burst) in enumerate(zip(tiles, bursts, strict=True)))
    return [(t, TrackVisits(Track(orbit), direction, b, tuple(sorted(v)))) for t, b, v in served if b and v]


def _bursts_at(one: Pass, orbit: int, centres: np.ndarray) -> list[BurstId | None]:
    """The burst of a pass in which each point lies; its number is made up, but the same for all passes of an orbit."""
    found: list[BurstId | None] = [None] * len(centres)
    for k, part in enumerate(one.slices[:SLICES]):
        cells = Cells.of(part)
        for n, cell in enumerate(cells.at(centres)):
            if cell and not found[n]:
                row, column = cell
                found[n] = BurstId(orbit * ROWS * SLICES + k * ROWS + row + 1, SWATHS[column])
    return found


@dataclass(frozen=True, slots=True)
class Cells:
    """A slice's outline, divided into rows along the track and three columns across it.

    Attributes
    ----------
    corner : (float, float)
        Longitude times the cosine of the latitude, and latitude, degrees, at the beginning of rows and columns.
    along, across : (float, float)
        From there to the end of the rows, and of the columns.
    rows : int
        Bursts of a subswath.
    cosine : float
        Of the latitude.
    """

    corner: tuple[float, float]
    along: tuple[float, float]
    across: tuple[float, float]
    rows: int
    cosine: float

    @classmethod
    def of(cls, one: Slice) -> Cells:
        """Cells of a slice: the rectangle around its outline, whose rows follow the side nearer to north."""
        outline = shapely.from_wkt(one.footprint)
        cosine = math.cos(math.radians(outline.centroid.y))
        flat = shapely.transform(outline, lambda points: points * (cosine, 1.0))
        ring = shapely.get_coordinates(shapely.oriented_envelope(flat))[:4]
        first, second = ring[1] - ring[0], ring[3] - ring[0]
        along, across = (first, second) if _steepness(first) >= _steepness(second) else (second, first)
        rows = min(max(round((one.stop - one.start).total_seconds() / BURST_PERIOD_S), 1), ROWS)
        corner, along, across = ((float(x), float(y)) for x, y in (ring[0], along, across))
        return cls(corner, along, across, rows, cosine)

    def at(self, points: np.ndarray) -> list[tuple[int, int] | None]:
        """Row and column in which each point (longitude, latitude in degrees) lies; None outside.

        Parameters
        ----------
        points : float64 (n, 2)
        """
        sides = np.array([self.along, self.across])
        shares = (points * (self.cosine, 1.0) - self.corner) @ np.linalg.inv(sides)
        inside = np.all((shares >= 0.0) & (shares < 1.0), axis=1).tolist()
        cells = np.floor(shares * (self.rows, len(SWATHS))).astype(int)
        return [(int(r), int(c)) if good else None for good, (r, c) in zip(inside, cells, strict=True)]


def _steepness(side: np.ndarray) -> float:
    return abs(float(side[1])) / (float(np.hypot(*side)) or 1.0)


def _outline(one: Pass) -> BaseGeometry:
    outline: BaseGeometry = shapely.union_all([shapely.from_wkt(s.footprint) for s in one.slices])
    return outline


def _size(size: float) -> str:
    for unit, scale in (("TB", 1e12), ("GB", 1e9)):
        if size >= scale:
            return f"{size / scale:.3g} {unit}"
    return f"{size / 1e6:.3g} MB"


def _number(value: float) -> str:
    return f"{value:.2g}" if value < 100 else f"{value:.0f}"
