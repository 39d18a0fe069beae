"""Numbers of a triplet against what was put into it: shifts, seams, clipped values, lost coherence."""

import functools
import math

import numpy as np
import pytest

from sen12ts_pipeline.dataset.quality import CLEAR, edge_offset, numbers, seam_jumps
from sen12ts_pipeline.domain.layers import NODATA, S1_LAYERS, S2_BANDS
from sen12ts_pipeline.domain.quality import BINS, MEASURES, outliers

SIZE, FINE = 256, 4
FLOOR = 0.25


@functools.cache
def fields(seed=3, shift=(0.0, 0.0)):
    """Ground of polygons, each of one class, as a map of 256 x 256 pixels; moved east and south by pixels.

    Drawn four times finer and averaged, so that fractions of a pixel are exact.
    """
    rng = np.random.default_rng(seed)
    centres = rng.uniform(-20, SIZE + 20, (90, 2))
    classes = rng.integers(0, 12, 90)
    fine = (np.arange(SIZE * FINE) + 0.5) / FINE
    found = np.empty((SIZE * FINE, SIZE * FINE), np.uint8)
    for k, y in enumerate(fine):
        distance = (centres[:, 1, None] + shift[1] - y) ** 2 + (centres[:, 0, None] + shift[0] - fine) ** 2
        found[k] = classes[np.argmin(distance, axis=0)]
    return found


def averaged(values):
    return values.reshape(SIZE, FINE, SIZE, FINE).mean(axis=(1, 3))


def stacks(*, shift=(0.0, 0.0), seed=3):
    """A radar and an optical stack of one ground, their classes bright and dark independently; the radar is moved."""
    rng = np.random.default_rng(seed + 1)
    s2 = np.full((14, SIZE, SIZE), 1, np.int16)
    ground = fields(seed)
    for band in range(12):
        s2[band] = averaged(rng.uniform(300, 4000, 12)[ground]) + rng.normal(0, 40, (SIZE, SIZE))
    ground = fields(seed, shift)
    s1 = np.ones((19, SIZE, SIZE), np.float32)
    for layer in range(16):
        if layer % 4 < 2:
            power = averaged(10 ** (rng.uniform(-16, -6, 12)[ground] / 10))
            s1[layer] = np.clip(10 * np.log10(power * rng.gamma(2.0, 0.5, (SIZE, SIZE))), -39.9, 29.9)
        elif layer % 4 == 2:
            s1[layer] = rng.uniform(0.3, 0.9, (128, 128)).repeat(2, 0).repeat(2, 1)
        else:
            s1[layer] = rng.uniform(-math.pi, math.pi, (128, 128)).repeat(2, 0).repeat(2, 1)
    s1[16], s1[17] = 38.0, 5.0
    return s1, s2


@pytest.fixture(scope="module")
def good():
    return stacks()


def wrong(found):
    return dict(outliers(found))


def test_a_good_triplet_has_every_number_and_none_is_odd(good):
    found = numbers(*good, FLOOR, np.zeros((SIZE, SIZE), np.uint8))
    assert found.keys() == MEASURES.keys() - {"seam_jump"}
    assert wrong(found) == {}


def test_means_are_those_of_the_pixels_that_have_data(good):
    s1, s2 = good[0].copy(), good[1].copy()
    s1[0, :100], s2[3, :, 5:] = NODATA, NODATA
    found = numbers(s1, s2, FLOOR)
    assert found["vh_t"] == pytest.approx(float(s1[0, 100:].mean(dtype=np.float64)), rel=1e-4)
    assert found["B04"] == pytest.approx(float(s2[3, :, :5].mean()), rel=1e-4)
    assert found["outside"] == 0.0, "what has no data is outside of nothing"
    s2[3] = NODATA
    assert "B04" not in numbers(s1, s2, FLOOR)


def test_the_mean_of_a_phase_goes_around_the_circle(good):
    s1 = good[0].copy()
    s1[3] = np.where(np.arange(SIZE) % 2, 3.1, -3.1)
    assert abs(numbers(s1, good[1], FLOOR)["phase_t"]) == pytest.approx(math.pi, abs=1e-3)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (1.0, 0.0), (0.5, -0.25), (-2.75, 1.5), (6.25, 5.0)])
def test_a_shift_of_the_radar_is_found_to_a_fifth_of_a_pixel(shift):
    found = edge_offset(*stacks(shift=shift))
    assert (found.east, found.south) == pytest.approx(shift, abs=0.2)
    assert found.clearness > CLEAR


@pytest.mark.parametrize("seed", range(4))
def test_a_triplet_that_is_shifted_by_two_pixels_is_odd(seed):
    s1, s2 = stacks(shift=(1.6, 1.2), seed=seed)
    assert wrong(numbers(s1, s2, FLOOR)) == {"alignment": pytest.approx(20.0, abs=2.0)}


def test_nothing_is_said_of_the_alignment_of_what_has_no_edges(good):
    rng = np.random.default_rng(1)
    noise = good[0].copy()
    for layer in range(16):
        if layer % 4 < 2:
            noise[layer] = 10 * np.log10(rng.gamma(2.0, 0.5, (SIZE, SIZE)))
    assert "alignment" not in numbers(noise, good[1], FLOOR)
    assert "alignment" not in numbers(np.full_like(noise, -10.0), good[1], FLOOR)


