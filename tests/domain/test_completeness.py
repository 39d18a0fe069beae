"""What the dates of a track have in common tells what one of them lacks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sen12ts_pipeline.domain.bursts import BurstId
from sen12ts_pipeline.domain.completeness import Shortfall, common_bursts, shortfalls

FIRST = 151_199  # track 71


def bursts(*numbers, subswaths=("IW1", "IW2", "IW3")):
    return frozenset(BurstId(FIRST + n, s) for n in numbers for s in subswaths)


def test_dates_with_the_same_bursts_lack_nothing():
    assert shortfalls({f"S1A_{n:06X}": bursts(*range(20)) for n in range(5)}) == ()


def test_a_slice_that_was_not_found_leaves_a_gap_within_the_pass():
    passes = {f"S1A_{n:06X}": bursts(*range(20)) for n in range(5)}
    passes["S1A_000003"] = bursts(*range(8), *range(16, 20))
    assert shortfalls(passes) == (Shortfall(71, "S1A_000003", tuple(sorted(bursts(*range(8, 16)))), within=True),)


@pytest.mark.parametrize(("there", "missing"), [(range(3, 20), (0, 1, 2)), (range(17), (17, 18, 19))])
def test_a_pass_that_begins_late_or_ends_early_lacks_bursts_at_an_end_only(there, missing):
    passes = {f"S1A_{n:06X}": bursts(*range(20)) for n in range(5)}
    passes["S1A_000000"] = bursts(*there)
    assert shortfalls(passes) == (Shortfall(71, "S1A_000000", tuple(sorted(bursts(*missing))), within=False),)


def test_what_few_dates_have_is_not_expected_of_the_others():
    passes = {f"S1A_{n:06X}": bursts(*range(20)) for n in range(4)}
    passes["S1A_000003"] = bursts(*range(-8, 28))
    assert shortfalls(passes) == ()


def test_only_the_bursts_that_are_wanted_count():
    passes = {"S1A_000001": bursts(0, 1, 2), "S1A_000002": bursts(0, 1, 2), "S1A_000003": bursts(1, 2)}
    assert shortfalls(passes, wanted=bursts(1)) == ()
    (one,) = shortfalls(passes, wanted=bursts(0, subswaths=("IW2",)))
    assert (one.pass_id, one.missing) == ("S1A_000003", (BurstId(FIRST, "IW2"),))


def test_a_missing_subswath_is_a_shortfall():
    passes = {f"S1A_{n:06X}": bursts(0, 1) for n in range(3)}
    passes["S1A_000001"] = bursts(0, 1, subswaths=("IW1", "IW3"))
    (one,) = shortfalls(passes)
    assert one.missing == tuple(sorted(bursts(0, 1, subswaths=("IW2",))))


def test_tracks_do_not_mix_even_in_one_pass():
    last_of_track, first_of_next = BurstId(2147, "IW2"), BurstId(2148, "IW2")
    assert (last_of_track.track, first_of_next.track) == (1, 2)
    passes = {"S1A_000001": {last_of_track, first_of_next}, "S1A_000002": {last_of_track}}
    assert shortfalls(passes) == ()


def test_a_single_date_tells_nothing():
    assert shortfalls({"S1A_000001": bursts(0, 5)}) == ()
    assert shortfalls({}) == ()


@given(st.dictionaries(st.text("AB", min_size=1, max_size=3), st.frozensets(st.integers(0, 6)), max_size=6))
def test_a_pass_never_lacks_what_it_has_and_all_that_is_lacking_is_usual(drawn):
    passes = {name: bursts(*numbers, subswaths=("IW1",)) for name, numbers in drawn.items()}
    for one in shortfalls(passes):
        assert not set(one.missing) & passes[one.pass_id]
        for burst in one.missing:
            assert sum(burst in b for b in passes.values()) > len([b for b in passes.values() if b]) / 2


def test_a_series_is_planned_on_what_all_its_passes_have():
    passes = {"a": bursts(0, 1, 2), "b": bursts(1, 2, 3), "c": bursts(9)}
    assert common_bursts(["a", "b"], passes) == bursts(1, 2)
    assert common_bursts(["a", "b", "c"], passes) == frozenset()
    assert common_bursts([], passes) == frozenset()
