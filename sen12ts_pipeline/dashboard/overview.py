"""How far every area and season is, what needs a person, and how long the rest will take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sen12ts_pipeline.dashboard import estimate, paper, queries
from sen12ts_pipeline.dashboard.alerts import Attention, Facts, alerts
from sen12ts_pipeline.dashboard.partitions import AreaView, PartitionView, nothing, partitions
from sen12ts_pipeline.dashboard.sources import Sources
from sen12ts_pipeline.domain.rules import TRIPLET_BYTES
from sen12ts_pipeline.domain.seasons import Partition, Season
from sen12ts_pipeline.settings.model import AoiSettings


@dataclass(frozen=True, slots=True)
class Overview:
    """The first page."""

    at: datetime
    areas: tuple[AreaView, ...]
    attention: tuple[Attention, ...]
    pace: estimate.Estimate
    tiles: int
    triplets: int
    raw_gb: float
    paper_tiles: int
    paper_triplets: int


def overview(sources: Sources, now: datetime | None = None) -> Overview:
    """The first page, from the ledger, the settings, and what of quotas and disks is used."""
    now, ledger, areas, limits = now or datetime.now(UTC), sources.ledger(), sources.areas(), sources.limits()
    with ledger.reading() as connection:
        rules = queries.rule_counts(connection)
        tiles: Counter[str] = Counter()
        for row in queries.tile_counts(connection):
            tiles[row.aoi] += row.tiles
        made = {Partition(r.aoi, r.year, r.season): r.triplets for r in queries.season_counts(connection)}
        last = {Partition(e.aoi, e.year, e.season): e for e in queries.last_events(connection)}
        heard = queries.last_timings(connection)
        paces = queries.made_since(connection, now - estimate.WINDOW)
    known = partitions(rules, made, last, heard, now - timedelta(hours=limits.silent_hours))
    years = sorted({(p.aoi, p.year) for p in known} | {(a.name, a.year) for a in areas.values()})
    views = tuple(_area(aoi, year, known, areas.get(aoi), tiles[aoi]) for aoi, year in years)
    waiting = sum(p.waiting for p in known.values())
    facts = Facts(now, limits, views, ledger.quarantined(), sources.providers(), sources.folders())
    compared = [paper.AREAS[aoi] for aoi in {v.aoi for v in views} & paper.AREAS.keys()]
    return Overview(
        at=now,
        areas=views,
        attention=tuple(alerts(facts)),
        pace=estimate.estimate(now, waiting, [(one.at, one.triplets) for one in paces]),
        tiles=sum(tiles.values()),
        triplets=sum(v.triplets for v in views),
        raw_gb=sum(v.raw_gb for v in views),
        paper_tiles=sum(one.tiles for one in compared),
        paper_triplets=sum(one.triplets for one in compared),
    )


def _area(
    aoi: str, year: int, known: Mapping[Partition, PartitionView], settings: AoiSettings | None, tiles: int
) -> AreaView:
    seasons = tuple(known.get(p := Partition(aoi, year, s)) or nothing(p) for s in Season)
    triplets = sum(p.finished for p in seasons)
    published = paper.AREAS.get(aoi, paper.Published(0, 0))
    return AreaView(
        aoi=aoi,
        year=year,
        configured=settings is not None,
        partitions=seasons,
        tiles=tiles,
        triplets=triplets,
        raw_gb=triplets * TRIPLET_BYTES / 1e9,
        budget_gb=settings.budget_gb if settings else 0.0,
        paper_tiles=published.tiles,
        paper_triplets=published.triplets,
    )
