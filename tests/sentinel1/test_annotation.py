"""Annotations of every generation of the processor, read as values; what is wrong is named."""

import csv
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from pyproj import Transformer

from sen12ts_pipeline.domain.bursts import BurstId
from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.sar.native.geometry import solve
from sen12ts_pipeline.sentinel1.annotation import (
    SPEED_OF_LIGHT_M_S,
    pass_epoch,
    read_geolocation_grid,
    read_swath,
)
from sen12ts_pipeline.sentinel1.elements import parse_time
from tests.sentinel1.annotations import DATA, TRACKS, body_of, edited, epoch_of, swath_of

EVERY = [
    ("07B5", "IW3"),
    ("13F8", "IW1"),
    ("7768", "IW1"),
    ("C158", "IW2"),
    ("C158", "IW3"),
    ("6E2D", "IW1"),
    ("D6E2", "IW3"),
    ("6681", "IW2"),
    ("BA76", "IW2"),
    ("6814", "IW1"),
    ("6814", "IW2"),
    ("6814", "IW3"),
    ("26ED", "IW3"),
]
TO_ECEF = Transformer.from_crs(4979, 4978, always_xy=True)


@pytest.mark.parametrize(("ending", "subswath"), EVERY)
class TestEveryGeneration:
    def test_is_read_with_values_of_an_iw_product(self, ending, subswath):
        swath = swath_of(ending, subswath)
        assert swath.subswath == subswath
        assert swath.wavelength_m == pytest.approx(0.0554658, abs=1e-6)
        assert swath.range_rate_hz == pytest.approx(64.345238e6, rel=1e-6)
        assert swath.line_interval_s == pytest.approx(2.05555628e-3, rel=1e-6)
        assert np.degrees(swath.steering_rad_s) == pytest.approx(
            {"IW1": 1.590369, "IW2": 0.979863, "IW3": 1.397441}[subswath], abs=1e-5
        )
        assert swath.rank in (8, 9, 10)
        assert swath.range_window == 0.75
        assert swath.azimuth_window in (0.70, 0.75)

    def test_has_bursts_in_order_with_samples_inside_the_swath(self, ending, subswath):
        swath = swath_of(ending, subswath)
        starts = np.array([b.start_s for b in swath.bursts])
        np.testing.assert_allclose(np.diff(starts), 2.7583, atol=0.02)
        for index, burst in enumerate(swath.bursts):
            assert burst.index == index
            assert 0 <= burst.first_valid < burst.last_valid < swath.samples
            assert 0 < burst.first_line < burst.last_line < swath.lines_per_burst - 1

    def test_has_rates_and_centroids_within_the_instrument(self, ending, subswath):
        swath = swath_of(ending, subswath)
        tau = swath.range_start_s + np.array([0.0, swath.samples / 2, swath.samples]) / swath.range_rate_hz
        for burst in swath.bursts:
            assert ((swath.fm_rate(burst)(tau) > -2400) & (swath.fm_rate(burst)(tau) < -1850)).all()
            assert (np.abs(swath.doppler_centroid(burst)(tau)) < 200).all()


