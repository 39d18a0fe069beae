"""select: refuse by the two masks, order what is left, fill the cap and the size budget."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from sen12ts_pipeline.dataset.triplet import name_of
from sen12ts_pipeline.domain.bursts import BurstId
from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.domain.pairing import Candidate, Refusal
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.domain.selection import Screened, fill_cap, tile_order, within_budget
from sen12ts_pipeline.errors import Rejected
from sen12ts_pipeline.ports import CandidateRecord, CandidateState, ObjectKey
from sen12ts_pipeline.stages.documents import PLAN, SELECTION, ChosenTile, Plan, PlannedTile, Selection
from sen12ts_pipeline.stages.match import plan_of
from sen12ts_pipeline.stages.screen import clouds_of, pairings, terrain_of, work_of
from sen12ts_pipeline.stages.services import Services

TILE_PIXELS = 256 * 256


def run(partition: str, services: Services, *, refresh: bool = False) -> str:
    """Freeze which candidates are made, and record every refusal; returns the selection's key.

    With `refresh`, or when the plan is another one, the selection is made anew, but what is finished keeps its slot.
    """
    parsed = Partition.parse(partition)
    before, made_of = SELECTION.find(services.store, parsed), PLAN.digest(services.store, parsed)
    selection = before
    if selection is None or refresh or selection.plan != made_of:
        plan = plan_of(parsed, services)
        finished = _finished(parsed, before, services) if before else {}
        selection = dataclasses.replace(choose(plan, _Clouds(plan, services), services, finished), plan=made_of)
        if made_of:
            (SELECTION.replace if before else SELECTION.freeze)(services.store, parsed, selection)
    services.ledger.record_candidates(records(parsed, selection))
    figures = Counter(r.rule for r in selection.refusals)
    selected = float(sum(t.slots for t in selection.tiles))
    services.ledger.record_event(parsed, "select", "candidates chosen", selected=selected, **figures)
    return str(SELECTION.key(parsed))


def _finished(partition: Partition, before: Selection, services: Services) -> dict[TileId, list[Screened]]:
    """Finished candidates of an earlier selection by tile, in the order of their slots, as the store has them."""
    slots: dict[TileId, dict[int, Screened]] = defaultdict(dict)
    there = set(services.store.keys(f"{partition.aoi}/metadata/"))
    for screened in (s for t in before.tiles for s in t.candidates):
        key = metadata_key(partition, str(name_of(screened.candidate)))
        if key in there:
            slot = json.loads(services.store.get(key))["properties"]["sen12ts:slot"]
            slots[screened.candidate.tile].setdefault(slot, screened)
    return {tile: [by_slot[k] for k in sorted(by_slot)] for tile, by_slot in slots.items()}


def metadata_key(partition: Partition, name: str) -> ObjectKey:
    """Where the STAC item of a triplet lies."""
    return ObjectKey(f"{partition.aoi}/metadata/{name}.json")


def selection_of(partition: Partition, services: Services) -> Selection:
    """The frozen selection; an empty one when there was nothing to select."""
    return SELECTION.find(services.store, partition) or Selection((), (), ())


class _Clouds:
    """Counts of the optical screen by scene."""

    def __init__(self, plan: Plan, services: Services) -> None:
        self._counts = {
            scene_id: clouds_of(plan.scene(scene_id), tiles, services)
            for scene_id, tiles in work_of(plan, services).scenes.items()
        }

    def of(self, one: Candidate) -> dict[str, Any]:
        return self._counts[one.scene_id]


def choose(plan: Plan, clouds: _Clouds, services: Services, finished: Mapping[TileId, list[Screened]]) -> Selection:
    """Apply rules 4, 6 and 7 to every tile of the plan; what is finished comes first, in its tile and in the budget."""
    refusals: list[Refusal] = []
    tiles: list[ChosenTile] = []
    for planned in plan.tiles:
        candidates, refused = pairings(plan, planned, services)
        refusals.extend(refused)
        screened = _Screen(plan, planned, clouds, services).apply(candidates, refusals)
        pinned = finished.get(planned.tile, [])
        if screened or pinned:
            tiles.append(_ranked(planned.tile, screened, pinned, services.rules.cap_per_season))
    ordered = _in_order(plan, tiles, services)
    triplets = services.rules.season_triplets
    spent = sum(t.pinned for t in ordered)
    inside = set(within_budget([(t.tile, t.slots - t.pinned) for t in ordered], triplets - spent))
    beyond = [t for t in ordered if t.tile not in inside and t.slots > t.pinned]
    detail = (
        f"the season's {triplets} triplets are used up by tiles that come earlier in the {services.tile_order} order"
    )
    refusals.extend(
        Refusal.of(s.candidate, "budget", detail, s.invalid_s1, s.invalid_s2)
        for t in beyond
        for s in t.candidates[t.pinned :]
    )
    kept = [t if t.tile in inside else t.only_finished() for t in ordered]
    return Selection(tuple(t for t in kept if t.slots), tuple(refusals), tuple(t.tile for t in beyond))


def _ranked(tile: TileId, screened: list[Screened], pinned: list[Screened], cap: int) -> ChosenTile:
    held = {s.candidate.id for s in pinned}
    fresh = [s for s in screened if s.candidate.id not in held]
    ranked = (*pinned, *fill_cap(fresh, len(fresh), [s.candidate.s2date for s in pinned]))
    return ChosenTile(tile, ranked, min(cap, len(ranked)), len(pinned))


def _in_order(plan: Plan, tiles: list[ChosenTile], services: Services) -> list[ChosenTile]:
    by_tile = {t.tile: t for t in tiles}
    if services.tile_order == "burst":
        burst: dict[TileId, tuple[BurstId, ...]] = {p.tile: tuple(t.burst for t in p.tracks) for p in plan.tiles}
        return [by_tile[t] for t in sorted(by_tile, key=lambda t: (burst[t], t))]
    return [by_tile[t] for t in tile_order((p.tile for p in plan.tiles), services.seed) if t in by_tile]


class _Screen:
    """Rules of one tile's masks; its terrain is looked at once a track."""

    def __init__(self, plan: Plan, planned: PlannedTile, clouds: _Clouds, services: Services) -> None:
        self._plan, self._planned, self._clouds, self._services = plan, planned, clouds, services
        self._terrain: dict[int, tuple[int, tuple[BurstId, ...]] | Rejected] = {}
        self._pairs: dict[tuple[int, str, str], Rejected | None] = {}

    def apply(self, candidates: Iterable[Candidate], refusals: list[Refusal]) -> list[Screened]:
        kept = []
        for one in candidates:
            outcome = self._judge(one)
            if isinstance(outcome, Refusal):
                refusals.append(outcome)
            else:
                kept.append(outcome)
        return kept

    def _judge(self, one: Candidate) -> Screened | Refusal:
        rules = self._services.rules
        clouds = self._clouds.of(one)
        if "bad_product" in clouds:
            return Refusal.of(one, "bad_product", clouds["bad_product"])
        measured = clouds["cloud_percent"]
        if measured >= rules.max_cloud_percent:
            return Refusal.of(
                one, "granule_cloud", f"{measured:.4g} % cloud measured, limit {rules.max_cloud_percent:g} %"
            )
        invalid_s2 = clouds["invalid"][str(one.tile)]
        terrain = self._terrain_of(one)
        if isinstance(terrain, Rejected):
            return Refusal.of(one, terrain.rule, terrain.detail, None, invalid_s2)
        invalid_s1, bursts = terrain
        limit = f"of {TILE_PIXELS} pixels, must be below {rules.max_invalid_percent:g} %"
        if not rules.admits_invalid(invalid_s1):
            return Refusal.of(one, "s1_invalid", f"{invalid_s1} {limit}", invalid_s1, invalid_s2)
        if not rules.admits_invalid(invalid_s2):
            return Refusal.of(one, "s2_invalid", f"{invalid_s2} {limit}", invalid_s1, invalid_s2)
        for visit in one.series.visits:
            missing = [str(b) for b in bursts if b not in self._plan.bursts[visit.pass_id]]
            if missing:
                detail = f"pass {visit.pass_id} lacks burst {', '.join(missing)}"
                return Refusal.of(one, "missing_burst", detail, invalid_s1, invalid_s2)
        for later, earlier in one.series.pairs:
            fault = self._pair_fault(one, bursts, earlier.pass_id, later.pass_id)
            if fault:
                return Refusal.of(one, fault.rule, fault.detail, invalid_s1, invalid_s2)
        return Screened(one, invalid_s1, invalid_s2)

    def _pair_fault(self, one: Candidate, bursts: tuple[BurstId, ...], earlier: str, later: str) -> Rejected | None:
        if (one.track, earlier, later) not in self._pairs:
            flights = self._plan.flight(earlier), self._plan.flight(later)
            try:
                self._services.engine.check_pair(one.tile.grid, bursts, *flights)
                self._pairs[one.track, earlier, later] = None
            except Rejected as refused:
                detail = f"{earlier} and {later}: {refused.detail}"
                self._pairs[one.track, earlier, later] = Rejected(refused.rule, refused.subject, detail)
        return self._pairs[one.track, earlier, later]

    def _terrain_of(self, one: Candidate) -> tuple[int, tuple[BurstId, ...]] | Rejected:
        if one.track not in self._terrain:
            try:
                reference = self._plan.reference(reference_of(self._planned, one))
                terrain = terrain_of(one.tile, reference, self._services)
                self._terrain[one.track] = int((~terrain.valid).sum()), terrain.bursts
            except Rejected as refused:
                self._terrain[one.track] = refused
        return self._terrain[one.track]


