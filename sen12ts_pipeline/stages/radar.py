"""radar: the Sentinel-1 frames of what was selected, the tiles of one burst at a time."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sen12ts_pipeline.domain.bursts import BurstId
from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.domain.pairing import Candidate
from sen12ts_pipeline.domain.passes import Visit
from sen12ts_pipeline.domain.recipe import Recipe
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.errors import BadProduct, Rejected
from sen12ts_pipeline.ports import Frame, FrameJob
from sen12ts_pipeline.stages.documents import Plan, PlannedTile, Selection
from sen12ts_pipeline.stages.match import plan_of
from sen12ts_pipeline.stages.recipes import frame_arrays, frame_notes, frame_recipe
from sen12ts_pipeline.stages.screen import terrain_of
from sen12ts_pipeline.stages.select import reference_of, selection_of
from sen12ts_pipeline.stages.services import Services

Pair = tuple[Visit, Visit]
"""(date, date - 12 d) of a frame."""


@dataclass(frozen=True, slots=True)
class TileWork:
    """Frames that one tile and track needs."""

    tile: TileId
    reference_id: str
    pairs: tuple[Pair, ...]


@functools.lru_cache(maxsize=4)
def _burst_work(plan: Plan, selection: Selection) -> dict[BurstId, list[TileWork]]:
    found: dict[BurstId, list[TileWork]] = defaultdict(list)
    for chosen in selection.tiles:
        selected = [s.candidate for s in chosen.candidates[chosen.pinned : chosen.slots]]
        for burst, work in _tile_work(plan.tile(chosen.tile), selected):
            found[burst].append(work)
    return dict(sorted(found.items()))


def _tile_work(planned: PlannedTile, candidates: Sequence[Candidate]) -> Iterable[tuple[BurstId, TileWork]]:
    for track in planned.tracks:
        mine = [c for c in candidates if c.track == track.track]
        pairs = sorted({pair for c in mine for pair in c.series.pairs})
        if pairs:
            yield track.burst, TileWork(planned.tile, reference_of(planned, mine[0]), tuple(pairs))


def shards(partition: str, services: Services) -> list[str]:
    """Bursts of which a tile was selected."""
    parsed = Partition.parse(partition)
    return [str(b) for b in _burst_work(plan_of(parsed, services), selection_of(parsed, services))]


def run(partition: str, shard: str, services: Services) -> str:
    """Make the frames of a burst's selected tiles; returns the shard.

    A broken product is quarantined; its candidates fail when they are assembled, and the next ones take their place.
    """
    parsed = Partition.parse(partition)
    plan = plan_of(parsed, services)
    work = _burst_work(plan, selection_of(parsed, services))

    def one(tile_work: TileWork) -> None:
        for fault in make(tile_work, plan, services):
            if isinstance(fault, BadProduct):
                services.quarantine(fault)

    with services.noting(parsed, "radar"):
        services.each(one, work[BurstId.parse(shard)])
    return shard


def make(work: TileWork, plan: Plan, services: Services) -> list[BadProduct | Rejected]:
    """Make the frame artifacts of a tile that are not there yet; returns what stood in the place of frames."""
    reference = plan.reference(work.reference_id)

    def recipe(pair: Pair) -> Recipe:
        later, earlier = plan.flight(pair[0].pass_id), plan.flight(pair[1].pass_id)
        return frame_recipe(work.tile, reference, later, earlier, services)

    missing = [pair for pair in work.pairs if not services.artifacts.present(recipe(pair))]
    if not missing:
        return []
    try:
        terrain = terrain_of(work.tile, reference, services)
    except Rejected as refused:
        return [refused]
    faults: list[BadProduct | Rejected] = []
    for chain in chains(missing):
        flights = tuple(plan.flight(v.pass_id) for v in chain)
        pairs = list(zip(chain[1:], chain[:-1], strict=True))
        for pair, outcome in zip(pairs, services.engine.frames(FrameJob((terrain,), flights)), strict=True):
            if isinstance(outcome, Frame):
                services.artifacts.put_arrays(recipe(pair), frame_arrays(outcome), frame_notes(outcome))
            elif isinstance(outcome, BadProduct | Rejected):
                faults.append(outcome)
            else:
                raise outcome
    return faults


def chains(pairs: Iterable[Pair]) -> list[tuple[Visit, ...]]:
    """Join pairs to chains in order of time, so that each pass is read once and serves both of its pairs."""
    open_chains: list[list[Visit]] = []
    for later, earlier in sorted(pairs):
        for chain in open_chains:
            if chain[-1] == earlier:
                chain.append(later)
                break
        else:
            open_chains.append([earlier, later])
    return [tuple(c) for c in open_chains]
