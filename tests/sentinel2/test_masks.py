"""The masker that reads the scene classification."""

import numpy as np

from sen12ts_pipeline.ports import CloudMasker
from sen12ts_pipeline.sentinel2.masks import SclMasker


def test_cloud_shadow_cloud_cirrus_and_no_data_are_invalid_and_nothing_else():
    masker: CloudMasker = SclMasker()
    scl = np.arange(12, dtype=np.uint8).reshape(3, 4)
    invalid = [int(c) for c in scl.ravel() if not masker.valid(scl).ravel()[c]]
    assert invalid == [0, 3, 8, 9, 10]


def test_nothing_is_dilated():
    scl = np.full((5, 5), 4, np.uint8)
    scl[2, 2] = 9
    assert (~SclMasker().valid(scl)).sum() == 1


def test_the_identity_tells_what_decides_the_mask():
    assert SclMasker().identity.as_json() == {
        "name": "scl",
        "version": "1",
        "parameters": {"invalid": [0, 3, 8, 9, 10], "dilation_m": 0},
    }
    assert SclMasker((9, 3, 3)).identity.parameters["invalid"] == [3, 9]
