"""A pass is one datatake: all its slices, each in its latest processing."""

from collections import defaultdict
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sen12ts_pipeline.domain.passes import Pass, passes_of
from tests.domain.examples import NOON, a_slice, a_visit, utc


def later(seconds):
    return NOON + timedelta(seconds=seconds)


class TestGrouping:
    def test_slices_of_one_datatake_are_one_pass_in_order_of_time(self):
        first, second, third = (a_slice(later(25 * n)) for n in range(3))
        assert passes_of([third, first, second]) == (Pass((first, second, third)),)

    def test_two_datatakes_are_two_passes_even_without_a_gap(self):
        one, other = a_slice(datatake=1), a_slice(later(25), datatake=2)
        assert passes_of([other, one]) == (Pass((one,)), Pass((other,)))

    def test_two_platforms_may_use_the_same_datatake_number(self):
        found = passes_of([a_slice(platform="S1A", datatake=1), a_slice(later(60), platform="S1B", datatake=1)])
        assert [one.id for one in found] == ["S1A_000001", "S1B_000001"]

    def test_a_slice_listed_twice_counts_once(self):
        assert passes_of([a_slice(), a_slice()]) == (Pass((a_slice(),)),)

    def test_no_slices_make_no_passes(self):
        assert passes_of([]) == ()

    @given(st.permutations([a_slice(later(25 * n), datatake=take) for n in range(3) for take in (1, 2)]))
    def test_the_order_of_the_catalogue_does_not_matter(self, listed):
        assert passes_of(listed) == passes_of(sorted(listed))

    @given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1), st.integers(1, 2)), max_size=12))
    def test_every_datatake_is_one_pass_and_every_slice_is_once_in_it(self, drawn):
        slices = [
            a_slice(later(25 * place), datatake=take, processed=later(9999 + copy), product=f"{take}_{place}_{copy}")
            for place, copy, take in drawn
        ]
        expected = defaultdict(set)
        for one in slices:
            expected[one.datatake].add(one.start)
        found = {one.slices[0].datatake: [part.start for part in one.slices] for one in passes_of(slices)}
        assert found == {take: sorted(starts) for take, starts in expected.items()}


class TestReprocessedSlices:
    def test_of_two_processings_the_latest_stays(self):
        # The acquisition of 2015-02-03 over Greece exists with IPF 2.36 and, made later, with 2.70.
        start = utc("2015-02-03T04:31:09")
        old = a_slice(start, ipf=(2, 36), processed=utc("2015-02-03T08:00"), product="FEC3")
        new = a_slice(start, ipf=(2, 70), processed=utc("2016-05-01T08:00"), product="6D00")
        for listed in ([old, new], [new, old]):
            (only,) = passes_of(listed)
            assert only.products == ("6D00",)

    def test_of_one_time_of_processing_the_newer_processor_wins_then_the_name(self):
        older, newer = a_slice(ipf=(3, 31), product="b"), a_slice(ipf=(3, 40), product="a")
        assert passes_of([older, newer])[0].products == ("a",)
        assert passes_of([a_slice(product="a"), a_slice(product="b")])[0].products == ("b",)

    def test_processors_are_compared_as_numbers(self):
        assert passes_of([a_slice(ipf=(3, 9), product="a"), a_slice(ipf=(3, 10), product="b")])[0].products == ("b",)

    def test_starts_may_differ_by_less_than_two_seconds(self):
        old = a_slice(product="old")
        new = a_slice(later(1.9), processed=later(99_999), product="new")
        assert passes_of([old, new])[0].products == ("new",)
        assert passes_of([old, a_slice(later(2.0), processed=later(99_999), product="next")])[0].products == (
            "old",
            "next",
        )

    def test_other_slices_of_the_pass_stay(self):
        slices = [a_slice(later(25 * n), product=f"old{n}") for n in range(3)]
        again = a_slice(later(25), processed=later(99_999), product="new1")
        assert passes_of([*slices, again])[0].products == ("old0", "new1", "old2")


class TestPass:
    def test_has_the_identity_of_its_datatake(self):
        only = Pass((a_slice(datatake=0x3C421), a_slice(later(25), datatake=0x3C421)))
        assert only.id == "S1A_03C421"
        assert (only.platform, only.direction, only.start) == ("S1A", "D", NOON)

    def test_cannot_be_made_of_two_datatakes_nor_of_none(self):
        with pytest.raises(ValueError, match="one datatake"):
            Pass((a_slice(datatake=1), a_slice(datatake=2)))
        with pytest.raises(ValueError, match="one datatake"):
            Pass((a_slice(platform="S1A"), a_slice(platform="S1B")))
        with pytest.raises(ValueError, match="one datatake"):
            Pass(())


@pytest.mark.parametrize(
    ("polarisations", "dual"),
    [(("VH", "VV"), True), (("VV",), False), (("HH", "HV"), False), (("HH",), False)],
)
def test_only_slices_with_vv_and_vh_qualify(polarisations, dual):
    assert a_slice(polarisations=polarisations).dual_polarised is dual


def test_the_date_of_a_visit_is_utc_at_the_tile():
    assert a_visit(utc("2020-02-29T23:59:59.9")).date == date(2020, 2, 29)
    assert a_visit(utc("2020-03-01T00:00:00.1")).date == date(2020, 3, 1)


class TestOrbitFiles:
    def test_are_inputs_beside_the_products(self):
        first, second = (a_slice(later(25 * n), product=f"S1A_{n}", orbit="POEORB") for n in range(2))
        one = Pass((first, second))
        assert one.orbits == ("POEORB",)
        assert one.inputs == ("S1A_0", "S1A_1", "POEORB")

    def test_are_not_mixed_with_annotated_orbits(self):
        one = Pass((a_slice(orbit="POEORB"), a_slice(later(25))))
        assert one.orbits == ()
        assert one.inputs == one.products

    def test_can_be_done_without(self):
        one = Pass((a_slice(orbit="POEORB"),))
        assert one.with_annotated_orbit() == Pass((a_slice(),))


class TestKnownFaults:
    def test_sentinel_1b_had_a_wrong_clock_for_two_days_of_2016(self):
        bad = a_slice(utc("2016-10-12T15:03:57"), platform="S1B")
        assert "7 km" in bad.known_fault
        for start, platform in (("2016-10-12T15:03:57", "S1A"), ("2016-10-11T23:59", "S1B"), ("2016-10-14", "S1B")):
            assert a_slice(utc(start), platform=platform).known_fault == ""

    def test_the_antennas_phase_is_in_what_was_processed_before_ipf_2_43(self):
        kept = {ipf: a_slice(ipf=ipf).keeps_antenna_phase for ipf in ((2, 36), (2, 42), (2, 43), (3, 61), (0, 0))}
        assert kept == {(2, 36): True, (2, 42): True, (2, 43): False, (3, 61): False, (0, 0): False}
