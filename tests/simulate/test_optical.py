from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import rasterio
from lxml import etree

from sen12ts_pipeline.domain.granules import Granule as Product
from sen12ts_pipeline.simulate.landcover import LandCover
from sen12ts_pipeline.simulate.optical import BANDS, Frame, Granule, mgrs
from sen12ts_pipeline.simulate.place import DEMO, OpticalScene, Patch, Place, places
from sen12ts_pipeline.simulate.truth import Truth


@pytest.fixture(scope="module")
def demo() -> list[Granule]:
    cover = LandCover.of(DEMO)
    return [Granule.of(DEMO, cover, k) for k in range(len(DEMO.scenes))]


def granule_folders(out: Path) -> list[Path]:
    return sorted((out / "archive/Sentinel-2").rglob("*.SAFE"))


def test_images_hold_exactly_the_stored_numbers(tiny: Path, tiny_truth: Truth) -> None:
    for index, folder in enumerate(granule_folders(tiny)):
        granule = Granule.of(tiny_truth.place, tiny_truth.world.cover, index)
        for band, resolution in {**BANDS, "SCL": 20}.items():
            (path,) = folder.rglob(f"*_{band}_{resolution}m.jp2")
            with rasterio.open(path) as file:
                assert file.driver == "JP2OpenJPEG"
                assert file.transform.a == resolution
                assert (file.transform.c, file.transform.f) == (granule.frame.ulx_m, granule.frame.uly_m)
                assert file.crs.to_epsg() == granule.frame.epsg
                values = file.read(1)
            assert np.array_equal(values, granule.classes if band == "SCL" else granule.stored(band))


def test_metadata_list_the_images_and_describe_them(tiny: Path) -> None:
    for folder, offset in zip(granule_folders(tiny), (True, False), strict=True):
        product = etree.parse(folder / "MTD_MSIL2A.xml").getroot()
        (path,) = folder.rglob("MTD_TL.xml")
        tile = etree.parse(path).getroot()
        listed = {f"{e.text}.jp2" for e in product.iter("IMAGE_FILE")}
        assert listed == {p.relative_to(folder).as_posix() for p in folder.rglob("*.jp2")}
        assert len(list(product.iter("BOA_ADD_OFFSET"))) == (13 if offset else 0)
        assert any("_B01_20m" in name for name in listed) == offset
        assert product.findtext(".//PRODUCT_URI") == folder.name
        assert product.findtext(".//PROCESSING_BASELINE").replace(".", "") == folder.name.split("_")[3][1:]
        cloud = product.findtext(".//Cloud_Coverage_Assessment")
        assert tile.findtext(".//CLOUDY_PIXEL_PERCENTAGE") == cloud
        (scl,) = folder.rglob("*_SCL_20m.jp2")
        with rasterio.open(scl) as file:
            classes = file.read(1)
        assert float(cloud) == pytest.approx(100 * np.isin(classes, (8, 9, 10)).mean(), abs=1e-6)
        assert {(e.get("resolution"), e.findtext("NROWS")) for e in tile.iter("Size")} == {
            ("10", "360"),
            ("20", "180"),
            ("60", "60"),
        }


@pytest.mark.parametrize("name", sorted(places()))
def test_granules_lie_on_the_real_lattice_and_hold_the_tiles(name: str) -> None:
    place = places()[name]
    frame = Frame.of(place)
    assert frame.ulx_m % 60 == 0
    assert frame.uly_m % 60 == (40 if place.latitude < 0 else 0)
    assert frame.epsg // 100 == (327 if place.latitude < 0 else 326)
    product = Product(
        datatake_start=None,  # type: ignore[arg-type]
        mgrs=mgrs(place),
        product="",
        mission="S2A",
        relative_orbit=1,
        baseline=(5, 9),
        discriminator="",
        datastrip="",
        cloud_percent=1.0,
        epsg=frame.epsg,
        ulx_m=frame.ulx_m,
        uly_m=frame.uly_m,
        size_m=frame.pixels * 10.0,
    )
    assert all(product.contains(tile) for tile in place.tiles)


