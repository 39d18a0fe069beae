"""Artifacts: the same bytes for the same contents, and no trust in a damaged one."""

import hashlib
import io
import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sen12ts_pipeline.domain.recipe import Recipe
from sen12ts_pipeline.ports import Put
from sen12ts_pipeline.state.artifacts import DAMAGE, Artifacts, pack, unpack
from sen12ts_pipeline.state.folder import FolderStore

RECIPE = Recipe("frame", {"pass": "S1A_05D719", "tile": "11_32_1639"})
ARRAYS = {"vv": np.arange(6, dtype=np.float32).reshape(2, 3), "mask": np.array([[True, False]])}
NOTES = {"baseline_m": 33.9, "products": ["a", "b"]}

plain = st.one_of(
    hnp.floating_dtypes(sizes=(32, 64)),
    hnp.integer_dtypes(),
    hnp.boolean_dtypes(),
    hnp.complex_number_dtypes(sizes=(64,)),
)
some_arrays = st.dictionaries(
    st.from_regex(r"[a-z_]{1,8}", fullmatch=True).filter(lambda name: name != "notes"),
    hnp.arrays(plain, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)),
    max_size=3,
)


@pytest.fixture
def artifacts(tmp_path):
    return Artifacts(FolderStore(tmp_path))


@given(arrays=some_arrays)
def test_arrays_come_back_as_they_were(arrays):
    back, notes = unpack(pack(arrays, NOTES))
    assert notes == NOTES
    assert back.keys() == arrays.keys()
    for name, array in arrays.items():
        assert (back[name].shape, back[name].dtype) == (array.shape, array.dtype.newbyteorder("<"))
        np.testing.assert_array_equal(back[name], array)


def test_equal_contents_give_equal_bytes():
    fortran = {name: np.asfortranarray(array) for name, array in reversed(ARRAYS.items())}
    fortran["vv"] = fortran["vv"].astype(">f4")
    assert pack(fortran, dict(reversed(NOTES.items()))) == pack(ARRAYS, NOTES)


def test_the_bytes_are_these_for_ever():
    digest = hashlib.sha256(pack(ARRAYS, NOTES)).hexdigest()
    assert digest == "e02f2f1e25483951e05ffbb2fcfb5c6d478a3ecee8f2596d4eefc8f84d906e94"


def test_a_body_is_an_archive_that_numpy_reads():
    with np.load(io.BytesIO(pack(ARRAYS, {}))) as archive:
        np.testing.assert_array_equal(archive["vv"], ARRAYS["vv"])


def test_no_python_object_is_stored():
    with pytest.raises(ValueError, match="pickle"):
        pack({"a": np.array([object()])}, {})


def test_what_was_put_is_present_and_got(artifacts):
    assert not artifacts.present(RECIPE)
    assert artifacts.put_arrays(RECIPE, ARRAYS, NOTES) is Put.WRITTEN
    assert artifacts.present(RECIPE)
    arrays, notes = artifacts.get_arrays(RECIPE)
    assert notes == NOTES
    np.testing.assert_array_equal(arrays["vv"], ARRAYS["vv"])
    assert artifacts.put_arrays(RECIPE, ARRAYS, NOTES) is Put.SAME
    assert artifacts.twins == 0


def test_json_values_are_artifacts_too(artifacts):
    recipe = Recipe("tiles", {"aoi": "nevada"})
    assert artifacts.put_json(recipe, {"tiles": ["11_1_2"], "b": None}) is Put.WRITTEN
    assert artifacts.get_json(recipe) == {"tiles": ["11_1_2"], "b": None}


def test_missing_recipes_keep_their_order(artifacts):
    recipes = [Recipe("frame", {"n": n}) for n in range(4)]
    artifacts.put_json(recipes[2], 1)
    assert artifacts.missing(recipes) == [recipes[0], recipes[1], recipes[3]]


def test_what_is_absent_is_a_key_error(artifacts):
    with pytest.raises(KeyError):
        artifacts.get_arrays(RECIPE)
    with pytest.raises(KeyError):
        artifacts.get_json(RECIPE)


def test_a_twin_with_other_bytes_is_counted_and_not_stored(artifacts, caplog):
    artifacts.put_arrays(RECIPE, ARRAYS, NOTES)
    with caplog.at_level(logging.WARNING):
        assert artifacts.put_arrays(RECIPE, {**ARRAYS, "vv": ARRAYS["vv"] + 1}, NOTES) is Put.DIFFERENT
    assert artifacts.twins == 1
    assert caplog.records[0].key == RECIPE.key
    np.testing.assert_array_equal(artifacts.get_arrays(RECIPE)[0]["vv"], ARRAYS["vv"])


@pytest.mark.parametrize(
    "spoil", [lambda b: b[:-30], lambda b: b"", lambda b: b[:150] + bytes(8) + b[158:]], ids=["cut", "empty", "zeros"]
)
def test_a_damaged_artifact_is_deleted_and_then_absent(artifacts, caplog, spoil):
    artifacts.put_arrays(RECIPE, ARRAYS, NOTES)
    artifacts.store.replace(RECIPE.key, spoil(artifacts.store.get(RECIPE.key)))
    with pytest.raises(KeyError):
        artifacts.get_arrays(RECIPE)
    assert not artifacts.present(RECIPE)
    assert artifacts.damaged == 1
    assert "damaged" in caplog.text
    assert artifacts.put_arrays(RECIPE, ARRAYS, NOTES) is Put.WRITTEN


def test_a_damaged_artifact_gives_way_to_a_new_one(artifacts):
    artifacts.put_json(RECIPE, [1, 2])
    artifacts.store.replace(RECIPE.key, b"[1,")
    assert artifacts.put_json(RECIPE, [1, 2]) is Put.WRITTEN
    assert artifacts.get_json(RECIPE) == [1, 2]
    assert (artifacts.damaged, artifacts.twins) == (1, 0)


@given(at=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_no_flipped_bit_gives_other_arrays(at, bit):
    body = bytearray(pack(ARRAYS, NOTES))
    body[at % len(body)] ^= 1 << bit
    try:
        arrays, notes = unpack(bytes(body))
    except DAMAGE:
        return
    assert notes == NOTES
    for name in set(arrays) & set(ARRAYS):
        np.testing.assert_array_equal(arrays[name], ARRAYS[name])


def test_what_was_computed_once_is_remembered(tmp_path):
    artifacts, asked = Artifacts(FolderStore(tmp_path)), []

    def compute():
        asked.append(1)
        return {"seconds": 1.25e-6}

    recipe = Recipe("misregistration", {"burst": "000001_iw1"})
    assert [artifacts.remember(recipe, compute) for _ in range(3)] == [{"seconds": 1.25e-6}] * 3
    assert len(asked) == 1
