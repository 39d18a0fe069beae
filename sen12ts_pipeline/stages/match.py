"""match: which scenes and passes serve each tile, with which burst."""

from __future__ import annotations

import dataclasses
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta

import shapely

from sen12ts_pipeline.domain.bursts import BurstId
from sen12ts_pipeline.domain.completeness import shortfalls
from sen12ts_pipeline.domain.duplicates import needed_slices
from sen12ts_pipeline.domain.granules import Scene, scenes_of
from sen12ts_pipeline.domain.lattice import TileId, tiles_of
from sen12ts_pipeline.domain.names import LabelName
from sen12ts_pipeline.domain.pairing import TrackVisits, admits_cloud, best_scenes, best_scenes_across
from sen12ts_pipeline.domain.passes import Pass, Slice, Visit, passes_of
from sen12ts_pipeline.domain.rules import Rules
from sen12ts_pipeline.domain.seasons import Interval, Partition, Season, intervals
from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.ports import Sighting
from sen12ts_pipeline.stages import search
from sen12ts_pipeline.stages.documents import (
    INVENTORY,
    PLAN,
    Inventory,
    Plan,
    PlannedPass,
    PlannedTile,
    reference,
)
from sen12ts_pipeline.stages.services import Services

log = logging.getLogger(__name__)

COMPLETE_SHARE = 0.99
"""A reference pass covers at least this share of the area that the best pass of its orbit covers."""


def run(partition: str, services: Services, *, refresh: bool = False) -> str:
    """Freeze the partition's tiles with everything that they can be made of; returns the plan's key.

    A plan of another inventory, as an interrupted refresh leaves it, is made anew.
    """
    parsed = Partition.parse(partition)
    before, inventory = PLAN.find(services.store, parsed), INVENTORY.digest(services.store, parsed)
    if refresh or before is None or before.inventory != inventory:
        found = search.inventory(parsed, services)
        chosen = references(parsed, services)
        if inventory:
            chosen = {k: reference(k).freeze(services.store, parsed, p) for k, p in chosen.items()}
        plan = dataclasses.replace(build(found, chosen.values(), services), inventory=inventory)
        if inventory:
            (PLAN.replace if before else PLAN.freeze)(services.store, parsed, plan)
        _report_shortfalls(parsed, plan, services)
        for note in services.fetched():
            services.ledger.record_event(parsed, "match", note)
        figures = {"tiles": float(len(plan.tiles)), "passes": float(len(plan.passes))}
        services.ledger.record_event(parsed, "match", "tiles planned", **figures)
    return str(PLAN.key(parsed))


def _report_shortfalls(partition: Partition, plan: Plan, services: Services) -> None:
    """Tell of passes that lack bursts which serve tiles and which most other dates of their track have.

    Nothing is planned on them: a series needs the burst at a tile's centre in each of its passes, and the screen then
    every burst that serves the tile.
    """
    wanted = {track.burst for tile in plan.tiles for track in tile.tracks}
    for lack in shortfalls(plan.bursts, wanted):
        where = "between others that it has" if lack.within else "at an end of it"
        names = ", ".join(map(str, lack.missing))
        message = f"pass not found whole: {lack.pass_id} lacks {names} of track {lack.track}, {where}"
        services.ledger.record_event(partition, "match", message, bursts=float(len(lack.missing)))


def plan_of(partition: Partition, services: Services) -> Plan:
    """The frozen plan; an empty one when there was nothing to plan with."""
    return PLAN.find(services.store, partition) or Plan((), (), (), ())


def references(partition: Partition, services: Services) -> dict[int, Pass]:
    """First complete pass of each relative orbit in the year and the days before it that its first series need.

    Chosen from the products' outlines alone, and from the whole year, so that it does not matter which partition asks
    first. What was frozen once stays; an orbit that is new in the archive gets its own.
    """
    rules = services.rules
    year = intervals(partition.year, Season.WINTER)
    start = year[0].start - timedelta(days=rules.search_days_before)
    window = Interval(start, year[-1].end + timedelta(days=rules.search_days_after))
    slices = [s for s in services.catalogue.slices(services.area, window) if s.dual_polarised]
    quarantined = services.ledger.quarantined()
    orbits: dict[int, list[Pass]] = defaultdict(list)
    for one in passes_of(needed_slices(s for s in slices if s.product not in quarantined)):
        orbits[one.slices[0].relative_orbit].append(one)
    store = services.store
    found = {k: reference(k).find(store, partition) or _first_complete(orbits[k], services) for k in sorted(orbits)}
    return {k: p for k, p in found.items() if p}


def _first_complete(passes: Sequence[Pass], services: Services) -> Pass | None:
    """First pass that covers as much as the best one; what cannot be read covers nothing."""
    rest = list(passes)
    while rest:
        covered = [_covered(p, services) for p in rest]
        first = next(k for k, share in enumerate(covered) if share >= COMPLETE_SHARE * max(covered))
        read = _read(rest[first], services)
        if read and read.flight == rest[first]:
            return read.flight
        rest[first : first + 1] = [read.flight] if read else []
    return None


def _covered(one: Pass, services: Services) -> float:
    outline = shapely.union_all([shapely.from_wkt(s.footprint) for s in one.slices])
    return float(outline.intersection(services.area).area)


