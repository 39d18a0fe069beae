"""Labels of real and made-up rasters: the code under the exact centre of each pixel, and nothing else."""

import hashlib
import shutil

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from rasterio.warp import Resampling, reproject

from sen12ts_pipeline.domain.lattice import Grid, TileId
from sen12ts_pipeline.domain.layers import NODATA
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.labels.rasters import RasterLabels
from sen12ts_pipeline.ports import LabelSource
from tests.labels import examples
from tests.labels.examples import CDL, WORLDCOVER, WORLDCOVER_2021, source_pixels, tile_in

PLACE = Affine(10, 0, 500_000, 0, -10, 10_000)


def write(path, array, *, crs="EPSG:32631", transform=PLACE, **options):
    return examples.write(path, array, crs=crs, transform=transform, **options)


@pytest.mark.parametrize("path", [CDL, WORLDCOVER, WORLDCOVER_2021], ids=["cdl", "worldcover", "worldcover 2021"])
def test_real_labels_equal_rasterios_but_at_ties(path):
    grid = tile_in(path).grid
    label = RasterLabels(path).label(grid).codes
    with rasterio.open(path) as file:
        expected = np.full(grid.shape, NODATA, np.int16)
        reproject(
            file.read(1).astype(np.int16),
            expected,
            src_transform=file.transform,
            src_crs=file.crs,
            dst_transform=Affine(*grid.transform),
            dst_crs=f"EPSG:{grid.epsg}",
            dst_nodata=NODATA,
            resampling=Resampling.nearest,
            tolerance=0,
        )
    assert (label.dtype, label.shape) == (np.int16, (256, 256))
    differs = label != expected
    assert differs.sum() <= 5
    row, col = source_pixels(path, grid)
    to_edge = np.minimum(abs(row - np.round(row)), abs(col - np.round(col)))
    assert (to_edge[differs] < 1e-3).all()


@pytest.mark.parametrize("path", [CDL, WORLDCOVER, WORLDCOVER_2021], ids=["cdl", "worldcover", "worldcover 2021"])
@settings(max_examples=25, deadline=None)
@given(row=st.integers(0, 255), col=st.integers(0, 255))
def test_each_pixel_is_the_source_under_its_centre(path, row, col):
    grid = tile_in(path).grid
    one = Grid(grid.epsg, grid.west + 10 * col, grid.north - 10 * row, 1, 1)
    r, c = source_pixels(path, one)
    with rasterio.open(path) as file:
        expected = file.read(1)[int(np.floor(r[0, 0])), int(np.floor(c[0, 0]))]
    assert RasterLabels(path).label(one).codes[0, 0] == expected


def test_a_grid_is_the_sum_of_its_blocks():
    grid = tile_in(CDL).grid
    source = RasterLabels(CDL)
    whole = source.label(grid).codes
    for rows, cols, part in grid.blocks(100):
        np.testing.assert_array_equal(source.label(part).codes, whole[rows, cols])


def test_zero_stays_zero_and_outside_is_nodata(tmp_path):
    """A nodata tag of 0 does not make the source silent; only its edge does."""
    path = write(tmp_path / "codes.tif", np.tile(np.uint8([0, 7]), (4, 2)), nodata=0)
    label = RasterLabels(path).label(Grid(32631, 499_980.0, 10_010.0, 6, 8)).codes
    assert label[1].tolist() == [NODATA, NODATA, 0, 7, 0, 7, NODATA, NODATA]
    assert (label[[0, 5]] == NODATA).all()


def test_a_southern_raster_serves_the_northern_lattice(tmp_path):
    codes = np.arange(12, dtype=np.int16).reshape(3, 4)
    path = write(
        tmp_path / "south.tif", codes, crs="EPSG:32731", transform=Affine(10, 0, 500_000, 0, -10, 10_000_000 - 2560)
    )
    np.testing.assert_array_equal(RasterLabels(path).label(Grid(32631, 500_000.0, -2560.0, 3, 4)).codes, codes)


def test_a_raster_beyond_180_degrees_is_found(tmp_path):
    grid = TileId.at(-179.9, -16.5).grid
    codes = np.full((200, 200), 9, np.uint8)
    path = write(tmp_path / "fiji.tif", codes, crs="EPSG:4326", transform=Affine(0.005, 0, 179.6, 0, -0.005, -16.0))
    assert set(RasterLabels(path).label(grid).codes.ravel().tolist()) == {9}


def test_of_several_rasters_the_first_by_name_counts(tmp_path):
    write(tmp_path / "b.tif", np.full((4, 4), 2, np.uint8))
    write(tmp_path / "a.tif", np.full((4, 2), 1, np.uint8))
    (tmp_path / "notes.txt").write_text("not a raster")
    label = RasterLabels(tmp_path).label(Grid(32631, 500_000.0, 10_000.0, 4, 5)).codes
    assert label[0].tolist() == [1, 1, 2, 2, NODATA]


VRT = """<VRTDataset rasterXSize="8" rasterYSize="4"><SRS>EPSG:32631</SRS>
<GeoTransform>500000, 10, 0, 10000, 0, -10</GeoTransform>
<VRTRasterBand dataType="Byte" band="1">{sources}</VRTRasterBand></VRTDataset>"""
SOURCE = """<SimpleSource><SourceFilename relativeToVRT="1">{name}</SourceFilename><SourceBand>1</SourceBand>
<SrcRect xOff="0" yOff="0" xSize="4" ySize="4"/><DstRect xOff="{x}" yOff="0" xSize="4" ySize="4"/></SimpleSource>"""


