"""Lists, page by page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sen12ts_pipeline.dashboard import queries, triplet
from sen12ts_pipeline.dashboard.recent import Recent
from sen12ts_pipeline.dataset.classes import classes_of
from sen12ts_pipeline.ports import ObjectStore
from sen12ts_pipeline.state.ledger import SqlLedger

ROWS, PICTURES = 50, 24
"""Candidates and triplets on a page."""


@dataclass(frozen=True, slots=True)
class CandidatesPage:
    """Some candidates, and how many there are in all."""

    rows: list[queries.CandidateRow]
    total: int
    page: int
    pages: int


@dataclass(frozen=True, slots=True)
class ClassChoice:
    """A class that occurs in an area."""

    code: int
    name: str


@dataclass(frozen=True, slots=True)
class TripletsPage:
    """Some triplets, how many there are in all, and the classes by which they can be chosen."""

    rows: list[queries.TripletRow]
    total: int
    page: int
    pages: int
    classes: list[ClassChoice]


def candidates_page(ledger: SqlLedger, wanted: queries.Wanted, page: int, recent: Recent) -> CandidatesPage:
    """A page of candidates, counted from 1; the last one for a number beyond it."""

    def count() -> int:
        with ledger.reading() as connection:
            return queries.candidates_count(connection, wanted)

    total = recent.get(("candidates", wanted), count)
    number, pages = _within(page, total, ROWS)
    with ledger.reading() as connection:
        rows = queries.candidates_page(connection, wanted, offset=(number - 1) * ROWS, limit=ROWS)
    return CandidatesPage(rows, total, number, pages)


def triplets_page(
    ledger: SqlLedger,
    store: Callable[[], ObjectStore],
    wanted: queries.Wanted,
    code: int | None,
    page: int,
    recent: Recent,
) -> TripletsPage:
    """A page of triplets, counted from 1; with a class code, which needs an area, those with much of this class."""
    classes = recent.get(("classes", wanted.aoi), lambda: _classes(store(), wanted.aoi)) if wanted.aoi else []
    if code is not None and wanted.aoi:
        return _of_class(ledger, store, wanted, code, page, recent, classes)

    def count() -> int:
        with ledger.reading() as connection:
            return queries.triplets_count(connection, wanted)

    total = recent.get(("triplets", wanted), count)
    number, pages = _within(page, total, PICTURES)
    with ledger.reading() as connection:
        rows = queries.triplets_page(connection, wanted, offset=(number - 1) * PICTURES, limit=PICTURES)
    return TripletsPage(rows, total, number, pages, classes)


def _of_class(
    ledger: SqlLedger,
    store: Callable[[], ObjectStore],
    wanted: queries.Wanted,
    code: int,
    page: int,
    recent: Recent,
    classes: list[ClassChoice],
) -> TripletsPage:
    """Triplets of a class: the index tells their names, the ledger the rest."""

    def chosen() -> list[str]:
        having = triplet.with_class(store(), wanted.aoi, code)
        with ledger.reading() as connection:
            return [name for name in queries.triplet_names(connection, wanted) if name in having]

    names = recent.get(("class", wanted, code), chosen)
    number, pages = _within(page, len(names), PICTURES)
    with ledger.reading() as connection:
        shown = names[(number - 1) * PICTURES : number * PICTURES]
        rows = queries.triplets_named(connection, wanted.aoi, shown)
    return TripletsPage(rows, len(names), number, pages, classes)


def _classes(store: ObjectStore, aoi: str) -> list[ClassChoice]:
    """Classes of an area's index, by name."""
    found = classes_of(triplet.classes_in(store, aoi))
    return sorted((ClassChoice(c.code, c.name) for c in found.values()), key=lambda one: one.name)


def _within(page: int, total: int, size: int) -> tuple[int, int]:
    pages = max(1, -(-total // size))
    return min(page, pages), pages
