"""The engine as the stages use it: frames by tile and date, the same bytes in any company, faults in their places."""

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
import rasterio
from affine import Affine

from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.errors import BadProduct, Rejected
from sen12ts_pipeline.ports import FrameJob, SarEngine
from sen12ts_pipeline.sar.native.engine import NativeEngine, Options
from tests.sar.native.surfaces import dem_of

ARRAYS = ("vh", "vv", "coherence", "phase")


@pytest.fixture(scope="module")
def engine(tiny):
    return tiny.engine()


@pytest.fixture(scope="module")
def terrain(engine, tiny):
    return engine.terrain(tiny.grid, tiny.passes[0])


@pytest.fixture(scope="module")
def frames(engine, terrain, tiny):
    return list(engine.frames(FrameJob((terrain,), tiny.passes)))


def contents(one):
    """Bytes of a frame or of terrain layers."""
    names = ARRAYS if hasattr(one, "vh") else ("choice", "incidence", "slope", "factor", "shadow", "layover")
    return {name: getattr(one, name).tobytes() for name in names} | {"notes": json.dumps(one.notes)}


class TestFrames:
    def test_come_for_every_date_but_the_first(self, frames, tiny):
        ids = [one.id for one in tiny.passes]
        assert [(f.earlier_pass_id, f.pass_id) for f in frames] == [(ids[0], ids[1]), (ids[1], ids[2])]

    def test_have_the_shape_and_range_of_the_contract(self, frames, tiny):
        for frame in frames:
            assert frame.grid == tiny.grid
            assert frame.vh.shape == frame.vv.shape == (256, 256)
            assert frame.coherence.shape == frame.phase.shape == (128, 128)
            for name in ARRAYS:
                assert getattr(frame, name).dtype == np.float32
                assert np.isfinite(getattr(frame, name)).all()
            assert (np.abs(frame.vv + 5) <= 35).all()
            assert ((frame.coherence >= 0) & (frame.coherence <= 1)).all()
            assert (np.abs(frame.phase) <= np.float32(np.pi)).all()

    def test_tell_their_provenance(self, frames, tiny):
        for frame, earlier, later in zip(frames, tiny.passes, tiny.passes[1:], strict=False):
            assert frame.notes["products"] == list(later.products)
            assert frame.notes["earlier_products"] == list(earlier.products)
            assert frame.notes["days"] == pytest.approx(12.0, abs=0.001)
            assert abs(frame.notes["perpendicular_baseline_m"]) < 200
            assert 18 < frame.notes["effective_looks"] < 23
            assert set(frame.notes["floored_pixels"]) == {"vh", "vv"}
            json.dumps(frame.notes)

    def test_of_two_bursts_have_no_gap_between_them(self, terrain, frames):
        assert len(terrain.bursts) == 2
        assert set(np.unique(terrain.choice)) == {0, 1}


class TestSameBytes:
    def test_alone_and_in_company(self, engine, tiny, terrain, frames):
        beside = dataclasses.replace(tiny.grid, west=tiny.grid.west + 640.0)
        job = FrameJob((engine.terrain(beside, tiny.passes[0]), terrain), tiny.passes)
        made = [f for f in engine.frames(job) if f.grid == tiny.grid]
        assert [contents(f) for f in made] == [contents(f) for f in frames]

    def test_from_a_part_of_the_chain(self, engine, tiny, terrain, frames):
        (last,) = engine.frames(FrameJob((terrain,), tiny.passes[1:]))
        assert contents(last) == contents(frames[1])

    def test_from_another_engine(self, tiny, terrain, frames):
        other = tiny.engine()
        assert contents(other.terrain(tiny.grid, tiny.passes[0])) == contents(terrain)
        assert [contents(f) for f in tiny.frames(other)] == [contents(f) for f in frames]

    def test_by_one_thread_and_by_eight(self, engine, tiny, terrain, frames):
        def work(_):
            made = engine.terrain(tiny.grid, tiny.passes[0])
            return contents(made), [contents(f) for f in engine.frames(FrameJob((made,), tiny.passes))]

        with ThreadPoolExecutor(8) as pool:
            for made in pool.map(work, range(8)):
                assert made == (contents(terrain), [contents(f) for f in frames])

    def test_as_backscatter_and_interferogram_alone(self, engine, tiny, terrain, frames):
        layers = engine.backscatter(terrain, tiny.passes[1])
        # VV of a frame is the power of the samples made for the interferogram, turned by their carrier.
        np.testing.assert_allclose(layers["VV"], frames[0].vv, atol=1e-3)
        np.testing.assert_array_equal(layers["VH"], frames[0].vh)
        coherence, phase = engine.interferogram(terrain.grid, *tiny.passes[:2], "VV")
        np.testing.assert_array_equal(coherence, frames[0].coherence)
        np.testing.assert_array_equal(phase, frames[0].phase)


