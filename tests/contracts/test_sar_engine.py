"""What every radar engine keeps; a new one joins `ENGINES`.

Engines see an archive of products and an elevation model, nothing else, so all that is varied here is varied in files.
"""

import dataclasses
import json
import re

import numpy as np
import pytest
import rasterio

from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.domain.passes import Pass
from sen12ts_pipeline.errors import BadProduct, Rejected
from sen12ts_pipeline.ports import EngineIdentity, Frame, FrameJob, SarEngine
from sen12ts_pipeline.sar.native.engine import NativeEngine
from sen12ts_pipeline.sar.snap.engine import SnapEngine, SnapOptions
from sen12ts_pipeline.sar.snap.gpt import Gpt
from sen12ts_pipeline.sar.snap.installation import examine, find_gpt
from sen12ts_pipeline.sar.snap.operators import Release
from sen12ts_pipeline.terrain.dem import Dem
from tests import worlds
from tests.sar.native.surfaces import dem_of
from tests.sar.snap import standin_gpt

ENGINES = [
    "native",
    pytest.param("snap, a stand-in", marks=pytest.mark.e2e),
    pytest.param("snap", marks=pytest.mark.needs_snap),
]


def engine_of(name, folder):
    """What makes an engine of a source of products and an elevation model."""
    if name == "native":
        return NativeEngine
    program = standin_gpt.install(folder / "standin") if "stand-in" in name else find_gpt()
    release = Release.parse("13.0.4") if "stand-in" in name else Release.parse(examine(program).version)
    gpt = Gpt(program, memory_gb=2.0, cache_gb=0.5, threads=2, time_limit_s=600.0)
    return lambda source, dem: SnapEngine(NativeEngine(source, dem), gpt, folder / "scratch", SnapOptions(release))


LAYERS = {"vh": (256, -40.0, 30.0), "vv": (256, -40.0, 30.0), "coherence": (128, 0.0, 1.0), "phase": (128, -3.15, 3.15)}
"""Rows and columns, smallest and largest value of a tile's layers."""

WAVELENGTH_M = 0.0554658
FLOOR = 0.195
"""Mean coherence of independent speckle of 21 looks; the noise of receivers, which is white, makes it a little less."""


@pytest.fixture(scope="module", params=ENGINES)
def make(request, tmp_path_factory):
    """Make an engine over a world, with its own elevation model or another."""
    over = engine_of(request.param, tmp_path_factory.mktemp("engine"))

    def engine(world, dem=None):
        return over(world.source, dem or Dem(world.folder / "dem/dem.tif", "ellipsoidal"))

    return engine


@pytest.fixture(scope="module")
def engine(make, tiny):
    return make(tiny)


@pytest.fixture(scope="module")
def terrain(engine, tiny):
    return engine.terrain(tiny.grid, tiny.passes[0])


@pytest.fixture(scope="module")
def frames(engine, terrain, tiny):
    return outcomes(engine, tiny, terrain)


def outcomes(engine, world, *terrains):
    """Frames of a world's chain over some terrains, or the errors in their places."""
    return list(engine.frames(FrameJob(terrains or (engine.terrain(world.grid, world.passes[0]),), world.passes)))


def contents(one):
    """Bytes of every layer of a frame or of terrain, and the notes."""
    layers = {f.name: getattr(one, f.name) for f in dataclasses.fields(one)}
    arrays = {name: layer.tobytes() for name, layer in layers.items() if isinstance(layer, np.ndarray)}
    return arrays | {"notes": json.dumps(one.notes)}


class TestIdentity:
    def test_is_that_of_an_engine(self, engine):
        assert isinstance(engine, SarEngine)
        assert isinstance(engine.identity, EngineIdentity)

    def test_is_json_and_names_a_version(self, engine):
        identity = json.loads(json.dumps(engine.identity.as_json()))
        assert identity == engine.identity.as_json()
        assert identity["name"]
        assert identity["version"]

    def test_is_the_same_of_an_engine_made_again(self, make, engine, tiny):
        assert make(tiny).identity.as_json() == engine.identity.as_json()

    def test_is_another_over_another_elevation_model(self, make, engine, tiny, tmp_path):
        other = dem_of(tmp_path / "dem.tif", lambda east, north: 0.0 * (east + north), tiny.grid)
        assert make(tiny, other).identity.as_json() != engine.identity.as_json()


