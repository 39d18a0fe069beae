"""report: every candidate of a partition and what became of it, as a file and as a summary for people."""

from __future__ import annotations

import dataclasses
from collections import Counter

from sen12ts_pipeline.dataset import index
from sen12ts_pipeline.domain.layers import NODATA
from sen12ts_pipeline.domain.recipe import canonical_json
from sen12ts_pipeline.domain.rules import TRIPLET_BYTES
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.ports import CandidateRecord, CandidateState, ObjectKey
from sen12ts_pipeline.stages import assemble, estimate, generation, match, publish, search, select
from sen12ts_pipeline.stages.documents import INVENTORY, PLAN, Inventory, Plan
from sen12ts_pipeline.stages.screen import pairings
from sen12ts_pipeline.stages.select import selection_of
from sen12ts_pipeline.stages.services import Services

RULES = {
    "granule_cloud": "granule too cloudy (rule 1)",
    "series_gap": "a pass of the series is missing (rule 3)",
    "mixed_platforms": "only another platform's pass is there (rule 3)",
    "missing_burst": "a pass lacks a burst of the tile (rule 3)",
    "s1_invalid": "too many pixels in shadow, layover or without radar data (rule 4)",
    "s2_invalid": "too many pixels in cloud, cloud shadow or without optical data (rule 4)",
    "cap": "cap of the tile and season reached (rule 6)",
    "budget": "size budget used up (rule 7)",
    "dem_void": "no elevation",
    "no_burst": "no burst has valid samples",
    "common_band": "the passes of a pair share too little of the azimuth band",
    "antenna_phase": "a pass was processed before IPF 2.43, with the antenna's phase in it",
    "bad_product": "a product is broken",
    "name_taken": "the name is taken",
}


def run(partition: str, services: Services) -> str:
    """Write the report of every candidate; returns its key."""
    parsed = Partition.parse(partition)
    rows = rows_of(parsed, services)
    key = report_key(parsed)
    counts = Counter((r.state.value, r.rule) for r in rows)
    report = {
        "partition": str(parsed),
        "tiles": len(match.plan_of(parsed, services).tiles),
        "counts": [{"state": s, "rule": r, "candidates": n} for (s, r), n in sorted(counts.items())],
        "over_budget": [str(t) for t in selection_of(parsed, services).over_budget],
        "labels": _labels(parsed, services),
        "candidates": [_row(r) for r in rows],
    }
    services.store.replace(key, canonical_json(report))
    services.ledger.record_event(parsed, "report", "report written", candidates=float(len(rows)))
    return str(key)


def report_key(partition: Partition) -> ObjectKey:
    """Where the report of a partition lies."""
    return ObjectKey(f"{partition.aoi}/partitions/{partition.name}/report.json")


def rows_of(partition: Partition, services: Services) -> list[CandidateRecord]:
    """Every candidate: what the selection says, then what the assembly made of it; from the store alone."""
    selection, outcomes = selection_of(partition, services), publish.outcomes_of(partition, services)
    known = (*select.records(partition, selection), *assemble.records(partition, selection.tiles, outcomes))
    rows = {(r.tile, r.scene_id, r.track, r.pass_id): r for r in known}
    return sorted(rows.values(), key=lambda r: (r.tile, r.s2date, r.track, r.pass_id, r.scene_id))


def _labels(partition: Partition, services: Services) -> dict[str, object]:
    """Source of the labels, and how many pixels of the finished tiles have which code."""
    part = publish.part_key(partition)
    rows = index.rows_of(services.store.get(part)) if services.store.exists(part) else []
    tiles = {row["tile"]: row["label_histogram"] for row in rows}
    pixels: Counter[int] = sum((Counter(histogram) for histogram in tiles.values()), Counter())
    unlabelled = sum(pixels[code] for code in (NODATA, *services.labels.silent))
    return {
        "name": services.label_name,
        "year": services.label_year,
        "of_another_year": generation.other_label_year(partition, services) is not None,
        "tiles": len(tiles),
        "unlabelled_percent": round(100.0 * unlabelled / max(pixels.total(), 1), 4),
        "pixels": {str(code): count for code, count in sorted(pixels.items())},
    }


