"""Passes whose azimuth times do not agree are found out by ground that two bursts hold, and set right."""

import dataclasses

import numpy as np
import pytest

from sen12ts_pipeline.ports import FrameJob
from sen12ts_pipeline.sar.native import misregistration
from sen12ts_pipeline.sar.native.engine import NativeEngine, Options
from sen12ts_pipeline.sar.native.misregistration import UNKNOWN, Delay, combined, delay_in_overlap
from sen12ts_pipeline.sar.native.scene import open_pass

LINE_S = 2.0555563e-3
LATE_S = 0.005 * LINE_S


def lying_late(one, seconds):
    """A pass whose data lie later than its annotation says."""
    bursts = {
        burst_id: dataclasses.replace(
            placed, burst=dataclasses.replace(placed.burst, start_s=placed.burst.start_s - seconds)
        )
        for burst_id, placed in one.bursts.items()
    }
    return dataclasses.replace(one, bursts=bursts)


class LateEngine(NativeEngine):
    """An engine whose archive has one pass with wrong times."""

    late = ("", 0.0)

    def _read_pass(self, one):
        opened = open_pass(one, self.source)
        return lying_late(opened, self.late[1]) if one.id == self.late[0] else opened


@pytest.fixture(scope="module")
def seam(tiny):
    """The terrain of a tile with a burst seam, and the earlier burst."""
    terrain = tiny.engine().terrain(tiny.grid, tiny.passes[0])
    assert terrain.bursts[0].after == terrain.bursts[1]
    return terrain


def opened(world, k):
    return open_pass(world.passes[k], world.source)


class TestDelay:
    @pytest.mark.parametrize("seconds", [0.0, LATE_S, -LATE_S])
    def test_is_that_of_the_later_pass(self, tiny, seam, seconds):
        later = lying_late(opened(tiny, 1), seconds)
        found = delay_in_overlap(opened(tiny, 0), later, seam.bursts[0], tiny.engine().dem)
        assert found.usable
        assert found.spread_s < 5e-7
        assert found.seconds == pytest.approx(seconds, abs=3 * found.spread_s)

    def test_of_the_earlier_pass_counts_against_it(self, tiny, seam):
        earlier = lying_late(opened(tiny, 0), LATE_S)
        found = delay_in_overlap(earlier, opened(tiny, 1), seam.bursts[0], tiny.engine().dem)
        assert found.seconds == pytest.approx(-LATE_S, abs=3 * found.spread_s)

    def test_is_unknown_where_nothing_is_coherent(self, tiny, seam, monkeypatch):
        # Speckle of its own on each date, as over water.
        seeds = iter(range(100))

        def noise(_burst, _choice, _one, surface, *_):
            rng = np.random.default_rng(next(seeds))
            values = rng.normal(size=surface.lattice.shape) + 1j * rng.normal(size=surface.lattice.shape)
            return type("Image", (), {"flat": values.astype(np.complex64)})()

        monkeypatch.setattr(misregistration, "make_image", noise)
        found = delay_in_overlap(opened(tiny, 0), opened(tiny, 1), seam.bursts[0], tiny.engine().dem)
        assert not found.usable
        assert combined([found]) == 0.0


class TestCombined:
    def test_weighs_overlaps_by_their_variance(self):
        assert combined([Delay(4e-6, 1e-7), Delay(6e-6, 1e-7)]) == pytest.approx(5e-6)
        assert combined([Delay(4e-6, 1e-7), Delay(9e-6, 2e-7)]) == pytest.approx(5e-6)

    def test_is_nothing_where_it_does_not_stand_out(self):
        assert combined([Delay(2e-7, 1e-7)]) == 0.0
        assert combined([Delay(4e-7, 1e-7)]) == pytest.approx(4e-7)

    def test_leaves_out_what_is_too_uncertain(self):
        assert combined([Delay(4e-6, 1e-7), Delay(1e-3, 3e-6), UNKNOWN]) == pytest.approx(4e-6)
        assert combined([]) == combined([UNKNOWN]) == 0.0


@pytest.fixture(scope="module")
def step(tiny, seam):
    """Phase that the delay adds at the seam, radians: after it less before it."""
    plain = tiny.frames()

    def of(engine, frame=0):
        frames = list(engine.frames(FrameJob((seam,), tiny.passes)))
        turned = np.exp(1j * (frames[frame].phase - plain[frame].phase))
        burst = seam.choice_at_pixels[::2, ::2, 0]
        rows = np.flatnonzero((burst[:, 1:-1] == 0).any(1) & (burst[:, 1:-1] == 1).any(1))
        near = slice(rows[0] - 12, rows[-1] + 12)
        either = [turned[near][(burst[near] == k) & np.isfinite(turned[near])].sum() for k in (0, 1)]
        return float(np.angle(either[1] * np.conj(either[0]))), frames[frame]

    return of


def engine_of(world, *, esd, late=1):
    engine = LateEngine(world.source, world.engine().dem, options=Options(esd=esd))
    LateEngine.late = (world.passes[late].id, LATE_S)
    return engine


class TestFrames:
    """The interferogram of a pair whose later pass lies 0.005 lines late."""

    def test_steps_at_the_seam_when_left_alone(self, tiny, step):
        found, _ = step(engine_of(tiny, esd=False))
        assert abs(found) == pytest.approx(2 * np.pi * 4.8e3 * LATE_S, rel=0.15)

    def test_does_not_when_the_delay_is_estimated(self, tiny, step):
        found, frame = step(engine_of(tiny, esd=True))
        assert abs(found) < 0.1
        assert list(frame.notes["late_s"].values()) == pytest.approx([LATE_S] * 2, abs=1e-6)

    def test_of_the_next_pair_is_set_right_the_other_way(self, tiny, step):
        # The late pass is the earlier one of the second pair, which is corrected by itself.
        found, frame = step(engine_of(tiny, esd=True), frame=1)
        assert abs(found) < 0.1
        assert list(frame.notes["late_s"].values()) == pytest.approx([-LATE_S] * 2, abs=1e-6)

    def test_is_the_same_whatever_other_pairs_are_made(self, tiny, seam):
        engine = engine_of(tiny, esd=True)
        both = list(engine.frames(FrameJob((seam,), tiny.passes)))
        alone = list(engine_of(tiny, esd=True).frames(FrameJob((seam,), tiny.passes[1:])))
        np.testing.assert_array_equal(both[1].phase, alone[0].phase)

    def test_is_estimated_once_for_all_grids(self, tiny, seam):
        kept = {}

        def remember(recipe, compute):
            if recipe.digest not in kept:
                kept[recipe.digest] = compute()
            return kept[recipe.digest]

        for _ in range(2):
            engine = NativeEngine(tiny.source, tiny.engine().dem, options=Options(esd=True), remember=remember)
            list(engine.frames(FrameJob((seam,), tiny.passes[:2])))
        assert len(kept) == 1