class TestSightings:
    def test_tell_when_and_by_which_burst_of_the_pass_a_tile_is_seen(self, engine, tiny):
        (tile,) = tiny.truth.place.tiles
        for one in tiny.passes:
            seen = engine.sightings(one, [tile])[tile]
            assert one.start <= seen.time <= one.slices[-1].stop
            assert seen.burst in engine.bursts(one)

    def test_name_the_same_burst_every_twelve_days(self, engine, tiny):
        (tile,) = tiny.truth.place.tiles
        assert len({engine.sightings(one, [tile])[tile].burst for one in tiny.passes}) == 1

    def test_name_no_burst_for_a_tile_beside_the_swath(self, engine, tiny):
        (tile,) = tiny.truth.place.tiles
        aside = dataclasses.replace(tile, column=tile.column + 150)
        assert engine.sightings(tiny.passes[0], [aside])[aside].burst is None

    def test_leave_out_tiles_that_the_orbit_does_not_reach(self, engine, tiny):
        (tile,) = tiny.truth.place.tiles
        far = TileId(tile.zone, tile.column, tile.row - 3000)
        assert engine.sightings(tiny.passes[0], [far]) == {}

    def test_of_a_broken_product_are_its_error(self, make, tiny, tmp_path):
        world = tiny.copy(tmp_path / "world")
        edit(world.file("annotation/*iw1*vv*.xml"), rb"<radarFrequency>[^<]*", b"<radarFrequency>")
        for ask in (lambda e, one: e.sightings(one, tiny.truth.place.tiles), lambda e, one: e.bursts(one)):
            with pytest.raises(BadProduct, match="radarFrequency") as caught:
                ask(make(world), world.passes[2])
            assert caught.value.product == world.passes[2].products[0]


class TestTerrain:
    def test_chooses_a_burst_for_every_sample_of_the_lattice(self, terrain):
        assert terrain.choice.shape == (266, 532)
        assert terrain.choice.dtype == np.uint8
        assert len(terrain.bursts) == 2, "the tile lies across a seam"
        assert set(np.unique(terrain.choice)) == {0, 1}

    def test_has_layers_of_the_grid(self, terrain, tiny):
        assert terrain.grid == tiny.grid
        for name, dtype, low, high in (
            ("incidence", np.float32, 0.0, 180.0),
            ("slope", np.float32, 0.0, 90.0),
            ("factor", np.float32, 1e-3, 100.0),
            ("shadow", np.bool_, 0, 1),
            ("layover", np.bool_, 0, 1),
        ):
            layer = getattr(terrain, name)
            assert (layer.shape, layer.dtype) == ((256, 256), dtype)
            assert low <= layer.min() <= layer.max() <= high
        assert 29 < terrain.incidence.mean() < 46, "the incidence of the wide swath"

    def test_has_notes_that_name_the_reference_pass(self, terrain, tiny):
        assert json.loads(json.dumps(terrain.notes)) == terrain.notes
        assert terrain.notes["reference_pass"] == tiny.passes[0].id

    def test_reads_no_sample(self, make, terrain, tiny, tmp_path):
        world = tiny.copy(tmp_path / "world")
        for path in world.source.place(world.passes[0].products[0]).glob("measurement/*.tiff"):
            worlds.rewrite(path, b"")
        assert contents(make(world).terrain(world.grid, world.passes[0])) == contents(terrain)

    def test_of_a_grid_without_heights_is_refused(self, engine, tiny):
        far = dataclasses.replace(tiny.grid, west=tiny.grid.west + 2560.0 * 40)
        with pytest.raises(Rejected):
            engine.terrain(far, tiny.passes[0])


