"""The tasks of this project's own engine: `python -m benchmarks.peers.native_task TASK SCENE OUT`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.peers.cost import Meter, Task, run_task
from sen12ts_pipeline import wiring
from sen12ts_pipeline.domain.lattice import Grid, TileId
from sen12ts_pipeline.domain.passes import Pass
from sen12ts_pipeline.errors import Rejected
from sen12ts_pipeline.ports import FrameJob, Terrain
from sen12ts_pipeline.sar.native.engine import NativeEngine

Layers = list[npt.NDArray[np.float32]]
Make = Callable[[NativeEngine, Grid, tuple[Pass, ...], Meter], Layers]


def backscatter(engine: NativeEngine, grid: Grid, passes: tuple[Pass, ...], meter: Meter) -> Layers:
    """gamma0 VV and VH, dB, NaN where the mask is false."""
    terrain = terrain_of(engine, grid, passes, meter)
    found = engine.backscatter(terrain, passes[0])
    return [np.where(terrain.valid, found[pol], np.float32(np.nan)) for pol in ("VV", "VH")]


def interferogram(engine: NativeEngine, grid: Grid, passes: tuple[Pass, ...], _meter: Meter) -> Layers:
    """Coherence and phase on 20 m cells."""
    return list(engine.interferogram(grid, passes[0], passes[1], "VV"))


def frame(engine: NativeEngine, grid: Grid, passes: tuple[Pass, ...], meter: Meter) -> Layers:
    """What the pipeline makes of a pair: VV, VH, coherence, phase."""
    (made,) = engine.frames(FrameJob((terrain_of(engine, grid, passes, meter),), passes))
    if isinstance(made, Exception):
        raise made
    return [made.vv, made.vh, made.coherence, made.phase]


def terrain_of(engine: NativeEngine, grid: Grid, passes: tuple[Pass, ...], meter: Meter) -> Terrain:
    """Terrain layers, whose cost counts by itself."""
    try:
        return engine.terrain(grid, passes[0])
    finally:
        meter.lap("terrain")


def make_tiles(tiles: list[str], make: Make, dates: int, values: dict[str, Any], out: Path) -> dict[str, Any]:
    """Make tiles one by one, each layer into a file; a tile whose samples all lie outside the burst is skipped."""
    meter = Meter()
    folder = Path(values["folder"])
    engine, passes = wiring.science(
        folder / "dem.tif", "ellipsoidal", None, [(folder / p,) for p in values["products"][:dates]]
    )
    pixels = 0
    for tile in tiles:
        grid = TileId.parse(tile).grid
        try:
            layers = make(engine, grid, passes, meter)
        except Rejected:
            continue
        for position, layer in enumerate(layers):
            np.save(out / f"{tile}.{position}.npy", layer)
        pixels += int(np.isfinite(layers[0]).sum()) * (grid.rows * grid.cols // layers[0].size)
        meter.lap("dates")
    return meter.figures(("sen12ts-pipeline", "numpy", "numba"), pixels=pixels)


def burst(make: Make, dates: int) -> Task:
    """A task over all tiles of the burst."""
    return lambda values, out: make_tiles(values["tiles"], make, dates, values, out)


def tile(make: Make, dates: int) -> Task:
    """A task over one tile."""
    return lambda values, out: make_tiles([values["tile"]], make, dates, values, out)


TASKS: dict[str, Task] = {
    "backscatter": burst(backscatter, 1),
    "interferogram": burst(interferogram, 2),
    "frame": burst(frame, 2),
    "tile_backscatter": tile(backscatter, 1),
    "tile_interferogram": tile(interferogram, 2),
}

if __name__ == "__main__":
    run_task(TASKS, sys.argv[1:])
