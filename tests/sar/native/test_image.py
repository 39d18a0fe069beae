"""Sampling a whole burst changes neither the power nor the phase of what lies in it, wherever it lies."""

import numpy as np
import pytest

from sen12ts_pipeline.domain.bursts import BurstId
from sen12ts_pipeline.sar.native.kernels import resample
from sen12ts_pipeline.sar.native.terrain import serving_burst
from tests.sar.native import speckle
from tests.sar.native.surfaces import tile_at

BURST = {"IW1": 110434, "IW2": 110435, "IW3": 110435}


@pytest.fixture(scope="module", params=["IW1", "IW2", "IW3"])
def placed(morocco, request):
    return morocco.bursts[BurstId(BURST[request.param], request.param)]


class TestCarrier:
    def test_fitted_over_a_block_is_the_formula_over_its_samples(self, placed):
        block = speckle.block_of(placed, 0, 9000, (placed.swath.lines_per_burst, 960))
        line, sample = np.array([[0.0], [700.0], [1500.0]]), np.linspace(0.0, 959.0, 50)[None]
        tau = placed.swath.range_start_s + (block.part.left + sample[0]) / placed.swath.range_rate_hz
        kt, ref, fdc = placed.carrier(tau)
        eta = (line - placed.swath.lines_per_burst / 2) * placed.swath.line_interval_s
        exact = 0.5 * kt * (eta - ref) ** 2 + fdc * (eta - ref)
        assert np.abs(speckle.carrier(block, line, sample) - exact).max() < 1e-4

    def test_deramped_and_ramped_again_at_samples_is_the_identity(self, placed):
        samples = speckle.in_burst(speckle.white(1, 60, 80), placed, 20, 9000)
        line, sample = np.meshgrid(20 + np.arange(10.0, 50.0), 9000 + np.arange(10.0, 70.0), indexing="ij")
        found = speckle.sampled(samples, placed, 20, 9000, line, sample)
        np.testing.assert_allclose(found, samples[10:50, 10:70], atol=2e-6 * np.abs(samples).max())

    def test_leaves_a_spectrum_around_zero(self, placed):
        lines = placed.swath.lines_per_burst
        samples = speckle.in_burst(speckle.band_limited(speckle.white(2, lines, 64), placed.swath), placed, 0, 9000)
        block = speckle.block_of(placed, 0, 9000, samples.shape)
        out = np.empty((*samples.shape, 2), np.float32)
        resample.deramp(speckle.numbers(samples), block.scale, block.carrier, out)
        for part in np.array_split(out.view(np.complex64)[..., 0], 5):
            step = (part[1:] * np.conj(part[:-1])).sum()
            assert abs(np.angle(step)) / (2 * np.pi * placed.swath.line_interval_s) < 20.0


