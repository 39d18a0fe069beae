"""The network of ukis-csmask: what it sees in a real patch, and what its identity holds."""

import importlib.util

import numpy as np
import pytest

from sen12ts_pipeline.domain.lattice import Grid
from sen12ts_pipeline.domain.layers import NODATA, S2_MASK
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.sentinel2.csmask import NAMES, CsmaskMasker
from sen12ts_pipeline.sentinel2.masks import SceneMask, valid_pixels
from sen12ts_pipeline.sentinel2.scene import open_scene
from tests.sentinel2.products import DATA, NAME, write_safe

INSTALLED = importlib.util.find_spec("ukis_csmask") is not None
needs_cloudmask = pytest.mark.skipif(not INSTALLED, reason="needs the extra cloudmask (make test-applications)")
SHADOW, CLOUD = 0, 4


@pytest.fixture(scope="module")
def patch():
    """Bands of a real patch with cloud and shadow, and where they are."""
    with np.load(DATA / "cloud_reference_256.npz") as file:
        reflectance, mask = file["reflectance"], file["mask"]
    bands = {band: np.minimum(reflectance[..., k], 10_000).astype(np.int16) for k, band in enumerate(NAMES)}
    return bands, np.isin(mask, (SHADOW, CLOUD))


def kappa(found, truth):
    agreed = (found == truth).mean()
    chance = found.mean() * truth.mean() + (1 - found.mean()) * (1 - truth.mean())
    return (agreed - chance) / (1 - chance)


@pytest.mark.skipif(INSTALLED, reason="ukis-csmask is installed")
def test_without_the_package_the_error_names_the_extra():
    with pytest.raises(ConfigurationError, match="masker: needs ukis-csmask: install the project's extra cloudmask"):
        CsmaskMasker()


@needs_cloudmask
@pytest.mark.parametrize("count", [4, 6])
def test_cloud_and_shadow_of_a_real_patch_are_found(patch, count):
    bands, truth = patch
    found = ~CsmaskMasker(count).valid({band: bands[band] for band in CsmaskMasker(count).bands})
    assert kappa(found, truth) > 0.6
    assert found[truth].mean() > 0.98


@needs_cloudmask
def test_a_product_of_that_patch_is_masked_through_its_offset_and_at_20_m(patch, tmp_path):
    bands, truth = patch

    def stored(band, resolution, rows, cols):
        if band not in bands:
            return np.full(rows.shape, 4 if band == "SCL" else 2000)
        return 1000 + bands[band][rows * resolution // 20, cols * resolution // 20]

    name = NAME.replace("N0214", "N0400")
    product = write_safe(tmp_path, stored, pixels=510, offsets=dict.fromkeys(range(13), -1000), name=name)
    with open_scene([product]) as scene:
        valid = valid_pixels(scene, CsmaskMasker())
        mask = scene.stack(Grid(32631, 499_980.0, 4_700_040.0, 510, 510), SceneMask(scene.parts[0].product, valid))
    expected = CsmaskMasker().valid({band: values[:255, :255] for band, values in bands.items()})
    np.testing.assert_array_equal(valid, expected)
    np.testing.assert_array_equal(mask.layers[S2_MASK], np.kron(expected, np.ones((2, 2), bool)))
    assert kappa(~valid, truth[:255, :255]) > 0.6


@needs_cloudmask
def test_results_do_not_depend_on_the_run_and_grow_by_the_dilation(patch):
    bands, _ = patch
    first, second, grown = (CsmaskMasker(4, distance).valid(bands) for distance in (0, 0, 60))
    np.testing.assert_array_equal(first, second)
    assert not (grown & ~first).any()
    assert grown.sum() < first.sum()


@needs_cloudmask
def test_pixels_without_data_are_invalid_and_images_may_be_small(patch):
    bands = {band: values[:100, :140].copy() for band, values in patch[0].items()}
    bands["B11"][:7] = NODATA
    valid = CsmaskMasker().valid(bands)
    assert valid.shape == (100, 140)
    assert not valid[:7].any()
    assert valid[7:].any()


@needs_cloudmask
def test_the_identity_holds_versions_bands_and_the_digest_of_the_weights():
    identity = CsmaskMasker(6, 40).identity
    assert (identity.name, identity.parameters["dilation_m"]) == ("ukis-csmask", 40)
    assert identity.parameters["bands"] == ["B02", "B03", "B04", "B08", "B11", "B12"]
    assert len(identity.parameters["weights_sha256"]) == 64
    assert identity.parameters["weights_sha256"] != CsmaskMasker(4).identity.parameters["weights_sha256"]
