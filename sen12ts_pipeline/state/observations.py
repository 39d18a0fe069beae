"""Rows of what is measured: of triplets, with the counts that follow from them, and of tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sen12ts_pipeline.domain import quality
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.ports import QualityRecord
from sen12ts_pipeline.state.tables import outliers, qualities, quality_bins

Insert = Callable[[sa.Table], Any]
"""Insert statement of the database's dialect, which knows what to do on a conflict."""


def keep_quality(connection: Connection, insert: Insert, record: QualityRecord) -> None:
    """Keep what was measured of a triplet, unless something is kept: the same bytes give the same numbers."""
    place = {**_place(record.partition), "tile": str(record.tile)}
    row = {**place, "name": record.name, "numbers": dict(record.numbers)}
    statement = insert(qualities).values(row).on_conflict_do_nothing()
    if connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount:
        _count(connection, insert, record, 1)
        odd = [{**place, "name": record.name, "measure": m, "value": v} for m, v in quality.outliers(record.numbers)]
        if odd:
            connection.execute(insert(outliers).values(odd).on_conflict_do_nothing())


def forget_quality(connection: Connection, insert: Insert, partition: Partition, name: str) -> None:
    """Forget what was measured of a triplet that is no more."""
    mine = qualities.c.aoi == partition.aoi, qualities.c.name == name
    row = connection.execute(qualities.delete().where(*mine).returning(qualities.c.numbers)).first()
    if row is not None:
        _count(connection, insert, QualityRecord(partition, None, name, row.numbers), -1)
        connection.execute(outliers.delete().where(outliers.c.aoi == partition.aoi, outliers.c.name == name))


def _count(connection: Connection, insert: Insert, record: QualityRecord, by: int) -> None:
    """Count the numbers of a triplet in or out; in one order, so that two writers wait in one direction."""
    known = ((name, value) for name, value in sorted(record.numbers.items()) if name in quality.MEASURES)
    rows = [
        {**_place(record.partition), "measure": name, "bin": quality.MEASURES[name].bin(value), "triplets": by}
        for name, value in known
    ]
    if rows:
        statement = insert(quality_bins).values(rows)
        keys = [column.name for column in quality_bins.primary_key]
        more = {"triplets": quality_bins.c.triplets + statement.excluded.triplets}
        connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=more))


def _place(partition: Partition) -> dict[str, Any]:
    return {"aoi": partition.aoi, "year": partition.year, "season": str(partition.season)}
