"""Where copies of Sentinel-2 images are; what their items and numbers must say is tried with their reader."""

import copy

import pytest

from sen12ts_pipeline.catalogues.cogs import cog_images
from sen12ts_pipeline.domain.layers import S2_BANDS
from sen12ts_pipeline.errors import BadProduct
from tests.catalogues import recorded

APPLIED = recorded.answers("earth_search/multiple_collections.json")[0]["features"][0]
EARLIER = recorded.answer("planetary_computer/s2_l2a_datetime_search.json")["features"][0]


def test_an_item_of_earth_search_has_all_bands_and_says_that_the_offset_was_taken_off():
    images = cog_images(APPLIED)
    assert (images.product[:15], images.baseline, images.offset) == ("S2A_MSIL2A_2023", (5, 9), 0)
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
