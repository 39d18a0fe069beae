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


def numbers(*blocks):
    """Complex blocks as the numbers of a file, one block a polarisation: (polarisations, lines, samples, 2)."""
    return np.stack([b.view(np.float32).reshape(*b.shape, 2) for b in blocks])


def side_by_side(*blocks):
    """Complex blocks as one of real numbers: (lines, samples, 2 * polarisations)."""
    return np.concatenate([b.view(np.float32).reshape(*b.shape, 2) for b in blocks], axis=-1)


def deramped(*blocks):
    """Blocks without their carrier, as the kernel takes it off."""
    out = np.empty((*SHAPE, 2 * len(blocks)), np.float32)
    resample.deramp(numbers(*blocks), SCALE, CARRIER, out)
    return out


def values(block, line, sample, *, chosen, index=0, holes=None):
    out = np.full((*line.shape, block.shape[-1]), -7.0, np.float32)
    table = np.zeros((1, 1), np.int32) if holes is None else holes
    resample.sample(block, table, line, sample, chosen, index, AZIMUTH, RANGE, out)
    return out


def sampled(block, line, sample, *, distance=None, chosen=None, index=0, holes=None):
    """Complex samples of a deramped block, the carrier restored."""
    line, sample = np.asarray(line, float), np.asarray(sample, float)
    distance = np.zeros(line.shape) if distance is None else distance
    chosen = np.zeros(line.shape, np.uint8) if chosen is None else chosen
    block = side_by_side(block) if np.iscomplexobj(block) else block
    found = values(block, line, sample, chosen=chosen, index=index, holes=holes)
    out = np.full(line.shape, -7.0, np.complex64)
    resample.flatten(found, line, sample, distance, chosen, index, SCALE, CARRIER, WAVELENGTH, out)
    return out


def holes_of(*blocks):
    """Summed-area table of zeros."""
    table = np.zeros((SHAPE[0] + 1, SHAPE[1] + 1), np.int32)
    resample.count_holes(numbers(*blocks), table)
    return table


def positions(step=1.0, offset=0.0):
    line, sample = np.arange(5.0, 34.0, step) + offset, np.arange(5.0, 44.0, step) + offset
    return np.meshgrid(line, sample, indexing="ij")


class TestCarrier:
    def test_is_taken_off_by_the_formula(self):
        block = deramped(np.ones(SHAPE, np.complex64)).view(np.complex64)[..., 0]
        line, sample = np.meshgrid(*(np.arange(n, dtype=float) for n in SHAPE), indexing="ij")
        np.testing.assert_allclose(block, np.exp(-2j * np.pi * phase(line, sample)), atol=1e-6)

    def test_comes_back_at_whole_positions(self):
        original = noise()
        line, sample = positions()
        np.testing.assert_allclose(sampled(deramped(original), line, sample), original[5:34, 5:44], atol=3e-6)

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

    def test_of_two_polarisations_is_that_of_each(self):
        first, second = noise(3), noise(4)
        line, sample = positions(offset=0.61)
        chosen = np.zeros(line.shape, np.uint8)
        both = values(side_by_side(first, second), line, sample, chosen=chosen)
        for k, block in enumerate((first, second)):
            alone = values(side_by_side(block), line, sample, chosen=chosen)
            np.testing.assert_array_equal(both[..., 2 * k : 2 * k + 2], alone)

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
        missing = np.isnan(sampled(block, line, sample, holes=holes_of(block)))[0]
        # The taps at 16.5 .. 23.5 around 19.5 are four of data and four of zeros: still data.
        np.testing.assert_array_equal(missing, sample[0] > 19.5)

    def test_single_zeros_are_data(self):
        block = noise()
        block[20, 25] = 0
        assert np.isfinite(sampled(block, *positions(offset=0.5), holes=holes_of(block))).all()

    def test_zeros_are_counted_where_any_polarisation_has_one(self):
        first, second = noise(5), noise(6)
        first[3, 4] = 0
        second[10, 11:13] = 0
        zeros = (first == 0) | (second == 0)
        np.testing.assert_array_equal(holes_of(first, second)[1:, 1:], zeros.cumsum(0).cumsum(1))


def test_bounds_are_those_of_the_chosen_positions():
    line, sample = positions(offset=0.3)
    line[4, 4] = sample[4, 4] = np.nan
    chosen = np.zeros(line.shape, np.uint8)
    chosen[3:6, 4:8] = 2
    inside = line[3:6, 5:8], sample[3:6, 5:8]
    expected = inside[0].min(), inside[0].max(), min(sample[3, 4], sample[5, 4]), inside[1].max()
    assert resample.bounds(line, sample, chosen, 2) == expected
    assert not np.isfinite(resample.bounds(line, sample, chosen, 7)).any()


def test_power_and_noise_are_calibrated_by_the_vectors_at_the_nearest_sample():
    azimuth, distance, beta = np.arange(1.0, 41.0), np.arange(100.0, 150.0), np.full(50, 2.0)
    line, sample = np.array([[0.2, 3.6, 39.4]]), np.array([[0.0, 10.4, 60.0]])
    chosen = np.array([[0, 0, 1]], np.uint8)
    found = np.array([[[1, 1, 3, 4], [0, 0, 0, 2], [5, 5, 5, 5]]], np.float32)
    power, noise_power = np.full((1, 3), -1.0, np.float32), np.full((1, 3), -1.0, np.float32)
    resample.powers(found, line, sample, chosen, 0, azimuth, distance, beta, 1, power, noise_power)
    np.testing.assert_array_equal(power, [[25.0 / 4, 4.0 / 4, -1.0]])
    np.testing.assert_array_equal(noise_power, [[1.0 * 100.0 / 4, 5.0 * 110.0 / 4, -1.0]])
