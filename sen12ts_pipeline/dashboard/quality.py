"""What was measured of the triplets: distributions against what is expected, and those that want a look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sen12ts_pipeline.dashboard import queries
from sen12ts_pipeline.domain.quality import BINS, CHECKS, LAYERS, Measure
from sen12ts_pipeline.domain.seasons import Season
from sen12ts_pipeline.state.ledger import SqlLedger
from sen12ts_pipeline.state.tables import outliers, quality_bins

ROWS = 50
"""Outliers on a page."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """Triplets by the value of a measure.

    Attributes
    ----------
    measure : Measure
        What is measured, and what is expected of it.
    counts : list of int
        Triplets in each of the bins between ``measure.low`` and ``measure.high``.
    odd_bins : list of bool
        Whether all that a bin may hold lies outside of what is expected.
    measured : int
        Triplets that have a value.
    odd : int
        Of these, those whose value was not to be expected.
    """

    measure: Measure
    counts: list[int]
    odd_bins: list[bool]
    measured: int
    odd: int


@dataclass(frozen=True, slots=True)
class Quality:
    """Checks and layers, of all triplets or of some.

    Attributes
    ----------
    triplets : int
        Those that are finished.
    measured : int
        Those of which numbers are known.
    """

    triplets: int
    measured: int
    checks: list[Distribution]
    layers: list[Distribution]


@dataclass(frozen=True, slots=True)
class Outlier:
    """A number of a triplet that was not to be expected."""

    aoi: str
    name: str
    year: int
    season: Season
    tile: str
    measure: str
    value: float
    withheld: bool


@dataclass(frozen=True, slots=True)
class OutliersPage:
    """Some outliers, and how many there are in all."""

    rows: list[Outlier]
    total: int
    page: int
    pages: int


def quality(ledger: SqlLedger, wanted: queries.Wanted) -> Quality:
    """Distributions of what is wanted: by area, year and season."""
    with ledger.reading() as connection:
        counts, odd = _bins(connection, wanted), _odd(connection, wanted)
        triplets = sum(row.triplets for row in queries.season_counts(connection) if _is_wanted(row, wanted))
    every = sum(counts.get("outside", {}).values())
    checks, layers = ([_distribution(one, counts, odd) for one in some] for some in (CHECKS, LAYERS))
    return Quality(triplets, every, checks, layers)


def outliers_page(ledger: SqlLedger, wanted: queries.Wanted, measure: str, page: int) -> OutliersPage:
    """A page of outliers, counted from 1; of one measure or of all."""
    where = [*_where(outliers, wanted), *([outliers.c.measure == measure] if measure else [])]
    held = {(verdict.aoi, verdict.name) for verdict in ledger.withheld(wanted.aoi)}
    order = outliers.c.measure, outliers.c.aoi, outliers.c.name
    with ledger.reading() as connection:
        total = connection.execute(sa.select(sa.func.count()).select_from(outliers).where(*where)).scalar_one()
        pages = max(1, -(-total // ROWS))
        number = min(page, pages)
        query = sa.select(outliers).where(*where).order_by(*order).offset((number - 1) * ROWS).limit(ROWS)
        rows = [_outlier(row, held) for row in connection.execute(query).mappings()]
    return OutliersPage(rows, total, number, pages)


def _distribution(one: Measure, counts: Mapping[str, Mapping[int, int]], odd: Mapping[str, int]) -> Distribution:
    step, mine = (one.high - one.low) / BINS, counts.get(one.name, {})
    edges = [one.low + k * step for k in range(BINS + 1)]
    slack = 1e-9 * (one.high - one.low)
    only = one.bin(one.most) if one.least == one.most else None
    outside = [k != only and (edges[k + 1] <= one.least + slack or edges[k] >= one.most - slack) for k in range(BINS)]
    filled = [mine.get(k, 0) for k in range(BINS)]
    return Distribution(one, filled, outside, sum(filled), odd.get(one.name, 0))


def _bins(connection: Connection, wanted: queries.Wanted) -> dict[str, dict[int, int]]:
    columns = quality_bins.c.measure, quality_bins.c.bin
    query = sa.select(*columns, sa.func.sum(quality_bins.c.triplets)).where(*_where(quality_bins, wanted))
    found: dict[str, dict[int, int]] = {}
    for measure, place, triplets in connection.execute(query.group_by(*columns)):
        found.setdefault(measure, {})[place] = int(triplets)
    return found


def _odd(connection: Connection, wanted: queries.Wanted) -> dict[str, int]:
    query = sa.select(outliers.c.measure, sa.func.count()).where(*_where(outliers, wanted))
    return {measure: int(n) for measure, n in connection.execute(query.group_by(outliers.c.measure))}


def _where(table: sa.Table, wanted: queries.Wanted) -> list[sa.ColumnElement[bool]]:
    names = ("aoi", "year", "season")
    return [table.c[name] == value for name in names if (value := getattr(wanted, name))]


def _is_wanted(row: queries.SeasonCount, wanted: queries.Wanted) -> bool:
    return all(getattr(wanted, name) in ("", 0, getattr(row, name)) for name in ("aoi", "year", "season"))


def _outlier(row: sa.RowMapping, held: set[tuple[str, str]]) -> Outlier:
    values = {**row, "season": Season(row["season"])}
    return Outlier(**values, withheld=(row["aoi"], row["name"]) in held)
