"""The judge: silent on a good data set, and for every rule of the contract a way to break it that it names."""

import json
import shutil

import numpy as np
import pytest

from sen12ts_pipeline.dataset import index, stac
from sen12ts_pipeline.dataset.geotiff import decode, encode, encode_s1
from sen12ts_pipeline.dataset.verify import Finding, verify
from sen12ts_pipeline.domain.lattice import Grid
from sen12ts_pipeline.domain.names import TripletName
from sen12ts_pipeline.domain.rules import Rules
from sen12ts_pipeline.errors import ConfigurationError
from tests.dataset.examples import a_candidate, write_dataset, write_triplet


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("store") / "ethiopia")


@pytest.fixture
def root(good, tmp_path):
    return shutil.copytree(good, tmp_path / "ethiopia")


def first_name(root):
    return sorted(path.stem for path in (root / "s1").glob("*.tif"))[0]


def rewrite(root, kind, change, *, grid=None, **options):
    """Change the first file of a folder; returns its path below the root."""
    path = sorted((root / kind).glob("*.tif"))[0]
    raster = decode(path.read_bytes())
    array = change(raster.array.copy())
    form = {"layers": raster.layers, "units": raster.units, "dtype": str(array.dtype), "tags": {}} | options
    path.write_bytes(encode(array, grid or raster.grid, **form))
    return f"{kind}/{path.name}"


def rules(findings, file=None):
    return {finding.rule for finding in findings if file is None or finding.file == file}


def test_a_good_data_set_has_no_findings(good):
    assert verify(good) == []


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match="must be the folder of an AOI"):
        verify(tmp_path / "nowhere")


def test_a_finding_names_file_rule_and_what_was_found():
    assert str(Finding("s1/x.tif", "nan", "3 values")) == "s1/x.tif: nan: 3 values"


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("s1", "lat_10.01280_lon_37.4935_s1date_2020-06-14_s2date_2020-06-15_s1track_52_s1lookpass_RD.tif"),
        ("s1", "lat_10.0128_lon_37.4935_s1date_2020-06-14_s2date_2020-06-15_s1track_052_s1lookpass_RD.tif"),
        ("s2", "lat_10.0128_lon_37.4935_s1date_2020-06-14_s2date_2020-06-15_s1track_52_s1lookpass_LD.tif"),
        ("s2", "lat_10.0128_lon_37.4935_s1date_2020-06-14_s2date_2020-06-15_s1track_52_s1lookpass_RD.tiff"),
        ("labels", "lat_10.0128_lon_37.4935_date_2020_label.tif"),
        ("metadata", "notes.txt"),
    ],
)
def test_names_must_have_the_pattern(root, folder, name):
    (root / folder / name).write_bytes(b"")
    assert rules(verify(root), f"{folder}/{name}") >= {"name"}


@pytest.mark.parametrize("folder", ["s1", "s2", "labels", "metadata", "quicklooks"])
def test_a_triplet_has_all_its_files(root, folder):
    path = sorted((root / folder).iterdir())[0]
    path.unlink()
    assert "present" in rules(verify(root), f"{folder}/{path.name}")


def test_a_label_without_a_triplet_is_too_much(root):
    path = sorted((root / "labels").iterdir())[0]
    shutil.copy(path, path.with_name(path.name.replace("2020", "2019")))
    assert rules(verify(root)) == {"present"}


def test_hidden_files_are_none_of_its_business(root):
    (root / "s1" / ".partial").write_bytes(b"")
    assert verify(root) == []


def test_what_cannot_be_read_is_named(root):
    path = root / "s1" / f"{first_name(root)}.tif"
    path.write_bytes(path.read_bytes()[:-1000])
    assert rules(verify(root), f"s1/{path.name}") == {"readable", "digest"}


