from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sen12ts_pipeline.simulate import geodesy, kernels
from sen12ts_pipeline.simulate.annotation import geolocation_grid, product_xml
from sen12ts_pipeline.simulate.orbit import Orbit, orbit_over
from sen12ts_pipeline.simulate.place import places
from sen12ts_pipeline.simulate.radar import World
from sen12ts_pipeline.simulate.relief import Relief
from sen12ts_pipeline.simulate.scatterers import scatter
from sen12ts_pipeline.simulate.sight import Sight
from tests.simulate.reading import LIGHT, Annotation, ecef


@pytest.fixture(scope="module", params=sorted(places()))
def world(request: pytest.FixtureRequest) -> World:
    return World.of(places()[request.param])


def annotations(world: World, index: int) -> list[Annotation]:
    acquisition = world.passes[index]
    return [
        Annotation(
            product_xml(
                acquisition,
                swath,
                "vv",
                1,
                geolocation_grid(acquisition, swath, world.relief),
                burst_ids=True,
                data_offset=0,
            )
        )
        for swath in acquisition.swaths
    ]


def test_geographic_and_earth_fixed_are_inverse() -> None:
    lon, lat, height = np.array([-179.0, 0.0, 12.3]), np.array([-72.0, 0.1, 45.0]), np.array([-100.0, 0.0, 8000.0])
    back = geodesy.geographic(geodesy.earth_fixed(lon, lat, height))
    np.testing.assert_allclose(back[0], lon, atol=1e-12)
    np.testing.assert_allclose(back[1], lat, atol=1e-12)
    np.testing.assert_allclose(back[2], height, atol=1e-7)
    np.testing.assert_allclose(geodesy.earth_fixed(lon, lat, height), ecef(lon, lat, height), atol=1e-7)


def test_a_map_frame_is_the_map() -> None:
    frame = geodesy.MapFrame.around(32719, (352_000.0, -3_890_000.0 + 1e7), 8000.0)
    east, north = frame.centre[0] + np.linspace(-8e3, 8e3, 9), frame.centre[1] + np.linspace(8e3, -8e3, 11)
    height = np.linspace(-50, 3000, 99).reshape(11, 9)
    exact = geodesy.map_points(32719, *np.meshgrid(east, north), height)
    np.testing.assert_allclose(frame.surface(east, north, height), exact, atol=1e-5)


def test_velocity_and_acceleration_are_derivatives() -> None:
    orbit = Orbit(0.7, radial_m=20.0, radial_m_s=0.1, cross_m=-60.0, cross_m_s=0.05, reference_s=2000.0)
    t, h = 2345.6, 0.01
    (before, v0), (_, v), (after, v1) = (orbit.states(x) for x in (t - h, t, t + h))
    np.testing.assert_allclose((after - before) / (2 * h), v, atol=2e-6)
    acceleration = kernels.states(np.array([t]), orbit.coefficients)[:, 6:]
    np.testing.assert_allclose((v1 - v0) / (2 * h), acceleration, atol=1e-6)


def test_the_orbit_is_near_693_km_and_moves_like_one(world: World) -> None:
    position, velocity = world.passes[0].orbit.states(np.linspace(0, 5900, 60))
    height = geodesy.geographic(position)[2]
    assert 690e3 < height.min() < height.max() < 722e3
    speed = np.linalg.norm(velocity, axis=1)
    assert 7500 < speed.min() < speed.max() < 7700


@pytest.mark.parametrize("direction", ["A", "D"])
@pytest.mark.parametrize("latitude", [-60.0, -1.0, 0.5, 45.0])
def test_an_orbit_over_a_point_looks_right_at_it(direction: str, latitude: float) -> None:
    point = geodesy.earth_fixed(100.0, latitude, 300.0)
    orbit, time = orbit_over(point, 880e3, direction)
    position, velocity = (v[0] for v in orbit.states(time))
    assert np.linalg.norm(point - position) == pytest.approx(880e3, abs=1e-4)
    assert abs((point - position) @ velocity) / 7500 < 1e-5
    assert (point - position) @ np.cross(position, velocity) < 0
    assert (velocity[2] > 0) == (direction == "A")
    np.testing.assert_allclose(
        orbit.locate(np.array([time]), np.array([880e3]), np.array([300.0]))[0], point, atol=1e-3
    )


