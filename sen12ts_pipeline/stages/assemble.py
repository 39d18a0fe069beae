"""assemble: put triplets together; a candidate that fails makes room for the next in the order.

All three files are encoded before the first is written, and `metadata/<name>.json` is written last: who sees it may rely
on the rest.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from sen12ts_pipeline.dataset import geotiff, quicklook, stac
from sen12ts_pipeline.dataset.stacks import s1_stack
from sen12ts_pipeline.domain.layers import NODATA, S1_MASK, S2_MASK
from sen12ts_pipeline.domain.names import LabelName
from sen12ts_pipeline.domain.pairing import Candidate
from sen12ts_pipeline.domain.recipe import canonical_json
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.domain.selection import Screened, make_until_full
from sen12ts_pipeline.errors import BadProduct, Rejected
from sen12ts_pipeline.ports import CandidateState, Float32, Frame, Int16, ObjectKey, Put, Terrain, TripletRecord
from sen12ts_pipeline.stages import labels, optical, radar
from sen12ts_pipeline.stages.documents import Assembled, ChosenTile, Outcome, Plan, assembled
from sen12ts_pipeline.stages.match import plan_of
from sen12ts_pipeline.stages.recipes import frame_of, frame_recipe, label_recipe, optical_recipe
from sen12ts_pipeline.stages.screen import terrain_of
from sen12ts_pipeline.stages.select import candidate_record, reference_of, selection_of, triplet_name
from sen12ts_pipeline.stages.services import Services

FILES = ("s1", "s2", "label")


def shards(partition: str, services: Services) -> list[str]:
    """Numbers of the shards of tiles."""
    return labels.shards(partition, services)


def run(partition: str, shard: str, services: Services) -> str:
    """Make the triplets of a shard's tiles; returns the key of their outcomes."""
    parsed = Partition.parse(partition)
    tiles = set(labels.tile_shards(parsed, services)[int(shard)])
    chosen = [t for t in selection_of(parsed, services).tiles if t.tile in tiles]
    plan = plan_of(parsed, services)

    def one(tile: ChosenTile) -> list[Outcome]:
        return _Tile(parsed, plan, tile, services).make()

    document = Assembled(tuple(o for outcomes in services.each(one, chosen) for o in outcomes))
    _record(parsed, document, services)
    assembled(shard).replace(services.store, parsed, document)
    return str(assembled(shard).key(parsed))


def _record(partition: Partition, document: Assembled, services: Services) -> None:
    rows = []
    for outcome in document.outcomes:
        state = CandidateState.FAILED if outcome.slot is None else CandidateState.FINISHED
        rows.append(candidate_record(partition, outcome.screened, state, outcome.rule, outcome.detail, outcome.slot))
        if outcome.slot is not None:
            tile = outcome.screened.candidate.tile
            services.ledger.record_triplet(
                TripletRecord(partition, tile, outcome.slot, outcome.name, outcome.sizes, outcome.digests)
            )
    services.ledger.record_candidates(rows)


@dataclass(frozen=True, slots=True, eq=False)
class Ingredients:
    """Everything that a triplet is made of."""

    candidate: Candidate
    terrain: Terrain
    frames: tuple[Frame, ...]
    s1: Float32
    s2: Int16
    label: Int16


