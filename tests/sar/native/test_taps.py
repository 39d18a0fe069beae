"""The kernels fit the spectra of the three subswaths: eight taps, errors below the speckle by far."""

import numpy as np
import pytest

from sen12ts_pipeline.sar.native.kernels.resample import FRACTIONS, TAPS
from sen12ts_pipeline.sar.native.taps import DOPPLER_MARGIN, least_squares_taps, speckle_correlation

RANGE_RATE, LINE_RATE = 64.345238e6, 486.4863

# bandwidth (share of the rate), window, margin, expected error in dB
RANGE = {"IW1": (56.5e6 / RANGE_RATE, -30.3), "IW2": (48.3e6 / RANGE_RATE, -43.7), "IW3": (42.79e6 / RANGE_RATE, -53.7)}
AZIMUTH = {"IW1": (327 / LINE_RATE, 0.70), "IW2": (313 / LINE_RATE, 0.75), "IW3": (314 / LINE_RATE, 0.75)}


def spectrum(bandwidth, window, shift=0.0):
    f = np.linspace(-0.5, 0.5, 4001)
    shape = window + (1 - window) * np.cos(2 * np.pi * (f - shift) / bandwidth)
    return f, np.where(np.abs(f - shift) <= bandwidth / 2, shape, 0.0) ** 2


def response(taps):
    """Of every fraction at every frequency, with what it should be."""
    f = np.linspace(-0.5, 0.5, 4001)
    m, d = np.arange(TAPS) - (TAPS // 2 - 1), np.arange(FRACTIONS + 1) / FRACTIONS
    return taps.astype(float) @ np.exp(2j * np.pi * m[:, None] * f), np.exp(2j * np.pi * d[:, None] * f)


def error_db(taps, bandwidth, window, shift=0.0):
    """Mean square error over all fractions, weighted by the spectrum."""
    _, power = spectrum(bandwidth, window, shift)
    found, wanted = response(taps)
    return 10 * np.log10(((np.abs(found - wanted) ** 2).mean(0) * power).sum() / power.sum())


class TestAccuracy:
    @pytest.mark.parametrize("subswath", ["IW1", "IW2", "IW3"])
    def test_in_range(self, subswath):
        bandwidth, expected = RANGE[subswath]
        assert error_db(least_squares_taps(bandwidth, 0.75, 0.0), bandwidth, 0.75) == pytest.approx(expected, abs=1.0)

    @pytest.mark.parametrize("subswath", ["IW1", "IW2", "IW3"])
    def test_in_azimuth(self, subswath):
        bandwidth, window = AZIMUTH[subswath]
        found = error_db(least_squares_taps(bandwidth, window, DOPPLER_MARGIN), bandwidth, window)
        assert -50.0 < found < -45.6

    def test_in_azimuth_with_a_centroid_that_is_20_hz_off(self):
        bandwidth, window = AZIMUTH["IW2"]
        taps = least_squares_taps(bandwidth, window, DOPPLER_MARGIN)
        assert error_db(taps, bandwidth, window, shift=20 / LINE_RATE) < -40.0
        without = least_squares_taps(bandwidth, window, 0.0)
        assert error_db(without, bandwidth, window, shift=20 / LINE_RATE) > error_db(
            taps, bandwidth, window, shift=20 / LINE_RATE
        )

    @pytest.mark.parametrize("subswath", ["IW1", "IW2", "IW3"])
    def test_is_better_than_a_windowed_sinc(self, subswath):
        bandwidth, _ = RANGE[subswath]
        m, d = np.arange(TAPS) - (TAPS // 2 - 1), np.arange(FRACTIONS + 1)[:, None] / FRACTIONS
        sinc = np.sinc(m - d) * np.cos(np.pi * (m - d) / (TAPS + 1)) ** 2
        assert error_db(least_squares_taps(bandwidth, 0.75, 0.0), bandwidth, 0.75) < error_db(sinc, bandwidth, 0.75) - 3


class TestPower:
    @pytest.mark.parametrize("subswath", ["IW1", "IW2", "IW3"])
    def test_is_kept_to_a_hundredth_of_a_decibel_at_every_fraction(self, subswath):
        for bandwidth, window, margin in (
            (RANGE[subswath][0], 0.75, 0.0),
            (*AZIMUTH[subswath], DOPPLER_MARGIN),
        ):
            _, power = spectrum(bandwidth, window)
            found, _ = response(least_squares_taps(bandwidth, window, margin))
            gain = (np.abs(found) ** 2 * power).sum(1) / power.sum()
            assert np.abs(10 * np.log10(gain)).max() < 0.01


class TestForm:
    @pytest.mark.parametrize(("bandwidth", "window", "margin"), [(RANGE["IW1"][0], 0.75, 0.0), (0.672, 0.7, 0.04)])
    def test_whole_positions_are_samples(self, bandwidth, window, margin):
        taps = least_squares_taps(bandwidth, window, margin)
        assert taps.shape == (FRACTIONS + 1, TAPS)
        assert taps.dtype == np.float32
        np.testing.assert_allclose(taps[0], np.eye(TAPS)[3], atol=1e-7)
        np.testing.assert_allclose(taps[-1], np.eye(TAPS)[4], atol=1e-7)

    def test_a_fraction_and_its_complement_are_mirrored(self):
        taps = least_squares_taps(RANGE["IW2"][0], 0.75, 0.0)
        np.testing.assert_allclose(taps[100], taps[FRACTIONS - 100][::-1], atol=1e-6)

    def test_equal_the_solution_over_sampled_frequencies(self):
        bandwidth, window, margin = 0.672, 0.7, 0.04
        f = np.linspace(-bandwidth / 2 - margin, bandwidth / 2 + margin, 20001)
        shape = np.where(
            np.abs(f) <= bandwidth / 2, window + (1 - window) * np.cos(2 * np.pi * f / bandwidth), 2 * window - 1
        )
        m, d = np.arange(TAPS) - 3, 0.25
        normal = (shape[:, None, None] ** 2 * np.cos(2 * np.pi * f[:, None, None] * (m[:, None] - m))).sum(0)
        right = (shape[:, None] ** 2 * np.cos(2 * np.pi * f[:, None] * (m - d))).sum(0)
        taps = least_squares_taps(bandwidth, window, margin)
        np.testing.assert_allclose(taps[FRACTIONS // 4], np.linalg.solve(normal, right), atol=1e-4)


class TestSpeckleCorrelation:
    def test_is_one_at_home_and_falls_off(self):
        value = speckle_correlation(np.array([0.0, 1.0, -1.0, 7.0, 50.0]), RANGE["IW1"][0], 0.75)
        assert value[0] == 1.0
        assert value[1] == value[2]
        assert 0.1 < value[1] < 0.5
        assert abs(value[3]) < 0.01
        assert value[4] == 0.0