class TestPolynomials:
    def test_are_picked_by_the_nearest_time_and_not_by_index(self):
        # 11 entries for 9 bursts, the first before the first burst in IW1 and IW2.
        for subswath, first in (("IW1", 1), ("IW2", 1), ("IW3", 0)):
            swath = swath_of("6814", subswath)
            assert [swath.fm_rates.index(swath.fm_rate(b)) for b in swath.bursts] == list(range(first, first + 9))
            assert [swath.doppler.index(swath.doppler_centroid(b)) for b in swath.bursts] == list(
                range(first, first + 9)
            )

    def test_by_index_would_miss_by_many_hertz(self):
        swath = swath_of("6814", "IW2")
        tau = np.array([swath.middle_range_s])
        off = [abs(swath.doppler[b.index](tau) - swath.doppler_centroid(b)(tau))[0] for b in swath.bursts]
        assert max(off) > 5.0

    def test_have_each_their_own_zero(self):
        # The FM rate's is the swath's first sample, the centroid's lies near that of IW1 in every subswath.
        for subswath, miss_hz in (("IW2", 5.0), ("IW3", 15.0)):
            swath = swath_of("6814", subswath)
            tau = np.linspace(swath.range_start_s, swath.range_start_s + swath.samples / swath.range_rate_hz, 5)
            misses = []
            for burst in swath.bursts:
                assert swath.fm_rate(burst).t0_s == pytest.approx(swath.range_start_s, abs=1e-6)
                centroid = swath.doppler_centroid(burst)
                assert centroid.t0_s == pytest.approx(5.338e-3, abs=2e-5)
                misses.append(np.abs(centroid(tau) - centroid(tau - swath.range_start_s + centroid.t0_s)).max())
            assert max(misses) > miss_hz

    def test_that_end_before_the_last_burst_are_held(self):
        full = swath_of("6814", "IW2")
        estimates = rb"(<dcEstimateList.*?)(<dcEstimate>.*</dcEstimate>)"
        body = body_of("6814", "IW2")
        keep = b"".join(
            body[body.index(b"<dcEstimate>") :].partition(b"</dcEstimateList>")[0].split(b"</dcEstimate>")[0:1]
        )
        short = swath_of("6814", "IW2", (estimates, rb"\g<1>" + keep + b"</dcEstimate>"))
        assert len(short.doppler) == 1
        for burst in short.bursts:
            tau = np.array([full.middle_range_s])
            np.testing.assert_array_equal(short.doppler_centroid(burst)(tau), full.doppler[0](tau))

    def test_are_read_in_the_old_form_of_three_elements(self):
        assert b"azimuthFmRatePolynomial" not in body_of("07B5", "IW3")
        swath = swath_of("07B5", "IW3")
        rate = swath.fm_rates[0]
        assert len(rate.coefficients) == 3
        assert rate(np.array([rate.t0_s]))[0] == rate.coefficients[0] < -1900

    def test_outnumber_or_lack_bursts(self):
        swath = swath_of("07B5", "IW3")
        assert (len(swath.bursts), len(swath.fm_rates), len(swath.doppler)) == (9, 9, 8)

    def test_come_from_geometry_where_the_data_give_a_doubtful_estimate(self):
        doubtful = rb"<dataDcRmsErrorAboveThreshold>false"
        swath = swath_of("6814", "IW2", (doubtful, b"<dataDcRmsErrorAboveThreshold>true"))
        geometric = swath_of("6814", "IW2", (rb"<dcMethod>[^<]*", b"<dcMethod>Orbit and Attitude"))
        measured = swath_of("6814", "IW2", (rb"AboveThreshold>true", b"AboveThreshold>false"))
        for a, b, c in zip(swath.doppler, geometric.doppler, measured.doppler, strict=True):
            np.testing.assert_array_equal(a.coefficients, b.coefficients)
            assert (a.coefficients != c.coefficients).any()