def test_a_vrt_joins_rasters_and_its_identity_is_their_content(tmp_path):
    for code, x in ((1, 500_000), (2, 500_040)):
        transform = Affine(10, 0, x, 0, -10, 10_000)
        write(tmp_path / f"{code}.tif", np.full((4, 4), code, np.uint8), transform=transform)
    sources = "".join(SOURCE.format(name=f"{code}.tif", x=4 * code - 4) for code in (1, 2))
    (tmp_path / "both.vrt").write_text(VRT.format(sources=sources))
    first = RasterLabels(tmp_path / "both.vrt")
    assert first.label(Grid(32631, 500_000.0, 10_000.0, 1, 8)).codes.tolist() == [[1] * 4 + [2] * 4]
    before = first.identity["sha256"]
    write(tmp_path / "2.tif", np.full((4, 4), 3, np.uint8), transform=Affine(10, 0, 500_040, 0, -10, 10_000))
    assert RasterLabels(tmp_path / "both.vrt").identity["sha256"] != before


def test_the_identity_is_the_name_and_the_content_not_the_place(tmp_path):
    source: LabelSource = RasterLabels(CDL)
    shutil.copy(CDL, tmp_path / CDL.name)
    assert source.identity == {"name": CDL.name, "sha256": hashlib.sha256(CDL.read_bytes()).hexdigest()}
    assert RasterLabels(tmp_path / CDL.name).identity == source.identity


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_codes_of_other_types_are_taken_when_they_fit(tmp_path, dtype):
    path = write(tmp_path / "codes.tif", np.array([[0, 32_767]], dtype))
    assert RasterLabels(path).label(Grid(32631, 500_000.0, 10_000.0, 1, 2)).codes.tolist() == [[0, 32_767]]


@pytest.mark.parametrize(
    ("dtype", "code"), [(np.uint16, 32_768), (np.int32, -40_000), (np.float32, 1.5), (np.float32, np.nan)]
)
def test_codes_that_do_not_fit_stop_the_work(tmp_path, dtype, code):
    path = write(tmp_path / "codes.tif", np.array([[1, code]], dtype))
    with pytest.raises(ConfigurationError, match=r"labels\.path: codes must be whole numbers .*codes\.tif"):
        RasterLabels(path).label(Grid(32631, 500_000.0, 10_000.0, 1, 2))


@pytest.mark.parametrize(("dtype", "nothing"), [(np.int32, -2_147_483_648), (np.float32, np.nan), (np.uint16, 65_535)])
def test_a_nodata_value_that_does_not_fit_says_nothing(tmp_path, dtype, nothing):
    path = write(tmp_path / "codes.tif", np.array([[1, nothing]], dtype), nodata=nothing)
    assert RasterLabels(path).label(Grid(32631, 500_000.0, 10_000.0, 1, 2)).codes.tolist() == [[1, NODATA]]


def test_a_source_that_cannot_be_used_is_found_before_work_begins(tmp_path):
    (tmp_path / "text.tif").write_text("not a raster")
    (tmp_path / "empty").mkdir()
    write(tmp_path / "layers.tif", np.ones((2, 4, 4), np.uint8))
    write(tmp_path / "nowhere.tif", np.ones((4, 4), np.uint8), crs=None)
    for name, rule in {
        "missing.tif": "must be a raster or a folder of rasters; it is not there",
        "text.tif": "must be a readable raster",
        "empty": "must hold rasters",
        "layers.tif": "must be a georeferenced raster of one layer",
        "nowhere.tif": "must be a georeferenced raster of one layer",
    }.items():
        with pytest.raises(ConfigurationError, match=rule) as caught:
            RasterLabels(tmp_path / name)
        assert name in str(caught.value)


def test_a_damaged_file_is_named(tmp_path):
    path = write(tmp_path / "codes.tif", np.random.default_rng(1).integers(0, 99, (256, 256)).astype(np.uint8))
    source = RasterLabels(path)
    path.write_bytes(path.read_bytes()[:30_000])
    with pytest.raises(ConfigurationError, match=r"must be a readable raster, file .*codes\.tif"):
        source.label(Grid(32631, 500_000.0, 10_000.0, 256, 256))


@pytest.mark.parametrize("path", [CDL, WORLDCOVER, WORLDCOVER_2021], ids=["cdl", "worldcover", "worldcover 2021"])
def test_the_area_of_every_class_is_kept(path):
    """Class shares of the label against those of the source under the tile, weighed by the ground that each covers."""
    tile = tile_in(path)
    label = RasterLabels(path).label(tile.grid).codes
    with rasterio.open(path) as file:
        stored = file.read(1)
        rows, cols = np.mgrid[0 : file.height, 0 : file.width]
        x, y = file.transform @ np.stack([cols + 0.5, rows + 0.5])
        east, north = Transformer.from_crs(file.crs, tile.grid.epsg, always_xy=True).transform(x, y)
    grid = tile.grid
    under = (east >= grid.west) & (east < grid.east) & (north > grid.south) & (north <= grid.north)
    for code in np.unique(stored[under]):
        before, after = (stored[under] == code).mean(), (label == code).mean()
        assert after == pytest.approx(before, abs=0.004)
    assert set(np.unique(label)) <= set(np.unique(stored))
