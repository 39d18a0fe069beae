"""Of what an archive has twice the newest is needed, and of what it has in parts every part."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from sen12ts_pipeline.domain.duplicates import needed_granules, needed_slices
from tests.domain.examples import NOON, a_granule, a_slice


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


DATASTRIP = "S2A_OPER_MSI_L2A_DS_{centre}_{made}_S{sensed}_N02.14"


def a_half(made, sensed, **changes):
    datastrip = DATASTRIP.format(centre="VGS1", made=made, sensed=sensed)
    return a_granule(discriminator=made, datastrip=datastrip, **changes)


class TestGranules:
    def test_halves_of_two_ground_stations_are_both_needed(self):
        # The granule 37MEU of 2020-02-10 came in two products, sensed from different times on.
        halves = [a_half("20200210T100652", "20200210T074431"), a_half("20200210T130912", "20200210T074022")]
        assert needed_granules(halves) == tuple(halves)

    def test_the_same_data_made_again_are_needed_once_although_the_datastrip_has_another_identity(self):
        first = a_half("20200210T100652", "20200210T074431", product="X")
        again = a_half("20200211T090000", "20200210T074431", product="A")
        assert first.datastrip != again.datastrip
        assert needed_granules([again, first]) == (again,)

    def test_baselines_are_kept_apart_for_the_scene_chooses_among_them(self):
        old, new = (a_half("20200210T100652", "20200210T074431", baseline=b) for b in ((2, 14), (5, 0)))
        assert set(needed_granules([old, new])) == {old, new}

    def test_of_an_unknown_datastrip_every_product_is_kept(self):
        products = [a_granule(discriminator=d, datastrip="") for d in ("20200210T100652", "20200210T130912")]
        assert needed_granules(products) == tuple(products)
