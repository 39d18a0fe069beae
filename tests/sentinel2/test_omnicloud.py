"""OmniCloudMask: weights that the user names and nothing else; its inference where it is installed.

The published weights are not at hand. Networks of their kind are: one with random weights, and one whose weights are
set so that it is known what it must see.
"""

import hashlib
import importlib.util

import numpy as np
import pytest

from sen12ts_pipeline.domain.layers import NODATA
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.sentinel2.masks import STRIP, dilated, valid_pixels
from sen12ts_pipeline.sentinel2.omnicloud import OmniCloudMasker, _models

INSTALLED = importlib.util.find_spec("omnicloudmask") is not None
needs_package = pytest.mark.skipif(not INSTALLED, reason="needs the extra omnicloudmask (make test-applications)")


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


@pytest.fixture(scope="module")
def network():
    """Network of a published file's kind, without weights."""
    import torch

    try:
        import torchvision  # noqa: F401
    except RuntimeError:  # built for another accelerator than PyTorch, it lacks operators that are not needed here
        missing = torch.library.Library("torchvision", "FRAGMENT")
        for operator in ("nms", "qnms"):
            missing.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import segmentation_models_pytorch as smp

    torch.manual_seed(1)
    return smp.Unet("tu-regnety_004", encoder_weights=None, in_channels=3, classes=4).eval()


def saved(state, folder, name="regnety_004.safetensors"):
    """A file of weights and its digest, as settings name it."""
    import safetensors.torch

    safetensors.torch.save_file({key: value.contiguous() for key, value in state.items()}, folder / name)
    return {folder / name: hashlib.sha256((folder / name).read_bytes()).hexdigest()}


def thresholds(network, clear=1.0):
    """Weights by which a pixel is thick cloud, thin cloud or shadow where one band is far from its patch's mean.

    Of the inputs, which the package normalises, near infrared is the third and red the first. The stem hands on what
    is above and below their means, the decoder's last but one block takes that from its skip connection, and the head
    gives near infrared above `clear` deviations to thick cloud, red above it to thin cloud, near infrared below it to
    shadow.
    """
    state = {key: value * 0 for key, value in network.state_dict().items()}
    for key, value in state.items():
        if key.endswith("running_var") or (
            value.dim() == 1 and key.endswith(("bn.weight", "conv1.1.weight", "conv2.1.weight"))
        ):
            value += 1
    for channel, (band, sign) in enumerate(((2, 1), (0, 1), (2, -1))):
        state["encoder.model.stem.conv.weight"][channel, band, 1, 1] = sign
        state["decoder.blocks.3.conv1.0.weight"][channel, 64 + channel, 1, 1] = 1
        for layer in ("3.conv2", "4.conv1", "4.conv2"):
            state[f"decoder.blocks.{layer}.0.weight"][channel, channel, 1, 1] = 1
        state["segmentation_head.0.weight"][1 + channel, channel, 1, 1] = 1
    state["segmentation_head.0.bias"][0] = clear
    return state


def sky(rows, cols):
    """Bands that are even but for blocks in which one of them is higher or lower, over and over; and which block."""
    block = np.indices((rows, cols)) // 16 % 4
    kind = 4 * block[0] + block[1]
    bands = {band: np.full((rows, cols), 2000, np.int16) for band in ("B03", "B04", "B08")}
    for number, (band, value) in enumerate((b, v) for b in ("B08", "B04", "B03") for v in (6000, 100)):
        bands[band][kind == number] = value
    return bands, kind


CLOUDED = (0, 1, 2)
"""Blocks that the network of `thresholds` must see: near infrared high and low, red high; not red low, nor green."""


@needs_package
@pytest.mark.parametrize("shape", [(128, 128), (192, 448)], ids=["one patch", "patches that overlap"])
def test_red_green_and_near_infrared_are_told_apart_and_every_class_but_clear_is_invalid(network, tmp_path, shape):
    bands, kind = sky(*shape)
    found = OmniCloudMasker(saved(thresholds(network), tmp_path)).valid(bands)
    np.testing.assert_array_equal(found, ~np.isin(kind, CLOUDED))


