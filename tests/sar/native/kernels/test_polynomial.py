"""Polynomials of three variables, as sums over their terms."""

import numpy as np
import pytest

from sen12ts_pipeline.sar.native.kernels import polynomial

ORDER = polynomial.ORDER
POWERS = [(px, py, pz) for pz in range(ORDER + 1) for py in range(ORDER - pz + 1) for px in range(ORDER - pz - py + 1)]


def terms(x, y, z):
    return np.stack([x**px * y**py * z**pz for px, py, pz in POWERS], -1)


def test_has_all_terms_of_order_four():
    assert len(POWERS) == polynomial.TERMS == 35


def test_equals_the_sum_of_its_terms():
    rng = np.random.default_rng(0)
    c, x, y = rng.normal(size=(3, 35)), rng.uniform(-1, 1, 7), rng.uniform(-1, 1, 5)
    z = rng.uniform(-1, 1, (5, 7))
    out = np.empty((3, 5, 7))
    polynomial.on_lattice(c, x, y, 250.0 + 40.0 * z, (1 / 40.0, -250.0 / 40.0), out)
    np.testing.assert_allclose(out, np.moveaxis(terms(x[None], y[:, None], z) @ c.T, -1, 0), atol=1e-13)


def test_a_void_height_is_void():
    out = np.empty((1, 1, 2))
    polynomial.on_lattice(np.ones((1, 35)), np.zeros(2), np.zeros(1), np.array([[np.nan, 0.5]]), (1.0, 0.0), out)
    assert np.isnan(out).tolist() == [[[True, False]]]


@pytest.fixture
def nodes():
    return np.random.default_rng(1).uniform(-1, 1, (3, 343))


def test_least_squares_recover_a_polynomial(nodes):
    weights = np.empty((35, 343))
    polynomial.pseudo_inverse(terms(*nodes), weights)
    c = np.random.default_rng(2).normal(size=(2, 35))
    out = np.empty((2, 35))
    polynomial.weighted_sums(c @ terms(*nodes).T, weights, out)
    np.testing.assert_allclose(out, c, atol=1e-11)


def test_least_squares_are_those_of_the_library(nodes):
    weights = np.empty((35, 343))
    polynomial.pseudo_inverse(terms(*nodes), weights)
    np.testing.assert_allclose(weights, np.linalg.pinv(terms(*nodes)), atol=1e-12)
