"""A pass is all bursts of its slices, one copy of each, on one orbit; times are corrected to the true ones."""

import dataclasses
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from sen12ts_pipeline.domain.bursts import BurstId
from sen12ts_pipeline.domain.passes import Pass
from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.sar.native.scene import open_pass
from sen12ts_pipeline.sentinel1.annotation import SPEED_OF_LIGHT_M_S
from tests.sentinel1.annotations import edited
from tests.sentinel1.shelf import Members, Shelf, members_of, pass_of, slice_of

PRODUCT = "S1A_IW_SLC__1SDV_20230916T063730_20230916T063757_050349_060FCD_6814"


def variant(ending, *changes, only=lambda name: True):
    """The product of Morocco under another name, some of its files, text replaced in them."""
    bodies = {n: edited(b, *changes) for n, b in members_of("6814", only).bodies.items() if "/calibration/" not in n}
    return Members(PRODUCT[:-4] + ending, bodies)


def opened(*products, hours=(3, 3)):
    """The pass of slices that were processed so many hours after midnight."""
    midnight = datetime(2023, 9, 16, tzinfo=UTC)
    slices = tuple(
        dataclasses.replace(
            slice_of(PRODUCT),
            start=midnight + timedelta(hours=6, minutes=37, seconds=30 + 25 * k),
            processed=midnight + timedelta(hours=hours[k]),
            product=product.product,
        )
        for k, product in enumerate(products)
    )
    return open_pass(Pass(slices), Shelf(*products))


def with_bursts(body, keep):
    """An annotation whose slice is some of its bursts."""
    head, *bursts = body.split(b"<burst>")
    last, end, tail = bursts[-1].partition(b"</burst>")
    bursts[-1] = last + end
    return head + b"<burst>" + b"<burst>".join(bursts[keep]) + tail


def one_swath(one, subswath):
    """The longest annotation of a subswath."""
    return max((p.swath for p in one.bursts.values() if p.swath.subswath == subswath), key=lambda s: len(s.bursts))


class TestPass:
    def test_has_every_burst_of_every_subswath(self, morocco):
        assert len(morocco.bursts) == 27
        assert {b.subswath for b in morocco.bursts} == {"IW1", "IW2", "IW3"}
        for burst_id, placed in morocco.bursts.items():
            assert placed.burst.id == burst_id
            assert placed.swath.subswath == burst_id.subswath

    def test_offers_those_around_a_time(self, morocco):
        placed = morocco.bursts[BurstId(110435, "IW2")]
        middle = placed.swath.middle_s(placed.burst)
        near = list(morocco.near(middle, middle))
        assert placed in near
        assert all(abs(p.swath.middle_s(p.burst) - middle) < 2.1 for p in near)
        assert [p.burst.id for p in near] == sorted(p.burst.id for p in near)

    def test_lacks_what_it_has_not_imaged(self, morocco):
        with pytest.raises(BadProduct, match=r"S1A_060FCD has no burst 000001_iw1"):
            morocco.require(BurstId(1, "IW1"))

    def test_of_two_slices_keeps_one_copy_of_a_burst_the_newest(self):
        one, two = variant("AAAA"), variant("BBBB")
        for hours, chosen in (((3, 4), two), ((4, 3), one)):
            both = opened(one, two, hours=hours)
            assert len(both.bursts) == 27
            assert {p.files.files for p in both.bursts.values()} == {chosen}

    def test_of_two_slices_prefers_the_one_in_which_the_burst_is_not_at_the_end(self):
        # Made at the same time; the second slice has the third to fifth burst of each subswath.
        one, two = variant("AAAA"), variant("BBBB")
        two.bodies = {name: with_bursts(body, slice(3, 6)) for name, body in two.bodies.items()}
        both = opened(one, two)
        swath = one_swath(both, "IW2")
        chosen = [both.bursts[b.id].files.files for b in swath.bursts]
        assert chosen == [one, one, one, one, two, one, one, one, one]

    def test_does_not_mix_the_orbits_of_its_slices(self):
        # Two solutions half a metre apart.
        one = variant("AAAA")
        two = variant("BBBB", (rb"<x>([-0-9.e+]+)</x>\s*<y>", rb"<x>1\g<1></x><y>"))
        both = opened(one, two)
        np.testing.assert_array_equal(both.orbit.position_m, opened(one).orbit.position_m)

    def test_needs_iw2_to_whose_middle_times_refer(self):
        with pytest.raises(BadProduct, match="IW2"):
            opened(variant("AAAA", only=lambda name: "-iw2-" not in name))

    def test_without_annotation_is_refused(self):
        with pytest.raises(BadProduct, match=r"AAAA/annotation.*no subswath with bursts in VV"):
            opened(Members(PRODUCT[:-4] + "AAAA", {"manifest.safe": b""}))

    def test_skips_a_subswath_without_bursts(self):
        product = variant("AAAA", (rb"<burstList.*</burstList>", b"<burstList/>"))
        product.bodies |= {n: b for n, b in variant("AAAA").bodies.items() if "-iw3-" in n}
        assert {b.subswath for b in opened(product).bursts} == {"IW3"}


