"""A partition made by the SNAP engine, with a stand-in for SNAP: the whole way from products to triplets."""

import json

import numpy as np
import pytest
import rasterio

from sen12ts_pipeline.errors import ConfigurationError
from tests import worlds
from tests.sar.snap import standin_gpt


@pytest.fixture(scope="module")
def snap(tmp_path_factory):
    """Settings of the engine."""
    program = standin_gpt.install(tmp_path_factory.mktemp("standin"))
    return {"gpt": program, "memory_gb": 2, "cache_gb": 0.5, "threads": 2}


@pytest.mark.e2e
def test_a_partition_is_made_and_tells_the_engine(tiny, snap, tmp_path):
    made = {}
    for name, settings in (("native", {}), ("snap", {"engine": "snap", "snap": snap})):
        services = worlds.services_of(tiny, tmp_path / name, **settings)
        worlds.run(services)
        made[name] = sorted((tmp_path / name / "tiny/s1").glob("*.tif"))
    assert [p.name for p in made["snap"]] == [p.name for p in made["native"]]
    for ours, theirs in zip(made["native"], made["snap"], strict=True):
        with rasterio.open(ours) as one, rasterio.open(theirs) as other:
            native, other_stack = one.read(), other.read()
        np.testing.assert_array_equal(native[16:], other_stack[16:])  # angles and mask are the native geometry's
        assert not np.array_equal(native[:16], other_stack[:16])
        assert np.median(np.abs(native[4:8] - other_stack[4:8])) < 1.0
    (first, *_) = sorted((tmp_path / "snap/tiny/metadata").glob("*.json"))
    told = json.loads(first.read_text())["properties"]["sen12ts:provenance"]
    assert told["engine"]["name"] == "snap"
    assert all(frame["graphs"] for frame in told["frames"])


def test_engines_are_not_mixed_in_a_store(tiny, snap, tmp_path):
    worlds.run(worlds.services_of(tiny, tmp_path / "store"), until="search")
    with pytest.raises(ConfigurationError, match="engine"):
        worlds.run(worlds.services_of(tiny, tmp_path / "store", engine="snap", snap=snap), until="search")
