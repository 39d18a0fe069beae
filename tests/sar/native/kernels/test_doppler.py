"""Newton's method meets the time at which a straight or curved orbit is abeam of a point."""

import numpy as np
import pytest

from sen12ts_pipeline.sar.native.kernels import doppler

HALF = 4.0


def solved(points, coefficients, centre=100.0):
    time, state = np.empty(len(points)), np.empty((3, len(points), 3))
    doppler.solve(points, coefficients, centre, HALF, 1e-6, time, state)
    return time, state


def test_a_straight_orbit_is_abeam_where_it_passes():
    # 7 km/s along x, from x = 0 at 100 s.
    coefficients = np.array([[0.0, 7e6, 0.0], [7000.0 * HALF, 0.0, 0.0]])
    points = np.array([[0.0, 6.4e6, 5e5], [14000.0, 6.4e6, -5e5], [-3500.0, 6.3e6, 0.0]])
    time, (position, velocity, acceleration) = solved(points, coefficients)
    np.testing.assert_allclose(time, [100.0, 102.0, 99.5], atol=1e-12)
    np.testing.assert_allclose(position, [[0, 7e6, 0], [14000, 7e6, 0], [-3500, 7e6, 0]], atol=1e-6)
    np.testing.assert_allclose(velocity, [[7000, 0, 0]] * 3, atol=1e-9)
    assert (acceleration == 0.0).all()


def test_on_a_curved_orbit_the_line_of_sight_is_across_the_velocity():
    rng = np.random.default_rng(1)
    coefficients = np.array([[0.0, 7e6, 0.0], [28e3, 100.0, 50.0], [10.0, -64.0, 3.0], [0.1, 0.2, 0.0]])
    points = np.stack([rng.uniform(-2e4, 2e4, 50), rng.uniform(6.2e6, 6.4e6, 50), rng.uniform(2e5, 6e5, 50)], 1)
    time, (position, velocity, acceleration) = solved(points, coefficients)
    residual = ((points - position) * velocity).sum(1) / np.linalg.norm(velocity, axis=1)
    assert np.abs(residual).max() < 1e-6
    for k in (0, 25, 49):
        x = (time[k] - 100.0) / HALF
        powers = x ** np.arange(4)
        np.testing.assert_allclose(position[k], powers @ coefficients, rtol=1e-12)
        slopes = np.arange(4) * x ** np.maximum(np.arange(4) - 1, 0)
        np.testing.assert_allclose(velocity[k], slopes @ coefficients / HALF, rtol=1e-12)
        bends = np.array([0.0, 0.0, 2.0, 6.0 * x])
        np.testing.assert_allclose(acceleration[k], bends @ coefficients / HALF**2, rtol=1e-10, atol=1e-12)


def test_a_point_straight_below_is_found_from_the_far_end():
    coefficients = np.array([[0.0, 7e6, 0.0], [28e3, 0.0, 0.0]])
    time, _ = solved(np.array([[70e3, 6.4e6, 1e5]]), coefficients)
    assert time[0] == pytest.approx(110.0, abs=1e-9)
