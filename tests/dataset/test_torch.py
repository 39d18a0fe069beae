"""Triplets for PyTorch: keys and types as torchgeo's, safe with workers, normalised on demand."""

import numpy as np
import pytest

from sen12ts_pipeline.dataset import open_dataset
from sen12ts_pipeline.dataset.statistics import statistics_of
from sen12ts_pipeline.domain.layers import S1_LAYERS
from tests.dataset.examples import write_dataset

torch = pytest.importorskip("torch", reason="needs PyTorch; make test-applications brings it")

from sen12ts_pipeline.dataset.torch import TorchTriplets  # noqa: E402


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return open_dataset(write_dataset(tmp_path_factory.mktemp("store") / "ethiopia"))


def test_a_sample_has_the_keys_and_types_that_torchgeo_uses(data):
    sample = TorchTriplets(data)[0]
    assert sample["image"].shape == (30, 256, 256)
    assert sample["image"].dtype == torch.float32
    assert (sample["mask"].shape, sample["mask"].dtype) == ((256, 256), torch.int64)
    assert set(sample["mask"].unique().tolist()) == {-3000, 10, 30, 40}
    assert sample["valid"].sum() == 65_536 - 350
    assert sample["crs"] == "EPSG:32637"
    assert sample["bounds"] == (333_600.0, 1_105_920.0, 336_160.0, 1_108_480.0)


def test_layers_come_by_name_and_in_order(data):
    sample = TorchTriplets(data, layers=("B04", "vv_t", "SCL"))[0]
    stored = data[0]
    for k, layer in enumerate((stored.s2[3], stored.s1[1], stored.s2[12])):
        np.testing.assert_array_equal(sample["image"][k], np.where(layer == -3000, 0, layer))
    with pytest.raises(ValueError, match="got B10"):
        TorchTriplets(data, layers=("B10",))


def test_normalised_layers_have_mean_0_and_deviation_1(data):
    triplets = TorchTriplets(data, statistics=statistics_of(data, split=""))
    valid = torch.stack([s["valid"] for s in triplets])
    images = torch.stack([s["image"] for s in triplets]).movedim(1, 0)
    for name, layer in zip(triplets.layers, images, strict=True):
        if name != "B03":  # has pixels without data
            assert float(layer[valid].double().mean()) == pytest.approx(0, abs=1e-4), name
            assert float(layer[valid].double().std()) == pytest.approx(1, abs=1e-3), name
    assert (images[triplets.layers.index("B03"), 0, 100, :50] == 0).all()
    with pytest.raises(ValueError, match="no statistics of SCL"):
        TorchTriplets(data, layers=("SCL",), statistics=statistics_of(data, split=""))


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_give_what_one_process_gives(data, workers):
    loader = torch.utils.data.DataLoader(TorchTriplets(data, layers=S1_LAYERS), batch_size=2, num_workers=workers)
    (batch,) = list(loader)
    assert batch["image"].shape == (2, 19, 256, 256)
    assert batch["name"] == [str(e.name) for e in data.entries]
    np.testing.assert_array_equal(batch["image"][1], data[1].s1)


def test_a_transform_sees_the_sample(data):
    assert TorchTriplets(data, transform=lambda s: {"mean": float(s["image"].mean())})[0].keys() == {"mean"}
