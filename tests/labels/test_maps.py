"""WorldCover and the CDL: whole editions, seams, and what their files say where they know nothing."""

import shutil

import numpy as np
import pytest
from affine import Affine

from sen12ts_pipeline.dataset.classes import table
from sen12ts_pipeline.domain.lattice import Grid, TileId
from sen12ts_pipeline.domain.layers import NODATA
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.labels.maps import WORLDCOVER_CODES, CdlLabels, WorldCoverLabels, worldcover_tile
from sen12ts_pipeline.labels.rasters import RasterLabels
from sen12ts_pipeline.ports import LabelSource
from tests.labels.examples import CDL, WORLDCOVER, WORLDCOVER_2021, tile_in, write

DEGREE = 12_000
SIDE = 400


def corner_tile(folder, west, south, code, *, at, version="v100", year=2020):
    """Part of a WorldCover tile that holds the corner `at` of its 3 degrees, all of one code."""
    name = f"ESA_WorldCover_10m_{year}_{version}_{worldcover_tile(west, south)}_Map.tif"
    lon, lat = at
    left = lon if lon == west else lon - SIDE / DEGREE
    top = lat if lat == south + 3 else lat + SIDE / DEGREE
    place = Affine(1 / DEGREE, 0, left, 0, -1 / DEGREE, top)
    return write(folder / name, np.full((SIDE, SIDE), code, np.uint8), crs="EPSG:4326", transform=place, nodata=0)


def seam(folder, *quarters, at):
    """Tiles around a corner of the grid of 3 degrees: NW, NE, SW, SE, by code; those of None are missing."""
    lon, lat = at
    for code, (west, south) in zip(
        quarters, ((lon - 3, lat), (lon, lat), (lon - 3, lat - 3), (lon, lat - 3)), strict=True
    ):
        if code is not None:
            corner_tile(folder, west, south, code, at=at)
    return WorldCoverLabels(folder)


def quarters_of(label):
    """Codes in the corners of a label: NW, NE, SW, SE."""
    return [int(label[row, col]) for row in (0, -1) for col in (0, -1)]


def grid_at(lon, lat, epsg):
    """256 pixels around a place, not on the lattice."""
    from pyproj import Transformer

    x, y = Transformer.from_crs(4326, epsg, always_xy=True).transform(lon, lat)
    return Grid(epsg, round(x, -1) - 1280.0, round(y, -1) + 1280.0, 256, 256)


@pytest.mark.parametrize(
    ("at", "epsg"), [((30, 0), 32635), ((30, 0), 32636), ((102, -3), 32647), ((99, 0), 32647)], ids=str
)
def test_up_to_four_tiles_meet_under_a_label(tmp_path, at, epsg):
    """On the equator, where zones meet (30° E), and south of the equator in the northern system."""
    source = seam(tmp_path, 10, 20, 30, 40, at=at)
    label = source.label(grid_at(*at, epsg))
    assert quarters_of(label.codes) == [10, 20, 30, 40]
    assert set(np.unique(label.codes).tolist()) == {10, 20, 30, 40}
    assert label.notes == {}


def test_a_missing_tile_is_open_sea_without_labels_and_named(tmp_path):
    source = seam(tmp_path, 10, None, 0, 40, at=(99, 0))
    label = source.label(grid_at(99, 0, 32647))
    assert quarters_of(label.codes) == [10, NODATA, 0, 40]
    assert label.notes == {"missing_maps": ["N00E099"]}
    assert source.silent == (0,)


def test_tiles_are_named_by_their_south_western_corner():
    corners = ((0, 6), (-3, 99), (12, -180), (-6, 180), (-60, -3))
    names = ["N00E006", "S03E099", "N12W180", "S06W180", "S60W003"]
    assert [worldcover_tile(lon, lat) for lat, lon in corners] == names