class TestFrames:
    def test_come_for_every_pair_in_the_order_of_the_chain(self, frames, tiny):
        ids = [one.id for one in tiny.passes]
        assert [(f.earlier_pass_id, f.pass_id) for f in frames] == [(ids[0], ids[1]), (ids[1], ids[2])]

    def test_come_grid_by_grid(self, engine, terrain, tiny):
        beside = engine.terrain(dataclasses.replace(tiny.grid, west=tiny.grid.west + 320.0), tiny.passes[0])
        made = outcomes(engine, tiny, beside, terrain)
        assert [(f.grid, f.pass_id) for f in made] == [
            (t.grid, one.id) for t in (beside, terrain) for one in tiny.passes[1:]
        ]

    @pytest.mark.parametrize("layer", LAYERS)
    def test_have_layers_of_single_precision_within_their_range(self, frames, tiny, layer):
        size, low, high = LAYERS[layer]
        for frame in frames:
            values = getattr(frame, layer)
            assert frame.grid == tiny.grid
            assert (values.shape, values.dtype) == ((size, size), np.float32)
            assert np.isfinite(values).all(), "nothing is missing in the tile"
            assert low <= values.min() < values.max() <= high

    def test_tell_how_a_pair_was_flown(self, frames, tiny):
        for pair, frame in enumerate(frames):
            assert json.loads(json.dumps(frame.notes)) == frame.notes
            baseline = frame.notes["perpendicular_baseline_m"]
            assert baseline == pytest.approx(tiny.truth.perpendicular_baseline_m(pair), abs=0.5)
            assert frame.notes["height_of_ambiguity_m"] * baseline == pytest.approx(1.31e4, rel=0.05)
            assert frame.notes["days"] == pytest.approx(12.0, abs=0.001)
            assert 18 < frame.notes["effective_looks"] < 23
            assert frame.notes["products"] == list(tiny.passes[pair + 1].products)
            assert frame.notes["earlier_products"] == list(tiny.passes[pair].products)

    def test_of_a_tile_alone_are_those_of_a_job_of_many(self, engine, terrain, frames, tiny):
        others = [dataclasses.replace(tiny.grid, west=tiny.grid.west + d, north=tiny.grid.north + d) for d in (-80, 80)]
        first, last = (engine.terrain(grid, tiny.passes[0]) for grid in others)
        made = [f for f in outcomes(engine, tiny, first, terrain, last) if f.grid == tiny.grid]
        assert [contents(f) for f in made] == [contents(f) for f in frames]

    def test_of_another_engine_over_the_same_files_are_the_same(self, make, frames, tiny):
        assert [contents(f) for f in outcomes(make(tiny), tiny)] == [contents(f) for f in frames]


@pytest.fixture(scope="module")
def holed(make, tiny, tmp_path_factory):
    """Terrain and first frame over an elevation model with a void of 600 m in the middle."""

    def surface(east, north):
        return np.where((np.abs(east) < 300) & (np.abs(north) < 300), np.nan, 480.0)

    engine = make(tiny, dem_of(tmp_path_factory.mktemp("void") / "dem.tif", surface, tiny.grid, step_m=30.0))
    terrain = engine.terrain(tiny.grid, tiny.passes[0])
    return terrain, outcomes(engine, tiny, terrain)[0]


TOLERANCES = {
    # Powers are averaged over other samples, and SNAP cuts negative ones before it averages.
    "median of backscatter, dB": 0.3,
    # The same kernel, over looks that SNAP's multilooking and resampling have smoothed before.
    "mean of coherence": 0.02,
    # Interpolation by five points of a sine and eight fitted ones; what is left of both is noise, not a shift.
    "circular spread of phase, rad": 0.3,
}
"""How far an engine may be from the native one over a tile, and why it is at all."""


def blocks(decibel):
    """Mean powers of 16 x 16 pixels, dB: single pixels of few and of more looks have other medians."""
    power = 10 ** (decibel.astype(float) / 10)
    return 10 * np.log10(power.reshape(16, 16, 16, 16).mean(axis=(1, 3)))


