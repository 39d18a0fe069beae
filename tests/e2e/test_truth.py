"""What users get, against the truth of the demo: all tiles and pairs together, so that every class has thousands."""

import numpy as np
import pytest

from sen12ts_pipeline.ports import FrameJob
from sen12ts_pipeline.simulate.archive import simulate
from sen12ts_pipeline.simulate.place import DEMO
from tests.sar.test_against_truth import cells, expected_coherence
from tests.sar.world import World

pytestmark = pytest.mark.e2e

SNR = 2.0  # 3 dB
SLOPES = range(0, 30, 5)
COHERENCES = ((0.3, 0.5), (0.5, 0.6), (0.6, 1.0))


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
def test_gamma0_is_within_0_3_db_on_every_slope(demo, made, pol):
    parts = []
    for terrain, frames in made:
        grid, truth = terrain.grid, demo.truth
        for date, frame in enumerate(frames, start=1):
            good = terrain.valid & (truth.snr(grid, date, pol.upper()) > SNR)
            off = getattr(frame, pol) - truth.gamma0_db(grid, date, pol.upper())
            parts.append((10 ** (off[good] / 10), truth.slope(grid)[good]))
    ratio, slope = pooled(parts)
    for low in SLOPES:
        chosen = (slope >= low) & (slope < low + 5)
        assert chosen.sum() >= 6000
        assert abs(10 * np.log10(ratio[chosen].mean())) < 0.3, f"slopes from {low} degrees"


@pytest.fixture(scope="module")
def judged(demo, made):
    """Coherence, its truth, and the phase's error as a unit vector, of all cells that are valid as a whole."""
    parts = []
    for terrain, frames in made:
        grid, truth = terrain.grid, demo.truth
        whole = cells(terrain.valid.astype(float)) == 1.0
        for pair, frame in enumerate(frames):
            true_phase = np.angle(cells(np.exp(1j * truth.phase(grid, pair))))
            expected = cells(truth.coherence(grid, pair))
            parts.append((frame.coherence[whole], expected[whole], np.exp(1j * (frame.phase - true_phase))[whole]))
    return pooled(parts)


def test_coherence_is_within_0_03_of_what_its_truth_lets_expect(judged):
    found, truth, _ = judged
    for low, high in COHERENCES[1:]:
        chosen = (truth >= low) & (truth < high)
        assert chosen.sum() >= 10_000
        assert found[chosen].mean() == pytest.approx(expected_coherence(truth[chosen]).mean(), abs=0.03)


def test_phase_is_within_0_05_radians_in_every_class_of_coherence(judged):
    _, truth, error = judged
    for low, high in COHERENCES:
        chosen = (truth >= low) & (truth < high)
        assert chosen.sum() >= 10_000
        assert abs(np.angle(error[chosen].sum())) < 0.05


def test_incidence_is_within_0_2_degrees(demo, made):
    off = [np.abs(t.incidence - demo.truth.incidence(t.grid))[t.valid] for t, _ in made]
    assert np.concatenate(off).mean() < 0.2