@pytest.mark.parametrize(
    ("longitude", "latitude", "expected"),
    [(-4.82, 37.93, "30SUG"), (149.13, -35.28, "55HFA"), (2.35, 48.85, "31UDQ"), (-0.5, 51.5, "30UXC")],
)
def test_mgrs_names(longitude: float, latitude: float, expected: str) -> None:
    place = Place("x", longitude, latitude, "D", DEMO.first_pass)
    assert mgrs(place) == expected


def bad_pixels(granule: Granule, column: int, row: int) -> int:
    return int((granule.stack(DEMO.tile(column, row).grid)[13] == 0).sum())


def test_the_demo_has_a_scene_for_every_rule(demo: list[Granule]) -> None:
    early, clear, partly, between, ten, old, hole, last = demo
    assert bad_pixels(partly, 0, 0) == 652
    assert bad_pixels(partly, 1, 0) == 656
    assert bad_pixels(partly, 2, 0) == 3600
    assert bad_pixels(old, 1, 1) == 480
    assert bad_pixels(hole, 0, 1) == 64 * 36
    assert ten.cloud_percent == 10.0
    assert all(g.cloud_percent < 10 for g in demo if g is not ten)
    assert [g.offset for g in demo] == [1000] * 5 + [0] + [1000] * 2
    series_ends = DEMO.dates[4:]
    near = [min(abs((g.scene.day - d).days) for d in series_ends) for g in demo]
    assert near[demo.index(early)] > 3
    assert near[demo.index(between)] > 3
    tile = [g for g, days in zip(demo, near, strict=True) if days <= 3 and g is not ten and bad_pixels(g, 0, 0) <= 655]
    assert len(tile) == 5
    assert clear in tile
    assert last in tile


def test_the_stack_follows_the_contract(demo: list[Granule]) -> None:
    last, hole = demo[7], demo[6]
    stack = last.stack(DEMO.tile(0, 0).grid)
    assert stack.shape == (14, 256, 256)
    assert stack[:12].min() == 0
    assert stack[:12].max() == 10_000
    assert not (stack[:12] == -3000).any()
    assert (stack[13] == 1).all()
    empty = hole.stack(DEMO.tile(0, 1).grid)
    gone = (empty[:12] == -3000).all(axis=0)
    assert np.array_equal(gone, (empty[:12] == -3000).any(axis=0))
    assert np.array_equal(gone, empty[12] == 0)
    assert np.array_equal(gone, empty[13] == 0)


def test_stored_numbers_by_hand(demo: list[Granule]) -> None:
    granule = demo[1]
    grid = DEMO.tile(1, 1).grid
    stack = granule.stack(grid)
    band, layer, resolution = "B09", 9, 60
    row, col = 17, 203
    east, north = grid.west + 10 * col + 5, grid.north - 10 * row - 5
    i, j = (
        math.floor((granule.frame.north_m - north) / resolution),
        math.floor((east - granule.frame.ulx_m) / resolution),
    )
    assert stack[layer, row, col] == int(granule.stored(band)[i, j]) - 1000


def test_a_grid_beyond_the_granule_is_an_error(demo: list[Granule]) -> None:
    from sen12ts_pipeline.domain.lattice import TileId

    first = DEMO.tile(0, 0)
    with pytest.raises(ValueError, match="beyond"):
        demo[0].stack(TileId(first.zone, first.column - 3, first.row).grid)


def test_impossible_clouds_are_refused() -> None:
    import dataclasses

    from sen12ts_pipeline.errors import ConfigurationError

    scene = OpticalScene(DEMO.first_pass, cloud_percent=0.0, patches=(Patch("cloud", 0, 0, 50),))
    place = dataclasses.replace(DEMO, scenes=(scene,))
    with pytest.raises(ConfigurationError, match="cloud_percent"):
        Granule.of(place, LandCover.of(place), 0)
    scene = OpticalScene(DEMO.first_pass, patches=(Patch("cloud", 0, 0, 5, offset=127),))
    place = dataclasses.replace(DEMO, scenes=(scene,))
    with pytest.raises(ConfigurationError, match="patches"):
        Granule.of(place, LandCover.of(place), 0)
