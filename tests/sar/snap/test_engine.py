"""The SNAP engine as a whole, against the stand-in gpt: what it makes, what it runs, and what it refuses."""

import dataclasses
import functools
import gc
import itertools
import json
from contextlib import nullcontext
from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pytest

from sen12ts_pipeline.acquisition.small_safe import write_small
from sen12ts_pipeline.domain.lattice import Grid
from sen12ts_pipeline.domain.passes import Pass
from sen12ts_pipeline.errors import BadProduct, ConfigurationError, EngineFailure, Rejected, Retryable
from sen12ts_pipeline.ports import NO_ORBIT_FILES, Frame, FrameJob
from sen12ts_pipeline.sar.native.engine import NativeEngine
from sen12ts_pipeline.sar.snap.engine import SnapEngine, SnapOptions
from sen12ts_pipeline.sar.snap.gpt import Gpt
from sen12ts_pipeline.terrain.dem import Dem
from tests import worlds
from tests.sar.snap import standin_gpt
from tests.sar.snap.examples import SNAP_13, SNAP_14
from tests.sentinel1.orbit_files import orbit_file

TOLERANCES = {
    "backscatter, dB of the mean": 0.1,  # noise that is cut before it is averaged, and another area factor
    "coherence, mean": 0.005,  # the same kernel over other looks
    "phase, rad, where coherence exceeds one half": 0.1,  # interpolation by five points of a sine and by eight of ours
}
"""How far apart the engines' layers may be over a tile."""

DEFAULTS = SnapOptions(SNAP_13)
GPT = Gpt("", memory_gb=2.0, cache_gb=0.5, threads=2, time_limit_s=300.0)


@pytest.fixture(scope="module")
def make(tmp_path_factory, tiny):
    """Makes an engine over a world, the tiny one by default."""
    folder = tmp_path_factory.mktemp("snap")
    programs = {str(r): standin_gpt.install(folder / str(r), str(r)) for r in (SNAP_13, SNAP_14)}

    def engine(world=tiny, *, options=DEFAULTS, program=None, orbits=NO_ORBIT_FILES, **changes):
        native = NativeEngine(world.source, Dem(world.folder / "dem/dem.tif", "ellipsoidal"), orbits)
        gpt = dataclasses.replace(GPT, program=program or programs[str(options.release)])
        return SnapEngine(native, gpt, tmp_path_factory.mktemp("scratch"), options, **changes)

    return engine


@pytest.fixture(scope="module")
def engine(make):
    return make()


@pytest.fixture(scope="module")
def terrain(engine, tiny):
    return engine.terrain(tiny.grid, tiny.passes[0])


@pytest.fixture(scope="module")
def frame(engine, terrain, tiny):
    return first_frame(engine, terrain, tiny)


@pytest.fixture(scope="module")
def native(engine, terrain, tiny):
    """The native engine's frame."""
    return first_frame(engine.native, terrain, tiny)


def first_frame(engine, terrain, world, passes=None):
    """Frame of the first pair, or the error in its place."""
    return next(engine.frames(FrameJob((terrain,), (passes or world.passes)[:2])))


def folders(engine):
    """Names of the graphs that an engine has run."""
    return sorted(path.name.rsplit("-", 1)[0] for path in engine.scratch.glob("snap-*/*-*/") if path.is_dir())


class TestIdentity:
    def test_tells_release_geometry_and_graphs(self, engine):
        identity = json.loads(json.dumps(engine.identity.as_json()))
        assert identity["name"] == "snap"
        assert identity["parameters"]["release"] == "13.0.4"
        assert identity["parameters"]["geometry"] == json.loads(json.dumps(engine.native.identity.as_json()))
        assert len(identity["parameters"]["graphs"]) == 64

    def test_is_another_with_every_choice(self, make):
        options = [
            SnapOptions(SNAP_13),
            SnapOptions(SNAP_14),
            SnapOptions(SNAP_13, quantity="sigma0"),
            SnapOptions(SNAP_13, esd=True),
        ]
        assert len({json.dumps(make(options=o).identity.as_json()) for o in options}) == len(options)

    def test_is_not_the_native_engine_s(self, engine):
        assert engine.identity.as_json() != engine.native.identity.as_json()

    def test_does_not_know_memory_nor_places(self, make, engine):
        assert make(keep_gb=1.0).identity.as_json() == engine.identity.as_json()


