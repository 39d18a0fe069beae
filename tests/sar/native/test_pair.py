"""A pair is described by where it was flown, and refused when its bursts start too far apart."""

import dataclasses

import numpy as np
import pytest

from sen12ts_pipeline.domain.bursts import BurstId
from sen12ts_pipeline.errors import BadProduct, Rejected
from sen12ts_pipeline.sar.native import geometry
from sen12ts_pipeline.sar.native.pair import (
    ASIDE_M,
    SMALLEST_COMMON_BAND,
    coherence_floor,
    describe_pair,
    effective_looks,
)
from tests.sar.native.surfaces import tile_at

BURSTS = (BurstId(110435, "IW2"),)


def centre(grid, height):
    """Earth-fixed centre of a grid."""
    return geometry.earth_fixed(grid.epsg, *(np.array([x]) for x in (*grid.centre, height)))[0]


@pytest.fixture
def point():
    return centre(tile_at("IW2").grid, 500.0)


def apart(one, lines):
    """The same pass, its bursts begun some lines later."""
    moved = {
        burst_id: dataclasses.replace(
            placed,
            burst=dataclasses.replace(
                placed.burst, start_s=placed.burst.start_s + lines * placed.swath.line_interval_s
            ),
        )
        for burst_id, placed in one.bursts.items()
    }
    return dataclasses.replace(one, bursts=moved)


def test_a_pass_with_itself_has_no_baseline(morocco, point):
    pair = describe_pair(point, morocco, morocco, BURSTS)
    assert pair["perpendicular_baseline_m"] == pytest.approx(0.0, abs=1e-3)
    assert pair["days"] == 0.0
    assert pair["doppler_difference_hz"] == 0.0


def test_the_looks_are_those_of_the_kernel(morocco):
    for subswath, expected in (("IW1", 20.5), ("IW2", 20.5), ("IW3", 20.0)):
        easting, northing = tile_at(subswath).grid.centre
        east, north = easting + ASIDE_M * np.array([0, 1, 0]), northing + ASIDE_M * np.array([0, 0, 1])
        points = geometry.earth_fixed(tile_at(subswath).epsg, east, north, np.full(3, 500.0))
        seen = geometry.solve(points, geometry.localise(morocco.orbit, points[0]))
        placed = morocco.bursts[BurstId(110435, subswath)]
        assert effective_looks(placed, seen) == pytest.approx(expected, abs=1.5)


def test_coherence_without_any_is_estimated_as_that_of_few_looks():
    # Mean of |sum z1 z2*| / sqrt(sum |z1|^2 sum |z2|^2) over L independent pairs.
    rng = np.random.default_rng(1)
    for looks in (4, 21):
        shape = 40_000, looks
        one, two = (rng.normal(size=shape) + 1j * rng.normal(size=shape) for _ in range(2))
        found = np.abs((one * two.conj()).sum(1)) / np.sqrt((abs(one) ** 2).sum(1) * (abs(two) ** 2).sum(1))
        assert coherence_floor(looks) == pytest.approx(found.mean(), abs=2e-3)


def test_the_orbits_and_the_dates_are_compared(tiny):
    engine = tiny.engine()
    terrain = engine.terrain(tiny.grid, tiny.passes[0])
    earlier, later = (engine.opened(one) for one in tiny.passes[:2])
    pair = describe_pair(centre(tiny.grid, 480.0), earlier, later, terrain.bursts)
    assert pair["perpendicular_baseline_m"] == pytest.approx(tiny.truth.perpendicular_baseline_m(0), abs=0.5)
    assert pair["days"] == pytest.approx(12.0, abs=1e-3)
    back = describe_pair(centre(tiny.grid, 480.0), later, earlier, terrain.bursts)
    assert back["perpendicular_baseline_m"] == pytest.approx(-pair["perpendicular_baseline_m"], abs=0.5)
    assert back["doppler_difference_hz"] == -pair["doppler_difference_hz"]


def test_bursts_some_lines_apart_share_most_of_their_band(morocco, point):
    pair = describe_pair(point, morocco, apart(morocco, 4), BURSTS)
    # k_t of IW2, about 1450 Hz/s, times four lines.
    assert abs(pair["doppler_difference_hz"]) == pytest.approx(1450 * 4 * 2.0556e-3, rel=0.05)


def test_bursts_200_lines_apart_are_refused(morocco, point):
    with pytest.raises(Rejected) as caught:
        describe_pair(point, morocco, apart(morocco, 200), BURSTS)
    assert caught.value.rule == "common_band"
    assert f"{SMALLEST_COMMON_BAND:.0%}" in caught.value.detail


def test_the_limit_is_a_share_of_the_band(morocco, point):
    swath = morocco.bursts[BURSTS[0]].swath
    lines = (1 - SMALLEST_COMMON_BAND) * swath.azimuth_bandwidth_hz / 1450 / swath.line_interval_s
    describe_pair(point, morocco, apart(morocco, round(0.9 * lines)), BURSTS)
    with pytest.raises(Rejected):
        describe_pair(point, morocco, apart(morocco, round(1.1 * lines)), BURSTS)


def test_a_burst_that_one_pass_lacks_is_named(morocco, point):
    with pytest.raises(BadProduct, match="000001_iw2"):
        describe_pair(point, morocco, morocco, (BurstId(1, "IW2"),))


@pytest.mark.parametrize("position", [0, 1])
def test_a_pass_with_the_phase_of_its_antenna_makes_no_pair(morocco, point, position):
    passes = [morocco, morocco]
    passes[position] = dataclasses.replace(morocco, keeps_antenna_phase=True)
    with pytest.raises(Rejected, match=r"IPF 2\.43") as caught:
        describe_pair(point, *passes, BURSTS)
    assert caught.value.rule == "antenna_phase"
