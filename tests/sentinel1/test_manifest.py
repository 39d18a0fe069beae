"""Slices as real manifests tell them."""

import re
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import Point, box

from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.sentinel1.manifest import MANIFEST, outline, read_slice

DATA = Path(__file__).parents[1] / "data/sentinel1"
PLAIN = "S1A_IW_SLC__1SDV_20230904T063730_20230904T063757_050174_0609E3_DAA1"
GRD = "S1A_IW_GRDH_1SDV_20260606T181903_20260606T181928_064852_082C02_1C0B"


class Files:
    """A product that has a manifest and nothing else."""

    def __init__(self, product, manifest):
        self.product, self.manifest = product, manifest

    def read(self, member):
        assert member == MANIFEST
        return self.manifest


def manifest_of(ending):
    for path in [DATA / "manifests.zip", *DATA.glob(f"*{ending}.SAFE.zip")]:
        with zipfile.ZipFile(path) as container:
            for name in container.namelist():
                if name.endswith(f"{ending}.SAFE/{MANIFEST}"):
                    return name.split(".SAFE")[0], container.read(name)
    raise AssertionError(ending)


def slice_of(ending):
    return read_slice(Files(*manifest_of(ending)))


def changed(old, new):
    _, manifest = manifest_of("DAA1")
    assert old in manifest
    return Files(PLAIN, manifest.replace(old, new))


def test_a_slice_is_read_whole():
    one = slice_of("DAA1")
    assert one.start == datetime(2023, 9, 4, 6, 37, 30, 213065, UTC)
    assert one.stop == datetime(2023, 9, 4, 6, 37, 57, 196353, UTC)
    assert (one.platform, one.datatake, one.relative_orbit, one.direction) == ("S1A", 0x0609E3, 52, "D")
    assert one.polarisations == ("VH", "VV")
    assert one.dual_polarised
    assert one.processed == datetime(2023, 9, 4, 7, 40, 1, tzinfo=UTC)
    assert one.ipf == (3, 61)
    assert one.product == PLAIN
    assert shapely.from_wkt(one.footprint).contains(Point(-9.3, 31.2))


@pytest.mark.parametrize(
    ("ending", "platform", "orbit", "direction", "ipf", "polarisations"),
    [
        ("91FC", "S1A", 25, "D", (2, 36), ("HH",)),  # type SL1: one underscore fewer
        ("07B5", "S1A", 154, "D", (2, 36), ("VH", "VV")),  # its absolute orbit would give 152
        ("D6E2", "S1A", 15, "A", (3, 52), ("VH", "VV")),  # crosses the equator: starts in 15, stops in 16
        ("EFA4", "S1B", 168, "D", (3, 31), ("VH", "VV")),
        ("6681", "S1A", 64, "A", (3, 52), ("VH", "VV")),
        ("BA76", "S1A", 71, "D", (3, 52), ("VH", "VV")),
        ("C158", "S1A", 64, "D", (3, 20), ("VV",)),  # rebuilt from bursts: its manifest lists VH as well
    ],
)
def test_real_slices(ending, platform, orbit, direction, ipf, polarisations):
    one = slice_of(ending)
    assert (one.platform, one.relative_orbit, one.direction) == (platform, orbit, direction)
    assert (one.ipf, one.polarisations) == (ipf, polarisations)


def test_times_come_from_the_manifest_not_from_the_name():
    assert slice_of("C158").start == datetime(2020, 6, 4, 2, 23, 16, 647656, UTC)


@pytest.mark.parametrize("word", [b"DESCENDING", b"Descending", b"descending"])
def test_the_direction_may_be_written_in_any_case(word):
    assert read_slice(changed(b"DESCENDING", word)).direction == "D"


def test_a_time_may_carry_its_zone():
    one = read_slice(changed(b"2023-09-04T06:37:30.213065", b"2023-09-04T06:37:30.213Z"))
    assert one.start == datetime(2023, 9, 4, 6, 37, 30, 213000, UTC)


def test_an_unknown_processor_and_processing_time_are_no_fault():
    one = read_slice(changed(b"IPF", b"XYZ"))
    assert one.ipf == (0, 0)
    _, manifest = manifest_of("DAA1")
    one = read_slice(Files(PLAIN, re.sub(rb"processing(?=[\s>])", b"proceeding", manifest)))
    assert one.processed == one.stop


def test_a_product_of_another_kind_is_refused():
    name, manifest = manifest_of("1C0B")
    with pytest.raises(BadProduct, match="must be named as an IW SLC"):
        read_slice(Files(name, manifest))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"missionDataTakeID", b"missionDataTake", "must have an element missionDataTakeID"),
        (b">395747<", b">0x609E3<", "missionDataTakeID must be a whole number"),
        (b">52<", b">176<", "relativeOrbitNumber must be a whole number from 1 to 175"),
        (b"DESCENDING", b"SIDEWAYS", "pass must be ASCENDING or DESCENDING"),
        (b"2023-09-04T06:37:30.213065", b"yesterday", "startTime must be a time"),
        (b"2023-09-04T06:37:57.196353", b"2023-09-04T06:37:00", "stopTime must be later"),
        (b"30.156912,-8.211940", b"30.156912", "coordinates must be corners"),
        (b"30.156912,-8.211940", b"130.156912,-8.211940", "coordinates must be corners"),
        (b"30.156912,-8.211940 30.571131,-10.860316", b"", "coordinates must be corners"),
        (b"30.156912", b"nan", "coordinates must be corners"),
        (b"</xfdu:XFDU>", b"", "well-formed"),
    ],
)
def test_a_manifest_that_lacks_something_is_a_bad_product(old, new, reason):
    with pytest.raises(BadProduct, match=reason) as caught:
        read_slice(changed(old, new))
    assert (caught.value.product, caught.value.member) == (PLAIN, MANIFEST)


def test_a_footprint_across_the_antimeridian_has_two_parts():
    corners = [(-179.787491, 50.911373), (176.669022, 51.302807), (177.031586, 52.755745), (-179.309692, 52.362110)]
    area = outline(corners)
    assert area.geom_type == "MultiPolygon"
    assert area.area < 10
    assert area.contains(Point(179.9, 52))
    assert area.contains(Point(-179.9, 52))
    assert not area.intersects(box(-170, 40, 170, 60))


@given(
    lon=st.floats(-180, 180),
    lat=st.floats(-80, 78),
    width=st.floats(0.1, 10),
    height=st.floats(0.1, 4),
    first=st.integers(0, 3),
)
def test_an_outline_keeps_its_area_wherever_it_lies(lon, lat, width, height, first):
    def normal(x):
        return (x + 180) % 360 - 180

    ring = [(lon, lat), (lon + width, lat), (lon + width, lat + height), (lon, lat + height)]
    area = outline([(normal(x), y) for x, y in ring[first:] + ring[:first]])
    assert area.is_valid
    assert area.area == pytest.approx(width * height, rel=1e-6)
    west, _, east, _ = area.bounds
    assert west >= -180
    assert east <= 180
