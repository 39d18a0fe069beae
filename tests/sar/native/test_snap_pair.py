"""A real pair that SNAP 12 coregistered: our geometry, signs and estimator against what another processor made of it.

84 lines x 338 samples of IW3 VV over Amsterdam, 19 and 31 March 2023. SNAP's interferogram is reference times conjugate
secondary, here the later times the conjugate earlier date, as ours; both are without flat-earth and topographic phase.
"""

import json
import zipfile
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from pyproj import Transformer

from sen12ts_pipeline.sar.native.geometry import localise, solve
from sen12ts_pipeline.sar.native.kernels import gauss
from sen12ts_pipeline.sar.native.pair import Separation
from sen12ts_pipeline.sentinel1.orbit import Orbit

PAIR = Path(__file__).parents[2] / "data/sentinel1/snap_pair_amsterdam.zip"
SHAPE = 84, 338
EPOCH = datetime(2023, 3, 31, tzinfo=UTC)
TO_ECEF = Transformer.from_crs(4979, 4978, always_xy=True)
WAVELENGTH_M = 0.05546576


@cache
def metadata():
    with zipfile.ZipFile(PAIR) as container:
        return json.loads(container.read("metadata.json"))


@cache
def band(name):
    with zipfile.ZipFile(PAIR) as container:
        return np.frombuffer(container.read(name), ">f4").reshape(SHAPE).astype(float)


def image(date):
    return (band(f"i_VV_{date}") + 1j * band(f"q_VV_{date}")).astype(np.complex64)


def seconds(text):
    """Seconds from the midnight before the reference."""
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - EPOCH).total_seconds()


def orbit(which):
    """Precise state vectors, 1 s apart."""
    vectors = metadata()[which]["orbit_state_vectors"]
    numbers = np.array([v[1:] for v in vectors])
    return Orbit(np.array([seconds(v[0]) for v in vectors]), numbers[:, :3], numbers[:, 3:], "POEORB")


@cache
def ground():
    """Earth-fixed points (84 * 338, 3) at SNAP's latitude, longitude and ellipsoidal elevation."""
    degrees = band("longitude_VV"), band("latitude_VV")
    return np.stack(TO_ECEF.transform(*(a.ravel() for a in (*degrees, band("elevation_VV")))), 1)


