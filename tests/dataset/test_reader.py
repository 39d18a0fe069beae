"""The reader: finished data sets as arrays, wherever they lie and whoever made them."""

import pickle
import shutil
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

from sen12ts_pipeline.dataset import open_dataset
from sen12ts_pipeline.dataset.reader import INDEX, reflectance
from sen12ts_pipeline.domain.names import TripletName
from sen12ts_pipeline.errors import BadProduct, ConfigurationError
from tests.dataset.examples import ETHIOPIAN_TILE, a_label, an_s1_stack, an_s2_stack, write_dataset
from tests.servers import BUCKET, wait_for


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Two areas, the second as if it had been published: with its files and nothing else."""
    store = tmp_path_factory.mktemp("store")
    root = write_dataset(store / "ethiopia")
    for folder in ("s1", "s2", "labels"):
        shutil.copytree(root / folder, store / "uganda" / folder)
    (store / "_work").mkdir()
    return store


@pytest.fixture(scope="module")
def root(store):
    return store / "ethiopia"


def test_a_label_is_read_without_the_stacks(root, tmp_path):
    shutil.copytree(root, tmp_path / "ethiopia")
    dataset = open_dataset(tmp_path / "ethiopia")
    for folder in ("s1", "s2"):
        shutil.rmtree(tmp_path / "ethiopia" / folder)
    np.testing.assert_array_equal(dataset.label(dataset.entries[0]), a_label(ETHIOPIAN_TILE))
    shutil.rmtree(tmp_path / "ethiopia" / "labels")
    with pytest.raises(BadProduct, match="must be a readable file"):
        dataset.label(dataset.entries[0])


def test_triplets_come_back_as_they_were_made(root):
    dataset = open_dataset(root)
    assert len(dataset) == 2
    sample = dataset[0]
    assert sample.grid == ETHIOPIAN_TILE.grid
    np.testing.assert_array_equal(sample.s1, an_s1_stack(ETHIOPIAN_TILE))
    np.testing.assert_array_equal(sample.s2, an_s2_stack())
    np.testing.assert_array_equal(sample.label, a_label(ETHIOPIAN_TILE))
    assert (~sample.valid).sum() == 200 + 150
    assert dataset.metadata(dataset.entries[0])["id"] == str(sample.name)


def test_a_store_holds_areas_of_both_kinds(store):
    dataset = open_dataset(str(store))
    assert dataset.aois == ("ethiopia", "uganda")
    ours, published = dataset.select(aois={"ethiopia"}), dataset.select(aois={"uganda"})
    assert [e.name for e in ours.entries] == [e.name for e in published.entries]
    np.testing.assert_array_equal(ours[1].s1, published[1].s1)
    with pytest.raises(BadProduct, match="metadata/lat_"):
        published.metadata(published.entries[0])


@pytest.mark.parametrize(
    ("chosen", "count"),
    [
        ({}, 2),
        ({"seasons": {"fall"}}, 1),
        ({"seasons": set()}, 0),
        ({"years": {2020}}, 2),
        ({"years": {2021}}, 0),
        ({"tracks": {52}}, 2),
        ({"tracks": {53}}, 0),
        ({"directions": {"D"}}, 2),
        ({"directions": {"A"}}, 0),
        ({"s2dates": ("2020-06-15", "2020-06-15")}, 1),
        ({"s1dates": ("2020-06-15", "2020-12-31")}, 1),
        ({"classes": {40, 95}}, 2),
        ({"classes": {95}}, 0),
        ({"per_tile": (1, 1)}, 0),
        ({"per_tile": (2, 16)}, 2),
        ({"per_tile": (1, 1), "seasons": {"fall"}}, 1),
        ({"splits": {"train", "validation", "test", "border"}}, 2),
    ],
)
def test_triplets_are_chosen_by_what_the_index_tells(root, chosen, count):
    assert len(open_dataset(root).select(**chosen)) == count


def test_parts_are_the_same_with_and_without_an_index(store):
    dataset = open_dataset(store)
    for split in ("train", "validation", "test", "border"):
        chosen = dataset.select(splits={split})
        assert len(chosen.select(aois={"ethiopia"})) == len(chosen.select(aois={"uganda"}))


def test_what_cannot_be_chosen_by_is_said(store):
    with pytest.raises(ConfigurationError, match="uganda has none"):
        open_dataset(store).select(classes={10})
    with pytest.raises(ConfigurationError, match="winter, spring, summer, fall"):
        open_dataset(store).select(seasons={"autumn"})
    with pytest.raises(ConfigurationError, match="train, validation, test, border"):
        open_dataset(store).select(splits={"dev"})


def test_it_is_a_sequence(root):
    dataset = open_dataset(root)
    assert [s.name for s in dataset[:2]] == [s.name for s in dataset] == [e.name for e in dataset.entries]
    assert dataset[-1].name == dataset.entries[-1].name
    with pytest.raises(IndexError):
        dataset[2]


def test_triplets_of_a_tile_come_in_the_order_of_time(root):
    ((place, series),) = open_dataset(root).tiles().items()
    assert place == ("ethiopia", "10.0128", "37.4935")
    assert [str(s.name.s2date) for s in series] == ["2020-06-15", "2020-09-23"]


def test_reflectance_is_a_number_from_0_to_1_or_nan(root):
    bands = reflectance(open_dataset(root)[0])
    assert (bands.dtype, bands.shape) == (np.float32, (12, 256, 256))
    assert np.isnan(bands[2, 100, :50]).all()
    assert np.nanmin(bands) >= 0
    assert np.nanmax(bands) <= 1


def test_xarray_knows_layers_and_coordinates(root):
    pytest.importorskip("xarray")
    sample = open_dataset(root)[0]
    data = sample.to_xarray()
    assert data.s2.sel(s2_layer="B8A", x=333_605.0, y=1_108_475.0) == sample.s2[8, 0, 0]
    assert data.sizes == {"s1_layer": 19, "s2_layer": 14, "y": 256, "x": 256}


def test_only_finished_triplets_are_seen_and_a_lost_file_is_named(tmp_path):
    root = write_dataset(tmp_path / "ethiopia")
    (root / INDEX).unlink()
    first, second = (e.name for e in open_dataset(root).entries)
    (root / "metadata" / f"{first}.json").unlink()
    assert [e.name for e in open_dataset(root).entries] == [second]
    (root / "s2" / f"{second}.tif").unlink()
    with pytest.raises(BadProduct, match=f"s2/{second}.tif: must be a readable file"):
        open_dataset(root)[0]


def test_a_file_of_another_generation_is_refused(tmp_path):
    """The published files of an earlier generation had 18 radar layers."""
    root = write_dataset(tmp_path / "ethiopia")
    name = str(open_dataset(root).entries[0].name)
    shutil.copy(root / "s2" / f"{name}.tif", root / "s1" / f"{name}.tif")
    with pytest.raises(BadProduct, match="must have 19 layers; has 14"):
        open_dataset(root)[0]


@pytest.mark.parametrize("place", ["nowhere", "empty", "file"])
def test_a_place_without_a_data_set_is_named(tmp_path, place):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="with folders s1, s2 and labels"):
        open_dataset(tmp_path / place)


def test_an_address_of_another_kind_is_refused():
    with pytest.raises(ConfigurationError, match="folder or s3://"):
        open_dataset("https://example.org/store")


def test_an_index_that_is_none_is_named(tmp_path):
    root = write_dataset(tmp_path / "ethiopia")
    (root / INDEX).write_bytes(b"PAR1")
    with pytest.raises(BadProduct, match=f"{INDEX}.*must be a Parquet file"):
        open_dataset(root)


def test_a_bucket_reads_like_a_folder_also_in_other_processes(store, s3_server, monkeypatch):
    for key, value in s3_server.items():
        monkeypatch.setenv(key, value)
    client = wait_for(s3_server)
    for path in sorted(p for p in store.rglob("*") if p.is_file()):
        client.upload_file(str(path), BUCKET, f"read/{path.relative_to(store)}")
    afar, here = open_dataset(f"s3://{BUCKET}/read"), open_dataset(store)
    assert afar.entries == here.entries
    assert open_dataset(f"s3://{BUCKET}/read/uganda").aois == ("uganda",)
    with ProcessPoolExecutor(2) as pool:
        sums = list(pool.map(_sum, [(pickle.dumps(afar), k) for k in range(len(afar))]))
    assert sums == [int(s.s2.sum()) for s in here]
    lost = TripletName.parse(str(here.entries[0].name).replace("2020-06-15", "2020-06-16"))
    with pytest.raises(BadProduct, match=f"{lost}.tif: must be a readable file of s3://"):
        afar.read(type(here.entries[0])("ethiopia", lost))


def _sum(work):
    dataset, k = pickle.loads(work[0]), work[1]
    return int(dataset[k].s2.sum())