def _label_lines(partition: Partition, services: Services) -> list[str]:
    found = _labels(partition, services)
    year = f" of {found['year']}, another year than the imagery" if found["of_another_year"] else ""
    return [f"  labels   {found['name']}{year}: {found['unlabelled_percent']:g} % of the pixels unlabelled"]


def _row(r: CandidateRecord) -> dict[str, object]:
    return {
        "tile": str(r.tile),
        "scene": r.scene_id,
        "s2date": r.s2date.isoformat(),
        "s1date": r.s1date.isoformat(),
        "track": r.track,
        "direction": r.direction,
        "pass": r.pass_id,
        "state": r.state.value,
        "rule": r.rule,
        "detail": r.detail,
        "invalid_s1": r.invalid_s1,
        "invalid_s2": r.invalid_s2,
        "slot": r.slot,
    }


def summary_text(partition: str, services: Services) -> str:
    """What was made, what was refused and by which rule, and where things are."""
    parsed = Partition.parse(partition)
    rows = rows_of(parsed, services)
    finished = [r for r in rows if r.state is CandidateState.FINISHED]
    tiles = len({r.tile for r in finished})
    planned = len(match.plan_of(parsed, services).tiles)
    lines = [f"{parsed}: {len(finished)} triplets of {tiles} tiles finished; {planned} tiles, {len(rows)} candidates"]
    if not rows:
        found = INVENTORY.find(services.store, parsed) or search.find(parsed, services)
        lines.append(f"  nothing to make: {len(found.granules)} granules and {len(found.slices)} slices in the season")
    refused = Counter(r.rule for r in rows if r.state is not CandidateState.FINISHED)
    for rule, count in sorted(refused.items(), key=lambda x: (-x[1], x[0])):
        lines.append(f"  {count:6d} refused by {rule:15s} {RULES.get(rule, '')}")
    broken = services.ledger.quarantined()
    lines += [f"  broken product {product}: {reason}" for product, reason in sorted(broken.items())]
    if finished:
        lines += _label_lines(parsed, services)
    folder = services.store.location(ObjectKey(parsed.aoi))
    lines.append(f"  files    {folder}/{{s1,s2,labels,metadata,quicklooks}}")
    if finished:
        lines.append(f"  preview  {services.store.location(publish.preview_key(parsed))}")
    lines.append(f"  report   {services.store.location(report_key(parsed))}")
    return "\n".join(lines)


def plan_text(partition: str, services: Services) -> str:
    """What a run would do; no document is written and no product quarantined."""
    parsed, services = Partition.parse(partition), dataclasses.replace(services, dry=True)
    generation.check(parsed, services)
    found = INVENTORY.find(services.store, parsed) or search.find(parsed, services)
    plan, afar = PLAN.find(services.store, parsed), services.searched != "catalogue.root"
    estimated = plan is None and afar
    if plan is None:
        plan = estimate.plan_by_outlines(found, services) if afar else _built(parsed, found, services)
    pairs = [pairings(plan, planned, services) for planned in plan.tiles]
    good, refused = [good for good, _ in pairs], sum(len(bad) for _, bad in pairs)
    needs = estimate.needs_of(plan, good, services)
    about, over = ("about ", " over the area") if estimated else ("", "")
    lines = [
        f"{parsed}: {len(plan.tiles)} tiles",
        f"  Sentinel-2  {len(found.granules)} granules, {len(plan.scenes)} scenes",
        f"  Sentinel-1  {len(found.slices)} slices, {len(plan.passes)} passes",
        *(
            f"              {p.flight.id} {p.flight.start:%Y-%m-%d} {about}{len(p.bursts)} bursts{over}"
            for p in plan.passes
        ),
        f"  candidates  {sum(map(len, good))} to screen, {refused} refused by cloud or gaps",
        f"  triplets    at most {needs.triplets}, {needs.triplets * TRIPLET_BYTES / 1e9:.2f} GB raw",
        *estimate.lines_of(needs, services, fetched=afar, estimated=estimated),
    ]
    return "\n".join(lines)


def _built(partition: Partition, found: Inventory, services: Services) -> Plan:
    return match.build(found, match.references(partition, services).values(), services)
