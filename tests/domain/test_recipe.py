"""A recipe's digest names its result: it depends on everything in the recipe and on nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sen12ts_pipeline.domain.recipe import Recipe, canonical_json

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=4)
inputs = st.dictionaries(st.text().filter(lambda key: key != "kind"), values, max_size=3)


def test_a_known_digest():
    recipe = Recipe("frame", {"track": 52, "grid": [32637, 333600.0], "engine": {"name": "native"}})
    assert canonical_json(recipe.inputs) == b'{"engine":{"name":"native"},"grid":[32637,333600.0],"track":52}'
    assert recipe.digest == "9825a4797047f1a71a3aed423f11be41"


@given(inputs)
def test_the_order_of_keys_does_not_matter(given_inputs):
    backwards = dict(reversed(given_inputs.items()))
    assert Recipe("frame", backwards).digest == Recipe("frame", given_inputs).digest


@given(inputs, inputs)
def test_other_inputs_have_another_digest(one, other):
    same = canonical_json(one) == canonical_json(other)
    assert (Recipe("frame", one).digest == Recipe("frame", other).digest) == same


@given(inputs)
def test_another_kind_has_another_digest(given_inputs):
    assert Recipe("frame", given_inputs).digest != Recipe("terrain", given_inputs).digest


def test_an_input_cannot_pose_as_the_kind():
    with pytest.raises(ValueError, match="kind"):
        Recipe("frame", {"kind": "terrain"})


def test_lists_and_tuples_are_the_same():
    assert Recipe("frame", {"passes": ("a", "b")}).digest == Recipe("frame", {"passes": ["a", "b"]}).digest


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_refused(value):
    with pytest.raises(ValueError, match="JSON"):
        _ = Recipe("frame", {"sigma_m": value}).digest


def test_what_is_not_json_is_refused():
    with pytest.raises(TypeError):
        _ = Recipe("frame", {"dates": {1, 2}}).digest


def test_the_key_sorts_results_by_kind():
    recipe = Recipe("terrain", {"track": 52})
    assert recipe.key == f"_work/terrain/{recipe.digest[:2]}/{recipe.digest}"
    assert len(recipe.digest) == 32
