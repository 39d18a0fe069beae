"""Coherence and phase of speckle whose truth is known, through sampling, flattening and the kernel."""

import dataclasses

import numpy as np
import pytest

from sen12ts_pipeline.domain.bursts import BurstId
from sen12ts_pipeline.sar.native import geometry
from sen12ts_pipeline.sar.native.interferogram import estimate
from sen12ts_pipeline.sar.native.lattice import Lattice
from tests.sar.native import speckle
from tests.sar.native.surfaces import tile_at


class Ground:
    """One tile in the middle of a burst: positions of its lattice, and a block that holds them."""

    def __init__(self, one, burst_id):
        self.placed = one.bursts[burst_id]
        self.grid = tile_at(burst_id.subswath).grid
        self.time, self.distance = speckle.flat_lattice(one, self.grid)
        self.line, self.sample = self.placed.line_sample(self.time, self.distance)
        self.top, self.left, self.shape = speckle.block_around(self.placed, self.line, self.sample)

    def image(self, noise, *, distance=None):
        """Samples of the lattice; `distance` is the range to flatten with."""
        samples = speckle.in_burst(speckle.band_limited(noise, self.placed.swath), self.placed, self.top, self.left)
        return speckle.sampled(samples, self.placed, self.top, self.left, self.line, self.sample, distance)

    def pair(self, truth, seed=0):
        first, other = (speckle.white(seed + k, *self.shape) for k in range(2))
        return self.image(first), self.image(truth * first + np.sqrt(1 - truth**2) * other)


@pytest.fixture(scope="module")
def ground(morocco):
    return Ground(morocco, BurstId(110435, "IW2"))


@pytest.mark.parametrize(("subswath", "number"), [("IW1", 110435), ("IW2", 110435), ("IW3", 110435)])
def test_independent_speckle_has_the_floor_of_its_looks(morocco, subswath, number):
    found, _ = estimate(*Ground(morocco, BurstId(number, subswath)).pair(0.0))
    assert 0.18 < found.mean() < 0.21
    assert np.sqrt((found**2).mean()) == pytest.approx(0.217, abs=0.015)


def test_a_coherence_of_one_half_comes_out_a_little_higher(ground):
    found = np.mean([estimate(*ground.pair(0.5, seed=10 * k))[0].mean() for k in range(3)])
    assert found == pytest.approx(0.514, abs=0.01)


def test_the_phase_of_a_half_coherent_pair_spreads_by_a_quarter_of_a_radian(ground):
    _, phase = estimate(*ground.pair(0.5, seed=100))
    assert abs(np.angle(np.exp(1j * phase).mean())) < 0.02
    assert phase.std() == pytest.approx(0.285, abs=0.03)


def test_a_longer_way_at_the_later_date_is_a_negative_phase(ground):
    noise = speckle.white(7, *ground.shape)
    wavelength = ground.placed.swath.wavelength_m
    moved = noise * np.exp(-4j * np.pi / wavelength * 0.005)
    coherence, phase = estimate(ground.image(noise), ground.image(moved))
    assert phase.mean() == pytest.approx(-1.133, abs=1e-3)
    assert coherence.min() > 0.9999


def test_flattening_takes_off_the_phase_of_range(ground):
    # A target carries exp(-4j pi R / lambda); with its range given, no phase is left.
    noise, wavelength = speckle.white(8, *ground.shape), ground.placed.swath.wavelength_m
    plain = ground.image(noise)
    flattened = ground.image(noise, distance=ground.distance)
    expected = plain * np.exp(4j * np.pi / wavelength * ground.distance)
    np.testing.assert_allclose(np.angle(flattened / expected), 0.0, atol=1e-4)


