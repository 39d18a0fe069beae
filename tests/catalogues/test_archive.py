"""Searching an archive: by time, by place, and past broken products."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from shapely.geometry import Point, box

from sen12ts_pipeline.acquisition.archive import ArchiveSource
from sen12ts_pipeline.catalogues import archive
from sen12ts_pipeline.catalogues.archive import ArchiveCatalogue, square
from sen12ts_pipeline.domain.passes import passes_of
from sen12ts_pipeline.domain.seasons import Interval, Season, intervals
from tests.catalogues.products import add_granule, add_slice, lonlat
from tests.domain.examples import a_granule

NEVADA = box(-116.2, 37.2, -116.0, 37.4)
DAY = datetime(2023, 10, 11, 13, 51, 17, tzinfo=UTC)
FALL = intervals(2023, Season.FALL)[0]


def catalogue(root):
    return ArchiveCatalogue(ArchiveSource(root))


def slices(root, over=NEVADA, during=FALL):
    return [one.product for one in catalogue(root).slices(over, during)]


def granules(root, over=NEVADA, during=FALL):
    return [one.product for one in catalogue(root).granules(over, during)]


NEAR = "37,-117 37,-115 38,-115 38,-117"


def test_products_over_an_area_in_an_interval_are_found_in_order_of_time(tmp_path):
    late = add_slice(tmp_path / "a", DAY, corners=NEAR)
    early = add_slice(tmp_path / "b", DAY - timedelta(days=12), corners=NEAR)
    scene = add_granule(tmp_path / "c", DAY)
    assert slices(tmp_path) == [early, late]
    assert granules(tmp_path) == [scene]


def test_the_interval_is_half_open(tmp_path):
    during = Interval(DAY, DAY + timedelta(days=1))
    first = add_slice(tmp_path, DAY, corners=NEAR)
    add_slice(tmp_path, DAY + timedelta(days=1), corners=NEAR)
    scene = add_granule(tmp_path, DAY)
    add_granule(tmp_path, DAY + timedelta(days=1))
    assert slices(tmp_path, during=during) == [first]
    assert granules(tmp_path, during=during) == [scene]


def test_the_metadata_tell_the_time_where_the_name_differs(tmp_path):
    during = Interval(DAY, DAY + timedelta(minutes=1))
    one = add_slice(tmp_path, DAY - timedelta(seconds=9), corners=NEAR, unlike_its_name=timedelta(seconds=9))
    assert slices(tmp_path, during=during) == [one]


def test_products_elsewhere_are_not_found(tmp_path):
    add_slice(tmp_path, DAY, corners="27,-117 27,-115 28,-115 28,-117")
    add_granule(tmp_path, DAY, ulx=499980 + 300000)
    assert slices(tmp_path) == []
    assert granules(tmp_path) == []


def test_a_slice_whose_outline_ends_just_before_the_area_is_found_for_its_bursts_may_reach_over_it(tmp_path):
    west, south, east, _ = NEVADA.bounds
    one = add_slice(
        tmp_path, DAY, corners=f"{south - 2},{west} {south - 2},{east} {south - 0.1},{east} {south - 0.1},{west}"
    )
    assert slices(tmp_path) == [one]


def test_a_slice_across_the_antimeridian_is_found_on_both_sides_only(tmp_path):
    one = add_slice(tmp_path, DAY, corners="50.9,-179.7 51.3,176.6 52.7,177.0 52.3,-179.3")
    assert slices(tmp_path, over=box(179, 51, 179.5, 52)) == [one]
    assert slices(tmp_path, over=box(-180, 51, -179.9, 52)) == [one]
    assert slices(tmp_path, over=box(-90, 51, 90, 52)) == []


def test_a_granule_across_the_antimeridian_is_found_on_both_sides_only(tmp_path):
    one = add_granule(tmp_path, DAY, mgrs="01KAB", epsg=32701, ulx=99960, uly=7900000)
    lon, lat = lonlat(32701, 99960 + 55000, 7900000 - 55000)
    assert lon > 179 or lon < -177
    west, east = lonlat(32701, 99980, 7850000)[0], lonlat(32701, 209000, 7850000)[0]
    assert west > 0 > east  # the square does cross
    assert granules(tmp_path, over=box(west, lat, west + 0.1, lat + 0.1)) == [one]
    assert granules(tmp_path, over=box(east - 0.1, lat, east, lat + 0.1)) == [one]
    assert granules(tmp_path, over=box(0, -30, 90, 0)) == []


def test_a_square_is_that_of_its_zone():
    one = a_granule(epsg=32611, ulx_m=499980.0, uly_m=4200000.0)
    for east, north, inside in ((20, 20, True), (109780, 109780, True), (-20, 50000, False), (50000, 109900, False)):
        assert square(one).contains(Point(lonlat(32611, 499980 + east, 4200000 - north))) is inside


@pytest.mark.parametrize("broken", ["<X>", "", "<X/>", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'])
def test_a_broken_product_is_noted_and_the_others_are_found(tmp_path, broken):
    good, bad = add_slice(tmp_path, DAY, corners=NEAR), add_slice(tmp_path, DAY, datatake=2)
    good_scene, bad_scene = add_granule(tmp_path, DAY), add_granule(tmp_path, DAY + timedelta(hours=1))
    (tmp_path / f"{bad}.SAFE/manifest.safe").write_text(broken)
    next((tmp_path / f"{bad_scene}.SAFE").glob("**/MTD_TL.xml")).write_text(broken)
    searched = catalogue(tmp_path)
    assert [one.product for one in searched.slices(NEVADA, FALL)] == [good]
    assert [one.product for one in searched.granules(NEVADA, FALL)] == [good_scene]
    assert searched.broken.keys() == {bad, bad_scene}
    assert searched.broken[bad].startswith("manifest.safe: must ")
    assert "must" in searched.broken[bad_scene]


def test_a_product_without_manifest_is_broken(tmp_path):
    bad = add_slice(tmp_path, DAY)
    (tmp_path / f"{bad}.SAFE/manifest.safe").unlink()
    searched = catalogue(tmp_path)
    assert list(searched.slices(NEVADA, FALL)) == []
    assert searched.broken == {bad: "manifest.safe: must be a readable file: No such file or directory"}


def test_a_granule_off_the_globe_is_broken(tmp_path):
    bad = add_granule(tmp_path, DAY, ulx=10**9)
    searched = catalogue(tmp_path)
    assert list(searched.granules(NEVADA, FALL)) == []
    assert "must lie on the globe" in searched.broken[bad]


def test_metadata_are_read_once_and_only_where_the_name_fits(tmp_path, monkeypatch):
    read = []
    real = archive.read_slice
    monkeypatch.setattr(archive, "read_slice", lambda files: read.append(files.product) or real(files))
    one = add_slice(tmp_path, DAY, corners=NEAR)
    add_slice(tmp_path, DAY - timedelta(days=400), corners=NEAR)
    searched = catalogue(tmp_path)
    threads = [threading.Thread(target=lambda: list(searched.slices(NEVADA, FALL))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read == [one]


def test_a_product_that_is_there_twice_is_found_once(tmp_path):
    one = add_slice(tmp_path / "a", DAY, corners=NEAR)
    add_slice(tmp_path / "b", DAY, corners=NEAR)
    assert slices(tmp_path) == [one]
    assert len(passes_of(catalogue(tmp_path).slices(NEVADA, FALL))) == 1


def test_an_empty_archive_answers_with_nothing(tmp_path):
    assert slices(tmp_path) == granules(tmp_path) == []
