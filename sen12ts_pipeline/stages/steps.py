"""The order of the stages, for whoever runs them without Airflow; the DAG has the same steps as tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sen12ts_pipeline.stages import (
    assemble,
    labels,
    match,
    optical,
    publish,
    radar,
    report,
    screen,
    search,
    select,
)
from sen12ts_pipeline.stages.services import Services

Step = tuple[str, Callable[[], list[str]], Callable[[str], object]]
"""Name, function that lists the shards, and function that makes one."""

Lister = Callable[[str, Services], list[str]]
Worker = Callable[[str, str, Services], str]


def sequence(partition: str, services: Services, *, refresh: bool = False) -> Iterator[Step]:
    """Steps of a partition; the shards of one may be listed only when the steps before it are done."""

    def whole() -> list[str]:
        return [partition]

    def mapped(shards: Lister, work: Worker) -> tuple[Callable[[], list[str]], Callable[[str], object]]:
        return lambda: shards(partition, services), lambda shard: work(partition, shard, services)

    yield "search", whole, lambda _: search.run(partition, services, refresh=refresh)
    yield "match", whole, lambda _: match.run(partition, services, refresh=refresh)
    yield "screen_optical", *mapped(screen.optical_shards, screen.optical)
    yield "screen_radar", *mapped(screen.radar_shards, screen.radar)
    yield "select", whole, lambda _: select.run(partition, services, refresh=refresh)
    yield "optical", *mapped(optical.shards, optical.run)
    yield "radar", *mapped(radar.shards, radar.run)
    yield "labels", *mapped(labels.shards, labels.run)
    yield "assemble", *mapped(assemble.shards, assemble.run)
    yield "publish", whole, lambda _: publish.run(partition, services)
    yield "report", whole, lambda _: report.run(partition, services)