def test_the_geolocation_grid_solves_back(world: World) -> None:
    for index in (0, len(world.passes) - 1):
        bulk = world.passes[index].bulk_range_time_s
        for annotation in annotations(world, index):
            time, tau, lon, lat, height, line, _, incidence = annotation.grid()
            t, distance = annotation.solve(ecef(lon, lat, height))
            np.testing.assert_allclose(t, time, atol=1e-9)
            np.testing.assert_allclose(distance, tau * LIGHT / 2, atol=1e-5)
            up = geodesy.up_vector(lon, lat)
            look = (annotation.state(t) - ecef(lon, lat, height)) / distance[:, None]
            np.testing.assert_allclose(np.degrees(np.arccos((look * up).sum(1))), incidence, atol=1e-6)
            np.testing.assert_allclose(height, world.relief.geographic(lon, lat), atol=0.05)
            lines = line.astype(int)
            burst = np.minimum(lines // annotation.lines, len(annotation.bursts) - 1)
            start = np.array(annotation.bursts)[burst] + (lines - burst * annotation.lines) * annotation.dt
            np.testing.assert_allclose(time, start + (tau - bulk) / 2, atol=1.1e-6)


def test_state_vectors_agree_with_their_velocities(world: World) -> None:
    annotation = annotations(world, 0)[0]
    assert np.abs(annotation.state(annotation.orbit_times) - annotation.positions).max() < 1e-5
    assert np.abs(annotation.state(annotation.orbit_times, 1) - annotation.velocities)[1:-1].max() < 1e-5
    np.testing.assert_allclose(np.diff(annotation.orbit_times), 10.0, atol=1e-9)
    assert annotation.orbit_times[0] < annotation.bursts[0] - 60
    assert annotation.orbit_times[-1] > annotation.bursts[-1] + 55


def test_every_pass_sees_all_of_the_place(world: World) -> None:
    grid = world.place.grid
    east, north = np.meshgrid([grid.west, grid.east], [grid.south, grid.north])
    points = geodesy.map_points(grid.epsg, east, north, world.relief.at(east, north)).reshape(-1, 3)
    for index in range(len(world.passes)):
        annotation = annotations(world, index)[0]
        t, distance = annotation.solve(points)
        sample = (2 * distance / LIGHT - annotation.tau0) * annotation.fs
        first, last = world.passes[index].imaged.bursts[0].valid_samples
        assert (sample > first + 100).all()
        assert (sample < last - 100).all()
        assert (t > annotation.bursts[0] + 0.1).all()
        assert (t < annotation.bursts[-1] + annotation.lines * annotation.dt - 0.1).all()


def test_relief_is_one_function_everywhere() -> None:
    relief = Relief.of(places()["demo"])
    east, north = relief.origin[0] + np.array([-2e3, 10.0, 5e3]), relief.origin[1] - np.array([40.0, 3e3, 6e3, 9e3])
    grid = relief.on_grid(east, north)
    np.testing.assert_allclose(grid, relief.at(*np.meshgrid(east, north)), atol=1e-9)
    east_rise, north_rise = relief.gradient(east, north)
    np.testing.assert_allclose(
        east_rise, (relief.on_grid(east + 5, north) - relief.on_grid(east - 5, north)) / 10, atol=1e-3
    )
    np.testing.assert_allclose(
        north_rise, (relief.on_grid(east, north + 5) - relief.on_grid(east, north - 5)) / 10, atol=1e-3
    )


def test_facets_close_over_the_surface() -> None:
    world = World.of(places()["tiny"])
    ground = scatter(world.place, world.relief, world.cover, world.passes[0].orbit, world.centre_s)
    assert ground.count == 992 * 992
    side = 5.0 * 992
    total = ground.area.sum(axis=0)
    up = geodesy.up_vector(world.place.longitude, world.place.latitude)
    flat = side**2 / 0.9996**2
    assert total @ up == pytest.approx(flat, rel=2e-3)
    lon, lat, height = geodesy.geographic(ground.position[:: 992 * 31])
    np.testing.assert_allclose(height, world.relief.geographic(lon, lat), atol=0.05)


@dataclasses.dataclass(frozen=True)
class Ridge:
    """A ridge 200 m high along the flight direction, on level ground."""

    steep: float
    away: tuple[float, float]
    epsg: int = 32630
    origin: tuple[float, float] = (350_000.0, 4_202_000.0)
    size: tuple[float, float] = (4000.0, 4000.0)
    base_m: float = 500.0

    def on_grid(self, easting, northing):
        x, y = np.meshgrid(easting - 352_000.0, northing - 4_200_000.0)
        across = self.away[0] * x + self.away[1] * y
        return 500.0 + np.maximum(0.0, 200.0 - np.abs(across) * self.steep)


@pytest.mark.parametrize("steep", [0.9, 1.6])
def test_shadow_and_layover_of_a_ridge(steep: float) -> None:
    """Widths by the formulas of plane geometry, along the line across the ridge."""
    point = geodesy.map_points(32630, 352_000.0, 4_200_000.0, 500.0)
    orbit, centre = orbit_over(point, 880e3, "D")
    sight = Sight.of(Ridge(0.0, (1.0, 0.0)), orbit, centre, 2500.0)
    away = float(sight.away_east.value), float(sight.away_north.value)
    relief = Ridge(steep, away)
    east, north = np.arange(351_000.5, 353_000.0, 1.0), np.array([4_200_000.0])
    shadow, layover = sight.shadow(relief, east, north, node_m=2.0), sight.layover(relief, east, north, node_m=2.0)
    tangent = float(sight.tangent(np.array([352_000.0]), north)[0])
    length = 200.0 / steep
    dark = 200.0 * tangent if steep * tangent > 1 else 0.0
    assert shadow.sum() == pytest.approx(dark / abs(away[0]), abs=4)
    near = max(0.0, 200.0 / tangent - length)
    beyond = min(length, near * tangent / (tangent + steep))
    folded = near + length + beyond if near else 0.0
    assert layover.sum() == pytest.approx(folded / abs(away[0]), abs=6)