class TestSightings:
    def test_tell_when_and_by_which_burst_a_tile_is_seen(self, engine, tiny, terrain):
        (tile,) = tiny.truth.place.tiles
        for one in tiny.passes:
            sighting = engine.sightings(one, [tile])[tile]
            assert one.start <= sighting.time <= one.slices[-1].stop
            assert sighting.burst == terrain.bursts[terrain.choice[133, 266]]

    def test_repeat_after_twelve_days(self, engine, tiny):
        (tile,) = tiny.truth.place.tiles
        times = [engine.sightings(one, [tile])[tile].time for one in tiny.passes]
        for a, b in pairwise(times):
            assert (b - a).total_seconds() == pytest.approx(12 * 86400, abs=5.0)

    def test_of_tiles_beside_the_swath_have_no_burst(self, engine, tiny):
        (tile,) = tiny.truth.place.tiles
        aside = dataclasses.replace(tile, column=tile.column + 150)
        assert engine.sightings(tiny.passes[0], [aside])[aside].burst is None

    def test_do_not_mention_tiles_that_the_orbit_does_not_reach(self, engine, tiny):
        (tile,) = tiny.truth.place.tiles
        far = TileId(tile.zone, tile.column, tile.row - 3000)
        assert engine.sightings(tiny.passes[0], [tile, far]).keys() == {tile}

    def test_agree_with_the_bursts_of_the_pass(self, engine, tiny):
        (tile,) = tiny.truth.place.tiles
        assert engine.sightings(tiny.passes[0], [tile])[tile].burst in engine.bursts(tiny.passes[0])


