"""The cap: which candidates of a tile and season become triplets, and in which order."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.domain.selection import (
    fill_cap,
    make_until_full,
    next_candidate,
    tile_order,
    within_budget,
)
from tests.domain.examples import a_screened, tiles

JUNE = date(2020, 6, 1)


@st.composite
def screened(draw):
    s2date = JUNE + timedelta(days=draw(st.integers(0, 9)))
    s1 = datetime(s2date.year, s2date.month, s2date.day, tzinfo=UTC) + timedelta(
        days=draw(st.integers(-3, 3)), hours=draw(st.sampled_from([3, 15]))
    )
    return a_screened(
        s2date,
        s1=s1,
        invalid_s1=draw(st.sampled_from([0, 10, 655])),
        invalid_s2=draw(st.sampled_from([0, 10, 655])),
        track=draw(st.sampled_from([52, 59, 152])),
        platform=draw(st.sampled_from(["S1A", "S1B"])),
    )


candidates = st.lists(screened(), max_size=12, unique=True)
caps = st.integers(0, 6)


def june(day, **changes):
    changes.setdefault("s1", datetime(2020, 6, day, 12, tzinfo=UTC))
    return a_screened(date(2020, 6, day), **changes)


def at(day, hour=12):
    return datetime(2020, 6, day, hour, tzinfo=UTC)


class TestOrder:
    """Each pair differs in one respect only, or in later ones that must not matter."""

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            pytest.param(june(9, s1=at(9), invalid_s1=655), june(5, s1=at(6)), id="days before invalid pixels"),
            pytest.param(june(9, s1=at(8)), june(5, s1=at(7)), id="days without sign"),
            pytest.param(june(9, invalid_s1=2), june(5, invalid_s1=1, invalid_s2=2), id="invalid pixels of both masks"),
            pytest.param(june(9, invalid_s2=1), june(5, invalid_s1=2), id="invalid pixels before s2date"),
            pytest.param(june(5, s1=at(8)), june(9, s1=at(6)), id="s2date before S1 time"),
            pytest.param(june(5, s1=at(5, 3), track=152), june(5, s1=at(5, 15), track=52), id="S1 time before track"),
            pytest.param(june(5, track=52, platform="S1B"), june(5, track=59, platform="S1A"), id="track"),
            pytest.param(june(5, platform="S1A"), june(5, platform="S1B"), id="platform"),
        ],
    )
    def test_is_that_of_the_contract(self, first, second):
        assert next_candidate([second, first], taken=()) == first
        assert next_candidate([first, second], taken=()) == first

    def test_a_new_date_comes_before_everything_else(self):
        taken = june(5)
        same_date = june(5, s1=at(5, 15), track=59)
        far_and_cloudy = june(9, s1=at(12), invalid_s1=655, invalid_s2=655)
        assert next_candidate([same_date, far_and_cloudy], [taken.candidate.s2date]) == far_and_cloudy

    def test_of_nothing_is_none(self):
        assert next_candidate([], taken=()) is None


class TestCap:
    def test_two_of_the_same_date_serve_only_when_no_other_date_is_left(self):
        # Two tracks pair with the scene of 5 June; both are nearer than those of other dates.
        one, other = june(5, track=52), june(5, track=59)
        later = [june(day, s1=at(day + 2)) for day in (10, 15)]
        assert fill_cap([one, other, *later], cap=2) == (one, later[0])
        assert fill_cap([one, other, *later], cap=4) == (one, *later, other)

    def test_respects_dates_taken_before(self):
        assert fill_cap([june(5), june(6, s1=at(9))], cap=1, taken=[date(2020, 6, 5)]) == (june(6, s1=at(9)),)

    def test_a_season_without_candidates_has_none(self):
        assert fill_cap([], cap=4) == ()

    @given(candidates, caps)
    def test_holds_and_is_used(self, given_candidates, cap):
        chosen = fill_cap(given_candidates, cap)
        assert len(chosen) == min(cap, len(given_candidates))
        assert len(set(chosen)) == len(chosen)
        assert set(chosen) <= set(given_candidates)

    @given(candidates, caps)
    def test_covers_as_many_dates_as_it_can(self, given_candidates, cap):
        dates = {one.candidate.s2date for one in given_candidates}
        chosen = {one.candidate.s2date for one in fill_cap(given_candidates, cap)}
        assert len(chosen) == min(cap, len(dates))

    @given(candidates, caps)
    def test_a_smaller_cap_takes_the_beginning_of_the_same_order(self, given_candidates, cap):
        assert fill_cap(given_candidates, cap) == fill_cap(given_candidates, cap + 1)[:cap]

    @given(candidates, caps, st.randoms(use_true_random=False))
    def test_does_not_depend_on_the_order_of_finding(self, given_candidates, cap, random):
        shuffled = list(given_candidates)
        random.shuffle(shuffled)
        assert fill_cap(shuffled, cap) == fill_cap(given_candidates, cap)

    @given(candidates, caps)
    def test_every_choice_is_the_next_candidate_of_what_was_left(self, given_candidates, cap):
        rest, taken = list(given_candidates), []
        for one in fill_cap(given_candidates, cap):
            assert one == next_candidate(rest, taken)
            rest.remove(one)
            taken.append(one.candidate.s2date)


class TestMaking:
    def test_a_failure_makes_room_for_the_next(self):
        first, second, third = june(5), june(6, s1=at(7)), june(7, s1=at(9))
        made = make_until_full([first, second, third], 2, lambda one: one != first)
        assert made == (second, third)

    def test_the_date_of_a_failure_is_not_taken(self):
        bad, same_date, other = june(5), june(5, track=59), june(6, s1=at(9))
        assert make_until_full([bad, same_date, other], 1, lambda one: one != bad) == (same_date,)

    def test_stops_when_the_cap_is_full(self):
        tried = []
        make_until_full([june(day) for day in range(1, 9)], 4, lambda one: tried.append(one) is None)
        assert len(tried) == 4

    @given(candidates, caps)
    def test_without_failures_it_is_the_cap(self, given_candidates, cap):
        assert make_until_full(given_candidates, cap, lambda _: True) == fill_cap(given_candidates, cap)

    @given(candidates, caps, st.sets(st.integers(0, 11)))
    def test_with_failures_it_tries_each_once_until_full_or_nothing_is_left(self, given_candidates, cap, broken):
        bad = {one for n, one in enumerate(given_candidates) if n in broken}
        tried = []

        def make(one):
            tried.append(one)
            return one not in bad

        made = make_until_full(given_candidates, cap, make)
        assert max(Counter(tried).values(), default=1) == 1
        assert made == tuple(one for one in tried if one not in bad)
        assert len(made) == min(cap, len(given_candidates) - len(bad))
        if len(made) < cap:
            assert set(tried) == set(given_candidates)

    @given(candidates, caps, st.sets(st.integers(0, 11)))
    def test_failures_do_not_change_what_the_others_would_have_given(self, given_candidates, cap, broken):
        good = [one for n, one in enumerate(given_candidates) if n not in broken]
        assert make_until_full(given_candidates, cap, good.__contains__) == fill_cap(good, cap)


class TestOrderOfTiles:
    TILES = tuple(TileId(31, column, 1800) for column in range(8))

    def test_is_random_but_seeded(self):
        assert [tile.column for tile in tile_order(self.TILES, seed=7)] == [6, 7, 2, 4, 0, 3, 1, 5]
        assert tile_order(self.TILES, seed=7) != tile_order(self.TILES, seed=8)

    @given(st.sets(tiles(), max_size=20), st.integers(0, 2**32), st.randoms(use_true_random=False))
    def test_holds_every_tile_once_however_they_were_found(self, found, seed, random):
        listed = list(found)
        random.shuffle(listed)
        assert tile_order(listed, seed) == tile_order(sorted(found), seed)
        assert sorted(tile_order(listed, seed)) == sorted(found)


class TestBudget:
    def test_ends_at_the_first_tile_that_does_not_fit(self):
        one, two, three = (TileId(31, column, 1800) for column in range(3))
        counts = [(one, 4), (two, 4), (three, 1)]
        assert within_budget(counts, 9) == (one, two, three)
        assert within_budget(counts, 8) == (one, two)
        assert within_budget(counts, 7) == (one,)
        assert within_budget(counts, 3) == ()

    @given(st.lists(st.integers(0, 4), max_size=30), st.integers(0, 60))
    def test_is_never_exceeded_and_keeps_the_order(self, sizes, triplets):
        counts = [(TileId(31, column, 1800), size) for column, size in enumerate(sizes)]
        kept = within_budget(counts, triplets)
        assert kept == tuple(tile for tile, _ in counts[: len(kept)])
        assert sum(sizes[: len(kept)]) <= triplets
        assert len(kept) == len(sizes) or sum(sizes[: len(kept) + 1]) > triplets

    @given(st.lists(st.integers(0, 4), max_size=20), st.integers(0, 40))
    def test_a_larger_budget_only_adds_tiles(self, sizes, triplets):
        counts = [(TileId(31, column, 1800), size) for column, size in enumerate(sizes)]
        lists = [within_budget(counts, triplets + more) for more in range(4)]
        assert all(larger[: len(smaller)] == smaller for smaller, larger in pairwise(lists))
