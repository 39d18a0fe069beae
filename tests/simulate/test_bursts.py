from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from sen12ts_pipeline.domain.bursts import BurstId, burst_number
from sen12ts_pipeline.simulate.acquisition import Acquisition
from sen12ts_pipeline.simulate.place import places
from sen12ts_pipeline.simulate.radar import World
from sen12ts_pipeline.simulate.sensor import LINE_INTERVAL_S, SPEED_OF_LIGHT_M_S


@pytest.fixture(scope="module", params=sorted(places()))
def world(request: pytest.FixtureRequest) -> World:
    return World.of(places()[request.param])


def test_numbers_follow_from_the_annotated_times(world: World) -> None:
    for acquisition in world.passes:
        for swath in acquisition.swaths:
            for burst in swath.bursts:
                number = burst_number(
                    anx_s=burst.start_s,
                    raw_delay_s=swath.design.raw_delay_s,
                    subswath=swath.design.name,
                    track=acquisition.track,
                    after_node=False,
                )
                assert number == burst.number


def test_the_track_is_that_of_the_orbit_and_of_the_bursts(world: World) -> None:
    for acquisition in world.passes:
        assert acquisition.track == (acquisition.absolute_orbit - 73) % 175 + 1
        for swath in acquisition.swaths:
            assert {BurstId(b.number, swath.design.name).track for b in swath.bursts} == {acquisition.track}


def test_the_same_bursts_come_back_every_twelve_days(world: World) -> None:
    def ids(acquisition: Acquisition) -> list[tuple[str, int]]:
        return [(s.design.name, b.number) for s in acquisition.swaths for b in s.bursts]

    first = world.passes[0]
    for k, acquisition in enumerate(world.passes):
        assert ids(acquisition) == ids(first)
        assert acquisition.absolute_orbit == first.absolute_orbit + 175 * k
        assert abs(acquisition.node - first.node - timedelta(days=12 * k)) < timedelta(seconds=1.5)
        assert acquisition.day == world.place.dates[k] == acquisition.utc(world.centre_s).date()


def test_starts_differ_by_some_lines_from_date_to_date(world: World) -> None:
    starts = np.array([a.imaged.bursts[0].start_s for a in world.passes])
    lines = (starts - starts.mean()) / LINE_INTERVAL_S
    assert 0.5 < np.abs(lines).max() < 6


def test_bursts_lie_on_one_grid_of_lines(world: World) -> None:
    for swath in world.passes[0].swaths:
        steps = np.diff([b.start_s for b in swath.bursts]) / LINE_INTERVAL_S
        np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)
        assert (steps < swath.design.lines).all()


def test_a_seam_runs_through_the_place(world: World) -> None:
    acquisition = world.passes[0]
    swath = acquisition.imaged
    overlap = swath.bursts[1].start_s, swath.bursts[0].start_s + swath.design.lines * LINE_INTERVAL_S
    middle = swath.slant_range_time_s + swath.samples / 2 / 64345238.12571428
    centre = world.centre_s - float(acquisition.bistatic_s(swath.design, np.array(middle)))
    assert abs(centre - sum(overlap) / 2) < 0.2


def test_perpendicular_baselines_are_some_ten_metres(world: World) -> None:
    first = world.passes[0].orbit
    for acquisition in world.passes[1:]:
        apart = np.linalg.norm(acquisition.orbit.states(world.centre_s)[0] - first.states(world.centre_s)[0])
        assert 1.0 < apart < 120.0


def test_lists_are_longer_than_the_bursts_and_have_their_own_reference(world: World) -> None:
    for acquisition in world.passes:
        for swath in acquisition.swaths:
            assert len(swath.fm_rates) == len(swath.dopplers) == len(swath.bursts) + 2
            assert {p.t0_s for p in swath.fm_rates} == {swath.slant_range_time_s}
            assert {p.t0_s for p in swath.dopplers}.isdisjoint({swath.slant_range_time_s})


def test_the_fm_rate_is_that_of_the_geometry(world: World) -> None:
    """Second derivative of the range history of a point at the mean height."""
    acquisition = world.passes[0]
    for swath in acquisition.swaths:
        entry = swath.fm_rates[1]
        tau = swath.slant_range_time_s + swath.samples / 3 / 64345238.12571428
        distance = tau * SPEED_OF_LIGHT_M_S / 2
        point = acquisition.orbit.locate(
            np.array([entry.time_s]), np.array([distance]), np.array([world.relief.base_m])
        )[0]
        times = entry.time_s + np.array([-0.5, 0.0, 0.5])
        ranges = np.linalg.norm(acquisition.orbit.states(times)[0] - point, axis=1)
        rate = -2 / 0.05546576 * (ranges[0] - 2 * ranges[1] + ranges[2]) / 0.25
        assert entry(tau) == pytest.approx(rate, abs=0.5)


def test_the_bulk_time_is_the_middle_of_iw2(world: World) -> None:
    for acquisition in world.passes:
        assert acquisition.bulk_range_time_s == pytest.approx(
            5.644353088882477e-03 + 13409 / 64345238.12571428, abs=1e-12
        )
