"""From the products that were found to the triplets that were made: what was lost at which rule, and why for a tile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sen12ts_pipeline.dashboard import queries
from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.ports import CandidateState
from sen12ts_pipeline.stages.report import RULES
from sen12ts_pipeline.state.ledger import SqlLedger

STEPS: Mapping[str, tuple[str, ...]] = {
    "below the cloud limit": ("granule_cloud",),
    "paired with a radar series": ("series_gap", "mixed_platforms", "missing_burst", "common_band", "antenna_phase"),
    "valid in Sentinel-2": ("s2_invalid",),
    "valid in Sentinel-1": ("s1_invalid", "dem_void", "no_burst"),
    "within cap and budget": ("cap", "budget"),
}
"""Rules that take pairs away at each step; every other rule does so at the last one."""
LAST = "written"
WAITING = "not made yet"
LIMIT_OF_A_TILE = 2_000


@dataclass(frozen=True, slots=True)
class Loss:
    """Pairs that a rule took away, in one state of theirs; an empty rule is what waits to be made."""

    rule: str
    state: CandidateState
    means: str
    pairs: int


@dataclass(frozen=True, slots=True)
class Step:
    """A step: what is left after it, and what it took away."""

    name: str
    left: int
    losses: tuple[Loss, ...]


@dataclass(frozen=True, slots=True)
class Funnel:
    """Products found, and what became of every pair of a scene and a radar pass over a tile.

    Attributes
    ----------
    granules, slices, tiles : int
        Of all partitions that are asked for.
    pairs : int
        Pairs that were looked at.
    """

    granules: int
    slices: int
    tiles: int
    pairs: int
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Why:
    """Everything that is known of a tile, and what it comes to."""

    tile: str
    lon: float
    lat: float
    sentences: tuple[str, ...]
    candidates: tuple[queries.CandidateRow, ...]
    triplets: tuple[queries.TripletRow, ...]


def funnel(ledger: SqlLedger, wanted: queries.Wanted) -> Funnel:
    """The funnel of an area, a year or a season, or of all."""
    with ledger.reading() as connection:
        rows = [r for r in queries.rule_counts(connection) if _is_wanted(r.aoi, r.year, r.season, wanted)]
        found = queries.figures_of(connection, "search", "products found")
        planned = queries.figures_of(connection, "match", "tiles planned")
    searched = [f for p, f in found.items() if _is_wanted(p.aoi, p.year, p.season, wanted)]
    matched = [f for p, f in planned.items() if _is_wanted(p.aoi, p.year, p.season, wanted)]
    return Funnel(
        granules=int(sum(f.get("granules", 0) for f in searched)),
        slices=int(sum(f.get("slices", 0) for f in searched)),
        tiles=int(sum(f.get("tiles", 0) for f in matched)),
        pairs=sum(r.candidates for r in rows),
        steps=tuple(_steps(rows)),
    )


def _is_wanted(aoi: str, year: int, season: str, wanted: queries.Wanted) -> bool:
    return wanted.aoi in {"", aoi} and wanted.year in {0, year} and (wanted.season in {"", season})


def _steps(rows: Iterable[queries.RuleCount]) -> Iterable[Step]:
    lost: Counter[tuple[str, CandidateState]] = Counter()
    left = 0
    for row in rows:
        left += row.candidates
        if row.state is not CandidateState.FINISHED:
            lost[row.rule, row.state] += row.candidates
    for name, rules in STEPS.items():
        losses = _losses(lost, rules)
        left -= sum(one.pairs for one in losses)
        yield Step(name, left, losses)
    rest = _losses(lost, {rule for rule, _ in lost} - {rule for rules in STEPS.values() for rule in rules})
    yield Step(LAST, left - sum(one.pairs for one in rest), rest)


def _losses(lost: Counter[tuple[str, CandidateState]], rules: Iterable[str]) -> tuple[Loss, ...]:
    chosen = set(rules)
    found = [Loss(rule, state, meaning(rule), n) for (rule, state), n in lost.items() if rule in chosen]
    return tuple(sorted(found, key=lambda one: (-one.pairs, one.rule, one.state)))


def meaning(rule: str) -> str:
    """What a rule says, for people."""
    return RULES.get(rule, rule) if rule else WAITING


def why(ledger: SqlLedger, tile: TileId) -> Why:
    """What is known of a tile, from the ledger."""
    wanted = queries.Wanted(tile=str(tile))
    with ledger.reading() as connection:
        rows = queries.candidates_page(connection, wanted, offset=0, limit=LIMIT_OF_A_TILE)
        made = queries.triplets_page(connection, wanted, offset=0, limit=LIMIT_OF_A_TILE)
    lon, lat = tile.centre_lonlat
    return Why(str(tile), lon, lat, tuple(_sentences(rows, made)), tuple(rows), tuple(made))


def _sentences(rows: list[queries.CandidateRow], made: list[queries.TripletRow]) -> Iterable[str]:
    if not rows and not made:
        yield (
            "Nothing is known of this tile: it lies in no area whose partitions were selected, or no scene and pass "
            "meet over it. See whether the area's boundary holds its centre, and the funnel of its area."
        )
        return
    known = {(r.aoi, r.year, r.season) for r in rows} | {(t.aoi, t.year, t.season) for t in made}
    for aoi, year, season in sorted(known):
        mine = [r for r in rows if (r.aoi, r.year, r.season) == (aoi, year, season)]
        finished = sum((t.aoi, t.year, t.season) == (aoi, year, season) for t in made)
        reasons = Counter(meaning(r.rule) for r in mine if r.state is not CandidateState.FINISHED)
        text = "; ".join(f"{n} x {reason}" for reason, n in reasons.most_common())
        yield f"{aoi} {season} {year}: {finished} triplets of {len(mine)} pairs" + (
            f". The others: {text}." if text else "."
        )
