"""What is said of a triplet, and where its files lie."""

import hashlib

import numpy as np
import pytest

from sen12ts_pipeline.dataset.triplet import FileFacts, histogram, invalid_pixels, paths_of
from tests.dataset.examples import a_candidate, a_triplet
from tests.domain.examples import NOON, a_scene


def test_files_lie_where_the_contract_puts_them():
    name = "lat_10.0128_lon_37.4935_s1date_2020-06-14_s2date_2020-06-15_s1track_52_s1lookpass_RD"
    triplet = a_triplet()
    assert str(triplet.name) == name
    assert triplet.paths == paths_of(triplet.name, 2020)
    assert triplet.paths == {
        "s1": f"s1/{name}.tif",
        "s2": f"s2/{name}.tif",
        "label": "labels/lat_10.0128_lon_37.4935_date_2020_lulc_label.tif",
        "quicklook": f"quicklooks/{name}.png",
        "metadata": f"metadata/{name}.json",
    }


def test_facts_of_a_file():
    assert FileFacts.of(b"abc") == FileFacts(3, hashlib.sha256(b"abc").hexdigest())


def test_histogram_counts_nodata_too():
    assert histogram(np.int16([[10, -3000], [10, 0]])) == {-3000: 1, 0: 1, 10: 2}


@pytest.mark.parametrize("dtype", [np.float32, np.int16])
def test_invalid_pixels_are_those_that_the_mask_does_not_call_valid(dtype):
    stack = np.zeros((3, 2, 2), dtype)
    stack[-1] = [[1, 0], [-3000, 1]]
    assert invalid_pixels(stack) == 2


def test_a_triplet_of_other_files_or_another_scene_is_refused():
    with pytest.raises(ValueError, match="has the files s1, s2, label"):
        a_triplet(files={"s1": FileFacts(1, "0")})
    with pytest.raises(ValueError, match="the scene must be S2A_20200616"):
        a_triplet(a_candidate(day=1), scene=a_scene(NOON))