@cache
def local(which):
    return localise(orbit(which), ground()[len(ground()) // 2])


def apart_m(points):
    """Slant range from the secondary (19 March) less that from the reference (31 March), (84 * 338,)."""
    return solve(points, local("secondary"))[1] - solve(points, local("reference"))[1]


def raised(points, height_m):
    """Points raised while line and sample stay: along the arc of equal range and zero-Doppler time."""
    time, distance = solve(points, local("reference"))
    position, velocity, _ = local("reference").state(time)
    arc = np.cross((points - position) / distance[:, None], velocity)
    arc /= np.linalg.norm(arc, axis=1)[:, None]
    up = points / np.linalg.norm(points, axis=1)[:, None]
    return points + arc * (height_m / (arc * up).sum(1))[:, None]


class TestGeometry:
    def test_meets_every_line_and_sample(self):
        # SNAP's line 0 lies 912 lines after the burst's first; its positions are without the bistatic residual.
        about = metadata()
        start_s = seconds(about["burst_first_line_time"])
        time, distance = solve(ground(), local("reference"))
        line = (time - start_s) / about["line_time_interval"] - about["subset_offset_y"]
        sample = (distance - about["slant_range_to_first_pixel"]) / about["range_spacing"]
        expected_line, expected_sample = (a.ravel() for a in np.indices(SHAPE))
        assert np.abs(line - expected_line).max() < 0.02
        assert np.abs(sample - expected_sample).max() < 0.02
        assert abs((line - expected_line).mean()) < 0.004
        assert abs((sample - expected_sample).mean()) < 0.001

    def test_meets_the_phase_of_a_metre_of_height(self):
        # SNAP keeps (R_sec - R_ref) per metre, the phase it removed from ref conj(sec) being 4 pi / lambda times that.
        # Ours removes the same from later conj(earlier): each date is multiplied by exp(+4 pi j R / lambda).
        per_metre = (apart_m(raised(ground(), 10.0)) - apart_m(ground())) / 10.0
        ours, snaps = per_metre, band("h2ph_VV_19Mar2023").ravel()
        assert (snaps < 0).all()
        np.testing.assert_allclose(ours, snaps, rtol=0.03)
        assert (ours / snaps).mean() == pytest.approx(1.024, abs=0.002)

    def test_meets_the_perpendicular_baseline(self):
        # From SNAP's reference to its secondary; SNAP's figures are those of the scene.
        about = metadata()["baseline"]
        point = ground()[len(ground()) // 2]
        apart = Separation.at(point, orbit("reference"), orbit("secondary"))
        assert apart.perpendicular_m == pytest.approx(about["Perp Baseline"], abs=0.5)
        assert apart.height_of_ambiguity_m(WAVELENGTH_M) == pytest.approx(526.36, rel=0.03)  # its product says so
        assert (apart.times_s[0] - apart.times_s[1]) / 86400 == pytest.approx(about["Temp Baseline"], abs=1e-4)

    def test_makes_a_fringe_of_the_flat_earth(self):
        fringes = 2 * apart_m(ground()).reshape(SHAPE)[42, [0, -1]] / WAVELENGTH_M
        assert abs(fringes[1] - fringes[0]) == pytest.approx(1.11, abs=0.05)


def estimate(lines, samples):
    """Coherence and phase of a moving rectangle, by the engine's kernels with uniform taps and a stride of one."""
    earlier, later = image("19Mar2023"), image("31Mar2023")
    cells = SHAPE[0] - lines + 1, SHAPE[1] - samples + 1
    sums = np.empty((5, SHAPE[0], cells[1]))
    gauss.cross(earlier, later, np.full(samples, 1 / samples), 1, sums)
    coherence, phase = np.empty(cells, np.float32), np.empty(cells, np.float32)
    gauss.finish(sums, np.full(lines, 1 / lines), 1, coherence, phase)
    return coherence, phase


class TestEstimate:
    @pytest.mark.parametrize(
        ("window", "mean", "others"),
        [
            ((7, 7), 0.7530, {"median": 0.8135, "max": 0.9923}),
            ((3, 10), 0.7563, {"median": 0.8230, "p05": 0.3207, "p95": 0.9629}),
            ((5, 21), 0.7556, {"median": 0.8118, "p05": 0.3457, "p95": 0.9519}),
            ((10, 10), 0.7524, {"median": 0.8040, "p05": 0.3556, "p95": 0.9508}),
            (SHAPE, 0.7684, {}),
        ],
        ids=lambda value: "x".join(map(str, value)) if isinstance(value, tuple) else None,
    )
    def test_has_the_coherence_of_a_moving_rectangle(self, window, mean, others):
        coherence, _ = estimate(*window)
        measure = {"median": np.median, "max": np.max, "p05": lambda c: np.percentile(c, 5)}
        measure["p95"] = lambda c: np.percentile(c, 95)
        assert coherence.mean(dtype=float) == pytest.approx(mean, abs=1e-4)
        for name, expected in others.items():
            assert measure[name](coherence) == pytest.approx(expected, abs=1e-4), name

    def test_has_the_phase_of_later_times_conjugate_earlier(self):
        _, phase = estimate(*SHAPE)
        assert phase[0, 0] == pytest.approx(-1.3114, abs=1e-4)

    def test_reads_the_numbers_that_were_written(self):
        # The reference was never resampled: its digital numbers are whole.
        reference, secondary = image("31Mar2023"), image("19Mar2023")
        assert (reference == np.round(reference)).all()
        assert not (secondary == np.round(secondary)).all()
        power = [(np.abs(z.astype(complex)) ** 2).mean() for z in (reference, secondary)]
        assert power == pytest.approx([118631.94, 98619.49], abs=0.01)