class TestRelief:
    """Ground of 1000 m of relief that does not change between two passes 150 m apart."""

    BASELINE_M = 150.0

    @pytest.fixture
    def ways(self, morocco):
        """Ranges of the lattice on both dates: by the engine's geometry, and by the exact solution."""
        grid = tile_at("IW2").grid
        lattice = Lattice.of(grid)
        east, north = lattice.easting - grid.centre[0], lattice.northing[:, None] - grid.centre[1]
        heights = 700.0 + 500.0 * np.sin(east / 500.0) * np.cos(north / 600.0)
        ground = geometry.survey(geometry.Box.around(grid.epsg, lattice.easting, lattice.northing, heights))
        map_points = np.meshgrid(lattice.easting, lattice.northing)
        points = geometry.earth_fixed(grid.epsg, *(a.ravel() for a in map_points), heights.ravel())
        found = []
        for orbit in (morocco.orbit, self.aside(morocco.orbit)):
            fitted = geometry.fit(ground, orbit).time_range(lattice.easting, lattice.northing, heights)[1]
            exact = geometry.solve(points, geometry.localise(orbit, points[0]))[1].reshape(heights.shape)
            found.append((fitted, exact))
        return found

    def aside(self, orbit):
        """The orbit moved to the side, level."""
        across = np.cross(orbit.position_m, orbit.velocity_m_s)
        across *= self.BASELINE_M / np.linalg.norm(across, axis=1)[:, None]
        return dataclasses.replace(orbit, position_m=orbit.position_m + across)

    def pair(self, ways, wavelength_m):
        """Samples of both dates with the phase of their exact ways, that of the given ones taken off."""
        noise = speckle.white(11, *ways[0][1].shape)
        return [
            (noise * np.exp(4j * np.pi / wavelength_m * (given - exact))).astype(np.complex64) for given, exact in ways
        ]

    def test_leaves_all_coherence_and_no_phase(self, ways, ground):
        coherence, phase = estimate(*self.pair(ways, ground.placed.swath.wavelength_m))
        assert coherence.min() > 0.998
        assert np.abs(phase).max() < 1e-3

    def test_would_take_a_part_of_it_were_phase_not_removed_before_the_kernel(self, ways, ground):
        plain = [(np.full_like(exact, exact.mean()), exact) for _, exact in ways]
        coherence, _ = estimate(*self.pair(plain, ground.placed.swath.wavelength_m))
        assert coherence.mean() < 0.95


LINES_APART = 4


class TestBurstsThatStartApart:
    """The later burst starts four lines earlier: the same ground lies on other lines, under another carrier."""

    @pytest.fixture
    def dates(self, ground):
        """Samples of scatterers of no phase on both dates, and the carriers where they were taken."""
        noise, placed = speckle.white(9, *ground.shape), ground.placed
        start = placed.burst.start_s - LINES_APART * placed.swath.line_interval_s
        moved = dataclasses.replace(placed, burst=dataclasses.replace(placed.burst, start_s=start))
        found = []
        for one, top in ((placed, ground.top), (moved, ground.top + LINES_APART)):
            block = speckle.block_of(one, top, ground.left, ground.shape)
            line, sample = np.meshgrid(*(np.arange(n, dtype=float) for n in ground.shape), indexing="ij")
            # A scatterer's image has its own phase at its place: the carrier there is taken off before focusing.
            bare = noise * np.exp(-2j * np.pi * speckle.carrier(block, line, sample))
            samples = speckle.in_burst(speckle.band_limited(bare, placed.swath), one, top, ground.left)
            at = one.line_sample(ground.time, ground.distance)
            taken = speckle.sampled(samples, one, top, ground.left, *at)
            found.append((taken, speckle.carrier(block, at[0] - top, at[1] - ground.left)))
        return found

    def test_have_no_phase_and_lose_a_little_coherence(self, dates):
        coherence, phase = estimate(dates[0][0], dates[1][0])
        assert coherence.mean() == pytest.approx(0.984, abs=0.004)
        assert abs(np.angle(np.exp(1j * phase).mean())) < 0.02
        assert np.abs(np.angle(np.exp(1j * phase.astype(float)).reshape(16, 8, -1).mean((1, 2)))).max() < 0.02

    def test_without_their_carriers_would_have_fringes(self, dates):
        deramped = [(taken * np.exp(-2j * np.pi * carrier)).astype(np.complex64) for taken, carrier in dates]
        _, phase = estimate(*deramped)
        assert abs(np.exp(1j * phase.astype(float)).mean()) < 0.7