def test_clouds_and_their_edges_do_not_count(good):
    s1, s2 = good[0], good[1].copy()
    s2[:12, 60:80, 60:80] = 9000
    s2[13, 60:80, 60:80] = 0
    found = edge_offset(s1, s2)
    assert math.hypot(found.east, found.south) < 0.3


def seamed(jump, *, coherence=0.7, slope=0.02, seed=5, axis=0, looks=30):
    """A stack whose phase jumps in the middle, on a plane, with the noise of a coherence and of some looks."""
    rng = np.random.default_rng(seed)
    s1 = np.full((19, SIZE, SIZE), 0.5, np.float32)
    place = np.arange(128)
    ramp = slope * place + np.where(place >= 64, jump, 0.0)
    plane = ramp[:, None] if axis == 0 else ramp[None, :]
    for frame in range(4):
        shape = (looks, 128, 128)
        one, other = (rng.normal(size=shape) + 1j * rng.normal(size=shape) for _ in range(2))
        later = (coherence * one + math.sqrt(1 - coherence**2) * other) * np.exp(1j * plane)
        sums = (later * np.conj(one)).sum(0)
        powers = np.sqrt((np.abs(one) ** 2).sum(0) * (np.abs(later) ** 2).sum(0))
        s1[4 * frame + 2] = (np.abs(sums) / powers).repeat(2, 0).repeat(2, 1)
        s1[4 * frame + 3] = np.angle(sums).repeat(2, 0).repeat(2, 1)
    choice = np.zeros((SIZE, SIZE), np.uint8)
    choice[(slice(128, None), slice(None)) if axis == 0 else (slice(None), slice(128, None))] = 3
    return s1, choice


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("jump", [0.0, 0.2, -0.6, 2.0])
def test_the_jump_of_the_phase_at_a_seam_is_found_whatever_slope_it_stands_on(jump, axis):
    found = list(seam_jumps(*seamed(jump, axis=axis)))
    assert len(found) == 4, "one a date"
    assert found == pytest.approx([jump] * 4, abs=0.12)


def test_a_jump_is_not_seen_where_the_bursts_do_not_meet():
    s1, choice = seamed(1.0)
    assert list(seam_jumps(s1, np.zeros_like(choice))) == []
    moved = np.roll(choice, 60, axis=0)
    moved[:60] = 0
    assert list(seam_jumps(s1, moved)) == pytest.approx([0.0] * 4, abs=0.12)


def test_nothing_is_said_of_seams_without_coherence_or_at_the_edge_or_of_bursts_that_are_not_there():
    assert list(seam_jumps(*seamed(1.0, coherence=0.0, looks=4))) == []
    s1, choice = seamed(1.0)
    edge = np.zeros_like(choice)
    edge[:10] = 1
    assert list(seam_jumps(s1, edge)) == []
    choice[choice == 3] = 255
    assert list(seam_jumps(s1, choice)) == []


def test_a_broken_seam_is_odd(good):
    s1, choice = seamed(0.8)
    whole = good[0].copy()
    whole[[2, 3, 6, 7, 10, 11, 14, 15]] = s1[[2, 3, 6, 7, 10, 11, 14, 15]]
    assert wrong(numbers(whole, good[1], FLOOR, choice)) == {"seam_jump": pytest.approx(0.8, abs=0.15)}


def test_clipped_values_are_counted_in_the_worst_layer(good):
    s1, s2 = good[0].copy(), good[1].copy()
    s1[4].flat[:40_000], s1[1].flat[:300], s1[0].flat[:5] = -40.0, 30.0, 30.0
    s2[7].flat[:3000], s2[7].flat[-4000:] = 10_000, 0
    found = numbers(s1, s2, FLOOR)
    shares = {"clipped_low": 40_000 / 65536, "clipped_high": 300 / 65536, "clipped_s2": 7000 / 65536}
    assert {name: found[name] for name in shares} == pytest.approx(shares, rel=1e-4)
    assert wrong(found).keys() == shares.keys()


@pytest.mark.parametrize(("stack", "layer", "value"), [(0, 2, 1.5), (0, 7, 4.0), (0, 1, 31.0), (1, 5, 10_001)])
def test_a_value_that_a_layer_may_not_have_is_odd(good, stack, layer, value):
    broken = good[0].copy(), good[1].copy()
    broken[stack][layer, 7, 7] = value
    assert wrong(numbers(*broken, FLOOR))["outside"] == pytest.approx(1 / 65536, rel=1e-4)


def test_a_date_whose_coherence_lies_below_the_floor_of_its_estimate_is_odd(good):
    s1 = good[0].copy()
    s1[10] = 0.1
    assert wrong(numbers(s1, good[1], FLOOR)) == {"coherence_excess": pytest.approx(0.1 - FLOOR, abs=1e-4)}


def test_every_layer_has_a_measure_and_bins_hold_every_value():
    assert {*S1_LAYERS[:18], *S2_BANDS} <= MEASURES.keys()
    for one in MEASURES.values():
        step = (one.high - one.low) / BINS
        assert [one.bin(one.low + (k + 0.5) * step) for k in range(BINS)] == list(range(BINS))
        assert (one.bin(one.low - 1e6), one.bin(one.high + 1e6)) == (0, BINS - 1)
        assert one.low <= one.least <= one.most <= one.high or one.name == "coherence_excess"
