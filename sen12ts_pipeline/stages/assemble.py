"""assemble: put triplets together; a candidate that fails makes room for the next in the order.

All files are encoded before the first is written, and `metadata/<name>.json` is written last: who sees it may rely on
the rest.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sen12ts_pipeline import __version__
from sen12ts_pipeline.dataset import geotiff, quality, quicklook, stac
from sen12ts_pipeline.dataset.stacks import s1_stack
from sen12ts_pipeline.dataset.triplet import FileFacts, Triplet, histogram, invalid_pixels, name_of, paths_of
from sen12ts_pipeline.domain.names import TripletName
from sen12ts_pipeline.domain.pairing import Candidate
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.domain.selection import Screened, make_until_full
from sen12ts_pipeline.errors import BadProduct, Rejected
from sen12ts_pipeline.ports import (
    CandidateRecord,
    CandidateState,
    Float32,
    Frame,
    Int16,
    ObjectKey,
    Put,
    QualityRecord,
    Terrain,
    TripletRecord,
)
from sen12ts_pipeline.stages import labels, optical, radar
from sen12ts_pipeline.stages.documents import SELECTION, Assembled, ChosenTile, Outcome, Plan, assembled
from sen12ts_pipeline.stages.generation import other_label_year
from sen12ts_pipeline.stages.match import plan_of
from sen12ts_pipeline.stages.recipes import frame_of, frame_recipe, optical_recipe
from sen12ts_pipeline.stages.screen import terrain_of
from sen12ts_pipeline.stages.select import candidate_record, metadata_key, reference_of, selection_of, spare_record
from sen12ts_pipeline.stages.services import Services, obtained

log = logging.getLogger(__name__)

SHARD_DONE = "shard assembled"
"""Event of a shard: how many triplets it made that were not there."""
SOFTWARE = {"sen12ts-pipeline": __version__}


def shards(partition: str, services: Services) -> list[str]:
    """Numbers of the shards of tiles."""
    return labels.shards(partition, services)


def run(partition: str, shard: str, services: Services) -> str:
    """Make the triplets of a shard's tiles; returns the key of their outcomes.

    What failed in an earlier run of the same selection has failed: a product that was mended in the meantime would
    otherwise push a finished triplet out of its slot.
    """
    parsed = Partition.parse(partition)
    tiles = set(labels.tile_shards(parsed, services)[int(shard)])
    chosen = [t for t in selection_of(parsed, services).tiles if t.tile in tiles]
    plan, selection = plan_of(parsed, services), SELECTION.digest(services.store, parsed)
    before = assembled(shard).find(services.store, parsed)
    known = before.outcomes if before and before.selection == selection else ()
    failed = {o.screened.candidate.id: o for o in known if o.slot is None}

    def one(tile: ChosenTile) -> tuple[list[Outcome], int]:
        work = _Tile(parsed, plan, tile, failed, services)
        return work.make(), work.made

    each = services.each(one, chosen)
    outcomes = tuple(o for outcomes, _ in each for o in outcomes)
    services.ledger.record_triplets(
        TripletRecord(parsed, o.screened.candidate.tile, o.slot, o.name, o.sizes, o.digests)
        for o in outcomes
        if o.slot is not None
    )
    services.ledger.record_candidates(records(parsed, chosen, outcomes))
    figures = {"made": float(sum(made for _, made in each)), "shard": float(shard)}
    services.ledger.record_event(parsed, "assemble", SHARD_DONE, **figures)
    assembled(shard).replace(services.store, parsed, Assembled(outcomes, selection))
    return str(assembled(shard).key(parsed))


def records(
    partition: Partition, chosen: Iterable[ChosenTile], outcomes: Iterable[Outcome]
) -> Iterator[CandidateRecord]:
    """Ledger rows of tiles that were assembled: what was finished, what failed, and what no slot was left for."""
    known = {o.screened.candidate.id: o for o in outcomes}
    for tile in chosen:
        for place, screened in enumerate(tile.candidates):
            made = known.get(screened.candidate.id)
            if made is None:
                yield spare_record(partition, tile, place)
            else:
                state = CandidateState.FAILED if made.slot is None else CandidateState.FINISHED
                yield candidate_record(partition, screened, state, made.rule, made.detail, made.slot)


@dataclass(frozen=True, slots=True, eq=False)
class Ingredients:
    """Everything that a triplet is made of."""

    candidate: Candidate
    terrain: Terrain
    frames: tuple[Frame, ...]
    s1: Float32
    s2: Int16
    label: Int16
    label_notes: Mapping[str, Any]
    s2_counts: Mapping[str, Any]


class _Tile:
    """Makes the triplets of one tile, slot by slot."""

    def __init__(
        self, partition: Partition, plan: Plan, chosen: ChosenTile, failed: Mapping[str, Outcome], services: Services
    ) -> None:
        self._partition, self._plan, self._chosen, self._services = partition, plan, chosen, services
        self._planned = plan.tile(chosen.tile)
        self._failed = failed
        self._outcomes: list[Outcome] = []
        self.made = 0

    def make(self) -> list[Outcome]:
        """Fill the slots: first what an earlier run finished, then candidate after candidate."""
        pinned = self._chosen.candidates[: self._chosen.pinned]
        for screened in pinned:
            self._try(screened)
        dates = [s.candidate.s2date for s in pinned]
        free = self._services.rules.cap_per_season - len(pinned)
        make_until_full(self._chosen.candidates[self._chosen.pinned :], free, self._try, dates)
        return self._outcomes

    def _try(self, screened: Screened) -> bool:
        if screened.candidate.id in self._failed:
            self._outcomes.append(self._failed[screened.candidate.id])
            return False
        slot = 1 + sum(o.slot is not None for o in self._outcomes)
        name = name_of(screened.candidate)
        try:
            files = self._finished(name) or self._produce(screened, name, slot)
        except BadProduct as error:
            finding = self._services.quarantine(error)
            self._outcomes.append(Outcome(screened, None, "", "bad_product", finding, {}, {}))
            return False
        except Rejected as refused:
            self._outcomes.append(Outcome(screened, None, "", refused.rule, refused.detail, {}, {}))
            return False
        sizes, digests = {k: files[k].size for k in sorted(files)}, {k: files[k].sha256 for k in sorted(files)}
        self._outcomes.append(Outcome(screened, slot, str(name), "", "", sizes, digests))
        return True

    def _finished(self, name: TripletName) -> dict[str, FileFacts] | None:
        """Files of a triplet whose metadata are there."""
        if any(o.name == str(name) for o in self._outcomes):
            raise Rejected("name_taken", str(name), "another candidate of this tile has the same dates and track")
        try:
            item = json.loads(self._services.store.get(metadata_key(self._partition, str(name))))
        except KeyError:
            return None
        assets = item["assets"]
        return {k: FileFacts(assets[k]["file:size"], assets[k]["file:checksum"].removeprefix("1220")) for k in assets}

    def _produce(self, screened: Screened, name: TripletName, slot: int) -> dict[str, FileFacts]:
        one = screened.candidate
        made = obtained(lambda: self._make(one), lambda: self._ingredients(one))
        self._check(made)
        bodies = self._encode(made, name)
        paths = paths_of(name, self._partition.year)
        files = {kind: self._put(paths[kind], body) for kind, body in bodies.items()}
        item = stac.item(self._triplet(made, slot, files), software=SOFTWARE, profile=self._profile)
        self._measure(made, name)
        self._put(paths["metadata"], stac.item_bytes(item))
        self.made += 1
        return files

    def _make(self, one: Candidate) -> None:
        """Make the artifacts of a candidate that are not there."""
        work = radar.TileWork(one.tile, reference_of(self._planned, one), one.series.pairs)
        for fault in radar.make(work, self._plan, self._services):
            raise fault
        optical.make(self._plan.scene(one.scene_id), [one.tile], self._services)
        labels.make(one.tile, self._services)

    def _ingredients(self, one: Candidate) -> Ingredients:
        """Artifacts of a candidate; KeyError when one is damaged."""
        services, plan = self._services, self._plan
        reference = plan.reference(reference_of(self._planned, one))
        scene = plan.scene(one.scene_id)
        terrain = terrain_of(one.tile, reference, services)
        frames = []
        for later, earlier in one.series.pairs:
            flights = plan.flight(later.pass_id), plan.flight(earlier.pass_id)
            recipe = frame_recipe(one.tile, reference, *flights, services)
            frames.append(frame_of(one.tile, *services.artifacts.get_arrays(recipe)))
        optics, counts = services.artifacts.get_arrays(optical_recipe(one.tile, scene, services))
        label, s1 = labels.of(one.tile, services), s1_stack(frames, terrain)
        return Ingredients(one, terrain, tuple(frames), s1, optics["stack"], label.codes, label.notes, counts)

    def _check(self, made: Ingredients) -> None:
        """Rule 4 again, on the final masks: a layer without data counts too."""
        rules = self._services.rules
        counts = {"s1": invalid_pixels(made.s1), "s2": invalid_pixels(made.s2)}
        for kind, invalid in counts.items():
            if not rules.admits_invalid(invalid):
                detail = f"{invalid} pixels of the finished mask, must be below {rules.max_invalid_percent:g} %"
                raise Rejected(f"{kind}_invalid", made.candidate.id, detail)

    @property
    def _profile(self) -> geotiff.Profile:
        return geotiff.Profile(self._services.profile)

    def _encode(self, made: Ingredients, name: TripletName) -> dict[str, bytes]:
        tile, profile = made.candidate.tile, self._profile
        tags = {"DATASET": "SEN12TS", "TILE": str(tile)}
        view = quicklook.View(name, str(tile), made.s1, made.s2, made.label, self._services.label_classes)
        return {
            "s1": geotiff.encode_s1(made.s1, tile.grid, profile=profile, tags=tags | _looks_tags(made.terrain)),
            "s2": geotiff.encode_s2(made.s2, tile.grid, profile=profile, tags=tags),
            "label": geotiff.encode_label(made.label, tile.grid, profile=profile, tags=tags),
            "quicklook": quicklook.quicklook(view, title=self._partition.aoi),
        }

    def _put(self, name: str, body: bytes) -> FileFacts:
        """Write a file; facts of what is there then, which may be a twin with other bytes."""
        key, store = ObjectKey(f"{self._partition.aoi}/{name}"), self._services.store
        if store.put_if_absent(key, body) is not Put.DIFFERENT:
            return FileFacts.of(body)
        message = "a twin with other bytes was not written"
        log.warning(message, extra={"key": key, "bytes": len(body)})
        self._services.ledger.record_event(self._partition, "assemble", f"{message}: {key}")
        return FileFacts.of(store.get(key))

    def _measure(self, made: Ingredients, name: TripletName) -> None:
        """Note how good the triplet is: before its metadata are there, after which nobody would look again."""
        choice, floor = made.terrain.choice_at_pixels[..., 0], float(made.terrain.notes["coherence_floor"])
        numbers = quality.numbers(made.s1, made.s2, floor, choice)
        record = QualityRecord(self._partition, made.candidate.tile, str(name), numbers)
        self._services.ledger.record_quality(record)

    def _triplet(self, made: Ingredients, slot: int, files: dict[str, FileFacts]) -> Triplet:
        return Triplet(
            partition=self._partition,
            slot=slot,
            candidate=made.candidate,
            scene=self._plan.scene(made.candidate.scene_id),
            invalid_s1=invalid_pixels(made.s1),
            invalid_s2=invalid_pixels(made.s2),
            histogram=histogram(made.label),
            files=files,
            provenance=self._provenance(made),
            class_table=self._services.label_classes,
            label_year=other_label_year(self._partition, self._services),
        )

    def _provenance(self, made: Ingredients) -> dict[str, Any]:
        services, terrain = self._services, made.terrain
        return {
            "engine": services.engine.identity.as_json(),
            "masker": services.masker.identity.as_json(),
            "label_source": {**services.labels.identity, **made.label_notes},
            "scene": {
                "id": made.candidate.scene_id,
                "products": list(self._plan.scene(made.candidate.scene_id).products),
                **made.s2_counts,
            },
            "terrain": {**terrain.notes, "bursts": [str(b) for b in terrain.bursts]},
            "frames": [dict(f.notes) for f in made.frames],
            "phase_sign": "angle(later * conj(earlier)); a range increase is negative",
            "coherence": "as estimated, with the bias of few looks: where there is none, its mean is the floor",
        }


def _looks_tags(terrain: Terrain) -> dict[str, str]:
    """What a reader of coherence must know of its estimate."""
    return {
        "EFFECTIVE_LOOKS": str(terrain.notes["effective_looks"]),
        "COHERENCE_FLOOR": str(terrain.notes["coherence_floor"]),
    }