class TestGeometry:
    def test_is_the_native_engine_s(self, engine, terrain, tiny):
        other = engine.native.terrain(tiny.grid, tiny.passes[0])
        for name in ("choice", "incidence", "slope", "factor", "shadow", "layover"):
            np.testing.assert_array_equal(getattr(terrain, name), getattr(other, name))
        assert engine.bursts(tiny.passes[0]) == engine.native.bursts(tiny.passes[0])
        assert engine.sightings(tiny.passes[0], tiny.truth.place.tiles) == engine.native.sightings(
            tiny.passes[0], tiny.truth.place.tiles
        )


class TestFrame:
    @pytest.mark.parametrize("layer", ["vv", "vh"])
    def test_has_the_native_backscatter(self, frame, native, terrain, layer):
        one, other = (10 ** (getattr(f, layer)[terrain.valid].astype(float) / 10) for f in (frame, native))
        assert abs(10 * np.log10(one.mean() / other.mean())) < TOLERANCES["backscatter, dB of the mean"]

    def test_has_the_native_coherence_and_phase(self, frame, native):
        assert abs(frame.coherence.mean() - native.coherence.mean()) < TOLERANCES["coherence, mean"]
        turned = np.exp(1j * (frame.phase.astype(float) - native.phase))[native.coherence > 0.5]
        spread = np.sqrt(-2 * np.log(np.abs(turned.mean())))
        assert spread < TOLERANCES["phase, rad, where coherence exceeds one half"]
        assert abs(np.angle(turned.mean())) < 0.05

    def test_tells_the_graphs_that_made_it(self, frame):
        assert frame.notes["graphs"].keys() == {"backscatter", "stack_iw1", "interferogram", "power"}
        assert all(len(digest) == 64 for digest in frame.notes["graphs"].values())
        assert 13.4 < frame.notes["kernel_sigma_m"] < 14.1

    def test_of_14_has_the_same_layers(self, make, frame, terrain, tiny):
        other = first_frame(make(options=SnapOptions(SNAP_14)), terrain, tiny)
        np.testing.assert_array_equal(other.coherence, frame.coherence)
        one, two = (f.vv[terrain.valid].astype(float) for f in (frame, other))
        assert np.abs(np.median(one - two)) < 0.1

    def test_with_spectral_diversity_and_of_sigma_nought_is_made_too(self, make, frame, terrain, tiny):
        other = first_frame(make(options=SnapOptions(SNAP_13, quantity="sigma0", esd=True)), terrain, tiny)
        difference = (frame.vv - other.vv)[terrain.valid]
        cosine = 10 * np.log10(np.cos(np.radians(terrain.incidence[terrain.valid])))
        np.testing.assert_allclose(np.median(difference + cosine), 0.0, atol=0.2)


class TestRuns:
    def test_serve_all_tiles_of_a_block(self, make, engine, frame, terrain, tiny):
        ran = folders(engine)
        beside = engine.terrain(dataclasses.replace(tiny.grid, west=tiny.grid.west + 320.0), tiny.passes[0])
        assert isinstance(first_frame(engine, beside, tiny), Frame)
        assert folders(engine) == ran

    def test_leave_nothing_behind(self, make):
        passing = make()
        scratch, folder = passing.scratch, passing._workshop().folder
        assert list(scratch.iterdir()) == [folder]
        del passing
        gc.collect()
        assert list(scratch.iterdir()) == []

    def test_end_when_they_are_cancelled(self, make, terrain, tiny):
        with pytest.raises(Retryable, match="cancelled"):
            first_frame(make(cancelled=lambda: True), terrain, tiny)


