"""Orbit files are chosen by their names and read around a slice; annotated orbits are measured against real ones."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.sentinel1.orbit import LOCAL_HALF_S, NODES, Orbit
from sen12ts_pipeline.sentinel1.orbit_file import FEWEST_NODES, OrbitFile, choose, read_orbit_file
from tests.sentinel1.annotations import edited
from tests.sentinel1.slices import annotation
from tests.sentinel1.test_orbit import left_out_m

DATA = Path(__file__).parents[1] / "data/orbits"
POEORB = "S1A_OPER_AUX_POEORB_OPOD_20221019T082002_V20220928T225942_20220930T005942"
RESORB = "S1A_OPER_AUX_RESORB_OPOD_20221024T205436_V20221024T170308_20221024T202038"
SHORTEST = "S1A_OPER_AUX_POEORB_OPOD_20181203T120749_V20181112T225942_20181114T005942"

OF_SLICE = {
    "07B5": "S1A_OPER_AUX_POEORB_OPOD_20210304T033926_V20141003T225944_20141005T005944",
    "13F8": "S1A_OPER_AUX_POEORB_OPOD_20210305T064823_V20141226T225944_20141228T005944",
    "F396": "S1A_OPER_AUX_POEORB_OPOD_20220917T081749_V20220827T225942_20220829T005942",
    "115A": POEORB,
    "6E2D": "S1A_OPER_AUX_POEORB_OPOD_20221031T083817_V20221010T225942_20221012T005942",
    "D6E2": RESORB,
}


def body_of(name):
    return (DATA / f"{name}.EOF").read_bytes()


def day(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def read(name, start_s, stop_s, *changes):
    """State vectors of a file, counted from the midnight before its first one; with pairs of text replaced before."""
    body = edited(body_of(name), *changes)
    first = re.search(rb"UTC=(\d{4}-\d{2}-\d{2})T\d\d:\d\d:\d\d\.", body)[1].decode()
    return read_orbit_file(body, name=name, epoch=day(first), during=(start_s, stop_s))


def around(slice_):
    """The orbit of a slice's file over all annotated vectors, and the annotated orbit."""
    one = annotation(slice_, "IW2").swath
    name, during = OF_SLICE[slice_], (one.orbit.time_s[0], one.orbit.time_s[-1])
    return read_orbit_file(body_of(name), name=name, epoch=one.epoch, during=during), one.orbit


class TestName:
    @pytest.mark.parametrize("ending", ["", ".EOF", ".EOF.zip", ".eof.ZIP"])
    def test_says_what_is_in_the_file(self, ending):
        file = OrbitFile.parse(POEORB + ending)
        assert file == OrbitFile(
            name=POEORB,
            platform="S1A",
            kind="POEORB",
            made=datetime(2022, 10, 19, 8, 20, 2, tzinfo=UTC),
            valid_from=datetime(2022, 9, 28, 22, 59, 42, tzinfo=UTC),
            valid_to=datetime(2022, 9, 30, 0, 59, 42, tzinfo=UTC),
        )

    @pytest.mark.parametrize(
        "name",
        [
            "",
            "manifest.safe",
            POEORB.replace("POEORB", "PREORB"),
            POEORB.replace("S1A", "S2A"),
            POEORB.replace("20220928", "2022928"),
            POEORB.replace("V20220928T", "V20221328T"),
            POEORB + ".xml",
            POEORB + ".zip",
        ],
    )
    def test_of_another_file_is_refused(self, name):
        with pytest.raises(ValueError):
            OrbitFile.parse(name)


def precise(midnight, made="20230101T000000", platform="S1A"):
    """The precise file of a day: from 22:59:42 before it to 00:59:42 after it."""
    first, last = (f"{day(midnight) + timedelta(days=d):%Y%m%d}T" for d in (-1, 1))
    return OrbitFile.parse(f"{platform}_OPER_AUX_POEORB_OPOD_{made}_V{first}225942_{last}005942.EOF")


