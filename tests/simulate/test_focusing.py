from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sen12ts_pipeline.simulate import focusing, kernels
from sen12ts_pipeline.simulate.acquisition import rounded
from sen12ts_pipeline.simulate.focusing import Echoes, Window
from sen12ts_pipeline.simulate.place import places
from sen12ts_pipeline.simulate.radar import World
from sen12ts_pipeline.simulate.sensor import (
    BETA_NOUGHT,
    LINE_INTERVAL_S,
    RANGE_SAMPLING_HZ,
    RANGE_SPACING_M,
    SPEED_OF_LIGHT_M_S,
    WAVELENGTH_M,
)


@pytest.fixture(scope="module")
def world() -> World:
    return World.of(places()["tiny"])


def impulse_response(x, fraction, coefficient):
    """Transform of a Hamming window, unit energy over samples, by plain summation."""
    f = (np.arange(4000) + 0.5) / 4000 * fraction - fraction / 2
    window = coefficient + (1 - coefficient) * np.cos(2 * np.pi * f / fraction)
    response = np.cos(2 * np.pi * np.asarray(x)[..., None] * f) @ window * fraction / 4000
    return response / np.sqrt(np.mean(window**2) * fraction)


def test_points_have_their_place_phase_and_impulse_response(world: World) -> None:
    """A few strong points against the direct sum of their responses; noise is negligible beside them."""
    acquisition = world.passes[0]
    swath, burst = acquisition.imaged, acquisition.imaged.bursts[0]
    window = Window(560, 850, 128, 160)
    near = swath.slant_range_time_s * SPEED_OF_LIGHT_M_S / 2
    line, sample = np.array([612.3, 620.0, 631.77]), np.array([921.4, 934.25, 945.9])
    weight = np.array([1.0, 1.0j, -0.7])
    time = burst.start_s + line * LINE_INTERVAL_S
    distance = near + sample * RANGE_SPACING_M
    echoes = Echoes(
        time,
        distance,
        np.array([0.0, 0.003, -0.002], np.float32),
        np.full(3, 60.0, np.float32),
        np.stack([weight, 1j * weight], axis=1).astype(np.complex64),
        np.ones((2, 3), np.float32),
    )
    silent = np.full(window.lines, 1e-9), np.full((2, window.samples), 1e-9)
    got = focusing.image(acquisition, burst, echoes, window, silent, [1]).astype(float)
    carrier = swath.carrier(burst, acquisition.orbit)
    middle = swath.middle_s(burst)
    lines = window.line + np.arange(window.lines)[:, None]
    samples = window.sample + np.arange(window.samples)[None, :]
    want = np.zeros((window.lines, window.samples), complex)
    for k in range(3):
        turns = -2 * (distance[k] + echoes.delay_m[k]) / WAVELENGTH_M
        turns -= kernels.carrier(time[k] - middle, 2 * distance[k] / SPEED_OF_LIGHT_M_S, carrier)
        across = impulse_response(lines - line[k], 327.0 * LINE_INTERVAL_S, 0.70)
        along = impulse_response(samples - sample[k], 56.5e6 / RANGE_SAMPLING_HZ, 0.75)
        want += 60.0 * weight[k] * np.exp(2j * np.pi * turns) * across * along
    for i in range(0, window.lines, 9):
        for j in range(0, window.samples, 11):
            eta = burst.start_s + (window.line + i) * LINE_INTERVAL_S - middle
            tau = swath.slant_range_time_s + (window.sample + j) / RANGE_SAMPLING_HZ
            rotor = np.exp(2j * np.pi * kernels.carrier(eta, tau, carrier))
            expected = BETA_NOUGHT * want[i, j] * rotor
            assert abs(complex(*got[0, i, j]) - expected) < 30.0
            assert abs(complex(*got[1, i, j]) - 1j * expected) < 30.0
    assert np.abs(got).max() > 0.3 * BETA_NOUGHT * 60.0


def test_noise_has_the_power_and_band_asked_for(world: World) -> None:
    acquisition = world.passes[0]
    burst = acquisition.imaged.bursts[0]
    nothing = Echoes(
        np.array([burst.start_s]),
        np.array([900e3]),
        np.zeros(1, np.float32),
        np.zeros(1, np.float32),
        np.zeros((1, 2), np.complex64),
        np.ones((2, 1), np.float32),
    )
    window = Window(400, 300, 500, 800)
    rows, cols = np.linspace(1, 1.2, 500), np.stack([np.full(800, 400.0), np.linspace(300, 500, 800)])
    got = focusing.image(acquisition, burst, nothing, window, (rows, cols), [3]).astype(float)
    power = (got**2).sum(axis=-1) / (rows[None, :, None] * cols[:, None, :])
    assert power[0].mean() == pytest.approx(1.0, abs=0.015)
    assert power[1].mean() == pytest.approx(1.0, abs=0.015)
    z = got[0, ..., 0] + 1j * got[0, ..., 1]
    across = np.abs(np.fft.fft(z, axis=1)) ** 2
    outside = np.abs(np.fft.fftfreq(800)) > 0.47
    assert across[:, outside].mean() < 0.01 * across[:, ~outside].mean()


def test_windows_keep_to_valid_samples(world: World) -> None:
    swath = world.passes[0].imaged
    burst = swath.bursts[0]
    far = swath.slant_range_time_s * SPEED_OF_LIGHT_M_S / 2 + RANGE_SPACING_M * np.array([-50.0, 1e5])
    span = burst.start_s + np.array([-1.0, 5.0])
    empty = np.zeros(2, np.float32)
    echoes = Echoes(span, far, empty, empty, np.zeros((2, 2), np.complex64), np.zeros((2, 2), np.float32))
    window = focusing.window_of(swath, burst, echoes)
    assert window is not None
    assert (window.line, window.line + window.lines - 1) == burst.valid_lines
    assert (window.sample, window.sample + window.samples - 1) == burst.valid_samples
    assert focusing.window_of(swath, burst, dataclasses.replace(echoes, time_s=span + 100.0)) is None


def test_times_are_whole_microseconds(world: World) -> None:
    for acquisition in world.passes:
        for burst in acquisition.imaged.bursts:
            assert burst.start_s == rounded(burst.start_s)
            assert (acquisition.utc(burst.start_s) - acquisition.node).total_seconds() == burst.start_s
