"""publish: the partition's index part, STAC sub-catalogue and preview sheet, and the merged index."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from sen12ts_pipeline.dataset import geotiff, index, quicklook, stac
from sen12ts_pipeline.dataset.classes import LandClass, classes_of, csv_of, named, style_of
from sen12ts_pipeline.dataset.triplet import paths_of
from sen12ts_pipeline.domain.layers import NODATA
from sen12ts_pipeline.domain.names import TripletName
from sen12ts_pipeline.domain.recipe import canonical_json
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.ports import ObjectKey
from sen12ts_pipeline.stages import assemble
from sen12ts_pipeline.stages.documents import Outcome, assembled
from sen12ts_pipeline.stages.select import metadata_key
from sen12ts_pipeline.stages.services import Services

PREVIEW_ROWS = 12
DESCRIPTION = "Triplets of Sentinel-1, Sentinel-2 and land cover on 256 x 256 tiles of 10 m, after SEN12TS."


def run(partition: str, services: Services) -> str:
    """Write what a partition says of itself; returns the key of the index part."""
    parsed = Partition.parse(partition)
    withheld = {verdict.name: verdict.reason for verdict in services.ledger.withheld(parsed.aoi)}
    made = [o for o in outcomes_of(parsed, services) if o.slot is not None]
    finished = sorted((o for o in made if o.name not in withheld), key=lambda o: o.name)
    items = [json.loads(services.store.get(metadata_key(parsed, o.name))) for o in finished]
    part = part_key(parsed)
    services.store.replace(part, index.part(items))
    catalogue = stac.catalog(parsed, [o.name for o in finished])
    services.store.replace(ObjectKey(f"{parsed.aoi}/stac/{parsed.name}.json"), stac.item_bytes(catalogue))
    shown = _spread(finished)
    views = [_view(parsed, o, services) for o in shown]
    subtitle = f"{len(finished)} triplets" + (f", {len(shown)} of them shown" if len(shown) < len(finished) else "")
    sheet = quicklook.contact_sheet(views, title=f"{parsed.aoi}, {parsed.season} {parsed.year}", subtitle=subtitle)
    services.store.replace(preview_key(parsed), sheet)
    _derive(parsed, services, withheld)
    figures = {"triplets": float(len(finished)), "withheld": float(len(made) - len(finished))}
    services.ledger.record_event(parsed, "publish", "index written", **figures)
    return str(part)


def part_key(partition: Partition) -> ObjectKey:
    """Where the index part of a partition lies."""
    return ObjectKey(f"{partition.aoi}/index/{partition.name}.parquet")


def preview_key(partition: Partition) -> ObjectKey:
    """Where the contact sheet of a partition lies."""
    return ObjectKey(f"{partition.aoi}/partitions/{partition.name}/preview.png")


def outcomes_of(partition: Partition, services: Services) -> list[Outcome]:
    """Outcomes of all shards of a partition."""
    return [
        outcome
        for shard in assemble.shards(str(partition), services)
        for outcome in assembled(shard).read(services.store, partition).outcomes
    ]


def _spread(finished: list[Outcome]) -> list[Outcome]:
    """At most `PREVIEW_ROWS` triplets, evenly from the whole list."""
    step = max(1, -(-len(finished) // PREVIEW_ROWS))
    return finished[::step]


def _view(partition: Partition, outcome: Outcome, services: Services) -> quicklook.View:
    name = TripletName.parse(outcome.name)
    paths = paths_of(name, partition.year)

    def layers(kind: str) -> Any:  # noqa: ANN401 - float32 or int16, as the file holds it
        key = ObjectKey(f"{partition.aoi}/{paths[kind]}")
        return geotiff.decode(services.store.get(key), name=key).array

    tile, classes = str(outcome.screened.candidate.tile), services.label_classes
    return quicklook.View(name, tile, layers("s1"), layers("s2"), layers("label")[0], classes)


def classes_of_labels(items: Iterable[Mapping[str, Any]], services: Services) -> list[LandClass]:
    """Class table of an area's labels, and what its items have besides; by code."""
    codes = {int(code) for item in items for code in item["properties"]["sen12ts:label_histogram"]} - {NODATA}
    return sorted({**classes_of(codes, services.label_classes), **named(services.label_classes)}.values())


def _derive(partition: Partition, services: Services, withheld: Mapping[str, str]) -> None:
    """Merged index, collection and class table of the AOI, from what all its partitions left."""
    store, aoi = services.store, partition.aoi
    told = ObjectKey(f"{aoi}/{index.WITHHELD_FILE}")
    if withheld or store.exists(told):
        store.replace(told, canonical_json(dict(withheld)))
    folder = f"{aoi}/index/"
    merged = ObjectKey(f"{folder}index.parquet")
    store.replace(merged, index.merge(store.get(k) for k in store.keys(folder) if k != merged))
    found = (json.loads(store.get(k)) for k in store.keys(f"{aoi}/metadata/"))
    items = [item for item in found if item["id"] not in withheld]
    if items:
        classes = classes_of_labels(items, services)
        collection = stac.collection(aoi, items, description=DESCRIPTION, licence="other", classes=classes)
        store.replace(ObjectKey(f"{aoi}/{stac.CLASSES_FILE}"), csv_of(classes))
        store.replace(ObjectKey(f"{aoi}/{stac.STYLE_FILE}"), style_of(classes))
        store.replace(ObjectKey(f"{aoi}/{stac.COLLECTION_FILE}"), stac.item_bytes(collection))
