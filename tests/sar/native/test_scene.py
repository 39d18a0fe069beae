"""A pass is all bursts of its slices, one copy of each, on one orbit; times are corrected to the true ones."""

import dataclasses
import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from sen12ts_pipeline.domain.bursts import BurstId
from sen12ts_pipeline.domain.passes import Pass
from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.sar.native import geometry
from sen12ts_pipeline.sar.native.scene import Sampling, open_pass
from sen12ts_pipeline.sentinel1.annotation import SPEED_OF_LIGHT_M_S
from tests.sar.native.surfaces import tile_at
from tests.sentinel1.annotations import edited
from tests.sentinel1.orbit_files import orbit_file
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
    lines = int(re.search(rb"<linesPerBurst>(\d+)", body)[1]) * len(bursts[keep])
    whole = head + b"<burst>" + b"<burst>".join(bursts[keep]) + tail
    return edited(whole, (rb"<numberOfLines>\d+", b"<numberOfLines>%d" % lines))


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

    def test_cut_one_burst_later_has_the_same_bursts_under_the_same_names(self, morocco):
        product = variant("AAAA")
        product.bodies = {name: with_bursts(body, slice(1, 8)) for name, body in product.bodies.items()}
        later = opened(product)
        assert len(later.bursts) == 21
        for burst_id, placed in later.bursts.items():
            whole = morocco.bursts[burst_id]
            assert placed.burst.index == whole.burst.index - 1
            assert placed.burst.start_s == whole.burst.start_s

    def test_names_its_bursts_whatever_its_time_of_the_node(self, morocco):
        # The node's time comes from a predicted orbit; two seconds are nearly a burst.
        late = (rb"(<azimuthAnxTime>)([^<]+)", lambda m: m[1] + b"%.6f" % (float(m[2]) + 2.0))
        assert opened(variant("AAAA", late)).bursts.keys() == morocco.bursts.keys()

    def test_does_not_mix_the_orbits_of_its_slices(self):
        # Two solutions half a metre apart.
        one = variant("AAAA")
        aside = (rb"(<position>\s*<x>)([^<]+)", lambda m: m[1] + b"%.6f" % (float(m[2]) + 0.5))
        two = variant("BBBB", aside)
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


class OrbitShelf:
    """`OrbitFiles` of one file."""

    def __init__(self, body):
        self.body = body

    def read(self, name):
        assert name == "POEORB"
        return self.body


class TestOrbitFiles:
    def opened(self, morocco, body, *orbits):
        product = variant("AAAA")
        slices = [dataclasses.replace(slice_of(PRODUCT), product=product.product, orbit=orbit) for orbit in orbits]
        slices = [dataclasses.replace(s, start=s.start + timedelta(seconds=k)) for k, s in enumerate(slices)]
        return open_pass(Pass(tuple(slices)), Shelf(product), OrbitShelf(body))

    def test_replace_the_annotated_state_vectors(self, morocco):
        one = self.opened(morocco, orbit_file(morocco.orbit, morocco.epoch, 0.7), "POEORB")
        assert one.orbit.kind == "POEORB"
        inside = (morocco.orbit.time_s >= one.orbit.time_s[0]) & (morocco.orbit.time_s <= one.orbit.time_s[-1])
        moved = one.orbit.position_m - morocco.orbit.position_m[inside]
        np.testing.assert_allclose(moved, [[0.7, 0.0, 0.0]] * len(moved), atol=1e-6)
        assert morocco.orbit.kind == "annotation"

    def test_are_read_only_when_every_slice_has_one(self, morocco):
        assert self.opened(morocco, b"", "POEORB", "").orbit.kind == "annotation"

    def test_that_end_too_early_are_to_blame_themselves(self, morocco):
        cut = dataclasses.replace(
            morocco.orbit, **{k: getattr(morocco.orbit, k)[:9] for k in ("time_s", "position_m", "velocity_m_s")}
        )
        with pytest.raises(BadProduct, match="state vectors") as caught:
            self.opened(morocco, orbit_file(cut, morocco.epoch), "POEORB")
        assert caught.value.product == "POEORB"


def test_a_product_that_is_known_to_be_wrong_is_refused():
    product = variant("AAAA")
    start = datetime(2016, 10, 12, 15, 3, 57, tzinfo=UTC)
    bad = dataclasses.replace(slice_of(PRODUCT, start=start), product=product.product, platform="S1B")
    with pytest.raises(BadProduct, match=r"AAAA.*7 km off"):
        open_pass(Pass((bad,)), Shelf(product))


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

    def test_is_the_same_whichever_slice_a_burst_is_read_from(self, morocco):
        product = variant("AAAA")
        product.bodies = {name: with_bursts(body, slice(4, 9)) for name, body in product.bodies.items()}
        for burst_id, placed in opened(product).bursts.items():
            whole, range_m = morocco.bursts[burst_id], np.array([SPEED_OF_LIGHT_M_S * placed.swath.middle_range_s / 2])
            time_s = np.array([placed.burst.start_s + 1.5])
            assert placed.line_sample(time_s, range_m) == whole.line_sample(time_s, range_m)

    def test_is_taken_off_where_a_sample_is_looked_up(self, morocco):
        placed = morocco.bursts[BurstId(110435, "IW2")]
        swath = placed.swath
        range_m = SPEED_OF_LIGHT_M_S / 2 * (swath.range_start_s + 1000 / swath.range_rate_hz)
        tau = np.array([2 * range_m / SPEED_OF_LIGHT_M_S])
        time = placed.burst.start_s + 700 * swath.line_interval_s + placed.bistatic_s(tau)
        line, sample = placed.line_sample(time, np.array([range_m]))
        assert line[0] == pytest.approx(700.0, abs=1e-6)
        assert sample[0] == pytest.approx(1000.0, abs=1e-4)


