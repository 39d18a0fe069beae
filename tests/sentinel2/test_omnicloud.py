"""OmniCloudMask: weights that the user names and nothing else; its inference where it is installed."""

import hashlib
import importlib.util

import numpy as np
import pytest

from sen12ts_pipeline.domain.layers import NODATA
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.sentinel2.omnicloud import OmniCloudMasker

INSTALLED = importlib.util.find_spec("omnicloudmask") is not None


@pytest.fixture
def weights(tmp_path):
    """A file that is called as published weights are, and its digest."""
    path = tmp_path / "PM_model_OCM_7.97_R_G_NIR_3_smp_regnety_004.pycls_in1k_PT_state.safetensors"
    path.write_bytes(b"weights")
    return path, hashlib.sha256(b"weights").hexdigest()


def test_none_are_fetched():
    with pytest.raises(ConfigurationError, match=r"clouds\.weights: must name files of weights .* fetches none"):
        OmniCloudMasker({})


def test_files_must_be_there(tmp_path):
    with pytest.raises(ConfigurationError, match=r"must be a file of weights; got 'no such file'"):
        OmniCloudMasker({tmp_path / "regnety_004.safetensors": "0" * 64})


def test_files_must_have_their_digest(weights):
    path, digest = weights
    with pytest.raises(ConfigurationError, match=f"must have the SHA-256 {'0' * 64}; got '{digest}'"):
        OmniCloudMasker({path: "0" * 64})


def test_files_must_tell_their_network(tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"weights")
    with pytest.raises(ConfigurationError, match="name of its network in its own: one of regnety_004, edgenext_small"):
        OmniCloudMasker({path: hashlib.sha256(b"weights").hexdigest()})


@pytest.mark.skipif(INSTALLED, reason="omnicloudmask is installed")
def test_without_the_package_the_error_names_the_extra(weights):
    path, digest = weights
    with pytest.raises(ConfigurationError, match="install the project's extra omnicloudmask"):
        OmniCloudMasker({path: digest})


@pytest.mark.skipif(not INSTALLED, reason="needs the extra omnicloudmask")
def test_networks_of_any_weights_judge_every_pixel_with_data(tmp_path):
    import safetensors.torch
    import segmentation_models_pytorch as smp
    import torch

    torch.manual_seed(1)
    path = tmp_path / "regnety_004.safetensors"
    model = smp.Unet("tu-regnety_004", encoder_weights=None, in_channels=3, classes=4)
    safetensors.torch.save_file(model.state_dict(), path)
    masker = OmniCloudMasker({path: hashlib.sha256(path.read_bytes()).hexdigest()})
    random = np.random.default_rng(1)
    bands = {band: random.integers(100, 4000, (128, 160), np.int16) for band in masker.bands}
    bands["B08"][:9] = NODATA
    first, second = masker.valid(bands), masker.valid(bands)
    assert first.shape == (128, 160)
    assert not first[:9].any()
    np.testing.assert_array_equal(first, second)
    assert masker.identity.parameters["weights_sha256"] == [hashlib.sha256(path.read_bytes()).hexdigest()]
