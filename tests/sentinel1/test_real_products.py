"""All real IW SLC annotations at hand, of every generation of the processor from 2014 to 2025, are read as they are."""

import csv
import gzip
import re
from collections import Counter
from datetime import datetime
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from pyproj import Transformer

from sen12ts_pipeline.domain.bursts import ORBIT_PERIOD_S, burst_number
from sen12ts_pipeline.sar.native.geometry import solve, solve_far
from sen12ts_pipeline.sentinel1.annotation import SPEED_OF_LIGHT_M_S
from sen12ts_pipeline.sentinel1.manifest import MANIFEST, read_slice
from sen12ts_pipeline.sentinel1.orbit import Orbit
from tests.sentinel1.annotations import DATA
from tests.sentinel1.shelf import Members
from tests.sentinel1.slices import annotation, annotations, manifests
from tests.sentinel1.test_orbit_file import around

IPF_2_36 = {"07B5", "91FC"}
OLD = IPF_2_36 | {"13F8"}
"""IPF 2.36 and 2.71: their grids were made with another orbit than the one listed."""

ONE_HEIGHT = {"33AD", "26ED", "20190803", "20190809"}
"""June 2018 to August 2019, IPF 2.91, 3.10 and untold: the grid's latitudes and longitudes belong to one height, not to
the heights listed beside them."""

WITHOUT_BURSTS = {("33AD", "IW1"), ("33AD", "IW2"), ("26ED", "IW1"), ("26ED", "IW2")}
"""Of slices rebuilt from one burst of IW3."""


def with_bursts():
    return [a for a in annotations() if a.swath.bursts]


