"""Of the bursts that hold a sample, the one farthest from its valid edge in azimuth serves."""

import numpy as np

from sen12ts_pipeline.sar.native.kernels import choice

WINDOW = (16.0, 100.0, 20.0, 500.0)


def claimed(line, sample, window=WINDOW, index=0, state=None):
    line, sample = np.atleast_2d(np.asarray(line, float)), np.atleast_2d(np.asarray(sample, float))
    azimuth, distance, out = state or (
        np.full(line.shape, -1.0),
        np.full(line.shape, -1.0),
        np.full(line.shape, choice.NONE, np.uint8),
    )
    choice.claim(line, sample, index, window, azimuth, distance, out)
    return azimuth, distance, out


def test_a_sample_inside_the_window_is_served():
    _, _, out = claimed([15.9, 16.0, 58.0, 100.0, 100.1, 58.0, 58.0], [50.0] * 5 + [19.9, 500.1])
    np.testing.assert_array_equal(out, [[255, 0, 0, 0, 255, 255, 255]])


def test_margins_are_those_to_the_nearer_edge():
    azimuth, distance, _ = claimed([20.0, 99.0], [30.0, 499.0])
    np.testing.assert_array_equal(azimuth, [[4.0, 1.0]])
    np.testing.assert_array_equal(distance, [[10.0, 1.0]])


def test_the_larger_margin_wins_whatever_the_order():
    late = np.linspace(20.0, 99.0, 80)
    early = late - 39.3  # another burst, in which the same ground lies nearer to the first line
    sample = np.full(80, 250.0)
    forward = claimed(early, sample, index=1, state=claimed(late, sample, index=0))[2]
    backward = claimed(late, sample, index=0, state=claimed(early, sample, index=1))[2]
    np.testing.assert_array_equal(forward, backward)
    assert set(forward[0]) == {0, 1}
    seam = int(np.flatnonzero(np.diff(forward[0]))[0])
    margin = np.minimum(late - 16, 100 - late), np.minimum(early - 16, 100 - early)
    assert abs(margin[0][seam] - margin[1][seam]) <= 2


def test_nowhere_is_no_position():
    assert claimed([np.nan], [np.nan])[2][0, 0] == choice.NONE
