from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from shapely.geometry import shape

from sen12ts_pipeline.domain.lattice import tiles_of
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.simulate.archive import simulate
from sen12ts_pipeline.simulate.landcover import CODES
from sen12ts_pipeline.simulate.place import places
from sen12ts_pipeline.simulate.rasters import write_aoi, write_dem
from sen12ts_pipeline.simulate.truth import Truth


def digests(out: Path) -> dict[str, str]:
    return {
        p.relative_to(out).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in out.rglob("*") if p.is_file()
    }


def test_a_second_run_gives_the_same_bytes(tiny: Path, tmp_path: Path) -> None:
    told: list[str] = []
    simulate(places()["tiny"], tmp_path, progress=told.append)
    assert digests(tmp_path) == digests(tiny)
    assert sum(name.startswith("S1A_IW_SLC__1SDV_") for name in told) == 5
    assert sum("_MSIL2A_" in name for name in told) == 2


def test_a_finished_archive_is_left_alone(tiny: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in tiny.rglob("*")}
    simulate(places()["tiny"], tiny)
    assert {p: p.stat().st_mtime_ns for p in tiny.rglob("*")} == before


def test_another_place_is_refused(tiny: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"truth\.json"):
        simulate(dataclasses.replace(places()["tiny"], seed=8), tiny)


def test_truth_needs_a_finished_archive(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"truth\.json"):
        Truth.load(tmp_path)


def test_truth_knows_its_place(tiny_truth: Truth) -> None:
    assert tiny_truth.place == places()["tiny"]


def test_posts_sample_the_relief(tiny: Path, tiny_truth: Truth, tmp_path: Path) -> None:
    with rasterio.open(tiny / "dem/dem.tif") as file:
        assert (file.crs.to_epsg(), file.dtypes, file.nodata) == (4326, ("float32",), None)
        assert file.transform.a == pytest.approx(1 / 3600)
        heights, rows, cols = file.read(1), [3, 100, 250], [7, 120, 301]
        lon, lat = file.xy(rows, cols)
    np.testing.assert_allclose(heights[rows, cols], tiny_truth.world.relief.geographic(lon, lat), atol=1e-4)
    other = tmp_path / "egm96.tif"
    write_dem(
        tiny_truth.place,
        tiny_truth.world.relief,
        other,
        undulation=lambda longitude, latitude: 40.0 + longitude + 2 * latitude,
    )
    with rasterio.open(other) as file:
        lowered = file.read(1)
    np.testing.assert_allclose((heights - lowered)[rows, cols], 40.0 + np.array(lon) + 2 * np.array(lat), atol=1e-3)


def test_labels_are_the_nearest_pixels(tiny: Path, tiny_truth: Truth) -> None:
    grid = tiny_truth.place.grid
    with rasterio.open(tiny / "labels/labels.tif") as file:
        assert file.nodata == 0
        assert file.transform.a == pytest.approx(1 / 12000)
        codes = file.read(1)
        inverse = ~file.transform
    assert set(np.unique(codes)) <= set(CODES)
    from pyproj import Transformer

    east, north = grid.west + 10 * np.arange(256) + 5, grid.north - 10 * np.arange(256) - 5
    lon, lat = Transformer.from_crs(grid.epsg, 4326, always_xy=True).transform(*np.meshgrid(east, north))
    col, row = inverse.a * lon + inverse.c, inverse.e * lat + inverse.f
    label = tiny_truth.label(grid)
    assert label.dtype == np.int16
    assert (codes[np.floor(row).astype(int), np.floor(col).astype(int)] == label).mean() > 0.9999
    assert len(np.unique(label)) > 3


@pytest.mark.parametrize("name", sorted(places()))
def test_the_area_of_interest_holds_the_tiles(name: str, tmp_path: Path) -> None:
    place = places()[name]
    write_aoi(place, tmp_path / "aoi.geojson")
    (feature,) = json.loads((tmp_path / "aoi.geojson").read_text())["features"]
    assert tiles_of(shape(feature["geometry"])) == tuple(sorted(place.tiles))
