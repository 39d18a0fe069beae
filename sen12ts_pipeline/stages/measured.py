"""Numbers of triplets that were finished before they were measured, or whose ledger was lost, from their files."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sen12ts_pipeline.dataset import geotiff, quality
from sen12ts_pipeline.dataset.triplet import paths_of
from sen12ts_pipeline.domain.names import TripletName
from sen12ts_pipeline.ports import ObjectKey, ObjectStore, QualityRecord, TripletRecord
from sen12ts_pipeline.state.ledger import SqlLedger


def unmeasured(ledger: SqlLedger, aoi: str) -> list[TripletRecord]:
    """Finished triplets of an area of which nothing is known but that they are there."""
    known = ledger.measured(aoi)
    return [record for record in ledger.triplets_of(aoi) if record.name not in known]


def measure(records: Iterable[TripletRecord], store: ObjectStore, ledger: SqlLedger) -> list[str]:
    """Measure triplets and record the numbers; returns what could not be read, and why.

    Seams are not looked at: the files do not say where one burst ends and the next begins.
    """
    faults = []
    for record in records:
        try:
            numbers = _numbers(record, store)
        except KeyError as error:
            faults.append(f"{error.args[0]}: is not in the store, or says no coherence_floor")
            continue
        except ValueError as error:
            faults.append(f"{record.partition.aoi}/{record.name}: {error}")
            continue
        ledger.record_quality(QualityRecord(record.partition, record.tile, record.name, numbers))
    return faults


def _numbers(record: TripletRecord, store: ObjectStore) -> dict[str, float]:
    paths = paths_of(TripletName.parse(record.name), record.partition.year)

    def body(kind: str) -> tuple[ObjectKey, bytes]:
        key = ObjectKey(f"{record.partition.aoi}/{paths[kind]}")
        return key, store.get(key)

    def layers(kind: str) -> Any:  # noqa: ANN401 - float32 or int16, as the file holds it
        key, content = body(kind)
        return geotiff.decode(content, name=key).array

    terrain = json.loads(body("metadata")[1])["properties"]["sen12ts:provenance"]["terrain"]
    return quality.numbers(layers("s1"), layers("s2"), float(terrain["coherence_floor"]))