class TestBurstIdentities:
    def test_are_those_that_the_product_names(self):
        with (DATA / "bursts_with_esa_ids.csv").open(newline="") as file:
            numbers = {
                (r["product"][-4:], r["swath"], int(r["burst"])): int(r["burstId"]) for r in csv.DictReader(file)
            }
        found = 0
        for ending, subswath in EVERY:
            for burst in swath_of(ending, subswath).bursts:
                expected = numbers.get((ending, subswath, burst.index + 1))
                if expected is not None:
                    assert burst.id == BurstId(expected, subswath)
                    found += 1
        assert found > 20

    @pytest.mark.parametrize(
        ("ending", "subswath"), [e for e in EVERY if e[0] in ("6814", "6E2D", "D6E2", "6681", "BA76")]
    )
    def test_computed_are_the_same(self, ending, subswath):
        with_ids = swath_of(ending, subswath)
        without = swath_of(ending, subswath, (rb"<burstId[^>]*>\s*\d+\s*</burstId>", b""))
        assert [b.id for b in without.bursts] == [b.id for b in with_ids.bursts]

    def test_are_computed_where_the_product_has_none(self):
        assert b"<burstId" not in body_of("7768", "IW1")
        numbers = [b.id.number for b in swath_of("7768", "IW1").bursts]
        assert numbers == list(range(numbers[0], numbers[0] + 9))
        assert all(b.id.track == 71 for b in swath_of("7768", "IW1").bursts)

    def test_a_subswath_without_bursts_is_absent(self):
        assert swath_of("26ED", "IW1").bursts == ()
        assert len(swath_of("26ED", "IW3").bursts) == 1


class TestValidSamples:
    def test_are_those_of_every_valid_line(self):
        swath = swath_of("6814", "IW1")
        burst = swath.bursts[3]
        text = body_of("6814", "IW1").decode()
        first, last = (
            np.array(text.split(f"<{name} ")[4].split(">", 1)[1].split("<")[0].split(), int)
            for name in ("firstValidSample", "lastValidSample")
        )
        lines = np.flatnonzero(first >= 0)
        assert (burst.first_line, burst.last_line) == (lines[0], lines[-1])
        assert (burst.first_valid, burst.last_valid) == (first[lines].max(), last[lines].min())

    def test_none_leave_an_empty_burst(self):
        swath = swath_of("26ED", "IW3", (rb"(<firstValidSample[^>]*>)[^<]*", rb"\g<1>" + b"-1 " * 1519))
        burst = swath.bursts[0]
        assert burst.last_valid < burst.first_valid
        assert burst.last_line < burst.first_line

    def test_may_begin_at_sample_zero(self):
        first = (rb"(<firstValidSample[^>]*>)[^<]*", rb"\g<1>" + b"0 " * 1519)
        last = (rb"(<lastValidSample[^>]*>)[^<]*", rb"\g<1>" + b"20000 " * 1519)
        swath = swath_of("26ED", "IW3", first, last)
        assert (swath.bursts[0].first_valid, swath.bursts[0].first_line) == (0, 0)


# Both fields of the oracle, and the times of the state vectors, have microsecond digits.
GRID_S, GRID_M = 2.5e-6, 0.01
CONSISTENT = [e for e in EVERY if e[0] in ("7768", "C158", "6E2D", "D6E2", "6681", "BA76", "6814")]


@pytest.mark.parametrize(("ending", "subswath"), CONSISTENT)
def test_the_geolocation_grid_is_met(ending, subswath):
    # Ascending and descending, all subswaths; older and rebuilt products made their grid with another orbit.
    body = body_of(ending, subswath)
    orbit = swath_of(ending, subswath).orbit
    grid = read_geolocation_grid(body, product="P", member="M", epoch=epoch_of(body))
    points = np.stack(TO_ECEF.transform(grid.longitude, grid.latitude, grid.height_m), 1)
    for start in np.unique(grid.azimuth_time_s):
        chosen = grid.azimuth_time_s == start
        time, distance = solve(points[chosen], orbit.local(start))
        assert np.abs(time - start).max() < GRID_S
        assert np.abs(distance - grid.range_time_s[chosen] * SPEED_OF_LIGHT_M_S / 2).max() < GRID_M