@pytest.mark.parametrize(
    ("kind", "change", "rule"),
    [
        ("s1", lambda a: a[:18], "layers"),
        ("s1", lambda a: a.astype(np.float64), "layers"),
        ("s2", lambda a: a.astype(np.int32), "layers"),
        ("labels", lambda a: a.astype(np.int32), "layers"),
        ("s1", lambda a: a[:, :, :128], "grid"),
    ],
)
def test_types_layers_and_size(root, kind, change, rule):
    path = sorted((root / kind).glob("*.tif"))[0]
    raster = decode(path.read_bytes())
    array = np.ascontiguousarray(change(raster.array))
    grid = Grid(raster.grid.epsg, raster.grid.west, raster.grid.north, *array.shape[1:])
    names = [f"layer {k}" for k in range(len(array))]
    path.write_bytes(encode(array, grid, layers=names, units=names, dtype=str(array.dtype)))
    assert rule in rules(verify(root), f"{kind}/{path.name}")


def test_layers_are_called_by_their_names(root):
    file = rewrite(root, "s2", lambda a: a, layers=[f"band {k}" for k in range(14)])
    assert rules(verify(root), file) == {"layers", "digest"}


def test_nodata_is_tagged(root):
    file = rewrite(root, "s1", lambda a: a, nodata=-9999)
    assert "nodata" in rules(verify(root), file)


@pytest.mark.parametrize(
    "grid",
    [
        Grid(32637, 333_610.0, 1_108_480.0, 256, 256),
        Grid(32637, 336_160.0, 1_108_480.0, 256, 256),
        Grid(32737, 333_600.0, 1_108_480.0, 256, 256),
        Grid(32636, 333_600.0, 1_108_480.0, 256, 256),
        Grid(32637, 333_600.0, 1_108_480.0, 256, 256, 20.0),
    ],
    ids=["off the lattice", "another tile", "southern system", "another zone", "20 m"],
)
def test_the_grid_is_the_tile_that_the_name_says(root, grid):
    file = rewrite(root, "s1", lambda a: a, grid=grid)
    assert "grid" in rules(verify(root), file)


def setting(layer, value, row=50, col=60, size=2):
    def change(array):
        array[layer, row : row + size, col : col + size] = value
        return array

    return change


@pytest.mark.parametrize(
    ("kind", "change", "rule"),
    [
        ("s1", setting(0, 31), "range"),
        ("s1", setting(5, -41), "range"),
        ("s1", setting(2, 1.5), "range"),
        ("s1", setting(3, 3.2), "range"),
        ("s1", setting(17, -1), "range"),
        ("s2", setting(0, 10_001), "range"),
        ("s2", setting(4, -1), "range"),
        ("s2", setting(12, 12), "range"),
        ("s1", setting(18, 2), "mask"),
        ("s1", setting(6, -3000), "mask"),
        ("s1", setting(16, -3000), "mask"),
        ("s2", setting(3, -3000), "mask"),
        ("s2", setting(12, 8), "mask"),
        ("s2", setting(13, 0), "mask"),
        ("s1", setting(2, 0.5, row=51, col=61), "cells"),
        ("s1", setting(18, 0, size=22), "invalid"),
        ("s2", setting(13, 0, size=24), "invalid"),
    ],
)
def test_pixels_keep_the_contract(root, kind, change, rule):
    file = rewrite(root, kind, change)
    assert rule in rules(verify(root), file)


def test_nan_is_found_even_though_no_writer_lets_it_pass(root):
    path = root / "s1" / f"{first_name(root)}.tif"
    raster = decode(path.read_bytes())
    stack = raster.array.copy()
    stack[0, 5, 5] = 12345
    body = encode_s1(stack, raster.grid, profile="compat")
    path.write_bytes(body.replace(np.float32(12345).tobytes(), np.float32(np.nan).tobytes()))
    assert "nan" in rules(verify(root), f"s1/{path.name}")


def copy_as(root, old, new):
    """Copy a triplet under another name; what its metadata say is then wrong."""
    for path in sorted(root.rglob("*_s1date_2020-06-14_*_s1track_52_*.*")):
        shutil.copy(path, path.with_name(path.name.replace(old, new)))


def test_at_most_four_triplets_a_tile_and_season(root):
    for track in range(1, 5):
        copy_as(root, "s1track_52", f"s1track_{track}")
    assert "cap" in rules(verify(root))
    assert "cap" not in rules(verify(root, rules=Rules(cap_per_season=5)))


def test_dates_lie_within_three_days(root):
    copy_as(root, "s1date_2020-06-14", "s1date_2020-06-11")
    assert "gap" in rules(verify(root))
    assert "gap" not in rules(verify(root, rules=Rules(max_gap_days=4)))


