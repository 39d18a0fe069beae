"""Frames made from just the bursts that are needed are those of the whole slices, byte for byte."""

import dataclasses

import numpy as np
import pytest

from sen12ts_pipeline.acquisition import asf_server
from sen12ts_pipeline.acquisition.asf_bursts import AsfBursts
from sen12ts_pipeline.acquisition.asf_server import BurstServer
from sen12ts_pipeline.acquisition.products import open_product
from sen12ts_pipeline.acquisition.small_safe import write_small
from sen12ts_pipeline.acquisition.spool import Spool
from sen12ts_pipeline.domain.lattice import Grid
from sen12ts_pipeline.domain.passes import Pass
from sen12ts_pipeline.ports import FrameJob
from sen12ts_pipeline.sar.native.engine import NativeEngine
from sen12ts_pipeline.sentinel1.manifest import read_slice
from tests.acquisition.burst_service import BurstService
from tests.sentinel1.shelf import Shelf

LAYERS = ("vh", "vv", "coherence", "phase")
TERRAIN = ("choice", "incidence", "slope", "factor", "shadow", "layover")


@pytest.fixture(scope="module", params=["upper", "lower", "both"])
def grid(request, tiny):
    """Cells of the tile on the one burst, on the other, and on the seam between."""
    whole = tiny.grid
    if request.param == "both":
        return dataclasses.replace(whole, cols=128)
    drop = 0.0 if request.param == "upper" else 192 * whole.spacing_m
    return Grid(whole.epsg, whole.west, whole.north - drop, 64, 128, whole.spacing_m)


@pytest.fixture(scope="module")
def made(tiny, grid):
    """Terrain and frames from whole slices."""
    return layers_of(tiny.engine(), grid, tiny.passes)


def layers_of(engine, grid, passes):
    terrain = engine.terrain(grid, passes[0])
    return terrain, list(engine.frames(FrameJob((terrain,), tuple(passes))))


def runs_of(opened, bursts):
    """Indices of bursts by subswath, and their product's files."""
    placed = [opened.require(b) for b in bursts]
    runs = {}
    for one in placed:
        known = runs.get(one.swath.subswath, range(one.burst.index, one.burst.index + 1))
        low, high = min(known.start, one.burst.index), max(known.stop, one.burst.index + 1)
        runs[one.swath.subswath] = range(low, high)
    return runs, placed[0].files.files


def engine_over(tiny, products):
    """An engine over other products, and their passes."""
    native = tiny.engine()
    passes = [Pass((read_slice(product),)) for product in products]
    return NativeEngine(Shelf(*products), native.dem), passes


def same(ours, theirs):
    (terrain, frames), (other_terrain, other_frames) = ours, theirs
    assert terrain.bursts == other_terrain.bursts
    for name in TERRAIN:
        assert getattr(terrain, name).tobytes() == getattr(other_terrain, name).tobytes(), name
    assert len(frames) == len(other_frames) == 2
    for one, other in zip(frames, other_frames, strict=True):
        assert (one.pass_id, one.earlier_pass_id) == (other.pass_id, other.earlier_pass_id)
        for name in LAYERS:
            assert getattr(one, name).tobytes() == getattr(other, name).tobytes(), name
        assert np.isfinite(one.vv).all()


def test_of_small_products(tiny, grid, made, tmp_path):
    engine = tiny.engine()
    products = []
    for one in tiny.passes:
        runs, files = runs_of(engine.opened(one), made[0].bursts)
        products.append(open_product(write_small(files, runs, ("VH", "VV"), tmp_path)))
    sizes = [sum(p.stat().st_size for p in product.path.glob("measurement/*")) for product in products]
    assert max(sizes) < 1.1 * 11_700_000 * 2 * len(made[0].bursts)
    same(layers_of(*_with(engine_over(tiny, products), grid)), made)


def test_of_the_burst_service(tiny, grid, made, tmp_path, monkeypatch):
    monkeypatch.setattr(asf_server, "FIRST_WAIT_S", 0.001)
    safes = [tiny.source.place(one.products[0]) for one in tiny.passes]
    (tmp_path / "work").mkdir()
    with BurstService(safes, tmp_path / "work") as service:
        server, spool = BurstServer(service.address), Spool(tmp_path / "spool")
        products = [AsfBursts(safe.name, spool, server) for safe in safes]
        same(layers_of(*_with(engine_over(tiny, products), grid)), made)
        asked = {tuple(path.split("/")[1:]) for path in service.served("tiff")}
    opened = [tiny.engine().opened(one) for one in tiny.passes]
    needed = set()
    for k, one in enumerate(opened):
        for burst in made[0].bursts:
            placed = one.require(burst)
            for polarisation in ("VV",) if k == 0 else ("VH", "VV"):
                name = f"{placed.burst.index}.tiff"
                needed.add((placed.swath.product, placed.swath.subswath, polarisation, name))
    assert asked == needed


def test_the_grids_are_served_as_they_should(made, grid):
    assert len(made[0].bursts) == (2 if grid.rows == 256 else 1)


def _with(engine_and_passes, grid):
    engine, passes = engine_and_passes
    return engine, grid, passes