def build(found: Inventory, chosen: Iterable[Pass], services: Services) -> Plan:
    """Plan of an inventory; passes that cannot be read are quarantined and, like all broken products, left out."""
    tiles = distinct(tiles_of(services.area))
    broken = services.ledger.quarantined()
    scenes = scenes_of(g for g in found.granules if g.product not in broken)
    slices = [s for s in found.slices if s.product not in broken]
    read = (_read_needed(parts, services) for parts in _datatakes(slices))
    passes = sorted((p for p in read if p), key=lambda p: p.flight)
    frozen = tuple(chosen)
    served = _serving(frozen, tiles, services)
    sightings = {p.flight.id: services.engine.sightings(p.flight, tiles) for p in passes}
    planned = []
    for tile in tiles:
        tracks = _tracks(tile, served.get(tile, {}), passes, sightings)
        planned_scenes = scenes_over(tile, scenes, services)
        planned.append(PlannedTile(tile, planned_scenes, tuple(t for t, _ in tracks), tuple(r for _, r in tracks)))
    return Plan(scenes, tuple(passes), frozen, tuple(planned))


def distinct(tiles: tuple[TileId, ...]) -> tuple[TileId, ...]:
    """Tiles without those whose files would bear the name of an earlier one.

    At some latitudes two tiles on either side of a zone's seam share their centre's fourth decimals.
    """
    first: dict[LabelName, TileId] = {}
    for tile in tiles:
        other = first.setdefault(LabelName.of(tile, 0), tile)
        if other != tile:
            log.warning("tile left out: its name is taken", extra={"tile": str(tile), "taken_by": str(other)})
    return tuple(sorted(first.values()))


def scenes_over(tile: TileId, scenes: tuple[Scene, ...], services: Services) -> tuple[str, ...]:
    """One scene a date for a tile; one too cloudy for rule 1 only where no other of its date will do, to be refused.

    Scenes of other zones, where they are allowed, serve on dates on which none of the tile's own zone contains it.
    """
    found = _one_a_date(tile, scenes, best_scenes, services.rules)
    if services.other_zones:
        rest = [s for s in scenes if s.date not in found]
        found |= _one_a_date(tile, rest, best_scenes_across, services.rules)
    return tuple(found[day].id for day in sorted(found))


def _one_a_date(
    tile: TileId, scenes: Sequence[Scene], best: Callable[[TileId, Iterable[Scene]], tuple[Scene, ...]], rules: Rules
) -> dict[date, Scene]:
    good = best(tile, [s for s in scenes if admits_cloud(s, rules)])
    return {s.date: s for s in (*best(tile, scenes), *good)}


def _datatakes(slices: Iterable[Slice]) -> list[list[Slice]]:
    """Slices of each datatake, in the order of their passes."""
    datatakes: dict[tuple[str, int], list[Slice]] = defaultdict(list)
    for one in sorted(slices):
        datatakes[one.platform, one.datatake].append(one)
    return list(datatakes.values())


def _read_needed(parts: Sequence[Slice], services: Services) -> PlannedPass | None:
    """A pass of the slices that are needed; where one of them cannot be read, those that it made needless are."""
    rest = list(parts)
    while True:
        (one,) = passes_of(needed_slices(rest))
        read = _read(one, services)
        broken = set(one.products) - set(read.flight.products if read else ())
        spare = [s for s in rest if s.product not in broken]
        if not broken or not spare or len(spare) == len(one.products) - len(broken):
            return read
        rest = spare


def _read(one: Pass, services: Services) -> PlannedPass | None:
    """A pass with its bursts, without the slices or orbit files that cannot be read; None if no slice can."""
    try:
        return PlannedPass(one, tuple(sorted(services.engine.bursts(one))))
    except BadProduct as error:
        services.quarantine(error)
        if error.product in one.orbits:
            return _read(one.with_annotated_orbit(), services)
        rest = tuple(s for s in one.slices if s.product != error.product)
        return _read(Pass(rest), services) if rest and len(rest) < len(one.slices) else None


def _serving(
    chosen: tuple[Pass, ...], tiles: tuple[TileId, ...], services: Services
) -> dict[TileId, dict[int, tuple[BurstId, Pass]]]:
    """Burst that serves each tile's centre, by track, as the reference passes see it."""
    served: dict[TileId, dict[int, tuple[BurstId, Pass]]] = defaultdict(dict)
    for one in chosen:
        for tile, sighting in services.engine.sightings(one, tiles).items():
            if sighting.burst is not None:
                served[tile].setdefault(sighting.burst.track, (sighting.burst, one))
    return served


def _tracks(
    tile: TileId,
    served: dict[int, tuple[BurstId, Pass]],
    passes: list[PlannedPass],
    sightings: dict[str, dict[TileId, Sighting]],
) -> list[tuple[TrackVisits, str]]:
    tracks = []
    for _, (burst, seen_by) in sorted(served.items()):
        visits = sorted(
            Visit(sightings[p.flight.id][tile].time, p.flight.id, p.flight.platform)
            for p in passes
            if burst in p.bursts and tile in sightings[p.flight.id]
        )
        if visits:
            tracks.append((TrackVisits(burst.track, seen_by.direction, burst, tuple(visits)), seen_by.id))
    return tracks