def test_geometry_does_not_change_with_the_date(root):
    rewrite(root, "s1", setting(16, 33))
    assert "terrain" in rules(verify(root))


def test_one_radar_date_has_one_series(root):
    write_triplet(root, a_candidate(day=1, gap=2), seed=7)
    assert "series" in rules(verify(root))


@pytest.mark.parametrize("kind", ["s1", "s2", "labels", "quicklooks"])
def test_every_byte_is_covered_by_a_digest(root, kind):
    path = sorted((root / kind).iterdir())[0]
    path.write_bytes(path.read_bytes() + b"\0")
    assert "digest" in rules(verify(root), f"{kind}/{path.name}")


def with_item(root, change):
    """Change the metadata of the first triplet; returns their path below the root."""
    path = root / "metadata" / f"{first_name(root)}.json"
    item = json.loads(path.read_bytes())
    change(item)
    path.write_bytes(stac.item_bytes(item))
    return f"metadata/{path.name}"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("s1date", "2020-06-13"),
        ("s2date", "2020-06-14"),
        ("s1track", 53),
        ("season", "fall"),
        ("year", 2021),
        ("tile", "37_-64_432"),
        ("invalid_s1", 0),
        ("invalid_s2", 1),
        ("label_histogram", {"10": 65_536}),
    ],
)
def test_metadata_say_what_the_files_have(root, key, value):
    file = with_item(root, lambda item: item["properties"].__setitem__(f"sen12ts:{key}", value))
    assert "metadata" in rules(verify(root), file)


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b'{"id": "x"}'])
def test_metadata_are_an_item(root, body):
    name = first_name(root)
    (root / "metadata" / f"{name}.json").write_bytes(body)
    assert rules(verify(root), f"metadata/{name}.json") == {"metadata"}


def test_the_index_agrees_with_the_metadata(root):
    with_item(root, lambda item: item["properties"].__setitem__("sen12ts:slot", 2))
    findings = [f for f in verify(root) if f.rule == "index"]
    assert {f.file for f in findings} == {"index/2020-summer.parquet", "index/index.parquet"}
    assert all("slot" in f.found for f in findings)


def test_the_index_lists_every_triplet_and_no_other(root):
    name = TripletName.parse(first_name(root))
    write_triplet(root, a_candidate(day=1, gap=1, track=9))
    (root / "index" / "2020-fall.parquet").write_bytes(index.part([]))
    (root / "index" / "index.parquet").unlink()
    found = [f.found for f in verify(root) if f.rule == "index"]
    assert len([f for f in found if "is in no part" in f]) == 2
    assert not [f for f in found if str(name) in f]
    (root / "metadata" / f"{name}.json").unlink()
    assert any("has no metadata" in f.found for f in verify(root))


def test_an_index_that_cannot_be_read_is_named(root):
    (root / "index" / "2020-fall.parquet").write_bytes(b"")
    assert "index" in rules(verify(root), "index/2020-fall.parquet")


@pytest.mark.parametrize(
    ("masker", "change", "judged"),
    [
        ({"name": "scl", "parameters": {"invalid": [0, 3, 8, 9, 10], "dilation_m": 0}}, setting(13, 0), True),
        ({"name": "scl", "parameters": {"invalid": [0, 3, 8, 9, 10], "dilation_m": 60}}, setting(13, 0), False),
        ({"name": "ukis-csmask", "parameters": {"dilation_m": 0}}, setting(13, 0), False),
        ({"name": "ukis-csmask", "parameters": {"dilation_m": 0}}, setting(3, -3000), True),
    ],
    ids=["by class", "grown", "network", "network over no data"],
)
def test_a_mask_is_made_again_only_where_tiles_alone_decide_it(root, masker, change, judged):
    metadata = root / "metadata" / f"{first_name(root)}.json"
    item = json.loads(metadata.read_text())
    item["properties"]["sen12ts:provenance"]["masker"] = masker
    metadata.write_text(json.dumps(item))
    changed = rewrite(root, "s2", change)
    assert ("mask" in rules(verify(root), changed)) is judged
