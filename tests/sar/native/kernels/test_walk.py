"""Layover and shadow follow from the order of ranges and angles along a line."""

import numpy as np
import pytest

from sen12ts_pipeline.sar.native.kernels import walk

STEP_M = 10.0
ALTITUDE_M = 693e3


def view(height, incidence=39.0, void=None):
    """Range and angle at the satellite of nodes that lie 10 m apart away from it, along the columns."""
    ground = ALTITUDE_M * np.tan(np.radians(incidence)) + STEP_M * np.arange(height.shape[1])
    away = np.broadcast_to(ground, height.shape)
    return np.hypot(away, ALTITUDE_M - height), np.arctan2(away, ALTITUDE_M - height)


def walked(height, *, low=None, high=None, along=(0.0, 1.0), points=None):
    """Flags on the nodes themselves, one line a row."""
    distance, nadir = view(height)
    void = np.isnan(height)
    filled = [np.where(void, np.nanmin(height) if low is None else low, height)]
    filled.append(np.where(void, np.nanmax(height) if high is None else high, height))
    bounds = view(filled[1])[0], view(filled[0])[0], view(filled[1])[1]
    flags = [np.zeros((height.shape[0] - 1, points or height.shape[1] - 1), bool) for _ in range(3)]
    walk.walk(distance, nadir, bounds, (0.0, 0.0), along, (1.0, 0.0), *flags)
    return flags


def slow(height):
    """Layover: another point of the line has the same range. Shadow: a nearer point stands as high in the view."""
    distance, nadir = view(height)
    rows, cols = height.shape[0] - 1, height.shape[1] - 1
    layover, shadow = np.zeros((rows, cols), bool), np.zeros((rows, cols), bool)
    for i in range(rows):
        for j in range(cols):
            before, after = distance[i, :j], distance[i, j + 1 : cols]
            layover[i, j] = (before >= distance[i, j]).any() or (after <= distance[i, j]).any()
            shadow[i, j] = (nadir[i, :j] >= nadir[i, j]).any()
    return layover, shadow


def rough(seed=0, shape=(12, 120)):
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.normal(0, 6.0, shape), axis=1)


def test_equals_its_slow_twin():
    height = rough()
    layover, shadow, unknown = walked(height)
    expected = slow(height)
    np.testing.assert_array_equal(layover, expected[0])
    np.testing.assert_array_equal(shadow, expected[1])
    assert layover.any()
    assert shadow.any()
    assert not unknown.any()


def test_flat_ground_has_neither():
    for flag in walked(np.full((4, 60), 250.0)):
        assert not flag.any()


def test_a_ridge_lays_over_three_zones():
    # 45 degrees towards the radar at 39: the slope itself, the ground before it, and its back, all share ranges.
    height = np.zeros((3, 200))
    height[:, 80:101] = STEP_M * np.arange(21)
    height[:, 101:181] = 200.0 - 2.5 * np.arange(1, 81)
    layover, shadow, _ = walked(height)
    flagged = np.flatnonzero(layover[0])
    assert (np.diff(flagged) == 1).all()
    before = STEP_M * (80 - flagged[0])
    behind = STEP_M * (flagged[-1] - 100)
    theta = np.radians(39.0)
    # The top, 200 m up and 200 m away, has the range of flat ground nearer by h / tan(theta) - 200.
    assert before == pytest.approx(200.0 / np.tan(theta) - 200.0, abs=1.5 * STEP_M)
    # And the back, falling by 1 in 4, has the range of the foot where away * sin + h * cos agree.
    foot = (200.0 * np.cos(theta) - 200.0 * np.sin(theta)) / (np.sin(theta) + 0.25 * np.cos(theta))
    assert behind == pytest.approx(foot, abs=1.5 * STEP_M)
    assert not shadow.any()


def test_a_wall_throws_its_shadow():
    height = np.zeros((3, 200))
    height[:, 60:62] = 100.0
    _, shadow, _ = walked(height)
    length = STEP_M * (np.flatnonzero(shadow[0])[-1] - 61)
    assert length == pytest.approx(100.0 * np.tan(np.radians(39.0)), abs=1.5 * STEP_M)
    assert shadow[0, 63:68].all()
    assert not shadow[0, :62].any()


def test_a_mountain_outside_counts_if_the_nodes_hold_it():
    height = np.zeros((3, 300))
    height[:, 20:40] = 900.0
    near, far = walked(height)[1], walked(height[:, 60:])[1]
    assert near[0, 60:100].any()
    assert not far.any()


def test_lines_that_leave_the_nodes_end_there():
    layover, shadow, unknown = walked(np.full((6, 40), 100.0), along=(0.25, 1.0), points=80)
    for flag in (layover, shadow, unknown):
        assert not flag.any()


class TestVoids:
    def test_are_unknown_and_spread_no_farther_on_flat_ground(self):
        height = np.full((3, 100), 250.0)
        height[:, 40:43] = np.nan
        layover, shadow, unknown = walked(height)
        # The node before is interpolated with the first of them.
        np.testing.assert_array_equal(np.flatnonzero(unknown[0]), [39, 40, 41, 42])
        assert not layover.any()
        assert not shadow.any()

    def test_make_unknown_what_they_might_hide_or_share(self):
        height = np.full((3, 200), 250.0)
        height[:, 100:103] = np.nan
        _, _, unknown = walked(height, low=150.0, high=350.0)
        flagged = np.flatnonzero(unknown[0])
        theta = np.radians(39.0)
        # 100 m more would lie over the ground before it, hide what follows; 100 m less would be lain over.
        reach = 100.0 / np.tan(theta)
        assert STEP_M * (100 - flagged[0]) == pytest.approx(reach, abs=1.5 * STEP_M)
        assert STEP_M * (flagged[-1] - 102) == pytest.approx(max(reach, 100.0 * np.tan(theta)), abs=1.5 * STEP_M)

    def test_do_not_hide_what_is_known(self):
        height = rough(1)
        known = slow(height)
        height[:, 70] = np.nan
        layover, shadow, unknown = walked(height)
        # A point flagged by others stays flagged; one that only the void flagged is at least unknown.
        others = ~np.isnan(height[:-1, :-1])
        assert ((layover | unknown) >= (known[0] & others)).all()
        assert ((shadow | unknown) >= (known[1] & others)).all()


class TestBringingBack:
    def test_gives_every_node_the_flag_of_its_nearest_point(self):
        flags = np.random.default_rng(1).random((9, 13)) < 0.5
        to_line, to_point = (0.913, -0.407, 2.031), (0.407, 0.913, -1.017)
        out = np.empty((12, 10), np.bool_)
        walk.bring_back(flags, to_line, to_point, out)
        for r, c in np.ndindex(out.shape):
            i, j = (round(r * t[0] + c * t[1] + t[2]) for t in (to_line, to_point))
            inside = 0 <= i < 9 and 0 <= j < 13
            assert out[r, c] == (inside and flags[i, j])
        assert out.any()

    def test_gives_none_where_no_line_passes(self):
        out = np.empty((3, 3), np.bool_)
        walk.bring_back(np.ones((2, 2), np.bool_), (0.0, 0.0, -1.0), (0.0, 0.0, 0.0), out)
        assert not out.any()
