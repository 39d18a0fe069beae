"""Cubic convolution loses nothing of a surface that is quadratic over its taps, and invents nothing at voids."""

import numpy as np
import pytest

from sen12ts_pipeline.terrain import bicubic

ROWS, COLS = 40, 50


def sampled(heights, row, col):
    """Heights at a lattice of rows and columns; the series of a lattice that is the raster itself."""
    by_row, by_col = np.array([[0.0, 1.0], [0.0, 0.0]]), np.array([[0.0, 0.0], [1.0, 0.0]])
    tx, ty = (np.stack([np.ones_like(x), x], 1) for x in (np.asarray(col, float), np.asarray(row, float)))
    out = np.empty((len(row), len(col)))
    bicubic.on_lattice(heights, by_row, by_col, np.ascontiguousarray(tx.T), ty, out)
    return out


def surface(row, col):
    return 300.0 + 2.0 * row - 1.5 * col + 0.03 * row**2 - 0.02 * col**2 + 0.05 * row * col


@pytest.fixture
def heights():
    return surface(np.arange(ROWS)[:, None], np.arange(COLS, dtype=float)[None])


def test_is_exact_on_quadratics(heights):
    row, col = np.linspace(1.0, ROWS - 3.001, 37), np.linspace(1.0, COLS - 3.001, 53)
    expected = surface(row[:, None], col[None])
    np.testing.assert_allclose(sampled(heights, row, col), expected, atol=1e-9)


def test_is_exact_at_pixel_centres():
    noise = np.random.default_rng(3).normal(size=(ROWS, COLS))
    row, col = np.arange(1.0, ROWS - 2), np.arange(1.0, COLS - 2)
    np.testing.assert_array_equal(sampled(noise, row, col), noise[1:-2, 1:-2])


def test_is_smooth_across_pixel_centres():
    noise = np.random.default_rng(4).normal(size=(ROWS, COLS))
    step = 1e-5
    left, middle, right = sampled(noise, [10.3], np.array([20.0 - step, 20.0, 20.0 + step]))[0]
    assert (right - middle) / step == pytest.approx((middle - left) / step, abs=1e-3)


def test_equals_its_slow_twin():
    noise = np.random.default_rng(5).normal(size=(ROWS, COLS))

    def keys(x):
        x = abs(x)
        if x < 1:
            return 1.5 * x**3 - 2.5 * x**2 + 1
        return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0

    for row, col in ((5.25, 7.75), (20.5, 33.1), (1.0, 46.9)):
        expected = sum(keys(row - i) * keys(col - j) * noise[i, j] for i in range(ROWS) for j in range(COLS))
        assert sampled(noise, [row], [col])[0, 0] == pytest.approx(expected, abs=1e-12)


def test_a_void_spreads_over_its_taps_and_no_farther(heights):
    heights[20, 25] = np.nan
    row, col = np.arange(10.5, 30), np.arange(15.5, 35)
    void = np.isnan(sampled(heights, row, col))
    assert void.sum() == 16
    assert void[(np.abs(row - 20) < 2)][:, np.abs(col - 25) < 2].all()


def test_outside_is_void(heights):
    out = sampled(heights, [0.9, 1.0, ROWS - 2.0], [0.9, 1.0, COLS - 2.0])
    assert np.isfinite(out).tolist() == [[False, False, False], [False, True, False], [False, False, False]]