class TestFaults:
    def test_a_truncated_measurement_is_named(self, tiny, tmp_path):
        world = tiny.copy(tmp_path / "world")
        path = world.file("measurement/*iw1-slc-vv*.tiff")
        body = path.read_bytes()
        path.unlink()
        path.write_bytes(body[: len(body) // 3])
        fine, fault = world.frames()
        assert isinstance(fault, BadProduct)
        assert (fault.product, fault.member) == (world.passes[2].products[0], f"measurement/{path.name}")
        assert contents(fine) == contents(tiny.frames()[0])

    @pytest.mark.parametrize(
        ("shape", "dtype"),
        [((10, None), "complex64"), ((None, 100), "complex64"), ((None, None), "int16")],
        ids=["lines", "samples", "type"],
    )
    def test_a_measurement_unlike_its_annotation_is_named(self, tiny, tmp_path, shape, dtype):
        world = tiny.copy(tmp_path / "world")
        path = world.file("measurement/*iw1-slc-vh*.tiff")
        swath = world.engine().opened(world.passes[2]).bursts
        one = next(p.swath for p in swath.values() if p.swath.subswath == "IW1")
        rows, cols = shape[0] or one.lines_per_burst * len(one.bursts), shape[1] or one.samples
        path.unlink()
        profile = {"driver": "GTiff", "width": cols, "height": rows, "count": 1, "dtype": dtype, "sparse_ok": True}
        with rasterio.open(path, "w", transform=Affine(1, 0, 1, 0, -1, 1), **profile):
            pass
        fault = world.frames()[1]
        assert isinstance(fault, BadProduct)
        assert fault.member == f"measurement/{path.name}"
        assert "complex numbers" in fault.reason

    def test_a_missing_measurement_is_named(self, tiny, tmp_path):
        world = tiny.copy(tmp_path / "world")
        path = world.file("measurement/*iw1-slc-vh*.tiff")
        path.unlink()
        fault = world.frames()[1]
        assert isinstance(fault, BadProduct)
        assert fault.member == f"measurement/{path.name}"

    def test_a_product_without_vh_is_named(self, tiny, tmp_path):
        world = tiny.copy(tmp_path / "world")
        for path in world.source.place(world.passes[2].products[0]).rglob("*-vh-*"):
            path.unlink()
        _, fault = world.frames()
        assert isinstance(fault, BadProduct)
        assert fault.product == world.passes[2].products[0]

    @pytest.mark.parametrize("kind", ["noise", "calibration"])
    def test_missing_noise_or_calibration_is_named(self, tiny, tmp_path, kind):
        world = tiny.copy(tmp_path / "world")
        path = world.file(f"annotation/calibration/{kind}-*iw1-slc-vh*.xml")
        path.unlink()
        _, fault = world.frames()
        assert isinstance(fault, BadProduct)
        assert fault.member == f"annotation/calibration/{path.name}"

    def test_a_broken_date_costs_both_of_its_pairs(self, tiny, tmp_path):
        world = tiny.copy(tmp_path / "world")
        path = world.file("annotation/s1a-iw1-slc-vv*.xml", position=1)
        body = path.read_bytes()
        path.unlink()
        path.write_bytes(body.replace(b"<radarFrequency>", b"<radarFrequency>x"))
        faults = world.frames()
        assert [type(f) for f in faults] == [BadProduct, BadProduct]
        assert all("radarFrequency" in f.reason for f in faults)

    def test_a_void_in_the_elevation_model_costs_its_own_pixels(self, tiny, terrain, tmp_path):
        def surface(east, north):
            return np.where((np.abs(east) < 45) & (np.abs(north) < 45), np.nan, 480.0)

        engine = tiny.engine(dem_of(tmp_path / "d.tif", surface, tiny.grid, step_m=30.0))
        (made, _) = tiny.frames(engine)
        lost = np.isnan(made.vv)
        assert 50 < lost.sum() < 1000
        assert not lost[:100].any()
        assert np.isnan(made.coherence).sum() < 60

    def test_a_grid_elsewhere_is_refused(self, engine, tiny):
        far = dataclasses.replace(tiny.grid, west=tiny.grid.west + 2560.0 * 40)
        with pytest.raises(Rejected, match="dem_void"):
            engine.terrain(far, tiny.passes[0])


class TestIdentity:
    def test_is_plain_values_that_decide_the_bytes(self, engine):
        identity = json.loads(json.dumps(engine.identity.as_json()))
        assert identity["name"] == "native"
        assert identity["parameters"]["kernel_wavelength_m"] == 80.0
        assert identity["parameters"]["bistatic_correction"] is True

    def test_changes_with_the_elevation_model(self, engine, tiny, tmp_path):
        other = tiny.engine(dem_of(tmp_path / "d.tif", lambda east, north: 0 * (east + north), tiny.grid))
        assert other.identity != engine.identity

    def test_belongs_to_an_engine_as_the_stages_know_it(self, engine):
        assert isinstance(engine, SarEngine)


def test_timing_corrections_make_no_step_at_a_seam(tiny, terrain, frames):
    # They move the samples of both dates alike: were they in the range that flattens, half a metre would be 11 turns.
    options = Options(doppler_range_shift=True, fm_mismatch=True)
    engine = NativeEngine(tiny.source, tiny.engine().dem, options=options)
    corrected = list(engine.frames(FrameJob((terrain,), tiny.passes)))
    burst = terrain.choice_at_pixels[::2, ::2, 0]
    assert set(np.unique(burst)) == {0, 1}
    for plain, moved in zip(frames, corrected, strict=True):
        assert not np.array_equal(plain.vv, moved.vv)
        weight = np.minimum(plain.coherence, moved.coherence) > 0.5
        turned = np.exp(1j * (moved.phase - plain.phase))
        before, after = (turned[weight & (burst == k)].sum() for k in (0, 1))
        assert abs(np.angle(after * np.conj(before))) < 0.02