class TestBesideTheNativeEngine:
    def test_layers_agree_within_the_tolerances(self, frames, tiny):
        native = tiny.engine()
        expected = outcomes(native, tiny)
        for one, other in zip(frames, expected, strict=True):
            both = np.isfinite(one.vv) & np.isfinite(other.vv)
            assert both.mean() > 0.95
            for polarisation in ("vv", "vh"):
                off = blocks(getattr(one, polarisation)) - blocks(getattr(other, polarisation))
                assert abs(np.nanmedian(off)) < TOLERANCES["median of backscatter, dB"]
            assert abs(np.nanmean(one.coherence - other.coherence)) < TOLERANCES["mean of coherence"]
            sure = np.minimum(one.coherence, other.coherence) > 0.5
            length = abs(np.exp(1j * (one.phase - other.phase)[sure]).mean())
            assert np.sqrt(-2 * np.log(min(length, 1.0))) < TOLERANCES["circular spread of phase, rad"]


class TestMissingData:
    def test_leaves_backscatter_where_terrain_and_burst_are_known_and_nowhere_else(self, holed):
        terrain, frame = holed
        known = np.isfinite(terrain.factor) & (terrain.choice_at_pixels != 255).all(axis=-1)
        assert 3600 <= (~known).sum() < 8000
        for layer in (frame.vh, frame.vv):
            np.testing.assert_array_equal(np.isfinite(layer), known)

    def test_leaves_coherence_and_phase_together(self, holed):
        _, frame = holed
        lost = np.isnan(frame.coherence)
        np.testing.assert_array_equal(np.isnan(frame.phase), lost)
        assert lost[54:74, 54:74].all(), "what the kernel's weight does not reach"
        lost[47:81, 47:81] = False
        assert not lost.any()

    def test_is_not_valid_ground(self, holed):
        terrain, frame = holed
        assert not (terrain.valid & np.isnan(frame.vv)).any()


def edit(path, pattern, replacement):
    """Replace text in a file of a copied world."""
    body, count = re.subn(pattern, replacement, path.read_bytes(), flags=re.DOTALL)
    assert count, f"nothing to replace in {path.name}"
    worlds.rewrite(path, body)