class TestReading:
    def test_takes_them_all(self):
        assert len(annotations()) == 108
        assert Counter(a.subswath for a in annotations()) == {"IW1": 40, "IW2": 35, "IW3": 33}
        assert Counter(a.polarisation for a in annotations()) == {"VV": 81, "VH": 24, "HH": 3}
        for one in annotations():
            assert (one.swath.subswath, one.swath.polarisation) == (one.subswath, one.polarisation)

    def test_finds_the_bursts_that_are_there(self):
        counts = {(a.slice, a.subswath): len(a.swath.bursts) for a in annotations()}
        assert {key for key, count in counts.items() if count == 0} == WITHOUT_BURSTS
        assert [counts["13F8", s] for s in ("IW1", "IW2", "IW3")] == [7, 8, 8]
        assert [counts["6E2D", s] for s in ("IW1", "IW2", "IW3")] == [9, 9, 10]
        assert (counts["E375", "IW1"], counts["2250", "IW1"]) == (11, 12)

    def test_never_presumes_the_size_of_a_burst(self):
        lines = {a.swath.lines_per_burst for a in with_bursts() if a.slice not in IPF_2_36}
        assert (min(lines), max(lines)) == (1487, 1524)
        assert len(lines) > 20
        assert [annotation("07B5", s).swath.lines_per_burst for s in ("IW1", "IW2", "IW3")] == [1619, 1675, 1695]

    def test_has_bursts_at_whole_but_changing_numbers_of_lines(self):
        steps = np.concatenate(
            [np.diff([b.start_s for b in a.swath.bursts]) / a.swath.line_interval_s for a in with_bursts()]
        )
        assert np.abs(steps - np.round(steps)).max() < 0.003
        assert len(set(np.round(steps))) > 5

    def test_leaves_invalid_lines_and_samples_out(self):
        for one in with_bursts():
            swath = one.swath
            for burst in swath.bursts:
                cut = burst.first_line, swath.lines_per_burst - 1 - burst.last_line
                assert min(cut) >= (79 if one.slice in IPF_2_36 else 15)
                assert sum(cut) < 270
                assert 0 <= burst.first_valid < burst.last_valid < swath.samples
        assert annotation("D6E2", "IW1").swath.bursts[3].first_valid == 174
        assert min(b.first_valid for b in annotation("B5A2", "IW1").swath.bursts) == 0
        swath = annotation("6814", "IW1").swath
        assert {swath.samples - 1 - b.last_valid for b in swath.bursts} <= set(range(2351, 2420))

    def test_takes_both_forms_of_the_fm_rate(self):
        form = {a.slice: b"azimuthFmRatePolynomial" in a.body for a in annotations()}
        assert {name for name, polynomial in form.items() if not polynomial} == IPF_2_36

    def test_has_rates_and_centroids_near_every_burst_whatever_the_lists_hold(self):
        lengths = {(a.slice, a.subswath): (len(a.swath.fm_rates), len(a.swath.doppler)) for a in with_bursts()}
        assert lengths["07B5", "IW3"] == (9, 8)
        assert lengths["91FC", "IW1"] == (10, 9)
        assert lengths["C158", "IW2"] == (21, 8)
        for one in with_bursts():
            for burst in one.swath.bursts:
                middle = one.swath.middle_s(burst)
                assert abs(one.swath.fm_rate(burst).azimuth_time_s - middle) < 1.6
                assert abs(one.swath.doppler_centroid(burst).azimuth_time_s - middle) < 5.0

    def test_falls_back_to_geometry_for_doubtful_centroids(self):
        doubtful = {(a.slice, a.subswath): a.body.count(b"<dataDcRmsErrorAboveThreshold>true") for a in with_bursts()}
        assert doubtful["B5A2", "IW1"] == 4
        for key in [key for key, count in doubtful.items() if count and key[0] != "26ED"]:
            one = annotation(*key)
            geometry = [p.split() for p in re.findall(rb"<geometryDcPolynomial[^>]*>([^<]*)<", one.body)]
            same = [
                (p.coefficients == np.array(g, float)).all() for p, g in zip(one.swath.doppler, geometry, strict=True)
            ]
            assert sum(same) == doubtful[key]

    def test_has_state_vectors_in_lists_of_any_length(self):
        dense = [a for a in annotations() if np.diff(a.swath.orbit.time_s).max() < 1.1]
        assert {a.slice for a in dense} == IPF_2_36
        assert {len(a.swath.orbit.time_s) for a in dense} == {30, 31}
        assert {len(a.swath.orbit.time_s) for a in annotations() if a not in dense} == {15, 16, 17, 19, 20}
        # They end before the last line.
        last = annotation("07B5", "IW3").swath
        assert not last.orbit.covers(last.bursts[-1].start_s, last.bursts[-1].start_s + 3.4)

    def test_does_not_need_the_newest_elements(self):
        for slice_, there in (("DAA1", True), ("F1F1", True), ("A58F", False)):
            assert (b"rfiMitigationPerformed" in annotation(slice_, "IW1").body) == there
            assert len(annotation(slice_, "IW1").swath.bursts) == 9

    def test_takes_lists_whose_count_is_wrong(self):
        one = annotation("C158", "IW2")
        assert b'<inputDimensionsList count="1"' in one.body
        assert one.body.count(b"<inputDimensions>") == 2
        assert len(one.swath.bursts) == 5


