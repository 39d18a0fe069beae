"""Statistics of the layers: those of all valid pixels at once, and of one part alone."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from sen12ts_pipeline.dataset import open_dataset
from sen12ts_pipeline.dataset.statistics import Moments, Statistics, standardised, statistics_of
from sen12ts_pipeline.domain.layers import NODATA
from tests.dataset.examples import write_dataset

ARRAYS = npst.arrays(np.float32, st.integers(0, 50), elements=st.floats(-3000, 30_000, width=32))


@given(st.lists(ARRAYS, max_size=6))
def test_parts_put_together_are_the_whole(arrays):
    total = sum((Moments.of(a) for a in arrays), Moments())
    whole = np.concatenate([np.empty(0, np.float32), *arrays]).astype(float)
    assert total.count == whole.size
    if whole.size:
        scale = max(1.0, float(np.abs(whole).max()))
        assert total.mean == pytest.approx(whole.mean(), abs=1e-9 * scale)
        assert total.deviation == pytest.approx(whole.std(), abs=1e-6 * scale)
        assert (total.least, total.most) == (whole.min(), whole.max())


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return open_dataset(write_dataset(tmp_path_factory.mktemp("store") / "ethiopia"))


def test_they_are_those_of_all_valid_pixels(data):
    found = statistics_of(data, split="")
    assert found.triplets == 2
    valid = np.stack([s.valid for s in data])
    vh = np.stack([s.s1[0] for s in data])[valid].astype(float)
    assert found.s1["vh_t"].count == vh.size
    assert found.s1["vh_t"].mean == pytest.approx(vh.mean(), abs=1e-12)
    assert found.s1["vh_t"].deviation == pytest.approx(vh.std(), abs=1e-12)
    blue = np.stack([s.s2[1] for s in data])[valid]
    assert found.s2["B02"].mean == pytest.approx(blue.mean(), abs=1e-9)
    assert (found.s2["B02"].least, found.s2["B02"].most) == (blue.min(), blue.max())
    assert found.s2["B03"].least >= 0, "no data is no number"
    assert set(found.s2) == {"B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12"}


def test_layers_are_standardised_and_no_data_become_their_mean():
    stack = np.array([[[10, 30], [NODATA, 20]], [[5, 5], [5, NODATA]]], np.int16)
    moments = [Moments.of(layer[layer != NODATA]) for layer in stack]
    found = standardised(stack, moments)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], np.array([[-1, 1], [0, 0]]) * np.sqrt(1.5), rtol=1e-6)
    assert (found[1] == 0).all(), "a layer without any spread is not divided"


def test_workers_and_progress_do_not_change_them(data):
    seen = []
    assert statistics_of(data, split="", workers=3, progress=lambda: seen.append(1)) == statistics_of(data, split="")
    assert len(seen) == 2


def test_only_the_part_asked_for_counts(data):
    parts = [statistics_of(data, split=p).triplets for p in ("train", "validation", "test", "border")]
    assert sum(parts) == 2


def test_they_come_back_from_their_file(data):
    found = statistics_of(data, split="")
    assert Statistics.parse(found.to_json()) == found
    empty = dataclasses.replace(found, s1={}, s2={"B02": Moments()})
    assert Statistics.parse(empty.to_json()) == empty
    with pytest.raises(ValueError, match="must be statistics"):
        Statistics.parse('{"s1": 1}')
