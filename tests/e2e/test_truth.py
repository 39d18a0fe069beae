"""What users get, against the truth of the demo: all tiles and pairs together, so that every class has thousands."""

import numpy as np
import pytest

from sen12ts_pipeline.ports import FrameJob
from sen12ts_pipeline.simulate.archive import simulate
from sen12ts_pipeline.simulate.place import DEMO
from tests.sar.test_against_truth import expected_coherence, mixed_coherence, whole_cells
from tests.sar.world import World

pytestmark = pytest.mark.e2e

SNR = 2.0  # 3 dB
SLOPES = range(0, 30, 5)
TENTHS = range(2, 10)
"""Classes of coherence; below 0.2 the estimate is mostly its own bias, and the phase mostly noise."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    simulate(DEMO, folder)
    return World.of(folder)


@pytest.fixture(scope="module")
def made(demo):
    """Terrain and frames of every tile: dates 1 and 2, pairs 0 and 1."""
    engine = demo.engine()
    terrains = [engine.terrain(tile.grid, demo.passes[0]) for tile in demo.truth.place.tiles]
    frames = [list(engine.frames(FrameJob((terrain,), demo.passes))) for terrain in terrains]
    return list(zip(terrains, frames, strict=True))


def pooled(parts):
    return tuple(np.concatenate(x) for x in zip(*parts, strict=True))


@pytest.mark.parametrize("pol", ["vv", "vh"])
def test_gamma0_is_within_0_2_db_over_all_and_0_3_db_on_every_slope(demo, made, pol):
    parts = []
    for terrain, frames in made:
        grid, truth = terrain.grid, demo.truth
        for date, frame in enumerate(frames, start=1):
            good = terrain.valid & (truth.snr(grid, date, pol.upper()) > SNR)
            off = getattr(frame, pol) - truth.gamma0_db(grid, date, pol.upper())
            parts.append((10 ** (off[good] / 10), truth.slope(grid)[good]))
    ratio, slope = pooled(parts)
    assert abs(10 * np.log10(ratio.mean())) < 0.2
    for low in SLOPES:
        chosen = (slope >= low) & (slope < low + 5)
        assert chosen.sum() >= 6000
        assert abs(10 * np.log10(ratio[chosen].mean())) < 0.3, f"slopes from {low} degrees"


@pytest.fixture(scope="module")
def judged(demo, made):
    """Coherence, its truth and what that lets expect, and the phase's error as a unit vector, of all whole cells."""
    parts = []
    for terrain, frames in made:
        whole = whole_cells(terrain.valid)
        for pair, frame in enumerate(frames):
            truth = mixed_coherence(demo.truth, terrain.grid, pair)[whole]
            expected = expected_coherence(np.abs(truth), frame.notes["effective_looks"])
            error = np.exp(1j * (frame.phase[whole] - np.angle(truth)))
            parts.append((frame.coherence[whole], np.abs(truth), expected, error))
    return pooled(parts)


def test_coherence_is_within_0_01_of_what_its_truth_lets_expect(judged):
    found, truth, expected, _ = judged
    for tenth in TENTHS:
        chosen = (truth >= tenth / 10) & (truth < (tenth + 1) / 10)
        assert chosen.sum() >= 5000
        assert found[chosen].mean() == pytest.approx(expected[chosen].mean(), abs=0.01), f"from {tenth / 10}"


def test_phase_is_within_0_02_radians_in_every_class_of_coherence(judged):
    _, truth, _, error = judged
    for tenth in TENTHS:
        chosen = (truth >= tenth / 10) & (truth < (tenth + 1) / 10)
        assert abs(np.angle(error[chosen].sum())) < 0.02, f"from {tenth / 10}"


def test_incidence_is_within_0_2_degrees(demo, made):
    off = [np.abs(t.incidence - demo.truth.incidence(t.grid))[t.valid] for t, _ in made]
    assert np.concatenate(off).mean() < 0.2
