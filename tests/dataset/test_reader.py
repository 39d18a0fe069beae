"""The reader: a finished data set as arrays."""

import numpy as np
import pytest

from sen12ts_pipeline.dataset.reader import Dataset, reflectance
from sen12ts_pipeline.domain.seasons import Season
from sen12ts_pipeline.errors import BadProduct, ConfigurationError
from tests.dataset.examples import ETHIOPIAN_TILE, a_label, an_s1_stack, an_s2_stack, write_dataset


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("store") / "ethiopia")


def test_triplets_come_back_as_they_were_made(root):
    dataset = Dataset(root)
    assert len(dataset) == 2
    sample = dataset[0]
    assert sample.grid == ETHIOPIAN_TILE.grid
    np.testing.assert_array_equal(sample.s1, an_s1_stack(ETHIOPIAN_TILE))
    np.testing.assert_array_equal(sample.s2, an_s2_stack())
    np.testing.assert_array_equal(sample.label, a_label(ETHIOPIAN_TILE))
    assert (~sample.valid).sum() == 200 + 150
    assert dataset.metadata(sample.name)["id"] == str(sample.name)


def test_seasons_and_years_are_chosen(root):
    assert [s.season for s in Dataset(root, seasons={Season.FALL})] == [Season.FALL]
    assert len(Dataset(root, seasons={Season.SUMMER})) == 1
    assert len(Dataset(root, seasons=set())) == 0
    assert len(Dataset(root, years={2020})) == 2
    assert len(Dataset(root, years={2021})) == 0


def test_it_is_a_sequence(root):
    dataset = Dataset(root)
    assert [s.name for s in dataset[:2]] == [s.name for s in dataset][:2] == list(dataset.names[:2])
    assert dataset[-1].name == dataset.names[-1]
    with pytest.raises(IndexError):
        dataset[2]


def test_reflectance_is_a_number_from_0_to_1_or_nan(root):
    sample = Dataset(root)[0]
    bands = reflectance(sample)
    assert (bands.dtype, bands.shape) == (np.float32, (12, 256, 256))
    assert np.isnan(bands[2, 100, :50]).all()
    assert np.nanmin(bands) >= 0
    assert np.nanmax(bands) <= 1


def test_an_unfinished_triplet_is_not_seen_and_a_lost_file_is_named(tmp_path):
    root = write_dataset(tmp_path / "ethiopia")
    first, second = Dataset(root).names
    (root / "metadata" / f"{first}.json").unlink()
    assert Dataset(root).names[0] == second
    (root / "s2" / f"{second}.tif").unlink()
    with pytest.raises(BadProduct, match=f"s2/{second}.tif: must be a readable file"):
        Dataset(root)[0]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match="must be the folder of an AOI"):
        Dataset(tmp_path / "nowhere")
