"""The enhanced vegetation index, by equation (1)."""

import numpy as np
import pytest

from applications.evi import evi_of


def stack(blue, red, nir):
    s2 = np.full((14, 1, 1), 5000, np.int16)
    s2[[1, 3, 7]] = np.array([blue, red, nir])[:, None, None]
    return s2


@pytest.mark.parametrize(
    ("blue", "red", "nir", "evi"),
    [
        (300, 400, 3600, 2.5 * 3200 / (3600 + 2400 - 2250 + 10_000)),
        (1000, 1000, 1000, 0.0),
        (9000, 10_000, 0, -1.0),
        (1200, 0, 9000, 1.0),
    ],
)
def test_it_is_equation_1_clipped(blue, red, nir, evi):
    assert evi_of(stack(blue, red, nir))[0, 0] == pytest.approx(np.clip(evi, -1, 1), abs=1e-6)


@pytest.mark.parametrize("missing", [1, 3, 7])
def test_it_is_not_known_without_one_of_its_bands(missing):
    s2 = stack(300, 400, 3600)
    s2[missing] = -3000
    assert np.isnan(evi_of(s2)).all()


def test_published_files_with_reflectance_0_to_1_would_need_another_constant():
    """The constant is 10,000 for stored numbers: with 1 the index of the same field would be another."""
    assert evi_of(stack(300, 400, 3600))[0, 0] == pytest.approx(2.5 * 0.32 / (0.36 + 0.24 - 0.225 + 1), abs=1e-6)
