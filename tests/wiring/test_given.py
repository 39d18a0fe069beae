"""Products that are given by path."""

import pytest

from sen12ts_pipeline import wiring
from sen12ts_pipeline.errors import BadProduct, ConfigurationError
from tests import worlds


def test_products_are_given_by_path(tiny):
    products = worlds.products_of(tiny, "S1")
    engine, passes = wiring.science(tiny / "dem/dem.tif", "ellipsoidal", None, [[products[0]], [products[1]]])
    assert [p.products for p in passes] == [(products[0].stem,), (products[1].stem,)]
    assert engine.bursts(passes[0]) == engine.bursts(passes[1])
    with pytest.raises(ConfigurationError, match="slices given together must be of one datatake"):
        wiring.science(tiny / "dem/dem.tif", "ellipsoidal", None, [products[:2]])
    with pytest.raises(BadProduct, match="must be named as an IW SLC product"):
        wiring.science(tiny / "dem/dem.tif", "ellipsoidal", None, [[tiny / "archive"]])
