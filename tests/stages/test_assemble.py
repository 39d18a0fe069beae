"""assemble: what a finished triplet's files and metadata tell of how they were made."""

import json

import pytest
import rasterio

from tests import worlds


@pytest.fixture(scope="module")
def store(tiny, tmp_path_factory):
    """Folder of the finished area."""
    store = tmp_path_factory.mktemp("store")
    worlds.run(worlds.services_of(tiny, store))
    return store / "tiny"


def test_the_radar_stack_tells_the_looks_and_the_floor_of_its_coherence(store):
    for path in (store / "s1").glob("*.tif"):
        with rasterio.open(path) as source:
            tags = source.tags()
        assert 18 < float(tags["EFFECTIVE_LOOKS"]) < 23
        assert 0.18 < float(tags["COHERENCE_FLOOR"]) < 0.21


def test_metadata_tell_orbits_and_baselines_of_every_pair(store):
    for path in (store / "metadata").glob("*.json"):
        frames = json.loads(path.read_text())["properties"]["sen12ts:provenance"]["frames"]
        assert len(frames) == 4
        for frame in frames:
            assert frame["orbits"] == [{"kind": "annotation", "files": []}] * 2
            assert {"perpendicular_baseline_m", "height_of_ambiguity_m", "days", "doppler_difference_hz"} <= set(frame)