@pytest.fixture(scope="module")
def placed(morocco):
    return morocco.bursts[BurstId(110435, "IW2")]


@pytest.fixture(scope="module")
def seen(morocco):
    """Nodes near the end of that burst, up to 3 km high."""
    grid = tile_at("IW2", line=4).grid
    box = geometry.Box(grid.epsg, grid.west, grid.south, grid.east, grid.north, 0.0, 3000.0)
    return geometry.sight(geometry.survey(box), morocco.orbit)


class TestCorrections:
    """Where a target lies in the data when it is moved by what a matched filter would move it."""

    def test_none_is_made_by_default(self, placed, seen):
        line, sample = placed.position(seen)
        plain = placed.line_sample(seen.time_s, seen.range_m)
        np.testing.assert_array_equal(line, plain[0])
        np.testing.assert_array_equal(sample, plain[1])

    def test_data_that_lie_late_are_looked_for_earlier(self, placed, seen):
        late = placed.position(seen, Sampling(late_s=0.5 * placed.swath.line_interval_s))[0]
        np.testing.assert_allclose(late, placed.position(seen)[0] - 0.5, atol=1e-9)

    def test_a_chirp_with_doppler_is_focused_nearer(self, placed, seen):
        # An up-chirp of rate K with Doppler f matches best f / K early: 0.45 m at the 2.3 kHz of a burst's edge.
        line, sample = placed.position(seen)
        moved = placed.position(seen, Sampling(doppler_range_shift=True))
        np.testing.assert_array_equal(moved[0], line)
        doppler = np.array([placed.doppler_hz(t, r) for t, r in zip(seen.time_s, seen.range_m, strict=True)])
        metres = (moved[1] - sample) * placed.swath.range_spacing_m
        np.testing.assert_allclose(metres, -SPEED_OF_LIGHT_M_S / 2 * doppler / 7.793e11, rtol=1e-3)
        assert np.abs(metres).max() < 0.5

    def test_a_target_focused_with_anothers_rate_lies_aside(self, placed, seen):
        # The matched filter itself: a chirp of its own rate, focused with the processor's, peaks f (1/k_a - 1/k) early.
        line, sample = placed.position(seen)
        moved = placed.position(seen, Sampling(fm_mismatch=True))
        np.testing.assert_array_equal(moved[1], sample)
        own = seen.fm_rate(placed.swath.wavelength_m)
        assert ((own > -2300) & (own < -2000)).all()
        k = int(np.argmax(np.abs(moved[0] - line)))
        focused = placed.swath.fm_rate(placed.burst)(np.array([2 * seen.range_m[k] / SPEED_OF_LIGHT_M_S]))[0]
        doppler = placed.doppler_hz(seen.time_s[k], seen.range_m[k])
        t = np.arange(-0.4, 0.4, 1e-4)
        echo = np.exp(1j * np.pi * own[k] * t**2) * (np.abs(own[k] * t - doppler) < 160)
        reference = np.exp(1j * np.pi * focused * t**2) * (np.abs(focused * t - doppler) < 160)
        size = 1 << 15
        spectrum = np.fft.fft(echo, size) * np.conj(np.fft.fft(reference, size))
        peak = np.fft.ifft(np.concatenate([spectrum[: size // 2], np.zeros(15 * size), spectrum[size // 2 :]]))
        place = int(np.argmax(np.abs(peak)))
        shift_s = (place if place < len(peak) / 2 else place - len(peak)) * 1e-4 / 16
        assert (moved[0] - line)[k] * placed.swath.line_interval_s == pytest.approx(shift_s, abs=2e-5)


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

    @pytest.mark.parametrize("subswath", ["IW1", "IW2", "IW3"])
    def test_is_that_of_the_steered_antenna_but_for_a_constant(self, morocco, subswath):
        # A target at eta is seen when its own Doppler, k_a (t - eta), is the antenna's, f_dc + k_s t.
        placed = morocco.bursts[BurstId(110435, subswath)]
        swath, burst = placed.swath, placed.burst
        tau = swath.range_start_s + np.linspace(0, swath.samples, 9) / swath.range_rate_hz
        ka, fdc = swath.fm_rate(burst)(tau), swath.doppler_centroid(burst)(tau)
        assert np.ptp(fdc) > 4.0
        ks = 2 * np.linalg.norm(swath.orbit.velocity_m_s[8]) * swath.steering_rad_s / swath.wavelength_m
        kt, ref, centroid = placed.carrier(tau)
        for eta in (-1.4, 0.0, 1.4):
            seen_at = (fdc + ka * eta) / (ka - ks)
            off = kt * (eta - ref) + centroid - ka * (seen_at - eta)
            assert np.ptp(off) < 3.0

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
