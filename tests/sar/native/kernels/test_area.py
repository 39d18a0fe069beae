"""Area is put into bins and none is lost."""

import numpy as np
import pytest

from sen12ts_pipeline.sar.native.kernels import area

ROWS, COLS, SPLIT = 20, 30, (3, 5)
STEP = (10.02, 9.98)


def scene(height):
    """A right-looking view at 40 degrees from the west: bins one line a row, 1.7 samples a column, with relief."""
    angle = np.radians(40.0)
    look = np.empty((3, ROWS, COLS))
    look[0], look[1], look[2] = np.sin(angle), 0.05, -np.sqrt(1 - np.sin(angle) ** 2 - 0.05**2)
    row, col = np.meshgrid(np.arange(ROWS, dtype=float), np.arange(COLS, dtype=float), indexing="ij")
    line = 0.7 * row + 0.1 * col + 3.0
    sample = 1.7 * col - 0.3 * row - height / 9.3 + 20.0
    return line, sample, look


def accumulated(height, dark=None, split=SPLIT):
    line, sample, look = scene(height)
    bins = np.zeros((40, 90))
    dark = np.zeros(height.shape, bool) if dark is None else dark
    area.accumulate(height, line, sample, look, dark, STEP, split, bins)
    return bins


def facets(height, split=SPLIT):
    """Projected area of every sub-facet, from the vectors of its bilinear patch."""
    _, _, look = scene(height)
    found = []
    for i in range(ROWS - 1):
        for j in range(COLS - 1):
            z = height[i : i + 2, j : j + 2]
            u = look[:, i : i + 2, j : j + 2].mean((1, 2))
            for v in (np.arange(split[0]) + 0.5) / split[0]:
                for h in (np.arange(split[1]) + 0.5) / split[1]:
                    east = np.array([STEP[0], 0.0, (1 - v) * (z[0, 1] - z[0, 0]) + v * (z[1, 1] - z[1, 0])])
                    south = np.array([0.0, -STEP[1], (1 - h) * (z[1, 0] - z[0, 0]) + h * (z[1, 1] - z[0, 1])])
                    normal = np.cross(south, east)
                    found.append(max(-(normal @ u), 0.0) / (split[0] * split[1]))
    return np.array(found)


@pytest.fixture
def relief():
    return 15.0 * np.random.default_rng(2).random((ROWS, COLS))


def test_the_bins_hold_what_the_facets_have(relief):
    assert accumulated(relief).sum() == pytest.approx(facets(relief).sum(), rel=1e-12)


def test_flat_ground_has_its_own_area_times_the_cosine():
    flat = np.zeros((ROWS, COLS))
    cosine = -scene(flat)[2][2, 0, 0]
    expected = (ROWS - 1) * (COLS - 1) * STEP[0] * STEP[1] * cosine
    assert accumulated(flat).sum() == pytest.approx(expected, rel=1e-12)


def test_ground_turned_away_has_none():
    wall = np.zeros((ROWS, COLS))
    wall += -40.0 * np.arange(COLS)  # falls away from the sensor by 76 degrees
    assert accumulated(wall).sum() == 0.0


def test_dark_and_void_ground_has_none(relief):
    dark = np.zeros(relief.shape, bool)
    dark[:, 15:] = True
    void = relief.copy()
    void[:, 15:] = np.nan
    lit, known = accumulated(relief, dark), accumulated(void)
    quads = facets(relief).reshape(ROWS - 1, COLS - 1, -1)
    assert known.sum() == pytest.approx(quads[:, :14].sum(), rel=1e-12)
    assert known.sum() < lit.sum() < accumulated(relief).sum()


def test_a_whole_index_has_a_weight():
    # With weights from ceiling and floor, both would vanish where the index is whole.
    line, sample, look = scene(np.zeros((ROWS, COLS)))
    line[:], sample[:] = 5.0, 7.0
    bins = np.zeros((40, 90))
    area.accumulate(np.zeros((ROWS, COLS)), line, sample, look, np.zeros(line.shape, bool), STEP, (1, 1), bins)
    assert bins[5, 7] == bins.sum() > 0


def test_facets_beyond_the_bins_are_left_out(relief):
    line, sample, look = scene(relief)
    bins = np.zeros((8, 30))
    area.accumulate(relief, line - 8.0, sample, look, np.zeros(relief.shape, bool), STEP, SPLIT, bins)
    assert 0 < bins.sum() < facets(relief).sum()


class TestLookUp:
    def test_is_bilinear(self):
        bins = np.arange(12.0).reshape(3, 4)
        out = np.empty((1, 3))
        area.look_up(bins, np.array([[0.0, 0.5, 1.25]]), np.array([[1.0, 0.5, 2.75]]), out)
        np.testing.assert_allclose(out, [[1.0, 2.5, 7.75]])

    def test_is_void_outside(self):
        bins = np.ones((3, 4))
        out = np.empty((1, 5))
        area.look_up(bins, np.array([[-0.1, 2.0, 1.0, 1.0, np.nan]]), np.array([[1.0, 1.0, -0.1, 3.0, 1.0]]), out)
        assert np.isnan(out).all()
