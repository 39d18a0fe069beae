"""The kernel halves a wave of 80 m, in both directions, and treats what is missing the same in all its sums."""

import numpy as np
import pytest

from sen12ts_pipeline.sar.native.interferogram import KERNEL_SIGMA_M, estimate, gaussian_taps
from sen12ts_pipeline.sar.native.kernels import gauss
from sen12ts_pipeline.sar.native.lattice import EASTING_STEP_M, NORTHING_STEP_M

CELLS = 16
SHAPE = (2 * CELLS + 10, 4 * CELLS + 20)
NORTH = NORTHING_STEP_M * (np.arange(SHAPE[0]) - 5 + 0.5)[:, None]
EAST = EASTING_STEP_M * (np.arange(SHAPE[1]) - 10 + 0.5)[None]
CELL = 20.0 * np.arange(CELLS) + 10.0


def smoothed(product):
    """The kernel's mean of a function of the lattice: sum of later * conj(earlier) with earlier one."""
    sums = np.empty((5, SHAPE[0], CELLS))
    gauss.cross(np.ones(SHAPE, np.complex64), np.asarray(product, np.complex64), gaussian_taps(EASTING_STEP_M), 4, sums)
    north = gaussian_taps(NORTHING_STEP_M)
    rows = [north @ (sums[0] + 1j * sums[1])[2 * r : 2 * r + len(north)] for r in range(CELLS)]
    return np.array(rows)


class TestKernel:
    def test_leaves_a_constant(self):
        np.testing.assert_allclose(smoothed(np.full(SHAPE, 1 + 2j)), 1 + 2j, rtol=1e-6)

    @pytest.mark.parametrize("axis", ["north", "east"])
    def test_halves_a_wave_of_80_m(self, axis):
        wave = np.broadcast_to(np.exp(2j * np.pi * (NORTH if axis == "north" else EAST) / 80.0), SHAPE)
        at_cells = np.exp(2j * np.pi * CELL / 80.0)
        gain = smoothed(wave) / (at_cells[:, None] if axis == "north" else at_cells[None])
        np.testing.assert_allclose(gain, 0.5, atol=0.005)

    def test_turns_an_impulse_into_the_gaussian(self):
        impulse = np.zeros(SHAPE)
        impulse[21, 42] = 1.0
        out = smoothed(impulse).real
        d2 = (CELL[:, None] - NORTH[21, 0]) ** 2 + (CELL[None] - EAST[0, 42]) ** 2
        expected = np.exp(-d2 / (2 * KERNEL_SIGMA_M**2))
        expected *= EASTING_STEP_M * NORTHING_STEP_M / (2 * np.pi * KERNEL_SIGMA_M**2)
        np.testing.assert_allclose(out, np.where(out > 0, expected, 0), rtol=1e-3)
        assert out.max() == pytest.approx(expected.max(), rel=1e-3)

    def test_is_as_wide_in_northing_as_in_easting(self):
        spread = []
        for step in (NORTHING_STEP_M, EASTING_STEP_M):
            taps = gaussian_taps(step)
            offset = (np.arange(len(taps)) - (len(taps) - 1) / 2) * step
            assert taps.sum() == pytest.approx(1.0)
            assert len(taps) % 2 == 0
            assert np.abs(offset).max() < 4 * KERNEL_SIGMA_M
            spread.append(np.sqrt(taps @ offset**2))
        np.testing.assert_allclose(spread, KERNEL_SIGMA_M, rtol=5e-3)

    def test_is_about_53_m_wide(self):
        assert pytest.approx(14.99, abs=0.01) == KERNEL_SIGMA_M
        assert 2 * np.sqrt(np.pi) * KERNEL_SIGMA_M == pytest.approx(53.1, abs=0.1)


def noise(seed):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=SHAPE) + 1j * rng.normal(size=SHAPE)).astype(np.complex64)


def slow(earlier, later):
    """Coherence and phase by sums over every cell's window, in double precision."""
    weight = gaussian_taps(NORTHING_STEP_M)[:, None] * gaussian_taps(EASTING_STEP_M)
    coherence, phase = np.empty((CELLS, CELLS)), np.empty((CELLS, CELLS))
    for r in range(CELLS):
        for c in range(CELLS):
            a, b = (z[2 * r : 2 * r + 12, 4 * c : 4 * c + 24].astype(complex) for z in (earlier, later))
            valid = np.isfinite(a) & np.isfinite(b)
            w, a, b = weight[valid], a[valid], b[valid]
            cross = (w * b * np.conj(a)).sum()
            powers = (w * abs(a) ** 2).sum() * (w * abs(b) ** 2).sum()
            fine = w.sum() >= 0.5
            coherence[r, c] = abs(cross) / np.sqrt(powers) if fine else np.nan
            phase[r, c] = np.angle(cross) if fine else np.nan
    return coherence, phase


class TestEstimate:
    def test_equals_its_slow_twin(self):
        earlier, later = noise(1), noise(2)
        later += earlier
        earlier[5:20, 30:70] = np.nan
        later[28:, :9] = np.nan
        for found, expected in zip(estimate(earlier, later), slow(earlier, later), strict=True):
            np.testing.assert_allclose(found, expected, atol=2e-6)

    def test_is_one_for_one_image_and_has_no_phase(self):
        image = noise(3)
        coherence, phase = estimate(image, image)
        np.testing.assert_allclose(coherence, 1.0, atol=1e-6)
        np.testing.assert_allclose(phase, 0.0, atol=1e-6)
        assert coherence.max() <= 1.0

    def test_does_not_feel_a_gain(self):
        earlier, later = noise(4), noise(5)
        for a, b in zip(estimate(earlier, later), estimate(7 * earlier, later / 3), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)

    def test_is_the_later_times_the_conjugate_earlier(self):
        image = noise(6)
        _coherence, phase = estimate(image, (image * np.exp(0.7j)).astype(np.complex64))
        np.testing.assert_allclose(phase, 0.7, atol=1e-5)

    def test_keeps_a_phase_of_half_a_turn(self):
        # Smoothed as numbers, pi and -pi would make zero.
        image = noise(7)
        turned = image * np.exp(1j * (np.pi + np.random.default_rng(8).choice([-1e-3, 1e-3], SHAPE)))
        _, phase = estimate(image, turned.astype(np.complex64))
        assert (np.abs(phase) > 3.1).all()

    def test_expects_the_same_with_holes(self):
        earlier, later = noise(9), noise(10)
        later = (later + earlier).astype(np.complex64)
        full, _ = estimate(earlier, later)
        holes = np.random.default_rng(11).random(SHAPE) < 0.15
        earlier[holes] = np.nan
        later[np.random.default_rng(12).random(SHAPE) < 0.15] = np.nan
        holed, _ = estimate(earlier, later)
        assert np.isfinite(holed).all()
        assert (holed <= 1.0).all()
        assert holed.mean() == pytest.approx(full.mean(), abs=0.02)

    def test_has_no_value_with_less_than_half_of_the_weight(self):
        image = noise(13)
        image[:, : 10 + 4 * 8] = np.nan  # everything west of the middle between two columns of cells
        coherence, phase = estimate(image, image)
        np.testing.assert_array_equal(np.isnan(coherence), np.isnan(phase))
        np.testing.assert_array_equal(np.isnan(coherence), np.broadcast_to(np.arange(CELLS) < 8, coherence.shape))

    def test_has_no_value_without_power(self):
        coherence, phase = estimate(np.zeros(SHAPE, np.complex64), noise(14))
        assert np.isnan(coherence).all()
        assert np.isnan(phase).all()