class TestBurstIdentities:
    def test_are_esas_with_or_without_her_numbers(self):
        # Every burst of the archive that has a number, read once with it and once from its times.
        found = 0
        for one in with_bursts():
            body, count = re.subn(rb"<burstId[^>]*>\s*\d+\s*</burstId>", b"", one.body)
            if count:
                computed = one.read(body).bursts
                assert [b.id for b in computed] == [b.id for b in one.swath.bursts], one.name
                found += count
        assert found == 502

    def test_are_esas_for_every_burst_that_has_a_number(self):
        with gzip.open(DATA / "bursts_with_esa_ids.csv.gz", "rt", newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == 624
        for product in {row["product"] for row in rows}:
            ours = [row for row in rows if row["product"] == product]
            after_node = min(float(row["azimuthAnxTime"]) for row in ours) > ORBIT_PERIOD_S
            for row in ours:
                number = burst_number(
                    anx_s=float(row["azimuthAnxTime"]),
                    raw_delay_s=(
                        datetime.fromisoformat(row["sensingTime"]) - datetime.fromisoformat(row["azimuthTime"])
                    ).total_seconds(),
                    subswath=row["swath"],
                    track=int(row["relativeOrbit"]),
                    after_node=after_node,
                )
                assert number == int(row["burstId"]), row

    def test_follow_one_another_and_tell_the_track(self):
        for one in with_bursts():
            numbers = [b.id.number for b in one.swath.bursts]
            assert all(b == a + 1 for a, b in pairwise(numbers))
            tracks = {b.id.track for b in one.swath.bursts}
            assert tracks == ({15, 16} if one.slice == "D6E2" else {one.track}), one.name

    def test_are_the_same_12_days_later(self):
        for earlier, later in (("A58F", "0EA3"), ("DAA1", "6814"), ("93A7", "C7D4"), ("C158", "7466")):
            for subswath in ("IW2", "IW3"):
                first, second = (annotation(slice_, subswath).swath for slice_ in (earlier, later))
                assert [b.id for b in first.bursts] == [b.id for b in second.bursts]
        platforms = [annotation(day, "IW3").swath for day in ("20190803", "20190809")]
        assert [s.platform for s in platforms] == ["S1B", "S1A"]
        assert [b.id for b in platforms[0].bursts] == [b.id for b in platforms[1].bursts]

    def test_are_right_where_times_count_from_the_previous_node(self):
        anx = {
            key[0]: float(re.search(rb"<azimuthAnxTime>([^<]*)", annotation(*key).body)[1])
            for key in (("3304", "IW1"), ("97A3", "IW2", "VH"), ("6E2D", "IW1"))
        }
        assert min(anx.values()) > ORBIT_PERIOD_S
        assert anx["3304"] == pytest.approx(6477.0, abs=1.0)
        assert annotation("3304", "IW1").swath.bursts[0].id.track == annotation("3304", "IW1").track


TO_ECEF = Transformer.from_crs(4979, 4978, always_xy=True)


@cache
def misses_as_listed(one):
    return misses(one, ground(one))


def ground(one, height_m=None):
    """Earth-fixed points (n, 3) of the geolocation grid, at its heights or at one height."""
    grid = one.grid
    height = grid.height_m if height_m is None else np.full_like(grid.height_m, height_m)
    return np.stack(TO_ECEF.transform(grid.longitude, grid.latitude, height), 1)


def misses(one, points, orbit=None):
    """What our solution differs by from the grid's azimuth times (s) and slant ranges (m)."""
    time, distance = np.empty(len(points)), np.empty(len(points))
    for start in np.unique(one.grid.azimuth_time_s):
        row = one.grid.azimuth_time_s == start
        time[row], distance[row] = solve(points[row], (orbit or one.swath.orbit).local(start))
    return time - one.grid.azimuth_time_s, distance - one.grid.range_time_s * SPEED_OF_LIGHT_M_S / 2


def misses_by_listed_velocity_s(one):
    """Azimuth miss where the velocity of zero Doppler is the listed one, not the change of the listed position."""
    orbit, time = one.swath.orbit, one.grid.azimuth_time_s
    velocity = Orbit(orbit.time_s, orbit.velocity_m_s, orbit.velocity_m_s, orbit.kind).position
    away, v = ground(one) - orbit.position(time), velocity(time)
    acceleration = (velocity(time + 0.01) - velocity(time - 0.01)) / 0.02
    return (away * v).sum(1) / ((v * v).sum(1) - (away * acceleration).sum(1))


class TestGeolocationGrid:
    """Times of grid points and of state vectors have microsecond digits: 7.6 mm along the track."""

    def test_is_met_in_range_by_all_but_the_oldest(self):
        found = [a for a in with_bursts() if a.slice not in OLD | ONE_HEIGHT]
        assert len(found) == 91
        for one in found:
            assert np.abs(misses_as_listed(one)[1]).max() < 5e-5, one.name

    def test_is_met_in_azimuth_where_the_orbit_is_of_auxiliary_files(self):
        found = [a for a in with_bursts() if a.slice not in OLD | ONE_HEIGHT and a.orbit_source == "Auxiliary"]
        assert len(found) == 59
        for one in found:
            assert np.abs(misses_as_listed(one)[0]).max() < 2.5e-6, one.name

    def test_is_met_in_azimuth_by_the_listed_velocity_where_the_orbit_came_with_the_data(self):
        # Orbits of 2021 that the satellite sent down list velocities that are up to 2 cm/s off the change of their
        # positions. The grid was made with those: it is up to 0.26 ms (1.9 m) along the track from where positions say.
        found = [a for a in with_bursts() if a.orbit_source == "Downlink"]
        assert len(found) == 32
        worst = 0.0
        for one in found:
            assert np.abs(misses_by_listed_velocity_s(one)).max() < 2.5e-6, one.name
            worst = max(worst, np.abs(misses_as_listed(one)[0]).max())
        assert worst == pytest.approx(2.555e-4, abs=1e-6)

    @pytest.mark.parametrize(("slice_", "azimuth_s", "range_m"), [("07B5", 2e-4, 0.04), ("91FC", 1e-4, 4e-4)])
    def test_of_ipf_2_36_was_made_with_another_orbit(self, slice_, azimuth_s, range_m):
        for subswath in ("IW1", "IW2", "IW3"):
            one = next(a for a in annotations() if (a.slice, a.subswath) == (slice_, subswath))
            time, distance = misses(one, ground(one))
            assert 0.9e-4 < np.abs(time).mean() < azimuth_s
            assert np.abs(time).max() < azimuth_s
            assert np.abs(distance).max() < range_m

    def test_of_ipf_2_71_was_made_with_another_orbit(self):
        for subswath in ("IW1", "IW2", "IW3"):
            time, distance = misses(annotation("13F8", subswath), ground(annotation("13F8", subswath)))
            assert 1e-5 < np.abs(time).max() < 1.2e-5
            assert 0.02 < np.abs(distance).max() < 0.04

    @pytest.mark.parametrize(
        ("slice_", "azimuth_s", "range_m"), [("07B5", 8e-6, 0.02), ("D6E2", 1.2e-6, 5e-5)], ids=["POEORB", "RESORB"]
    )
    def test_is_met_with_the_orbit_of_an_orbit_file(self, slice_, azimuth_s, range_m):
        # So that it was made with a better orbit than IPF 2.36 listed, and with the very one of the RESORB.
        orbit, _ = around(slice_)
        for subswath in ("IW1", "IW2", "IW3"):
            one = annotation(slice_, subswath)
            time, distance = misses(one, ground(one), orbit)
            assert np.abs(time).max() < azimuth_s
            assert np.abs(distance).max() < range_m

    @pytest.mark.parametrize(
        ("slice_", "height_m"), [("33AD", 147.942), ("26ED", 148.772), ("20190803", 682.547), ("20190809", 687.970)]
    )
    def test_of_2018_and_2019_lies_at_one_height(self, slice_, height_m):
        one = annotation(slice_, "IW3")
        listed_m = np.abs(misses_as_listed(one)[1])
        time, distance = misses(one, ground(one, height_m))
        # The last line of a whole slice lies elsewhere as well: where lines would end that did not overlap.
        whole = slice_.startswith("2019")
        kept = one.grid.line < one.grid.line.max() if whole else np.full(len(time), True)
        assert listed_m[kept].max() > 100.0
        assert np.abs(distance[kept]).max() < 3e-3
        assert np.abs(time[kept]).max() < 2.5e-6
        if whole:
            overlap_s = one.swath.lines_per_burst * one.swath.line_interval_s * 9
            overlap_s -= one.swath.bursts[-1].start_s - one.swath.bursts[0].start_s + 3.116
            np.testing.assert_allclose(time[~kept], overlap_s, atol=0.01)

    def test_is_met_from_anywhere_in_the_pass(self):
        # Without a first guess, across the antimeridian and across the equator.
        for one in (annotation("2250", "IW1"), annotation("D6E2", "IW2")):
            time, distance = solve_far(ground(one), one.swath.orbit)
            assert np.abs(time - one.grid.azimuth_time_s).max() < 1.5e-4
            assert np.abs(distance - one.grid.range_time_s * SPEED_OF_LIGHT_M_S / 2).max() < 1e-3
        longitude = annotation("2250", "IW1").grid.longitude
        assert longitude.max() - longitude.min() < 10.0


@pytest.fixture(scope="module")
def slices():
    return {product[-4:]: read_slice(Members(product, {MANIFEST: body})) for product, body in manifests().items()}


class TestManifests:
    def test_name_every_version_of_the_processor(self, slices):
        assert len(slices) == 21
        versions = {one.ipf for one in slices.values()}
        assert {(2, 36), (2, 71), (2, 91), (3, 10), (3, 20), (3, 31), (3, 40), (3, 52), (3, 61), (3, 91)} == versions

    def test_tell_the_track_as_the_absolute_orbit_does_but_once(self, slices):
        computed = {a.slice: a.track for a in annotations() if a.slice in slices}
        assert {s: (slices[s].relative_orbit, t) for s, t in computed.items() if slices[s].relative_orbit != t} == {
            "07B5": (154, 152)
        }

    def test_agree_with_the_annotations_direction_however_it_is_written(self, slices):
        for one in annotations():
            if one.slice in slices:
                assert one.swath.direction == slices[one.slice].direction

    def test_enclose_the_bursts_in_time_unless_the_slice_was_rebuilt(self, slices):
        outside = set()
        for one in with_bursts():
            if one.slice in slices:
                start, stop = (
                    (t - one.epoch).total_seconds() for t in (slices[one.slice].start, slices[one.slice].stop)
                )
                starts = [b.start_s for b in one.swath.bursts]
                if not start - 0.01 < starts[0] <= starts[-1] < stop:
                    outside.add(one.slice)
        assert outside == {"C158", "7466"}


def with_noise():
    return [a for a in with_bursts() if a.noise is not None]


class TestNoise:
    def test_is_unusable_in_ipf_2_36_alone(self):
        assert len(with_noise()) > 60
        assert {a.slice for a in with_noise() if not a.noise.usable} == IPF_2_36

    def test_has_a_vector_at_the_start_of_every_burst_whatever_its_line(self):
        lines = []
        for one in with_noise():
            vectors = one.noise.vectors
            lines += [v.line for v in vectors]
            for burst in one.swath.bursts if vectors else ():
                assert min(abs(v.azimuth_time_s - burst.start_s) for v in vectors) < 1e-3, one.name
        assert min(lines) == -3038

    def test_lies_below_the_ground_in_every_sample(self):
        for one in with_noise():
            sample = np.arange(0.0, one.swath.samples, 50.0)
            for burst in one.swath.bursts if one.noise.usable else ():
                noise, beta = one.noise.over_range(burst, sample), one.calibration.beta_nought(one.swath, burst, sample)
                level_db = 10 * np.log10(noise / beta**2)
                assert ((level_db > -30) & (level_db < -17.5)).all(), one.name

    def test_is_held_where_its_samples_end_early(self):
        one = annotation("A58F", "IW2")
        vector = one.noise.vectors[3]
        assert one.swath.samples - vector.sample[-1] == 1246
        assert vector.at(np.array([one.swath.samples - 1.0]))[0] == vector.value[-1]

    def test_is_least_in_the_middle_of_every_burst_since_ipf_2_90(self):
        for one in with_noise():
            lines = np.arange(50.0, one.swath.lines_per_burst - 50.0)
            for burst in one.swath.bursts:
                factor = one.noise.over_azimuth(one.swath, burst, lines)
                if one.slice in OLD:
                    assert (factor == 1.0).all()
                else:
                    assert abs(lines[np.argmin(factor)] - one.swath.lines_per_burst / 2) < 60, (one.name, burst.index)
                    assert factor.min() == pytest.approx(1.0, abs=2e-3)
                    assert 1.05 < factor.max() < 1.2


class TestCalibration:
    def test_is_one_constant_in_every_slice(self):
        found = [a for a in with_bursts() if a.calibration is not None]
        assert len(found) > 60
        for one in found:
            sample = np.array([-50.0, 0.0, one.swath.samples / 2, 1e6])
            for burst in one.swath.bursts:
                value = one.calibration.beta_nought(one.swath, burst, sample)
                np.testing.assert_allclose(value, 236.9867 if one.swath.platform == "S1B" else 237.0, rtol=1e-7)

    def test_has_vectors_from_before_to_after_the_slice(self):
        lines = {(a.slice, a.subswath): [v.line for v in a.calibration.vectors] for a in with_bursts() if a.calibration}
        assert min(min(found) for found in lines.values()) == -1515
        assert lines["91FC", "IW1"][0] == 1637