@pytest.mark.parametrize(("file", "edition", "year"), [(WORLDCOVER_2021, "v200", 2021)])
def test_the_edition_is_told_by_the_tags(file, edition, year):
    source: LabelSource = WorldCoverLabels(file)
    assert (source.edition, source.year) == (edition, year)
    grid = tile_in(file).grid
    np.testing.assert_array_equal(source.label(grid).codes, RasterLabels(file).label(grid).codes)


def test_the_edition_is_told_by_the_name(tmp_path):
    named = tmp_path / "ESA_WorldCover_10m_2020_v100_N00E006_Map.tif"
    shutil.copy(WORLDCOVER, named)
    assert WorldCoverLabels(named).year == 2020


def test_editions_are_never_mixed(tmp_path):
    corner_tile(tmp_path, 27, 0, 10, at=(30, 0))
    corner_tile(tmp_path, 30, 0, 10, at=(30, 0), version="v200", year=2021)
    with pytest.raises(ConfigurationError, match=r"one WorldCover edition.*v100: .*N00E027.*v200: .*N00E030"):
        WorldCoverLabels(tmp_path)


def test_a_tag_that_contradicts_the_name_is_refused(tmp_path):
    lying = tmp_path / "ESA_WorldCover_10m_2020_v100_N00E006_Map.tif"
    shutil.copy(WORLDCOVER_2021, lying)
    with pytest.raises(ConfigurationError, match=r"must be of one WorldCover edition.*\['v100', 'v200'\]"):
        WorldCoverLabels(lying)


def test_a_raster_that_tells_no_edition_is_refused():
    with pytest.raises(ConfigurationError, match="must be of one WorldCover edition"):
        WorldCoverLabels(CDL)


def test_a_raster_of_other_codes_is_no_worldcover(tmp_path):
    corner_tile(tmp_path, 27, 0, 11, at=(30, 0))
    with pytest.raises(ConfigurationError, match=r"must hold codes of the WorldCover class table.*got \[11\]"):
        WorldCoverLabels(tmp_path).label(grid_at(29.99, 0.01, 32635))


def test_worldcover_s_codes_are_those_of_its_class_table():
    assert frozenset(table("worldcover")) == WORLDCOVER_CODES


def cdl(path, codes):
    """A CDL of one place in Kansas, code by code of 30 m in the USDA's own system."""
    return write(path, np.uint8(codes), crs="EPSG:5070", transform=Affine(30, 0, -106_095, 0, -30, 1_822_605))


def test_the_real_cdl_is_the_raster_s_with_its_codes_checked():
    source: LabelSource = CdlLabels(CDL, table("cdl"))
    grid = tile_in(CDL).grid
    assert source.year == 2021
    np.testing.assert_array_equal(source.label(grid).codes, RasterLabels(CDL).label(grid).codes)


def test_codes_by_which_the_cdl_knows_nothing_stay_and_are_declared(tmp_path):
    path = cdl(tmp_path / "2020_30m_cdls.tif", np.tile([0, 81, 88, 1], (400, 100)))
    source = CdlLabels(path, table("cdl"))
    grid = TileId.at(-97.2, 39.33).grid
    assert set(np.unique(source.label(grid).codes).tolist()) == {NODATA, 0, 1, 81, 88} - (
        set() if (source.label(grid).codes == NODATA).any() else {NODATA}
    )
    assert (source.silent, source.year) == ((0, 81, 88), 2020)


def test_the_confidence_layer_is_not_taken_for_the_cdl(tmp_path):
    path = cdl(tmp_path / "2020_30m_confidence_layer.tif", np.full((400, 400), 98))
    with pytest.raises(ConfigurationError, match=r"must hold codes of the CDL class table.*got \[98\]"):
        CdlLabels(path, table("cdl")).label(TileId.at(-97.2, 39.33).grid)


def test_years_of_the_cdl_are_not_mixed(tmp_path):
    cdl(tmp_path / "2020_30m_cdls.tif", np.ones((9, 9)))
    cdl(tmp_path / "2021_30m_cdls.tif", np.ones((9, 9)))
    with pytest.raises(ConfigurationError, match=r"files of one year of the CDL.*2020: .*2021: "):
        CdlLabels(tmp_path, table("cdl"))