@needs_package
def test_neither_level_nor_scale_of_the_numbers_matters(network, tmp_path):
    bands, kind = sky(128, 128)
    masker = OmniCloudMasker(saved(thresholds(network), tmp_path))
    found = masker.valid({band: (values // 2 + 500).astype(np.int16) for band, values in bands.items()})
    np.testing.assert_array_equal(found, ~np.isin(kind, CLOUDED))


@needs_package
def test_networks_are_averaged_and_judge_by_the_class_that_is_likeliest(network, tmp_path):
    bands, _ = sky(128, 128)
    sees, blind = thresholds(network), thresholds(network, clear=100.0)
    weights = saved(sees, tmp_path) | saved(blind, tmp_path, "second_regnety_004.safetensors")
    assert OmniCloudMasker(weights).valid(bands).all()
    assert len(OmniCloudMasker(weights).identity.parameters["weights_sha256"]) == 2


@needs_package
def test_pixels_without_data_are_invalid_do_not_grow_and_do_not_shift_the_mean(network, tmp_path):
    bands, kind = sky(128, 128)
    bands["B04"][:, :16] = NODATA
    bands["B03"][40, 40] = 0
    masker = OmniCloudMasker(saved(thresholds(network), tmp_path))
    found = masker.valid(bands)
    assert not found[:, :16].any()
    np.testing.assert_array_equal(found[:, 16:], ~np.isin(kind, CLOUDED)[:, 16:])
    grown = OmniCloudMasker(saved(thresholds(network), tmp_path), dilation_m=40).valid(bands)
    np.testing.assert_array_equal(grown[:, 16:], ~dilated(~found & (bands["B04"] != NODATA), 40)[:, 16:])


@needs_package
def test_one_thread_computes_whatever_the_number_of_processors(network, tmp_path):
    import torch

    bands, _ = sky(64, 64)
    weights, threads = saved(thresholds(network), tmp_path), []
    (model,) = _models(tuple(weights))
    model.register_forward_hook(lambda *_: threads.append(torch.get_num_threads()))
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        OmniCloudMasker(weights).valid(bands)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert set(threads) == {1}


@needs_package
def test_nothing_is_seen_where_nothing_has_data(network, tmp_path):
    bands = {band: np.full((64, 64), NODATA, np.int16) for band in OmniCloudMasker.bands}
    assert not OmniCloudMasker(saved(thresholds(network), tmp_path)).valid(bands).any()


@needs_package
def test_networks_of_any_weights_judge_the_same_twice_and_are_named_by_digest(network, tmp_path):
    weights = saved(network.state_dict(), tmp_path)
    masker = OmniCloudMasker(weights)
    random = np.random.default_rng(1)
    bands = {band: random.integers(100, 4000, (128, 160), np.int16) for band in masker.bands}
    first, second = masker.valid(bands), OmniCloudMasker(weights).valid(bands)
    np.testing.assert_array_equal(first, second)
    assert 0 < first.sum() < first.size
    assert masker.identity.parameters["weights_sha256"] == list(weights.values())


@needs_package
def test_a_whole_granule_is_judged_in_strips(network, tmp_path):
    """The strips' rows differ in what is around them, but the sky is the same all over."""
    rows = STRIP + 64
    bands, kind = sky(rows, 128)

    class Scene:
        shape_20m = rows, 128

        def at_20m(self, names, rows, cols):
            return {name: bands[name][slice(*rows), slice(*cols)] for name in names}

    found = valid_pixels(Scene(), OmniCloudMasker(saved(thresholds(network), tmp_path)))
    np.testing.assert_array_equal(found, ~np.isin(kind, CLOUDED))