def slice_at(text, seconds=27):
    return day(text), day(text) + timedelta(seconds=seconds)


# Neighbours overlap by one orbit; the first and the third by a second.
RESTITUTED = [
    OrbitFile.parse(f"S1A_OPER_AUX_RESORB_OPOD_{made}_V{first}_{last}.EOF")
    for made, first, last in (
        ("20230823T162050", "20230823T123139", "20230823T154909"),
        ("20230823T174849", "20230823T141024", "20230823T172754"),
        ("20230823T192850", "20230823T154908", "20230823T190638"),
    )
]


class TestChoice:
    def test_goes_by_the_limits_that_are_farther(self):
        for text, expected in (
            ("2023-08-23T14:30:00", RESTITUTED[0]),
            ("2023-08-23T15:30:00", RESTITUTED[1]),
            ("2023-08-23T15:49:00", RESTITUTED[1]),
            ("2023-08-23T17:20:00", RESTITUTED[2]),
        ):
            assert choose(RESTITUTED, "S1A", *slice_at(text)) == expected

    def test_needs_a_minute_inside_the_validity(self):
        assert choose(RESTITUTED, "S1A", *slice_at("2023-08-23T12:32:39")) == RESTITUTED[0]
        assert choose(RESTITUTED, "S1A", *slice_at("2023-08-23T12:32:38")) is None
        assert choose(RESTITUTED, "S1A", *slice_at("2023-08-23T19:05:11")) == RESTITUTED[2]
        assert choose(RESTITUTED, "S1A", *slice_at("2023-08-23T19:05:12")) is None

    def test_prefers_precise_orbits_however_near_their_limits(self):
        file = precise("2023-08-22")
        assert choose([*RESTITUTED, file], "S1A", *slice_at("2023-08-23T00:58:00")) == file
        late = OrbitFile.parse("S1A_OPER_AUX_POEORB_OPOD_20230913T080000_V20230822T225942_20230823T153200.EOF")
        assert choose([*RESTITUTED, late], "S1A", *slice_at("2023-08-23T15:30:00")) == late

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("2023-08-22T22:59:42", "2023-08-22"),
            ("2023-08-22T23:58:00", "2023-08-22"),
            ("2023-08-22T23:59:45", "2023-08-23"),
            ("2023-08-23T00:30:00", "2023-08-23"),
        ],
    )
    def test_takes_the_day_whose_limits_are_farther_near_midnight(self, text, expected):
        files = [precise("2023-08-22"), precise("2023-08-23")]
        for given in (files, files[::-1]):
            assert choose(given, "S1A", *slice_at(text)) == precise(expected)

    def test_takes_the_latest_making_of_the_same_day(self):
        old, new = (precise("2014-10-04", made) for made in ("20141025T120000", "20210304T033926"))
        assert choose([new, old], "S1A", *slice_at("2014-10-04T03:13:12")) == new

    def test_is_of_the_platform(self):
        files = [precise("2023-08-23", platform="S1C")]
        assert choose(files, "S1A", *slice_at("2023-08-23T12:00:00")) is None
        assert choose(files, "S1C", *slice_at("2023-08-23T12:00:00")) == files[0]

    def test_of_no_file_is_none(self):
        assert choose([], "S1A", *slice_at("2023-08-23T12:00:00")) is None


