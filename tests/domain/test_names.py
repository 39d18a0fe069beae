"""File names are those of the published set, and whoever reads one knows the triplet."""

import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.domain.names import LabelName, TripletName, degrees_text
from tests.domain.examples import ETHIOPIAN_TILE, tiles

PUBLISHED = (
    r"^lat_(-?\d{1,2}(?:\.\d{1,4})?)_lon_(-?\d{1,3}(?:\.\d{1,4})?)_s1date_(\d{4}-\d\d-\d\d)_s2date_(\d{4}-\d\d-\d\d)"
    r"_s1track_(\d+)_s1lookpass_([RL][AD])$"
)
"""What readers of the published set expect, without the extension."""


@st.composite
def names(draw):
    return TripletName.of(
        draw(tiles()),
        s1date=draw(st.dates(date(2014, 1, 1), date(2040, 1, 1))),
        s2date=draw(st.dates(date(2014, 1, 1), date(2040, 1, 1))),
        track=draw(st.integers(1, 175)),
        direction=draw(st.sampled_from("AD")),
    )


def test_the_name_of_a_triplet():
    name = TripletName.of(ETHIOPIAN_TILE, s1date=date(2020, 2, 29), s2date=date(2020, 3, 1), track=7, direction="D")
    assert str(name) == ("lat_10.0128_lon_37.4935_s1date_2020-02-29_s2date_2020-03-01_s1track_7_s1lookpass_RD")


def test_the_name_of_a_label():
    assert str(LabelName.of(ETHIOPIAN_TILE, 2020)) == "lat_10.0128_lon_37.4935_date_2020_lulc_label"


@given(names())
def test_a_name_round_trips(name):
    assert TripletName.parse(str(name)) == name


@given(tiles(), st.integers(2014, 2040))
def test_a_label_name_round_trips(tile, year):
    assert LabelName.parse(str(LabelName.of(tile, year))) == LabelName.of(tile, year)


@given(names())
def test_readers_of_the_published_set_understand_it(name):
    match = re.match(PUBLISHED, str(name))
    assert match
    assert match.groups() == (
        name.latitude,
        name.longitude,
        name.s1date.isoformat(),
        name.s2date.isoformat(),
        str(name.track),
        f"R{name.direction}",
    )
    assert str(name).split("_")[-5] == name.s2date.isoformat()


@given(tiles())
def test_label_and_triplet_share_the_place(tile):
    triplet = TripletName.of(tile, s1date=date(2020, 5, 1), s2date=date(2020, 5, 2), track=88, direction="A")
    place = str(LabelName.of(tile, 2020)).split("_date_")[0]
    assert str(triplet).startswith(f"{place}_s1date_")


@given(tiles())
def test_the_place_is_the_tile_s_centre(tile):
    longitude, latitude = tile.centre_lonlat
    label = LabelName.of(tile, 2020)
    assert float(label.longitude) == round(longitude, 4)
    assert float(label.latitude) == round(latitude, 4)


class TestDegrees:
    @pytest.mark.parametrize(
        ("degrees", "text"),
        [
            (36.1, "36.1"),
            (-119.56784, "-119.5678"),
            (-119.5, "-119.5"),
            (37.0, "37.0"),
            (37.00004, "37.0"),
            (0.0001, "0.0001"),
            (0.00004, "0.0"),
            (-0.00004, "-0.0"),
            (102, "102.0"),
        ],
    )
    def test_have_up_to_four_decimals_and_no_padding(self, degrees, text):
        assert degrees_text(degrees) == text

    @given(st.floats(-180, 180))
    def test_are_what_python_prints(self, degrees):
        assert degrees_text(degrees) == str(round(degrees, 4))


class TestPlacesAreDistinct:
    def test_within_a_zone(self):
        labels = {
            LabelName.of(TileId(31, column, row), 2020) for column in range(-90, -10) for row in range(1750, 1770)
        }
        assert len(labels) == 80 * 20

    def test_on_both_sides_of_greenwich_by_the_sign_alone(self):
        west, east = LabelName.of(TileId(30, 100, 1717), 2020), LabelName.of(TileId(31, -101, 1717), 2020)
        assert (west.longitude, east.longitude) == ("-0.0", "0.0")
        assert west != east

    def test_but_not_for_a_few_rows_at_the_other_seams(self):
        # Centres 3.8 m on either side of a seam: four decimals cannot tell them apart. North of the equator that is so
        # in rows 753, 1717, 2322 and 3079, and in their mirror images south of it.
        for row in (753, 1717, 2322, 3079, -754, -1718, -2323, -3080):
            column = {753: -125, 1717: -101, 2322: -78, 3079: -43}[row if row > 0 else -1 - row]
            assert LabelName.of(TileId(31, -1 - column, row), 2020) == LabelName.of(TileId(32, column, row), 2020)


class TestReading:
    def test_a_padded_track_as_published_files_may_have_it(self):
        name = TripletName.parse(
            "lat_10.0128_lon_37.4935_s1date_2020-02-29_s2date_2020-03-01_s1track_007_s1lookpass_RD"
        )
        assert (name.track, name.direction) == (7, "D")

    @pytest.mark.parametrize(
        "stem",
        [
            "",
            "lat_10.0128_lon_37.4935_date_2020_lulc_label",
            "lat_10.0128_lon_37.4935_s1date_2020-02-29_s2date_2020-03-01_s1track_7_s1lookpass_RD.tif",
            "lat_10.0128_lon_37.4935_s1date_2020-02-29_s2date_2020-03-01_s1track_7_s1lookpass_RD\n",
            "lat_10.0128_lon_37.4935_s1date_2020-02-30_s2date_2020-03-01_s1track_7_s1lookpass_RD",
            "lat_10.01284_lon_37.4935_s1date_2020-02-29_s2date_2020-03-01_s1track_7_s1lookpass_RD",
            "lat_10.0128_lon_37.4935_s1date_2020-02-29_s2date_2020-03-01_s1track__s1lookpass_RD",
            "lat_10.0128_lon_37.4935_s1date_2020-02-29_s2date_2020-03-01_s1track_7_s1lookpass_RX",
            "lat_10.0128_lon_37.4935_s1date_20200229_s2date_20200301_s1track_7_s1lookpass_RD",
        ],
    )
    def test_refuses_what_is_no_triplet(self, stem):
        with pytest.raises(ValueError):
            TripletName.parse(stem)

    @pytest.mark.parametrize(
        "stem",
        ["", "lat_10.0128_lon_37.4935_date_20_lulc_label", "lat_10.0128_lon_37.4935_date_2020_lulc_label\n"],
    )
    def test_refuses_what_is_no_label(self, stem):
        with pytest.raises(ValueError):
            LabelName.parse(stem)