class TestTimes:
    @pytest.mark.parametrize(
        ("text", "microseconds"),
        [
            ("2023-09-16T06:37:30.456134", 456134),
            ("2023-09-16T06:37:30.456134Z", 456134),
            ("2023-09-16T06:37:30.456Z", 456000),
            ("2023-09-16T06:37:30", 0),
            (" 2023-09-16T06:37:30Z ", 0),
        ],
    )
    def test_are_read_with_any_fraction(self, text, microseconds):
        expected = datetime(2023, 9, 16, 6, 37, 30, tzinfo=UTC) + timedelta(microseconds=microseconds)
        assert parse_time(text) == expected

    def test_count_from_the_midnight_before_the_pass(self):
        assert pass_epoch(datetime(2023, 9, 16, 23, 59, 58, 5, UTC)) == datetime(2023, 9, 16, tzinfo=UTC)

    def test_go_on_past_midnight(self):
        body = body_of("26ED", "IW3")
        day = timedelta(days=1)
        early = read_swath(body, product="P", member="M", track=174, epoch=epoch_of(body) - day)
        assert early.bursts[0].start_s == swath_of("26ED", "IW3").bursts[0].start_s + 86400.0


FAULTS = [
    ("<radarFrequency>[^<]*", "<radarFrequency>", "productInformation/radarFrequency"),
    ("<radarFrequency>[^<]*</radarFrequency>", "", "productInformation/radarFrequency"),
    ("<rangeSamplingRate>[^<]*", "<rangeSamplingRate>fast", "productInformation/rangeSamplingRate"),
    ("<rangeSamplingRate>[^<]*", "<rangeSamplingRate>0", "productInformation/rangeSamplingRate"),
    ("<slantRangeTime>[^<]*", "<slantRangeTime>nan", "imageInformation/slantRangeTime"),
    ("<azimuthTimeInterval>[^<]*", "<azimuthTimeInterval>-1", "imageInformation/azimuthTimeInterval"),
    ("<swath>IW3", "<swath>EW3", "adsHeader/swath"),
    ("<orbitList.*</orbitList>", "<orbitList/>", "orbitList"),
    ("<azimuthFmRateList.*</azimuthFmRateList>", "", "azimuthFmRateList"),
    ("<dcEstimateList.*</dcEstimateList>", "", "dcEstimateList"),
    ("<dataDcPolynomial[^>]*>[^<]*", "<dataDcPolynomial>1 x", "dataDcPolynomial"),
    ("<sensingTime>[^<]*", "<sensingTime>yesterday", "sensingTime"),
    ("(<firstValidSample[^>]*>)[^<]*", r"\1 1 2 3", "firstValidSample"),
    ("(<lastValidSample[^>]*>)[^<]*", r"\1 1 2 3", "lastValidSample"),
    ("<rank>[^<]*", "<rank>", "downlinkValues/rank"),
]


class TestFaults:
    def test_samples_without_their_noise_are_refused(self):
        done = (rb"(<thermalNoiseCorrectionPerformed>)false", rb"\1true")
        with pytest.raises(BadProduct, match="thermalNoiseCorrectionPerformed"):
            swath_of("6814", "IW2", done)

    @pytest.mark.parametrize(("pattern", "replacement", "element"), FAULTS)
    def test_name_product_file_and_element(self, pattern, replacement, element):
        body = edited(body_of("26ED", "IW3"), (pattern.encode(), replacement.encode()))
        with pytest.raises(BadProduct) as caught:
            read_swath(body, product="S1B_X", member="annotation/y.xml", track=174, epoch=epoch_of(body))
        assert (caught.value.product, caught.value.member) == ("S1B_X", "annotation/y.xml")
        assert element in caught.value.reason

    def test_a_number_that_no_burst_has(self):
        with pytest.raises(BadProduct, match="burstId"):
            swath_of("6814", "IW2", (rb"(<burstId[^>]*>)\s*\d+", rb"\g<1>999999"))

    @pytest.mark.parametrize("body", [b"", b"<product>", b"<product/>"])
    def test_files_that_are_none(self, body):
        with pytest.raises(BadProduct, match="M"):
            read_swath(body, product="P", member="M", track=1, epoch=datetime(2020, 1, 1, tzinfo=UTC))


def test_every_product_has_a_track():
    assert {e for e, _ in EVERY} == set(TRACKS)
