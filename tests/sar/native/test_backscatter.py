"""A pixel is the mean power of its samples, less the noise, times the terrain: then decibels, and only then a floor."""

import numpy as np
import pytest

from sen12ts_pipeline.sar.native.backscatter import gamma0_db
from sen12ts_pipeline.sar.native.lattice import HALO_COLS, HALO_ROWS

ROWS, COLS = 64, 64


def lattice(values):
    """Values of the inner samples, with a halo that must not count."""
    full = np.full((ROWS + 2 * HALO_ROWS, 2 * COLS + 2 * HALO_COLS), 1e6, np.float32)
    full[HALO_ROWS:-HALO_ROWS, HALO_COLS:-HALO_COLS] = values
    return full


def made(power, noise=0.0, factor=1.0):
    return gamma0_db(lattice(power), lattice(noise), np.full((ROWS, COLS), factor, np.float32))


def test_two_samples_make_a_pixel():
    power = np.zeros((ROWS, 2 * COLS))
    power[:, 0::2], power[:, 1::2] = 0.3, 0.1
    gamma0, floored = made(power)
    np.testing.assert_allclose(gamma0, 10 * np.log10(0.2), atol=1e-5)
    assert floored == 0
    assert gamma0.dtype == np.float32


def test_noise_is_taken_off_and_the_factor_put_on():
    gamma0, _ = made(0.5, noise=0.1, factor=0.25)
    np.testing.assert_allclose(gamma0, -10.0, atol=1e-5)


def test_power_is_averaged_before_it_becomes_decibels():
    # The mean of the logarithm of speckle lies 2.5 dB too low.
    power = np.random.default_rng(1).exponential(0.1, (ROWS, 2 * COLS))
    gamma0, _ = made(power)
    assert 10 * np.log10((10 ** (gamma0 / 10)).mean()) == pytest.approx(10 * np.log10(power.mean()), abs=1e-4)


def test_noise_alone_has_a_mean_of_zero():
    # Were samples or pixels cut at zero before averaging, the mean would be half of the noise.
    noise = 0.01
    power = np.random.default_rng(2).exponential(noise, (ROWS, 2 * COLS))
    inner = power - noise
    pixels = (inner[:, 0::2] + inner[:, 1::2]) / 2
    error = pixels.std() / np.sqrt(pixels.size)
    assert abs(pixels.mean()) < 3 * error
    gamma0, floored = made(power, noise=noise)
    assert floored == (pixels <= 1e-4).sum()
    np.testing.assert_allclose(gamma0[pixels > 1e-4], 10 * np.log10(pixels[pixels > 1e-4]), atol=1e-2)


def test_negative_power_is_the_floor_and_counted():
    gamma0, floored = made(0.1, noise=0.2)
    np.testing.assert_array_equal(gamma0, -40.0)
    assert floored == ROWS * COLS


def test_a_single_negative_sample_lowers_its_pixel_only():
    power = np.full((ROWS, 2 * COLS), 0.5)
    power[3, 8] = 0.0
    gamma0, floored = made(power, noise=0.1)
    assert gamma0[3, 4] == pytest.approx(10 * np.log10(0.15), abs=1e-4)
    assert floored == 0


def test_the_ceiling_is_30_db():
    np.testing.assert_array_equal(made(1e5)[0], 30.0)


@pytest.mark.parametrize("where", ["power", "factor"])
def test_without_data_there_is_none(where):
    power, factor = np.full((ROWS, 2 * COLS), 0.1), np.ones((ROWS, COLS), np.float32)
    if where == "power":
        power[5, 11] = np.nan
    else:
        factor[5, 5] = np.nan
    gamma0, floored = gamma0_db(lattice(power), lattice(0.0), factor)
    assert np.argwhere(np.isnan(gamma0)).tolist() == [[5, 5]]
    assert floored == 0