class TestReading:
    def test_keeps_eight_vectors_on_either_side(self):
        orbit = read(POEORB, 72672.5, 72700.0)
        assert orbit.kind == "POEORB"
        np.testing.assert_array_equal(orbit.time_s, 72602.0 + 10.0 * np.arange(18))
        assert orbit.covers(72672.5 - 60, 72700.0 + 60)
        assert NODES == 8

    def test_takes_the_numbers_of_the_file(self):
        orbit = read(SHORTEST, 82832.0, 82842.0)
        assert orbit.time_s[0] == 23 * 3600 + 2
        np.testing.assert_array_equal(orbit.position_m[0], [-2064965.285362, 6434865.494987, 2090670.967443])
        np.testing.assert_array_equal(orbit.velocity_m_s[0], [860.239634, 2590.964968, -7090.378144])

    def test_keeps_fractions_of_a_second(self):
        orbit = read(RESORB, 67350.0, 67380.0)
        assert orbit.kind == "RESORB"
        assert orbit.time_s % 10 == pytest.approx(8.261101, abs=1e-6)

    def test_believes_neither_the_count_nor_the_header(self):
        # Cut files keep the count and the validity of a whole day.
        body = body_of(OF_SLICE["6E2D"])
        assert b'count="9361"' in body
        assert body.count(b"<OSV>") == 105
        around("6E2D")
        with pytest.raises(BadProduct, match="needs 4 state vectors before and after"):
            read(OF_SLICE["6E2D"], 3600.0, 3627.0)

    def test_needs_no_xml_declaration(self):
        assert body_of(POEORB).startswith(b"<Earth_Explorer_File>")
        around("115A")

    def test_takes_utc_of_the_three_times(self):
        with_others = read(SHORTEST, 82832.0, 82842.0)
        without = read(SHORTEST, 82832.0, 82842.0, (rb"<TAI>[^<]*</TAI>\s*", b""), (rb"<UT1>[^<]*</UT1>\s*", b""))
        np.testing.assert_array_equal(with_others.time_s, without.time_s)

    def test_sorts_vectors(self):
        whole = edited(body_of(SHORTEST))
        head, *vectors = re.split(rb"(?=<OSV>)", whole.partition(b"</List_of_OSVs>")[0])
        shuffled = head + b"".join(vectors[::-1]) + b"</List_of_OSVs></Data_Block></Earth_Explorer_File>"
        epoch = day("2018-11-12")
        orbit = read_orbit_file(shuffled, name=SHORTEST, epoch=epoch, during=(82832.0, 82842.0))
        np.testing.assert_array_equal(orbit.position_m, read(SHORTEST, 82832.0, 82842.0).position_m)

    def test_counts_on_over_midnight(self):
        body = edited(body_of(SHORTEST))
        orbit = read_orbit_file(body, name=SHORTEST, epoch=day("2018-11-11"), during=(169232.0, 169242.0))
        assert orbit.time_s[0] == 86400 + 23 * 3600 + 2

    @pytest.mark.parametrize(
        ("start_s", "stop_s", "before", "after"),
        [(82831.0, 82842.0, 3, 4), (82832.0, 82843.0, 4, 3), (3600.0, 3627.0, 0, 8), (86000.0, 86027.0, 8, 0)],
    )
    def test_needs_four_vectors_on_either_side(self, start_s, stop_s, before, after):
        assert FEWEST_NODES == 4
        with pytest.raises(BadProduct, match=f"found {before} and {after}: 8 in all from 82802.0 to 82872.0 s"):
            read(SHORTEST, start_s, stop_s)


FAULTS = [
    ((rb"<File_Type>AUX_POEORB", b"<File_Type>AUX_PREORB"), "File_Type: needs AUX_POEORB, AUX_RESORB"),
    ((rb"<File_Type>[^<]*</File_Type>", b""), "File_Type: missing or empty"),
    ((rb"EARTH_FIXED", b"TRUE_OF_DATE"), "Ref_Frame: needs EARTH_FIXED"),
    ((rb"<UTC>UTC=[^<]*", b"<UTC>UTC=noon"), "UTC: needs a UTC time, got 'UTC=noon'"),
    ((rb"<UTC>[^<]*</UTC>", b""), "UTC: missing or empty"),
    ((rb'<Y unit="m">[^<]*', b'<Y unit="m">nan'), "Y: needs a number, got 'nan'"),
    ((rb'<VZ unit="m/s">[^<]*', b'<VZ unit="m/s">fast'), "VZ: needs a number"),
    ((rb"<OSV>.*</OSV>", b""), "List_of_OSVs: needs 4 state vectors .* found 0 and 0: 0 in all$"),
    ((rb"<Data_Block.*</Data_Block>", b""), "List_of_OSVs: needs 4 state vectors"),
    ((rb"UTC=2018-11-12T23:00:22", b"UTC=2018-11-12T23:00:12"), "List_of_OSVs: "),
    ((rb"UTC=2018-11-12T23:01:12", b"UTC=2018-11-12T23:01:32"), "needs state vectors at even steps"),
    ((rb"6434865.494987", b"6434885.494987"), "List_of_OSVs: positions and velocities disagree"),
]


