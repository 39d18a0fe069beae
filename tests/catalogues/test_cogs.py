"""Copies of Sentinel-2 images: which are there, and whether their numbers are what their item says."""

import copy

import numpy as np
import pytest

from sen12ts_pipeline.catalogues.cogs import check_offset, cog_images, offset_in
from sen12ts_pipeline.domain.layers import S2_BANDS
from sen12ts_pipeline.errors import BadProduct
from tests.catalogues import recorded

APPLIED = recorded.answers("earth_search/multiple_collections.json")[0]["features"][0]
EARLIER = recorded.answer("planetary_computer/s2_l2a_datetime_search.json")["features"][0]
BASELINE = (5, 9)


def numbers(reflectance, *, offset):
    """Stored numbers of reflectances with noise, as a product with or without its offset has them."""
    rng = np.random.default_rng(7)
    noisy = rng.choice(reflectance, 100_000) + rng.normal(0, 0.003, 100_000)
    return np.maximum(np.rint(noisy * 10_000) - offset, 1).astype(np.uint16)


LAND = (0.01, 0.02, 0.15, 0.3)
SNOW = (0.7, 0.8)


def test_an_item_of_earth_search_has_all_bands_and_says_that_the_offset_was_taken_off():
    images = cog_images(APPLIED)
    assert (images.product[:15], images.baseline, images.offset) == ("S2A_MSIL2A_2023", BASELINE, 0)
    assert {*images.hrefs} >= {*S2_BANDS, "SCL"}
    assert images.hrefs["B8A"].endswith("/B8A.tif")


def test_an_item_of_the_planetary_computer_of_an_early_baseline_has_no_offset():
    images = cog_images(EARLIER)
    assert (images.baseline, images.offset) == ((2, 12), 0)
    assert "/IMG_DATA/R10m/" in images.hrefs["B02"]


def test_without_a_word_of_it_the_offset_is_still_in_the_numbers():
    item = copy.deepcopy(APPLIED)
    del item["properties"]["earthsearch:boa_offset_applied"]
    assert cog_images(item).offset == -1000


def test_an_item_that_has_no_geotiffs_cannot_be_used():
    item = copy.deepcopy(APPLIED)
    item["assets"] = {k: a for k, a in item["assets"].items() if k.endswith("-jp2")}
    with pytest.raises(BadProduct, match=r"must have GeoTIFF images of all bands; .*'B01'.* are missing"):
        cog_images(item)


@pytest.mark.parametrize("offset", [0, -1000])
def test_the_pixels_tell_whether_the_offset_was_taken_off(offset):
    assert offset_in(numbers(LAND, offset=offset), BASELINE) == offset


@pytest.mark.parametrize("stored", [numbers(SNOW, offset=0), numbers(SNOW, offset=-1000), np.zeros(9, np.uint16)])
def test_over_snow_and_without_data_the_pixels_do_not_tell(stored):
    assert offset_in(stored, BASELINE) is None
    check_offset(cog_images(APPLIED), stored)


def test_a_few_low_numbers_beside_dark_ones_do_not_tell():
    stored = numbers(LAND, offset=-1000)
    stored[: stored.size // 200] = 500
    assert offset_in(stored, BASELINE) is None


def test_early_baselines_never_have_an_offset():
    assert offset_in(numbers(LAND, offset=-1000), (2, 14)) == 0


def test_a_flag_that_the_pixels_contradict_is_refused():
    check_offset(cog_images(APPLIED), numbers(LAND, offset=0))
    with pytest.raises(BadProduct, match="says that 0 is to be added to its numbers, and they show -1000"):
        check_offset(cog_images(APPLIED), numbers(LAND, offset=-1000))
