"""The cap: which candidates of a tile and season become triplets, and in which order."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.domain.pairing import Candidate


@dataclass(frozen=True, slots=True)
class Screened:
    """A candidate with the invalid pixels that the screen counted in each mask."""

    candidate: Candidate
    invalid_s1: int
    invalid_s2: int


def order_key(screened: Screened, taken: Iterable[date]) -> tuple[object, ...]:
    """Rule 6: s2date already taken, |days|, invalid pixels, s2date, S1 time, track, platform."""
    one = screened.candidate
    newest = one.series.newest
    return (
        one.s2date in set(taken),
        one.days,
        screened.invalid_s1 + screened.invalid_s2,
        one.s2date,
        newest.time,
        one.track,
        newest.platform,
        one.scene_id,
    )


def next_candidate(open_candidates: Sequence[Screened], taken: Iterable[date]) -> Screened | None:
    """The candidate to make next, given the s2dates already taken for this tile and season."""
    dates = set(taken)
    return min(open_candidates, key=lambda s: order_key(s, dates), default=None)


def fill_cap(candidates: Iterable[Screened], cap: int, taken: Iterable[date] = ()) -> tuple[Screened, ...]:
    """Candidates of one tile and season in the order in which they fill its slots, at most `cap` of them.

    Parameters
    ----------
    candidates : iterable of Screened
        Those that passed both screens.
    cap : int
        Slots still free.
    taken : iterable of date
        s2dates of slots already filled.
    """
    return make_until_full(candidates, cap, lambda _: True, taken)


def make_until_full(
    candidates: Iterable[Screened], cap: int, make: Callable[[Screened], bool], taken: Iterable[date] = ()
) -> tuple[Screened, ...]:
    """Make candidates in their order until `cap` succeeded or none is left; `make` tells whether one succeeded.

    A failed candidate takes no slot and its s2date counts as not taken. `taken` are s2dates of slots already filled.
    """
    rest, dates = list(candidates), list(taken)
    made: list[Screened] = []
    while len(made) < cap and (best := next_candidate(rest, dates)) is not None:
        rest.remove(best)
        if make(best):
            made.append(best)
            dates.append(best.candidate.s2date)
    return tuple(made)


def tile_order(tiles: Iterable[TileId], seed: int) -> tuple[TileId, ...]:
    """Tiles in seeded random order, the paper's; the same on every machine."""
    ordered = sorted(tiles)
    random.Random(seed).shuffle(ordered)  # noqa: S311 - an order, not a secret
    return tuple(ordered)


def within_budget(counts: Sequence[tuple[TileId, int]], triplets: int) -> tuple[TileId, ...]:
    """Tiles, in the order given, whose triplets fit into the budget; the first that does not fit ends the list."""
    kept, total = [], 0
    for tile, count in counts:
        if total + count > triplets:
            break
        total += count
        kept.append(tile)
    return tuple(kept)