class TestFaults:
    @pytest.mark.parametrize(("change", "reason"), FAULTS)
    def test_name_the_file_the_element_and_what_was_found(self, change, reason):
        body = edited(body_of(SHORTEST), change)
        with pytest.raises(BadProduct, match=reason) as caught:
            read_orbit_file(body, name=SHORTEST, epoch=day("2018-11-12"), during=(82832.0, 82842.0))
        assert caught.value.product == SHORTEST

    @pytest.mark.parametrize("body", [b"", b"<Earth_Explorer_File>", b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>"])
    def test_files_that_are_none(self, body):
        with pytest.raises(BadProduct, match=SHORTEST):
            read_orbit_file(body, name=SHORTEST, epoch=day("2018-11-12"), during=(0.0, 1.0))


class TestAgainstTheAnnotation:
    @pytest.mark.parametrize(
        ("slice_", "kind", "mean_m", "max_m", "speed_m_s"),
        [
            ("07B5", "POEORB", 1.173, 1.174, 0.0017),
            ("13F8", "POEORB", 0.079, 0.083, 0.0001),
            ("F396", "POEORB", 0.019, 0.022, 0.0),
            ("115A", "POEORB", 0.024, 0.027, 0.0),
            ("6E2D", "POEORB", 0.719, 0.724, 0.0130),
            ("D6E2", "RESORB", 0.005, 0.008, 0.0),
        ],
    )
    def test_annotated_orbits_are_mostly_good_to_centimetres(self, slice_, kind, mean_m, max_m, speed_m_s):
        orbit, annotated = around(slice_)
        apart = np.linalg.norm(orbit.position(annotated.time_s) - annotated.position_m, axis=1)
        velocity = Orbit(orbit.time_s, orbit.velocity_m_s, orbit.velocity_m_s, kind).position(annotated.time_s)
        assert orbit.kind == kind
        assert apart.mean() == pytest.approx(mean_m, abs=0.001)
        assert apart.max() == pytest.approx(max_m, abs=0.001)
        speed = np.linalg.norm(velocity - annotated.velocity_m_s, axis=1).max()
        assert speed == pytest.approx(speed_m_s, abs=1e-4)


class TestInterpolation:
    @pytest.mark.parametrize("slice_", ["07B5", "13F8", "F396", "115A", "D6E2"])
    def test_brings_back_a_vector_that_was_left_out(self, slice_):
        assert left_out_m(around(slice_)[0]) < 6e-6

    @pytest.mark.parametrize("slice_", ["07B5", "13F8", "F396", "115A", "D6E2"])
    def test_loses_nothing_to_the_local_polynomial(self, slice_):
        assert local_miss_m(around(slice_)[0]) < 1e-7

    def test_feels_the_noise_of_one_precise_file(self):
        # The vectors of 2022-10-11 scatter by half a millimetre from one to the next, all along the file.
        orbit, _ = around("6E2D")
        assert 5e-4 < left_out_m(orbit) < 3.8e-3
        assert 1e-6 < local_miss_m(orbit) < 2e-5


def local_miss_m(orbit):
    """Largest miss of a local polynomial beside the interpolation, away from the ends."""
    worst = 0.0
    for centre in np.arange(orbit.time_s[4] + LOCAL_HALF_S, orbit.time_s[-5] - LOCAL_HALF_S, 3.3):
        times = centre + np.linspace(-LOCAL_HALF_S, LOCAL_HALF_S, 81)
        worst = max(worst, np.abs(orbit.local(centre).state(times)[0] - orbit.position(times)).max())
    return worst
