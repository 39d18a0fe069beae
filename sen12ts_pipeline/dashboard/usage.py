"""What work takes and what is left of it: quotas, disks, what waits, which stages take time and memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sen12ts_pipeline.dashboard.folders import Folder
from sen12ts_pipeline.dashboard.overview import Overview
from sen12ts_pipeline.dashboard.partitions import PartitionView, State
from sen12ts_pipeline.dashboard.sources import Sources
from sen12ts_pipeline.state.quotas import ProviderState
from sen12ts_pipeline.state.tables import timings, triplets


@dataclass(frozen=True, slots=True)
class AreaFiles:
    """What the files of an area's triplets take; metadata not counted."""

    aoi: str
    triplets: int
    bytes: int


@dataclass(frozen=True, slots=True)
class StageView:
    """What the tasks of a stage took that ended well.

    Attributes
    ----------
    tasks : int
        How many.
    mean_s, longest_s, total_s : float
        Seconds.
    peak_bytes : int
        Most memory that one of them had in use.
    """

    stage: str
    tasks: int
    mean_s: float
    longest_s: float
    total_s: float
    peak_bytes: int


@dataclass(frozen=True, slots=True)
class Usage:
    """The page.

    Attributes
    ----------
    at : datetime
        Of the answer.
    queue : list of PartitionView
        Partitions of which something waits or is in work, the longest queue first.
    stages : list of StageView
        The slowest first, by all the time that they took.
    """

    at: datetime
    providers: Sequence[ProviderState]
    folders: Sequence[Folder]
    areas: list[AreaFiles]
    queue: list[PartitionView]
    stages: list[StageView]

    @property
    def bytes(self) -> int:
        """Of the files of all triplets."""
        return sum(area.bytes for area in self.areas)


def usage(sources: Sources, seen: Overview) -> Usage:
    """The page, from ledger, quotas and disks; the partitions are those of the overview."""
    with sources.ledger().reading() as connection:
        areas, stages = _areas(connection), _stages(connection)
    partitions = [one for area in seen.areas for one in area.partitions]
    queue = [one for one in partitions if one.waiting or one.state in {State.RUNNING, State.STALLED}]
    queue.sort(key=lambda one: (-one.waiting, one.aoi, one.year, one.season))
    return Usage(seen.at, sources.providers(), sources.folders(), areas, queue, stages)


def _areas(connection: Connection) -> list[AreaFiles]:
    query = sa.select(triplets.c.aoi, sa.func.count(), sa.func.sum(triplets.c.bytes)).group_by(triplets.c.aoi)
    return [AreaFiles(aoi, n, int(size)) for aoi, n, size in connection.execute(query.order_by(triplets.c.aoi))]


def _stages(connection: Connection) -> list[StageView]:
    seconds, total = timings.c.seconds, sa.func.sum(timings.c.seconds)
    query = sa.select(
        timings.c.stage,
        sa.func.count(),
        sa.func.avg(seconds),
        sa.func.max(seconds),
        total,
        sa.func.max(timings.c.peak_bytes),
    )
    rows = connection.execute(query.group_by(timings.c.stage).order_by(total.desc()))
    return [StageView(*row) for row in rows]
