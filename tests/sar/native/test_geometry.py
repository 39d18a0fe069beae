"""Times and ranges from polynomials are those of the exact solution."""

import numpy as np
import pytest

from sen12ts_pipeline.domain.lattice import to_geographic
from sen12ts_pipeline.sar.native import geometry
from tests.sar.native.surfaces import tile_at
from tests.sentinel1.annotations import swath_of


@pytest.fixture(scope="module", params=[("IW1", 0.0, 640.0), ("IW2", -100.0, 4000.0), ("IW3", 500.0, 1500.0)])
def window(request):
    """A tile with its halo, heights of random relief in it, and the orbit."""
    subswath, low, high = request.param
    grid = tile_at(subswath).grid
    easting = grid.west - 60 + 40.0 * np.arange(68)
    northing = grid.north + 60 - 40.0 * np.arange(68)
    height = np.random.default_rng(1).uniform(low, high, (68, 68))
    height[0, :2] = low, high
    return grid.epsg, easting, northing, height, swath_of("6814", subswath).orbit


def exact(epsg, easting, northing, height, orbit):
    east, north = np.meshgrid(easting, northing)
    points = geometry.earth_fixed(epsg, east.ravel(), north.ravel(), height.ravel())
    local = geometry.localise(orbit, points[0])
    time, distance = geometry.solve(points, local)
    return points, local, time.reshape(height.shape), distance.reshape(height.shape)


def fitted(epsg, easting, northing, height, orbit):
    ground = geometry.survey(geometry.Box.around(epsg, easting, northing, height))
    return ground, geometry.fit(ground, orbit)


class TestPolynomials:
    def test_meet_the_exact_solution(self, window):
        _epsg, easting, northing, height, _orbit = window
        time, distance = fitted(*window)[1].time_range(easting, northing, height)
        _, _, true_time, true_distance = exact(*window)
        assert np.abs(distance - true_distance).max() < 1e-7
        # Seconds of the day have digits of a tenth of a micrometre.
        assert np.abs(time - true_time).max() * 7500 < 5e-7

    def test_give_the_direction_of_sight(self, window):
        _epsg, easting, northing, height, _orbit = window
        ground, solved = fitted(*window)
        look = solved.look_vector(easting, northing, height)
        np.testing.assert_allclose((look**2).sum(0), 1.0, atol=1e-8)
        points, local, time, distance = exact(*window)
        sight = (points - local.state(time.ravel())[0]) / distance.ravel()[:, None]
        axes = ground.axes[len(ground.axes) // 2]
        # The axes turn by arc minutes over the tile; at its middle they are the nodes' own.
        middle = 34 * 68 + 34
        np.testing.assert_allclose(look[:, 34, 34], axes @ sight[middle], atol=4e-6)

    def test_give_the_angle_at_the_satellite(self, window):
        _epsg, easting, northing, height, _orbit = window
        nadir = fitted(*window)[1].nadir_angle(easting, northing, height)
        points, local, time, _distance = exact(*window)
        position = local.state(time.ravel())[0]
        down, sight = -position, points - position
        cosine = (down * sight).sum(1) / np.linalg.norm(down, axis=1) / np.linalg.norm(sight, axis=1)
        np.testing.assert_allclose(nadir.ravel(), np.arccos(cosine), atol=1e-8)

    def test_of_a_window_of_eight_kilometres_still_hold(self, window):
        epsg, easting, northing, height, orbit = window
        wide = epsg, easting[0] + 3 * (easting - easting[0]), northing[0] + 3 * (northing - northing[0]), height, orbit
        distance = fitted(*wide)[1].time_range(wide[1], wide[2], height)[1]
        assert np.abs(distance - exact(*wide)[3]).max() < 5e-6

    def test_keep_voids(self, window):
        epsg, easting, northing, height, orbit = window
        holed = height.copy()
        holed[10, 20] = np.nan
        time, distance = fitted(epsg, easting, northing, holed, orbit)[1].time_range(easting, northing, holed)
        assert np.isnan(time).sum() == np.isnan(distance).sum() == 1
        assert np.isnan(time[10, 20])

    def test_know_the_true_length_of_a_map_metre(self, window):
        ground, _ = fitted(*window)
        # Grid scale of UTM, and a little more with height.
        assert 0.999 < ground.metres_east < 1.0015
        assert ground.metres_east == pytest.approx(ground.metres_north, abs=1e-5)


class TestSolver:
    def test_leaves_no_residual(self, window):
        points, local, time, _distance = exact(*window)
        position, velocity, _ = local.state(time.ravel())
        residual = ((points - position) * velocity).sum(1) / np.linalg.norm(velocity, axis=1)
        assert np.abs(residual).max() < 1e-6

    def test_far_points_are_found_wherever_the_orbit_reaches(self):
        orbit = swath_of("6814", "IW2").orbit
        position, velocity = orbit.position_m[3:-3], orbit.velocity_m_s[3:-3]
        outward = np.cross(position, velocity)
        outward /= np.linalg.norm(outward, axis=1)[:, None]
        ground = position * 0.9 - outward * 600e3
        time, distance = geometry.solve_far(ground, orbit)
        assert np.isfinite(time).all()
        for k, point in enumerate(ground):
            local = geometry.localise(orbit, point)
            t, r = geometry.solve(point[None], local)
            assert (time[k], distance[k]) == pytest.approx((t[0], r[0]), abs=1e-6)

    def test_far_points_beyond_the_orbit_have_no_time(self):
        orbit = swath_of("6814", "IW2").orbit
        along = orbit.velocity_m_s[-1] * 60.0
        time, distance = geometry.solve_far((orbit.position_m[-1] + along)[None] * 0.88, orbit)
        assert np.isnan(time).all()
        assert np.isnan(distance).all()


class TestLocating:
    """The way back: from time, range and height to the ground."""

    def test_leads_to_the_point_that_was_seen(self, window):
        _epsg, _easting, _northing, height, _orbit = window
        points, local, time, distance = exact(*window)
        found = geometry.locate(local, time.ravel(), distance.ravel(), height.ravel())
        # A height above the ellipsoid is not quite that above an ellipsoid raised by it.
        assert np.linalg.norm(found - points, axis=1).max() < 0.05

    def test_is_to_the_right_of_the_orbit(self, window):
        points, local, time, _distance = exact(*window)
        position, velocity, _ = local.state(time.ravel())
        right = np.cross(-position, velocity)
        assert (((points - position) * right).sum(1) > 0).all()

    def test_knows_longitude_and_latitude(self, window):
        epsg, easting, northing, height, _orbit = window
        points = geometry.earth_fixed(epsg, easting[:5], northing[:5], height[0, :5])
        lon, lat = geometry.longitude_latitude(points)
        expected = to_geographic(epsg).transform(easting[:5], northing[:5])
        np.testing.assert_allclose([lon, lat], expected, atol=1e-9)


def test_the_rate_of_a_target_is_the_curvature_of_its_range(window):
    # The Doppler history is -2 / lambda dR/dt; the rate its slope at zero Doppler.
    _epsg, _easting, _northing, _height, orbit = window
    ground, _ = fitted(*window)
    seen = geometry.sight(ground, orbit)
    wavelength, step = 0.0554658, 0.05
    local = geometry.localise(orbit, ground.points[171])
    before, at, after = (
        np.linalg.norm(ground.points - local.state(seen.time_s + dt)[0], axis=1) for dt in (-step, 0.0, step)
    )
    curvature = (before - 2 * at + after) / step**2
    np.testing.assert_allclose(seen.fm_rate(wavelength), -2.0 / wavelength * curvature, rtol=1e-5)
