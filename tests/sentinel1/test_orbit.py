"""Interpolation is better than the orbit files are: what is left out comes back, and polynomials lose nothing."""

import numpy as np
import pytest

from sen12ts_pipeline.sentinel1.orbit import LOCAL_HALF_S, Orbit, fit_powers
from tests.sentinel1.annotations import swath_of


@pytest.fixture(scope="module")
def orbit():
    return swath_of("6814", "IW2").orbit


def left_out_m(orbit):
    """Largest miss of a vector interpolated from the others."""
    worst = 0.0
    for k in range(4, len(orbit.time_s) - 4):
        kept = np.arange(len(orbit.time_s)) != k
        thinned = Orbit(orbit.time_s[kept], orbit.position_m[kept], orbit.velocity_m_s[kept], "annotation")
        worst = max(worst, np.linalg.norm(thinned.position(orbit.time_s[k]) - orbit.position_m[k]))
    return worst


class TestInterpolation:
    @pytest.mark.parametrize(("ending", "subswath"), [("6814", "IW2"), ("6681", "IW2"), ("7768", "IW1")])
    def test_a_state_vector_left_out_comes_back(self, ending, subswath):
        assert left_out_m(swath_of(ending, subswath).orbit) < 1e-5

    @pytest.mark.parametrize(("ending", "subswath"), [("6E2D", "IW1"), ("C158", "IW2"), ("13F8", "IW1")])
    def test_or_misses_by_what_the_satellite_flies_in_a_microsecond(self, ending, subswath):
        # The times of these lists are rounded; range and phase do not feel it, for it lies along the track.
        assert left_out_m(swath_of(ending, subswath).orbit) < 8e-3

    def test_is_exact_at_the_state_vectors(self, orbit):
        np.testing.assert_array_equal(orbit.position(orbit.time_s), orbit.position_m)

    def test_keeps_the_shape_of_its_times(self, orbit):
        times = orbit.time_s[8] + np.array([[0.1, 0.2, 0.3], [1.0, 2.0, 3.0]])
        assert orbit.position(times).shape == (2, 3, 3)
        np.testing.assert_array_equal(orbit.position(times)[1, 2], orbit.position(times[1, 2]))

    def test_uses_the_nearest_vectors_only(self, orbit):
        far = orbit.position_m.copy()
        far[0] += 1000.0
        changed = Orbit(orbit.time_s, far, orbit.velocity_m_s, orbit.kind)
        middle = orbit.time_s[8] + 5.0
        np.testing.assert_array_equal(changed.position(middle), orbit.position(middle))

    def test_a_short_list_of_dense_vectors_serves_too(self):
        # IPF 2.36 wrote vectors 1 s apart, from 2 s before the first line on.
        orbit = swath_of("07B5", "IW3").orbit
        assert np.median(np.diff(orbit.time_s)) == pytest.approx(1.0)
        middle = orbit.time_s[15] + 0.5
        step = 0.01
        speed = (orbit.position(middle + step) - orbit.position(middle - step)) / (2 * step)
        assert np.linalg.norm(speed - (orbit.velocity_m_s[15] + orbit.velocity_m_s[16]) / 2) < 0.05


class TestLocalOrbit:
    def test_follows_the_interpolation(self, orbit):
        for offset in (0.0, 3.0, 7.7):
            local = orbit.local(orbit.time_s[8] + offset)
            times = local.centre_s + np.linspace(-LOCAL_HALF_S, LOCAL_HALF_S, 81)
            assert np.abs(local.state(times)[0] - orbit.position(times)).max() < 1e-7

    def test_has_the_velocity_of_the_vectors(self, orbit):
        local = orbit.local(orbit.time_s[8] + 1.0)
        velocity = local.state(orbit.time_s[8])[1]
        assert np.linalg.norm(velocity - orbit.velocity_m_s[8]) < 1e-4

    def test_derives_acceleration_from_velocity(self, orbit):
        local = orbit.local(orbit.time_s[8])
        step = 1e-2
        time = local.centre_s + 1.0
        difference = (local.state(time + step)[1] - local.state(time - step)[1]) / (2 * step)
        assert np.linalg.norm(local.state(time)[2] - difference) < 1e-6


class TestCover:
    def test_ends_with_the_vectors(self, orbit):
        first, last = orbit.time_s[0], orbit.time_s[-1]
        assert orbit.covers(first, last)
        assert not orbit.covers(first - 0.1, last)
        assert not orbit.covers(first, last + 0.1)

    def test_is_extended_by_another_list_beyond_the_ends_only(self, orbit):
        shifted = Orbit(orbit.time_s + 30.0, orbit.position_m + 0.5, orbit.velocity_m_s, "annotation")
        both = orbit.extended(shifted)
        assert len(both.time_s) == len(orbit.time_s) + 3
        np.testing.assert_array_equal(both.position_m[: len(orbit.time_s)], orbit.position_m)
        assert (np.diff(both.time_s) > 9.0).all()

    def test_ignores_vectors_that_differ_by_a_digit_of_their_times(self, orbit):
        again = Orbit(orbit.time_s + 1e-6, orbit.position_m, orbit.velocity_m_s, "annotation")
        np.testing.assert_array_equal(orbit.extended(again).time_s, orbit.time_s)


def test_powers_fitted_to_a_polynomial_are_its_own():
    x = np.linspace(-1, 1, 41)
    values = np.stack([1 + 2 * x - 3 * x**5, x**2], 1)
    expected = np.array([[1, 0], [2, 0], [0, 1], [0, 0], [0, 0], [-3, 0]], float)
    np.testing.assert_allclose(fit_powers(values, 5), expected, atol=1e-14)