class TestOrbitCover:
    CUT = (rb"<orbit>\s*<time>2023-09-16T06:37:4.*</orbit>", b"")

    def test_a_burst_beyond_the_orbit_cannot_be_used(self):
        one = opened(variant("AAAA", self.CUT))
        assert 0 < len(one.bursts) < 27
        lost = next(iter(one.uncovered))
        with pytest.raises(BadProduct, match=r"annotation/s1a-iw.*orbit does not cover burst"):
            one.require(lost)

    def test_a_pass_beyond_the_orbit_is_refused(self):
        cut = (rb"<time>2023-09-16T06:3", rb"<time>2023-09-16T05:3")
        with pytest.raises(BadProduct, match=r"orbit does not cover burst.*state vectors span"):
            opened(variant("AAAA", cut))


class TestTiming:
    def test_the_bistatic_residual_is_that_of_the_subswath(self, morocco):
        # Metres along the track: what is left of the correction for the middle of IW2.
        expected = {"IW1": (2.3, 3.7), "IW2": (1.5, 3.1), "IW3": (-0.1, 1.5)}
        for placed in morocco.bursts.values():
            swath = placed.swath
            tau = swath.range_start_s + np.array([0.0, swath.samples / 2, swath.samples]) / swath.range_rate_hz
            metres = placed.bistatic_s(tau) * 6800.0
            low, high = expected[swath.subswath]
            assert ((low < metres) & (metres < high)).all()
            assert (np.diff(metres) > 0).all()

    def test_equals_the_published_value(self, morocco):
        # OPERA CSLC T087-185683-IW2 of 2022-12-28: 0.2253 ms at the near edge.
        near_m, middle_m, rank, prf_hz = 845585.6894, 874144.9562, 8, 1451.62711
        tau, middle_s = 2 * near_m / SPEED_OF_LIGHT_M_S, 2 * middle_m / SPEED_OF_LIGHT_M_S
        assert middle_s / 2 + tau / 2 - rank / prf_hz == pytest.approx(0.22534680e-3, abs=1e-9)

    def test_is_taken_off_where_a_sample_is_looked_up(self, morocco):
        placed = morocco.bursts[BurstId(110435, "IW2")]
        swath = placed.swath
        range_m = SPEED_OF_LIGHT_M_S / 2 * (swath.range_start_s + 1000 / swath.range_rate_hz)
        tau = np.array([2 * range_m / SPEED_OF_LIGHT_M_S])
        time = placed.burst.start_s + 700 * swath.line_interval_s + placed.bistatic_s(tau)
        line, sample = placed.line_sample(time, np.array([range_m]))
        assert line[0] == pytest.approx(700.0, abs=1e-6)
        assert sample[0] == pytest.approx(1000.0, abs=1e-4)


class TestCarrier:
    def test_has_the_rates_of_the_instrument(self, morocco):
        expected = {"IW1": (1690, 1790), "IW2": (1415, 1505), "IW3": (1490, 1580)}
        for placed in morocco.bursts.values():
            swath = placed.swath
            tau = swath.range_start_s + np.linspace(0, swath.samples, 5) / swath.range_rate_hz
            kt, ref, fdc = placed.carrier(tau)
            low, high = expected[swath.subswath]
            assert ((low < kt) & (kt < high)).all()
            assert (np.abs(ref) < 0.05).all()
            assert (np.abs(fdc) < 150).all()

    def test_reference_is_zero_at_near_range(self, morocco):
        placed = morocco.bursts[BurstId(110435, "IW3")]
        assert placed.carrier(np.array([placed.swath.range_start_s]))[1][0] == pytest.approx(0.0, abs=1e-12)

    def test_doppler_runs_through_kilohertz_over_a_burst(self, morocco):
        placed = morocco.bursts[BurstId(110435, "IW2")]
        swath = placed.swath
        middle, range_m = swath.middle_s(placed.burst), SPEED_OF_LIGHT_M_S * swath.middle_range_s / 2
        early, late = (placed.doppler_hz(middle + t, range_m) for t in (-1.5, 1.5))
        assert -2400 < early < -2000
        assert 2000 < late < 2400


def test_the_first_slice_gives_the_midnight_to_count_from():
    product = members_of("6814")
    one = open_pass(pass_of(product), Shelf(product))
    assert one.epoch == datetime(2023, 9, 16, tzinfo=UTC)
