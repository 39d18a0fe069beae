"""Of what an archive has twice the newest is needed, and of what it has in parts every part."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from sen12ts_pipeline.domain.duplicates import needed_slices
from tests.domain.examples import NOON, a_slice


def a_part(first_s, last_s, *, ipf=(3, 31), **changes):
    start = NOON + timedelta(seconds=first_s)
    name = f"{first_s}_{last_s}_{ipf[0]}{ipf[1]}"
    return a_slice(start, stop=NOON + timedelta(seconds=last_s), ipf=ipf, product=name, **changes)


NOMINAL = [a_part(0, 27), a_part(25, 52), a_part(50, 77)]


class TestSlices:
    def test_neighbours_that_overlap_by_two_bursts_are_all_needed(self):
        apart = [a_part(0, 27), a_part(21.5, 48), a_part(42.5, 70)]
        assert needed_slices(apart) == tuple(apart)

    def test_a_product_published_again_replaces_the_first(self):
        first = a_slice(product="X_1234", processed=NOON + timedelta(hours=3))
        again = a_slice(product="X_5678", processed=NOON + timedelta(hours=9))
        assert needed_slices([again, first]) == (again,)

    def test_a_newer_processor_cut_the_datatake_elsewhere_and_its_slices_replace_the_old(self):
        old = [a_part(-12, 15, ipf=(2, 36)), a_part(13, 40, ipf=(2, 36)), a_part(38, 65, ipf=(2, 36))]
        assert needed_slices([*old, *NOMINAL]) == (old[0], *NOMINAL)  # the first alone holds what came before

    def test_old_slices_stay_where_the_new_do_not_reach(self):
        old = [a_part(25, 52, ipf=(2, 36)), a_part(50, 77, ipf=(2, 36))]
        assert needed_slices([NOMINAL[0], *old]) == (NOMINAL[0], *old)

    def test_less_than_a_burst_more_is_not_worth_a_slice(self):
        old = a_part(52, 79.5, ipf=(2, 36))
        assert needed_slices([*NOMINAL, old]) == tuple(NOMINAL)

    def test_a_hurried_slice_beside_the_nominal_ones_is_not_needed(self):
        hurried = a_part(11, 39, processed=NOON + timedelta(hours=1))
        assert needed_slices([hurried, *NOMINAL]) == tuple(NOMINAL)

    def test_datatakes_platforms_and_polarisations_do_not_replace_each_other(self):
        parts = [a_part(0, 27), a_part(0, 27, datatake=2), a_part(0, 27, platform="S1B")]
        parts.append(a_part(0, 27, polarisations=("VV",), ipf=(3, 40)))
        assert len(needed_slices(parts)) == 4

    @given(st.lists(st.tuples(st.integers(0, 60), st.integers(10, 30), st.integers(0, 2)), max_size=8))
    def test_no_burst_s_time_is_lost_whatever_there_is_twice(self, drawn):
        parts = [a_part(s, s + length, ipf=(3, v)) for s, length, v in drawn]
        seconds = {t for s, length, _ in drawn for t in range(s, s + length)}
        kept = needed_slices(parts)
        covered = {
            int((p.start - NOON).total_seconds()) + t
            for p in kept
            for t in range(int((p.stop - p.start).total_seconds()))
        }
        lost = sorted(seconds - covered)
        assert not any(b - a == 2 for a, b in zip(lost, lost[2:], strict=False))  # never three seconds running
        assert needed_slices(reversed(parts)) == kept