def reference_of(planned: PlannedTile, one: Candidate) -> str:
    """Identity of the reference pass of a candidate's track."""
    pairs = zip(planned.tracks, planned.references, strict=True)
    return next(reference for track, reference in pairs if track.track == one.track)


def records(partition: Partition, selection: Selection) -> list[CandidateRecord]:
    """Ledger rows of a selection."""
    rows = []
    for chosen in selection.tiles:
        for place, screened in enumerate(chosen.candidates):
            if place < chosen.slots:
                rows.append(candidate_record(partition, screened, CandidateState.SELECTED, "", "", None))
            else:
                rows.append(spare_record(partition, chosen, place))
    return rows + [_refused(partition, refusal) for refusal in selection.refusals]


def spare_record(partition: Partition, chosen: ChosenTile, place: int) -> CandidateRecord:
    """Ledger row of a candidate that finds all slots of its tile taken."""
    detail = f"place {place + 1} in the order, {chosen.slots} slots"
    return candidate_record(partition, chosen.candidates[place], CandidateState.SPARE, "cap", detail, None)


def _refused(partition: Partition, refusal: Refusal) -> CandidateRecord:
    return CandidateRecord(
        partition=partition,
        tile=refusal.tile,
        scene_id=refusal.scene_id,
        s2date=refusal.s2date,
        track=refusal.track,
        direction=refusal.direction,
        s1date=refusal.visit.date,
        pass_id=refusal.visit.pass_id,
        state=CandidateState.REFUSED,
        rule=refusal.rule,
        detail=refusal.detail,
        invalid_s1=refusal.invalid_s1,
        invalid_s2=refusal.invalid_s2,
        slot=None,
    )


def candidate_record(
    partition: Partition, screened: Screened, state: CandidateState, rule: str, detail: str, slot: int | None
) -> CandidateRecord:
    """Ledger row of a screened candidate."""
    one = screened.candidate
    return CandidateRecord(
        partition=partition,
        tile=one.tile,
        scene_id=one.scene_id,
        s2date=one.s2date,
        track=one.track,
        direction=one.direction,
        s1date=one.series.newest.date,
        pass_id=one.series.newest.pass_id,
        state=state,
        rule=rule,
        detail=detail,
        invalid_s1=screened.invalid_s1,
        invalid_s2=screened.invalid_s2,
        slot=slot,
    )
