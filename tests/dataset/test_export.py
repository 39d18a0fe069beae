"""Shards: the files as they are, in a fixed order, part by part."""

import gc
import json
import tarfile
import warnings

import numpy as np
import pytest

from sen12ts_pipeline.dataset import open_dataset
from sen12ts_pipeline.dataset.export import LIST, export, key_of, plan
from sen12ts_pipeline.dataset.geotiff import decode
from sen12ts_pipeline.dataset.reader import Entry
from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.errors import BadProduct, ConfigurationError
from tests.dataset.examples import a_candidate, a_triplet, write_dataset


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return open_dataset(write_dataset(tmp_path_factory.mktemp("store") / "ethiopia"))


def test_members_are_the_files_themselves(data, tmp_path):
    (shard,) = export(data, tmp_path)
    with tarfile.open(shard) as tar:
        members = {m.name: tar.extractfile(m).read() for m in tar}
    assert [name.partition(".")[2] for name in members] == ["s1.tif", "s2.tif", "label.tif", "json"] * 2
    for entry, sample in zip(data.entries, data, strict=True):
        key = key_of(entry)
        np.testing.assert_array_equal(decode(members[f"{key}.s2.tif"]).array, sample.s2)
        told = {"aoi": "ethiopia", "name": str(entry.name), "split": str(entry.part)}
        assert json.loads(members[f"{key}.json"]) == told


def test_webdataset_reads_them(data, tmp_path):
    webdataset = pytest.importorskip("webdataset", reason="needs webdataset")
    shards = export(data, tmp_path, per_shard=1)
    with warnings.catch_warnings(action="ignore"):  # it leaves its files to the garbage collector
        samples = list(webdataset.WebDataset([str(s) for s in shards], shardshuffle=False))
        gc.collect()
    assert {s["__key__"] for s in samples} == {key_of(e) for e in data.entries}
    assert {"s1.tif", "s2.tif", "label.tif", "json"} <= samples[0].keys()


def test_an_interrupted_export_goes_on_and_gives_the_same_bytes(data, tmp_path):
    whole = [s.read_bytes() for s in export(data, tmp_path / "whole", per_shard=1)]

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(data, tmp_path / "cut", per_shard=1, progress=stop)
    assert [s.read_bytes() for s in export(data, tmp_path / "cut", per_shard=1)] == whole
    assert json.loads((tmp_path / "cut" / LIST).read_text())


def test_another_export_is_not_mixed_in(data, tmp_path):
    export(data, tmp_path)
    with pytest.raises(ConfigurationError, match="of the same triplets"):
        export(data[:1], tmp_path)


def test_a_lost_file_is_named_and_no_half_shard_is_left(data, tmp_path):
    root = write_dataset(tmp_path / "ethiopia")
    lost = open_dataset(root)
    (root / "labels").rename(root / "elsewhere")
    with pytest.raises(BadProduct, match="labels/lat_"):
        export(lost, tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.tar"))


def test_every_triplet_is_in_one_shard_of_its_part_and_the_order_has_no_pattern():
    tiles = [TileId(37, k, 432) for k in range(300)]
    entries = [Entry("ethiopia", a_triplet(a_candidate(t)).name) for t in tiles]
    planned = plan(entries, 20)
    assert sorted(str(e.name) for part in planned.values() for e in part) == sorted(str(e.name) for e in entries)
    for shard, members in planned.items():
        assert {str(e.part) for e in members} == {shard.rpartition("-")[0]}
        assert len(members) <= 20
    assert planned == plan(entries[::-1], 20)
    train = [e for shard, part in planned.items() if shard.startswith("train") for e in part]
    assert train != sorted(train, key=lambda e: str(e.name))