class TestBeforeGptStarts:
    """Programs that are not there cannot be started, so what is refused is refused before."""

    @pytest.fixture
    def without(self, make, tmp_path):
        return lambda world: make(world, program=tmp_path / "gpt")

    def test_another_release_is_refused(self, make, terrain, tiny):
        engine = make(options=SnapOptions(SNAP_14))
        wrong = dataclasses.replace(engine, options=SnapOptions(SNAP_13))
        with pytest.raises(ConfigurationError, match=r"must be 13\.0\.4, as snap\.release says"):
            first_frame(wrong, terrain, tiny)
        assert folders(wrong) == []

    def test_a_program_that_is_not_there_is_told(self, without, terrain, tiny):
        with pytest.raises(ConfigurationError, match="gpt"):
            first_frame(without(tiny), terrain, tiny)

    def test_a_pair_that_is_worth_nothing_is_refused(self, without, terrain, tiny):
        first, second = tiny.passes[:2]
        early = Pass(tuple(dataclasses.replace(part, ipf=(2, 36)) for part in second.slices))
        assert isinstance(first_frame(without(tiny), terrain, tiny, (first, early)), Rejected)

    def test_a_missing_burst_is_named(self, without, terrain, tiny):
        lost = dataclasses.replace(terrain, bursts=(*terrain.bursts, terrain.bursts[-1].after))
        found = first_frame(without(tiny), lost, tiny)
        assert isinstance(found, BadProduct)
        assert str(terrain.bursts[-1].after) in found.reason

    @pytest.mark.parametrize(("position", "polarisation"), [(0, "vv"), (1, "vv"), (1, "vh")])
    def test_a_broken_measurement_is_named(self, without, terrain, tiny, tmp_path, position, polarisation):
        world = tiny.copy(tmp_path / "world")
        path = world.file(f"measurement/*iw1-slc-{polarisation}*.tiff", position=position)
        worlds.rewrite(path, path.read_bytes()[: path.stat().st_size // 3])
        found = first_frame(without(world), terrain, world)
        assert isinstance(found, BadProduct)
        assert (found.product, found.member) == (world.passes[position].products[0], f"measurement/{path.name}")


class TestMisbehaviour:
    """Whatever gpt does wrong, no frame comes of it."""

    @pytest.mark.parametrize(
        ("fault", "error"),
        [
            ("crash", EngineFailure),
            ("zeros", EngineFailure),
            ("quiet-zeros", EngineFailure),
            ("missing-band", EngineFailure),
            ("half-written", EngineFailure),
            ("no-output", EngineFailure),
            ("shifted", EngineFailure),
            ("killed", Retryable),
            ("out-of-memory", Retryable),
            ("disk-full", Retryable),
        ],
    )
    def test_ends_the_job(self, make, terrain, tiny, monkeypatch, fault, error):
        monkeypatch.setenv("STANDIN_GPT_FAULT", fault)
        with pytest.raises(error):
            first_frame(make(), terrain, tiny)


@pytest.fixture(scope="module")
def with_orbits(tiny):
    """Passes of the world that name a precise orbit file, and these files: their own state vectors."""
    passes, bodies = [], {}
    for one in tiny.passes[:2]:
        opened = tiny.engine().opened(one)
        first, last = (f"{one.start + timedelta(hours=h):%Y%m%dT%H%M%S}" for h in (-12, 12))
        name = f"S1A_OPER_AUX_POEORB_OPOD_20231001T120000_V{first}_{last}"
        bodies[name] = orbit_file(opened.orbit, opened.epoch)
        passes.append(Pass(tuple(dataclasses.replace(part, orbit=name) for part in one.slices)))
    return passes, bodies


class TestOrbits:
    def test_are_applied_where_a_pass_names_a_file(self, make, terrain, tiny, with_orbits):
        passes, bodies = with_orbits
        engine = make(orbits=SimpleNamespace(read=bodies.__getitem__))
        found = first_frame(engine, terrain, tiny, passes)
        assert isinstance(found, Frame)
        assert [note["files"] for note in found.notes["orbits"]] == [[name] for name in bodies]
        assert found.notes["graphs"] != {}

    def test_of_another_kind_than_named_are_refused(self, make, terrain, tiny, with_orbits, monkeypatch):
        passes, bodies = with_orbits
        engine = make(orbits=SimpleNamespace(read=bodies.__getitem__))
        workshop = engine._workshop()
        offer = workshop.offer_orbit

        def restituted(name, *rest):
            offer(name.replace("POEORB", "RESORB"), *rest)

        monkeypatch.setattr(workshop, "offer_orbit", restituted)
        with pytest.raises(EngineFailure, match=r"must be applied; applied are .*RESORB"):
            first_frame(engine, terrain, tiny, passes)


class Afar:
    """A product that looks as if it lay on a server."""

    def __init__(self, files):
        self._files, self.asked = files, set()

    def __getattr__(self, name):
        return getattr(self._files, name)

    def held(self, member):
        return nullcontext("/spool/3f9a")

    def extent(self, member, start, length):
        self.asked.add(member)
        return self._files.extent(member, start, length)


@pytest.fixture(scope="module")
def low(tiny):
    return Grid(tiny.grid.epsg, tiny.grid.west, tiny.grid.north - 1920.0, 64, 128, tiny.grid.spacing_m)


@pytest.fixture(scope="module")
def far_world(tiny, tmp_path_factory):
    """The archive, as if on a server; the stand-in finds the truth of what lies inside its folder."""
    copied = tiny.copy(tmp_path_factory.mktemp("afar") / "world")
    products = {name: Afar(copied.source.open(name)) for one in copied.passes for name in one.products}
    return dataclasses.replace(copied, source=SimpleNamespace(open=products.__getitem__, products=products))


class TestProductsAfar:
    """Grids on the second burst of the slices alone."""

    def test_serve_by_parts_that_are_laid_in_scratch(self, make, far_world, tiny, engine, low):
        lay = functools.partial(write_small, context=False)
        far = dataclasses.replace(make(far_world), scratch=far_world.folder / "scratch", lay=lay)
        ours = first_frame(far, far.terrain(low, far_world.passes[0]), far_world)
        theirs = first_frame(engine, engine.terrain(low, tiny.passes[0]), tiny)
        for layer in ("vv", "vh", "coherence", "phase"):
            np.testing.assert_array_equal(getattr(ours, layer), getattr(theirs, layer))
        laid = sorted(far.scratch.glob("snap-*/bursts/*.SAFE"))
        assert [safe.name[:16] for safe in laid] == ["S1A_IW_SLC__1SDV", "S1A_IW_SLC__1SSV"]
        for safe in laid:
            assert {file.name[4:7] for file in safe.glob("annotation/*.xml")} == {"iw1"}
        asked = set().union(*(product.asked for product in far_world.source.products.values()))
        assert {name.split("-")[1] for name in asked} == {"iw1"}

    def test_cannot_serve_where_nothing_can_be_laid(self, make, far_world, low):
        far = make(far_world)
        with pytest.raises(ConfigurationError, match="SNAP reads products of this machine only"):
            first_frame(far, far.terrain(low, far_world.passes[0]), far_world)


def test_a_chain_gives_a_frame_for_each_of_its_pairs(engine, terrain, tiny):
    made = list(engine.frames(FrameJob((terrain,), tiny.passes)))
    assert [(f.earlier_pass_id, f.pass_id) for f in made] == [(a.id, b.id) for a, b in itertools.pairwise(tiny.passes)]


def test_a_first_pass_that_is_broken_costs_its_own_pair_alone(make, terrain, tiny, tmp_path):
    world = tiny.copy(tmp_path / "world")
    path = world.file("annotation/*iw1*vv*.xml", position=0)
    worlds.rewrite(path, path.read_bytes()[:1000])
    fault, fine = make(world).frames(FrameJob((terrain,), world.passes))
    assert isinstance(fault, BadProduct)
    assert fault.product == world.passes[0].products[0]
    assert isinstance(fine, Frame)