class _Tile:
    """Makes the triplets of one tile, slot by slot."""

    def __init__(self, partition: Partition, plan: Plan, chosen: ChosenTile, services: Services) -> None:
        self._partition, self._plan, self._chosen, self._services = partition, plan, chosen, services
        self._planned = next(t for t in plan.tiles if t.tile == chosen.tile)
        self._outcomes: list[Outcome] = []

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
        slot = 1 + sum(o.slot is not None for o in self._outcomes)
        name = triplet_name(screened.candidate)
        try:
            sizes, digests = self._finished(name) or self._produce(screened, name)
        except BadProduct as error:
            reason = f"{error.member}: {error.reason}" if error.member else error.reason
            self._services.ledger.quarantine(error.product, reason)
            self._outcomes.append(Outcome(screened, None, "", "bad_product", f"{error.product}: {reason}", {}, {}))
            return False
        except Rejected as refused:
            self._outcomes.append(Outcome(screened, None, "", refused.rule, refused.detail, {}, {}))
            return False
        self._outcomes.append(Outcome(screened, slot, name, "", "", sizes, digests))
        return True

    def _finished(self, name: str) -> tuple[dict[str, int], dict[str, str]] | None:
        """Sizes and digests of a triplet whose metadata are there."""
        if any(o.name == name for o in self._outcomes):
            raise Rejected("name_taken", name, "another candidate of this tile has the same dates and track")
        try:
            item = json.loads(self._services.store.get(metadata_key(self._partition, name)))
        except KeyError:
            return None
        files = item["properties"]["sen12ts:files"]
        return {k: files[k]["size"] for k in FILES}, {k: files[k]["sha256"] for k in FILES}

    def _produce(self, screened: Screened, name: str) -> tuple[dict[str, int], dict[str, str]]:
        services = self._services
        made = self._ingredients(screened.candidate)
        self._check(made)
        bodies = self._encode(made)
        sizes = {k: len(b) for k, b in bodies.items()}
        digests = {k: hashlib.sha256(b).hexdigest() for k, b in bodies.items()}
        label_name = str(LabelName.of(made.candidate.tile, self._partition.year))
        keys = {"s1": f"s1/{name}", "s2": f"s2/{name}", "label": f"labels/{label_name}"}
        for kind, body in bodies.items():
            self._put(f"{keys[kind]}.tif", body)
        if services.quicklooks:
            panel = quicklook.panel(made.s1, made.s2, made.label, title=name, classes=services.label_name)
            self._put(f"quicklooks/{name}.png", panel)
        item = self._item(made, screened, name, label_name, sizes, digests)
        self._put(f"metadata/{name}.json", item)
        return sizes, digests

    def _ingredients(self, one: Candidate) -> Ingredients:
        """Artifacts of a candidate, made where they are not there."""
        services, plan = self._services, self._plan
        reference_id = reference_of(self._planned, one)
        reference = plan.flight(reference_id)
        work = radar.TileWork(one.tile, reference_id, one.series.pairs)
        for fault in radar.make(work, plan, services):
            raise fault
        scene = plan.scene(one.scene_id)
        optical.make(scene, [one.tile], services)
        labels.make(one.tile, services)
        terrain = terrain_of(one.tile, reference_id, plan, services)
        frames = []
        for later, earlier in one.series.pairs:
            flights = plan.flight(later.pass_id), plan.flight(earlier.pass_id)
            recipe = frame_recipe(one.tile, reference, *flights, services)
            frames.append(frame_of(one.tile, *services.artifacts.get_arrays(recipe)))
        s2 = services.artifacts.get_arrays(optical_recipe(one.tile, scene, services))[0]["stack"]
        label = services.artifacts.get_arrays(label_recipe(one.tile, services))[0]["label"]
        return Ingredients(one, terrain, tuple(frames), s1_stack(frames, terrain), s2, label)

    def _check(self, made: Ingredients) -> None:
        """Rule 4 again, on the final masks: a layer without data counts too."""
        rules = self._services.rules
        counts = {"s1": int((made.s1[S1_MASK] != 1).sum()), "s2": int((made.s2[S2_MASK] != 1).sum())}
        for kind, invalid in counts.items():
            if not rules.admits_invalid(invalid):
                detail = f"{invalid} pixels of the finished mask, must be below {rules.max_invalid_percent:g} %"
                raise Rejected(f"{kind}_invalid", made.candidate.id, detail)

    def _encode(self, made: Ingredients) -> dict[str, bytes]:
        grid, profile = made.candidate.tile.grid, geotiff.Profile(self._services.profile)
        tags = {"DATASET": "SEN12TS", "TILE": str(made.candidate.tile)}
        return {
            "s1": geotiff.encode_s1(made.s1, grid, profile=profile, tags=tags),
            "s2": geotiff.encode_s2(made.s2, grid, profile=profile, tags=tags),
            "label": geotiff.encode_label(made.label, grid, profile=profile, tags=tags),
        }

    def _put(self, name: str, body: bytes) -> None:
        key = ObjectKey(f"{self._partition.aoi}/{name}")
        if self._services.store.put_if_absent(key, body) is Put.DIFFERENT:
            message = "a twin with other bytes was not written"
            self._services.ledger.record_event(self._partition, "assemble", f"{message}: {key}")

    def _item(
        self,
        made: Ingredients,
        screened: Screened,
        name: str,
        label_name: str,
        sizes: dict[str, int],
        digests: dict[str, str],
    ) -> bytes:
        properties = {
            "sen12ts:slot": 1 + sum(o.slot is not None for o in self._outcomes),
            "sen12ts:invalid": {"s1": int((made.s1[S1_MASK] != 1).sum()), "s2": int((made.s2[S2_MASK] != 1).sum())},
            "sen12ts:screened": {"s1": screened.invalid_s1, "s2": screened.invalid_s2},
            "sen12ts:files": {k: {"size": sizes[k], "sha256": digests[k]} for k in FILES},
            "sen12ts:classes": _histogram(made.label),
            "sen12ts:provenance": self._provenance(made),
        }
        scene = self._plan.scene(made.candidate.scene_id)
        item = stac.triplet_item(
            made.candidate,
            scene,
            self._partition,
            name=name,
            label_name=label_name,
            classes=self._services.label_name,
            quicklook=self._services.quicklooks,
            properties=properties,
        )
        return canonical_json(item)

    def _provenance(self, made: Ingredients) -> dict[str, Any]:
        services, terrain = self._services, made.terrain
        return {
            "engine": services.engine.identity.as_json(),
            "masker": services.masker.identity.as_json(),
            "label_source": dict(services.labels.identity),
            "scene": {
                "id": made.candidate.scene_id,
                "products": list(self._plan.scene(made.candidate.scene_id).products),
            },
            "terrain": {**terrain.notes, "bursts": [str(b) for b in terrain.bursts]},
            "frames": [dict(f.notes) for f in made.frames],
            "phase_sign": "angle(later * conj(earlier)); a range increase is negative",
            "coherence": "as estimated, not corrected for the bias of about 21 effective looks",
        }


def _histogram(label: Int16) -> dict[str, int]:
    codes, counts = np.unique(label[label != NODATA], return_counts=True)
    return {str(int(c)): int(n) for c, n in zip(codes, counts, strict=True)}


def metadata_key(partition: Partition, name: str) -> ObjectKey:
    """Where the STAC item of a triplet lies."""
    return ObjectKey(f"{partition.aoi}/metadata/{name}.json")
