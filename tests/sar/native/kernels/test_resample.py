"""Sampling a burst: what deramping takes off comes back at the sampled position, and nothing is made of nothing."""

import numpy as np
import pytest

from sen12ts_pipeline.sar.native.kernels import resample
from sen12ts_pipeline.sar.native.taps import DOPPLER_MARGIN, least_squares_taps

SHAPE = (40, 50)
SCALE = (0.9, 2.0555563e-3, -1.0, 2.0 / (SHAPE[1] - 1))
CARRIER = np.array([[1700.0, -40.0, 1.0], [-0.004, 0.003, 0.0], [-35.0, 12.0, -2.0]])
AZIMUTH = least_squares_taps(0.672, 0.7, DOPPLER_MARGIN)
RANGE = least_squares_taps(0.878, 0.75, 0.0)
WAVELENGTH = 0.0554658


def noise(seed=0, shape=SHAPE):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(np.complex64)


def phase(line, sample):
    """The carrier in cycles at positions in the block."""
    eta, x = SCALE[0] + line * SCALE[1], SCALE[2] + sample * SCALE[3]
    kt, ref, fdc = (c[0] + c[1] * x + c[2] * x**2 for c in CARRIER)
    return 0.5 * kt * (eta - ref) ** 2 + fdc * (eta - ref)


def sampled(block, line, sample, *, distance=None, chosen=None, index=0, out=None):
    line, sample = np.asarray(line, float), np.asarray(sample, float)
    distance = np.zeros(line.shape) if distance is None else distance
    chosen = np.zeros(line.shape, np.uint8) if chosen is None else chosen
    out = np.full(line.shape, -7.0, np.complex64) if out is None else out
    resample.sample_complex(
        block, line, sample, distance, chosen, index, AZIMUTH, RANGE, SCALE, CARRIER, WAVELENGTH, out
    )
    return out


def positions(step=1.0, offset=0.0):
    line, sample = np.arange(5.0, 34.0, step) + offset, np.arange(5.0, 44.0, step) + offset
    return np.meshgrid(line, sample, indexing="ij")


class TestCarrier:
    def test_is_taken_off_by_the_formula(self):
        block = np.ones(SHAPE, np.complex64)
        resample.deramp(block, *SCALE, CARRIER)
        line, sample = np.meshgrid(*(np.arange(n, dtype=float) for n in SHAPE), indexing="ij")
        np.testing.assert_allclose(block, np.exp(-2j * np.pi * phase(line, sample)), atol=1e-6)

    def test_comes_back_at_whole_positions(self):
        original = noise()
        block = original.copy()
        resample.deramp(block, *SCALE, CARRIER)
        line, sample = positions()
        np.testing.assert_allclose(sampled(block, line, sample), original[5:34, 5:44], atol=3e-6)

    def test_comes_back_between_samples_with_the_phase_of_the_position(self):
        # A target that is constant without its carrier; anything but the position's own phase would show.
        block = np.ones(SHAPE, np.complex64)
        line, sample = positions(offset=0.37)
        expected = np.exp(2j * np.pi * phase(line, sample))
        found = sampled(block, line, sample)
        np.testing.assert_allclose(np.angle(found / expected), 0.0, atol=1e-5)

    def test_and_the_phase_of_range_is_removed_in_the_same_turn(self):
        block = np.ones(SHAPE, np.complex64)
        line, sample = positions()
        distance = 850e3 + 0.001 * line + 2.3296 * sample
        expected = np.exp(2j * np.pi * (phase(line, sample) + 2.0 * distance / WAVELENGTH))
        np.testing.assert_allclose(sampled(block, line, sample, distance=distance), expected, atol=1e-5)


class TestInterpolation:
    def test_equals_its_slow_twin(self):
        block = noise(1)
        rng = np.random.default_rng(2)
        line, sample = rng.uniform(4, 34, (6, 7)), rng.uniform(4, 44, (6, 7))
        expected = np.empty(line.shape, complex)
        for k, (a, b) in enumerate(zip(line.ravel(), sample.ravel(), strict=True)):
            top, left = int(np.floor(a)) - 3, int(np.floor(b)) - 3
            wa = AZIMUTH[round((a - np.floor(a)) * resample.FRACTIONS)].astype(float)
            wb = RANGE[round((b - np.floor(b)) * resample.FRACTIONS)].astype(float)
            expected.flat[k] = wa @ block[top : top + 8, left : left + 8] @ wb
        turned = expected * np.exp(2j * np.pi * phase(line, sample))
        np.testing.assert_allclose(sampled(block, line, sample), turned, atol=1e-5)

    def test_power_is_that_of_the_complex_sample(self):
        block = noise(3)
        line, sample = positions(offset=0.61)
        out = np.empty(line.shape, np.float32)
        resample.sample_power(block, line, sample, np.zeros(line.shape, np.uint8), 0, AZIMUTH, RANGE, out)
        np.testing.assert_allclose(out, np.abs(sampled(block, line, sample)) ** 2, rtol=1e-4, atol=1e-6)

    def test_other_bursts_samples_are_left_alone(self):
        line, sample = positions()
        chosen = np.zeros(line.shape, np.uint8)
        chosen[:, 10:] = 1
        out = sampled(noise(), line, sample, chosen=chosen, index=1)
        assert (out[:, :10] == -7.0).all()
        assert (out[:, 10:] != -7.0).all()


class TestMissingSamples:
    @pytest.mark.parametrize(
        "where", [(2.9, 20.0), (36.0, 20.0), (20.0, 2.9), (20.0, 46.0), (np.nan, 20.0), (20.0, np.nan)]
    )
    def test_are_those_whose_taps_reach_over_the_edge(self, where):
        assert np.isnan(sampled(noise(), [[where[0]]], [[where[1]]])).all()

    def test_the_outermost_whole_taps_serve(self):
        assert np.isfinite(sampled(noise(), [[3.0, 35.99]], [[3.0, 45.99]])).all()

    def test_a_hole_of_zeros_is_missing_where_it_fills_more_than_half_of_the_taps(self):
        block = noise()
        block[:, 20:] = 0
        line = np.full((1, 11), 20.5)
        sample = np.arange(15.5, 26.0)[None]
        missing = np.isnan(sampled(block, line, sample))[0]
        # The taps at 16.5 .. 23.5 around 19.5 are four of data and four of zeros: still data.
        np.testing.assert_array_equal(missing, sample[0] > 19.5)

    def test_single_zeros_are_data(self):
        block = noise()
        block[20, 25] = 0
        assert np.isfinite(sampled(block, *positions(offset=0.5))).all()


def test_noise_is_the_product_of_both_vectors_at_the_nearest_sample():
    azimuth, distance = np.arange(1.0, 41.0), np.arange(100.0, 150.0)
    line, sample = np.array([[0.2, 3.6, 39.4]]), np.array([[0.0, 10.4, 60.0]])
    out = np.full((1, 3), -1.0, np.float32)
    resample.noise_power(line, sample, np.array([[0, 0, 1]], np.uint8), 0, azimuth, distance, out)
    np.testing.assert_array_equal(out, [[1.0 * 100.0, 5.0 * 110.0, -1.0]])