class TestFaults:
    def test_a_broken_product_takes_the_place_of_its_own_frames(self, make, frames, tiny, tmp_path):
        world = tiny.copy(tmp_path / "world")
        path = world.file("measurement/*iw1-slc-vv*.tiff")
        worlds.rewrite(path, path.read_bytes()[: path.stat().st_size // 3])
        fine, fault = outcomes(make(world), world)
        assert contents(fine) == contents(frames[0])
        assert isinstance(fault, BadProduct)
        assert (fault.product, fault.member) == (world.passes[2].products[0], f"measurement/{path.name}")

    def test_a_broken_product_costs_both_of_its_pairs(self, make, tiny, tmp_path):
        world = tiny.copy(tmp_path / "world")
        edit(world.file("annotation/*iw1*vv*.xml", position=1), rb"<radarFrequency>[^<]*", b"<radarFrequency>")
        made = outcomes(make(world), world)
        assert [type(one) for one in made] == [BadProduct, BadProduct]
        assert {one.product for one in made} == {world.passes[1].products[0]}

    def test_a_burst_that_a_pass_lacks_is_named(self, make, frames, terrain, tiny, tmp_path):
        world = tiny.copy(tmp_path / "world")
        for pol in ("vv", "vh"):
            path = world.file(f"annotation/*iw1*{pol}*.xml")
            lines = int(re.search(rb"<linesPerBurst>(\d+)", path.read_bytes())[1])
            edit(path, rb"(<burst>.*?</burst>)\s*<burst>.*?</burst>", rb"\1")
            edit(path, rb"<numberOfLines>\d+", b"<numberOfLines>%d" % lines)
        fine, fault = outcomes(make(world), world)
        assert contents(fine) == contents(frames[0])
        assert isinstance(fault, BadProduct)
        assert str(terrain.bursts[1]) in fault.reason

    def test_a_pair_that_is_worth_nothing_is_refused_before_and_in_its_place(self, engine, frames, terrain, tiny):
        # Before IPF 2.43 samples kept the phase of the antenna.
        first, second, third = tiny.passes
        early = Pass(tuple(dataclasses.replace(part, ipf=(2, 36)) for part in third.slices))
        engine.check_pair(terrain.grid, terrain.bursts, first, second)
        with pytest.raises(Rejected) as caught:
            engine.check_pair(terrain.grid, terrain.bursts, second, early)
        fine, refusal = engine.frames(FrameJob((terrain,), (first, second, early)))
        assert contents(fine) == contents(frames[0])
        assert isinstance(refusal, Rejected)
        assert (refusal.rule, refusal.subject) == (caught.value.rule, caught.value.subject)


def resample(path, change):
    """Give a measurement file other samples: a function of them."""
    worlds.rewrite(path, path.read_bytes())
    with rasterio.open(path, "r+") as target:
        samples = change(target.read(1).astype(complex))
        target.write((np.rint(samples.real) + 1j * np.rint(samples.imag)).astype(np.complex64), 1)


class TestInterferogram:
    def test_five_millimetres_more_of_range_at_the_later_date_are_a_phase_of_minus_1_13(
        self, make, frames, tiny, tmp_path
    ):
        world = tiny.copy(tmp_path / "world")
        farther = np.exp(-4j * np.pi / WAVELENGTH_M * 0.005)
        resample(world.file("measurement/*iw1-slc-vv*.tiff"), lambda samples: samples * farther)
        before, after = frames[1], outcomes(make(world), world)[1]
        turned = np.angle(np.exp(1j * (after.phase.astype(float) - before.phase)))
        sure = before.coherence > 0.5
        assert sure.sum() > 2000
        np.testing.assert_allclose(turned[sure], -1.133, atol=0.03)
        np.testing.assert_allclose(after.coherence[sure], before.coherence[sure], atol=0.01)

    def test_a_step_between_bursts_is_left_as_it_is(self, make, frames, terrain, tiny, tmp_path):
        # The ionosphere makes such steps, and they are the measurement.
        world = tiny.copy(tmp_path / "world")
        resample(world.file("measurement/*iw1-slc-vv*.tiff"), second_half_turned)
        after = outcomes(make(world), world)[1].phase.astype(float)
        turned = np.angle(np.exp(1j * (after - frames[1].phase)))
        burst = terrain.choice_at_pixels[..., 0].reshape(128, 2, 128, 2)
        sure = frames[1].coherence > 0.5
        for index, expected in ((0, 0.0), (1, 0.8)):
            inside = (burst == index).all(axis=(1, 3))
            inside[4:-4] &= inside[8:] & inside[:-8]
            assert (sure & inside).sum() > 500
            np.testing.assert_allclose(turned[sure & inside], expected, atol=0.03)

    def test_independent_speckle_has_the_floor_of_the_kernel(self, make, tiny, tmp_path):
        # Of one date the far side of the swath lies under the near side of the other.
        world = tiny.copy(tmp_path / "world")
        for position, turn in ((1, 1), (2, -1)):
            path = world.file("measurement/*iw1-slc-vv*.tiff", position=position)
            resample(path, lambda samples, turn=turn: even(samples[:, ::turn]))
        found = outcomes(make(world), world)[1]
        assert isinstance(found, Frame)
        assert found.coherence.mean() == pytest.approx(FLOOR, abs=0.01)


def second_half_turned(samples):
    """Samples of two bursts, the second one's phase turned."""
    turn = np.where(np.arange(len(samples)) < len(samples) // 2, 1.0, np.exp(0.8j))
    return samples * turn[:, None]


def even(samples, block=24):
    """Speckle without the ground's brightness: blocks of one mean power."""
    power = np.abs(samples[: len(samples) // block * block, : samples.shape[1] // block * block]) ** 2
    mean = power.reshape(len(power) // block, block, -1, block).mean(axis=(1, 3))
    rows, cols = (np.minimum(np.arange(n) // block, m - 1) for n, m in zip(samples.shape, mean.shape, strict=True))
    return 200.0 * samples / np.sqrt(np.maximum(mean, 1.0))[np.ix_(rows, cols)]