class TestPower:
    def test_of_speckle_is_the_same_from_the_first_line_to_the_last(self, placed):
        # What burst edges might do: interpolation of a carrier not centred, deramping with a wrong middle.
        swath, burst = placed.swath, placed.burst
        lines, cols = swath.lines_per_burst, 640
        rng = np.random.default_rng(3)
        gains = []
        for seed in range(3):
            samples = speckle.in_burst(speckle.band_limited(speckle.white(seed, lines, cols), swath), placed, 0, 9000)
            line = np.linspace(burst.first_line + 16, burst.last_line - 16, 1600)[:, None] + rng.uniform(
                -0.5, 0.5, (1600, 1)
            )
            sample = 9000 + np.linspace(20, cols - 20, 700) + rng.uniform(-0.5, 0.5, (1600, 700))
            line = np.broadcast_to(line, sample.shape).copy()
            power = np.abs(speckle.sampled(samples, placed, 0, 9000, line, sample)) ** 2
            nearest = np.abs(samples[np.rint(line).astype(int), np.rint(sample).astype(int) - 9000]) ** 2
            parts = zip(np.array_split(power, 8), np.array_split(nearest, 8), strict=True)
            gains.append([10 * np.log10(a.mean() / b.mean()) for a, b in parts])
        gain = np.mean(gains, axis=0)
        assert abs(gain.mean()) < 0.02
        assert np.ptp(gain) < 0.08

    def test_of_speckle_has_the_looks_of_two_samples(self, morocco):
        placed = morocco.bursts[BurstId(110435, "IW2")]
        grid = tile_at("IW2").grid
        time, distance = speckle.flat_lattice(morocco, grid)
        line, sample = placed.line_sample(time, distance)
        top, left, shape = speckle.block_around(placed, line, sample)
        samples = speckle.in_burst(speckle.band_limited(speckle.white(5, *shape), placed.swath), placed, top, left)
        power = np.abs(speckle.sampled(samples, placed, top, left, line, sample)) ** 2
        pixels = (power[:, 0::2] + power[:, 1::2]) / 2
        assert pixels.mean() == pytest.approx(1.0, rel=0.02)
        assert pixels.mean() ** 2 / pixels.var() == pytest.approx(1.84, abs=0.1)

    def test_of_a_point_is_the_same_wherever_it_lies_between_samples(self, morocco):
        placed = morocco.bursts[BurstId(110435, "IW2")]
        time, distance = speckle.flat_lattice(morocco, tile_at("IW2").grid)
        line, sample = placed.line_sample(time, distance)
        near = (slice(100, 160), slice(200, 320))
        line, sample = line[near].copy(), sample[near].copy()
        top, left, shape = speckle.block_around(placed, line, sample)
        middle = line[30, 60] - top, sample[30, 60] - left
        energy = []
        for offset in np.random.default_rng(6).uniform(-0.5, 0.5, (12, 2)):
            turn = [
                np.exp(-2j * np.pi * np.fft.fftfreq(n) * (round(m) + d))
                for n, m, d in zip(shape, middle, offset, strict=True)
            ]
            point = speckle.band_limited(
                np.fft.ifft2(np.multiply.outer(*turn)) * np.sqrt(shape[0] * shape[1]), placed.swath
            )
            samples = speckle.in_burst(point, placed, top, left)
            energy.append((np.abs(speckle.sampled(samples, placed, top, left, line, sample)) ** 2).sum())
        assert np.ptp(energy) < 0.1 * np.mean(energy)


class TestPointTarget:
    """A target at the time and range of a place on the map, in the samples of a burst."""

    @pytest.mark.parametrize("row", [4, 5])
    @pytest.mark.parametrize("subswath", ["IW1", "IW2", "IW3"])
    def test_lands_on_its_place_with_the_phase_of_nothing_left(self, morocco, subswath, row):
        grid = tile_at(subswath, line=row).grid
        time, distance = speckle.flat_lattice(morocco, grid)
        placed = morocco.require(serving_burst(morocco, float(time[130, 260]), float(distance[130, 260])))
        line, sample = placed.line_sample(time, distance)
        top, left, shape = speckle.block_around(placed, line[120:141, 240:281], sample[120:141, 240:281])
        swath = placed.swath
        where = line[130, 260], sample[130, 260]
        turn = [
            np.exp(-2j * np.pi * np.fft.fftfreq(n) * (at - first))
            for n, at, first in zip(shape, where, (top, left), strict=True)
        ]
        point = speckle.band_limited(np.fft.ifft2(np.multiply.outer(*turn)), swath)
        samples = speckle.in_burst(point, placed, top, left)
        # Its phase in the data is that of its range, on the carrier's phase at its place.
        range_m = distance[130, 260]
        block = speckle.block_of(placed, top, left, shape)
        carrier = speckle.carrier(block, where[0] - top, where[1] - left)
        samples = (samples * np.exp(-2j * np.pi * (carrier + 2 * range_m / swath.wavelength_m))).astype(np.complex64)
        step = np.linspace(-6, 6, 241)
        for axis in (0, 1):
            at = [where[0] + step * (axis == 0), where[1] + step * (axis == 1)]
            found = np.abs(speckle.sampled(samples, placed, top, left, at[0][None], at[1][None]))[0]
            assert step[np.argmax(found)] == pytest.approx(0.0, abs=0.05)
        middle = speckle.sampled(
            samples, placed, top, left, *(np.array([[w]]) for w in where), distance=np.array([[range_m]])
        )
        assert np.angle(middle[0, 0]) == pytest.approx(0.0, abs=0.02)
