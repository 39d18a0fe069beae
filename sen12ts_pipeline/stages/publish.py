"""publish: the partition's index part, STAC sub-catalogue and preview sheet, and the merged index."""

from __future__ import annotations

import json
from typing import Any

from sen12ts_pipeline.dataset import geotiff, index, quicklook, stac
from sen12ts_pipeline.domain.recipe import canonical_json
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.ports import ObjectKey
from sen12ts_pipeline.stages import assemble
from sen12ts_pipeline.stages.documents import Outcome, assembled
from sen12ts_pipeline.stages.services import Services

PREVIEW_ROWS = 12


def run(partition: str, services: Services) -> str:
    """Write what a partition says of itself; returns the key of the index part."""
    parsed = Partition.parse(partition)
    outcomes = outcomes_of(parsed, services)
    finished = sorted((o for o in outcomes if o.slot is not None), key=lambda o: o.name)
    items = [json.loads(services.store.get(assemble.metadata_key(parsed, o.name))) for o in finished]
    part = ObjectKey(f"{parsed.aoi}/index/{parsed.name}.parquet")
    services.store.replace(part, index.part(items))
    services.store.replace(
        ObjectKey(f"{parsed.aoi}/partitions/{parsed.name}/catalog.json"),
        canonical_json(stac.partition_catalogue(parsed, [o.name for o in finished])),
    )
    if finished:
        sheet = quicklook.contact_sheet([_row(parsed, o, services) for o in _spread(finished)], title=str(parsed))
        services.store.replace(preview_key(parsed), sheet)
    _merge(parsed, services)
    services.ledger.record_event(parsed, "publish", "index written", triplets=float(len(finished)))
    return str(part)


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


def _row(partition: Partition, outcome: Outcome, services: Services) -> Any:  # noqa: ANN401 - dataset's own row
    def layers(kind: str, name: str) -> Any:  # noqa: ANN401
        return geotiff.decode(services.store.get(ObjectKey(f"{partition.aoi}/{kind}/{name}.tif")), name=name).array

    item = json.loads(services.store.get(assemble.metadata_key(partition, outcome.name)))
    label = item["assets"]["label"]["href"].rsplit("/", 1)[-1].removesuffix(".tif")
    return quicklook.Row(
        title=outcome.name,
        s1=layers("s1", outcome.name),
        s2=layers("s2", outcome.name),
        label=layers("labels", label)[0],
        classes=services.label_name,
    )


def _merge(partition: Partition, services: Services) -> None:
    folder = f"{partition.aoi}/index/"
    merged = ObjectKey(f"{folder}index.parquet")
    parts = [services.store.get(k) for k in services.store.keys(folder) if k != merged]
    services.store.replace(merged, index.merge(parts))
