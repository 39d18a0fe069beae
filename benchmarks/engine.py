"""What the native engine costs: every figure in a process of its own, over one burst in its full width.

Prints the figures beside their targets and writes `benchmarks/results/engine.json`. Samples are in the page cache and
kernels compiled, except where the name says otherwise; CPU seconds are those of the process with all its threads.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

from benchmarks.peers.cost import cpu_s, peak_mib
from benchmarks.peers.run import PLACE, machine
from benchmarks.peers.scene import Scene, prepare
from sen12ts_pipeline import wiring
from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.domain.passes import Pass
from sen12ts_pipeline.errors import Rejected
from sen12ts_pipeline.ports import FrameJob, Terrain
from sen12ts_pipeline.sar.native.engine import NativeEngine

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "engine.json"

FIGURES = {
    "radar_cpu_s_per_tile": ("<=", 0.15, "CPU s a tile: five dates, VV and VH, four interferograms"),
    "terrain_cpu_s_per_tile": ("<=", 0.05, "CPU s a tile and track: angles, masks, area factor, burst choice"),
    "isolated_tile_s": ("<=", 2.0, "wall s of one tile alone from files that are not in memory, after imports"),
    "burst_pair_cpu_s": ("<=", 10.0, "CPU s of coherence and phase of a whole burst"),
    "rtc_cpu_s": ("<=", 5.0, "CPU s of gamma0 of a whole burst, one polarisation, the terrain layers at hand"),
    "peak_mb": ("<=", 600.0, "MiB of memory at most"),
    "cold_start_s": ("<=", 15.0, "s of compilation, once an installation"),
    "speed_up_share": (">=", 0.9, "gain of a second thread over that of a plain loop beside it"),
}
"""Figures with their targets."""

BEGIN, END = "<!-- begin: written by make bench -->\n", "<!-- end of make bench -->\n"

TILES = 36
"""Enough of the burst's tiles for the figures per tile."""


def opened(scene: Scene) -> tuple[NativeEngine, tuple[Pass, Pass]]:
    """The engine over the scene, and its passes."""
    engine, passes = wiring.science(scene.dem, "ellipsoidal", None, [(scene.safe(k),) for k in (0, 1)])
    return engine, (passes[0], passes[1])


def terrains(scene: Scene, engine: NativeEngine, reference: Pass, most: int) -> list[Terrain]:
    """Terrain of tiles in the middle of the burst."""
    middle = TileId.parse(scene.tile)
    ids = (TileId.parse(text) for text in scene.tiles)
    near = sorted(ids, key=lambda t: (abs(t.column - middle.column) + abs(t.row - middle.row), t))[:most]
    return [engine.terrain(tile.grid, reference) for tile in near]


def job(chosen: list[Terrain], passes: tuple[Pass, Pass]) -> FrameJob:
    """Five dates; the scene has two, which stand for the others."""
    first, second = passes
    return FrameJob(tuple(chosen), (first, second, first, second, first))


def made(engine: NativeEngine, work: FrameJob) -> int:
    """Make all frames; how many."""
    frames = list(engine.frames(work))
    faults = [f for f in frames if isinstance(f, Exception)]
    if faults:
        raise faults[0]
    return len(frames)


def per_tile(scene: Scene) -> dict[str, float]:
    """Terrain, and five dates with four pairs, a tile."""
    engine, passes = opened(scene)
    made(engine, job(terrains(scene, engine, passes[0], 1), passes))
    start = cpu_s()
    chosen = terrains(scene, engine, passes[0], TILES)
    terrain = cpu_s() - start
    start = cpu_s()
    made(engine, job(chosen, passes))
    return {
        "radar_cpu_s_per_tile": (cpu_s() - start) / len(chosen),
        "terrain_cpu_s_per_tile": terrain / len(chosen),
        "peak_mb": peak_mib(),
    }


def burst_pair(scene: Scene) -> dict[str, float]:
    """Coherence and phase of all tiles of the burst."""
    engine, passes = opened(scene)
    tiles = [TileId.parse(text) for text in scene.tiles]
    engine.interferogram(TileId.parse(scene.tile).grid, *passes, "VV")
    start, count = cpu_s(), 0
    for tile in tiles:
        try:
            engine.interferogram(tile.grid, *passes, "VV")
            count += 1
        except Rejected:
            continue
    return {"burst_pair_cpu_s": cpu_s() - start, "burst_tiles": count, "peak_mb": peak_mib()}


def rtc(scene: Scene) -> dict[str, float]:
    """gamma0 of all tiles of the burst, one date and polarisation, with the static layers at hand."""
    engine, passes = opened(scene)
    engine.backscatter(engine.terrain(TileId.parse(scene.tile).grid, passes[0]), passes[0], ("VV",))
    terrain_s = dates_s = 0.0
    for text in scene.tiles:
        start = cpu_s()
        try:
            one = engine.terrain(TileId.parse(text).grid, passes[0])
        except Rejected:
            continue
        terrain_s, start = terrain_s + cpu_s() - start, cpu_s()
        engine.backscatter(one, passes[0], ("VV",))
        dates_s += cpu_s() - start
    return {"rtc_cpu_s": dates_s, "rtc_terrain_cpu_s": terrain_s, "peak_mb": peak_mib()}


def isolated(scene: Scene) -> dict[str, float]:
    """One tile from files that are not in memory: metadata, terrain, five dates."""
    for path in scene.folder.rglob("*"):
        if path.is_file():
            _forget(path)
    start = time.perf_counter()
    engine, passes = opened(scene)
    made(engine, job([engine.terrain(TileId.parse(scene.tile).grid, passes[0])], passes))
    return {"isolated_tile_s": time.perf_counter() - start}


def _remember(folder: Path) -> None:
    """Bring all files of a folder into the page cache."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                while file.read(1 << 24):
                    pass


def _forget(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


@njit(nogil=True, cache=True)
def _control(x: np.ndarray[Any, Any]) -> float:
    """A plain loop over memory that fits the cache of a core."""
    total = 0.0
    for _ in range(3000):
        for k in range(x.shape[0]):
            x[k] = 0.999 * x[k] + 1e-3
        total += x[0]
    return total


def threads(scene: Scene) -> dict[str, float]:
    """What two threads gain, tile by tile, beside what a plain loop gains: the median of alternating measurements."""
    engine, passes = opened(scene)
    chosen = terrains(scene, engine, passes[0], 12)
    arrays = [np.zeros(1 << 13) for _ in range(12)]

    def frames(one: Terrain) -> None:
        made(engine, job([one], passes))

    frames(chosen[0])
    _control(arrays[0])
    gains = [(_gain(frames, chosen), _gain(_control, arrays)) for _ in range(3)]
    ours, plain = (float(np.median([g[k] for g in gains])) for k in (0, 1))
    return {"two_thread_gain": ours, "control_gain": plain, "speed_up_share": ours / plain}


def _gain(work: Callable[[Any], object], items: list[Any]) -> float:
    def seconds(workers: int) -> float:
        start = time.perf_counter()
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(work, items))
        return time.perf_counter() - start

    return seconds(1) / seconds(2)


TASKS: dict[str, Callable[[Scene], dict[str, float]]] = {
    "per_tile": per_tile,
    "burst_pair": burst_pair,
    "rtc": rtc,
    "threads": threads,
    "isolated": isolated,
}


def measured(name: str, environment: dict[str, str] | None = None) -> dict[str, float]:
    """Figures of a task, run in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.engine", name]
    values = {**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})}
    done = subprocess.run(command, env=values, check=True, stdout=subprocess.PIPE, cwd=ROOT)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def cold_start() -> dict[str, float]:
    """What the first tile of an installation costs more than the next process's: compilation of all kernels."""
    with tempfile.TemporaryDirectory(prefix="sen12ts-kernels-") as cache:
        first, second = (measured("isolated", {"NUMBA_CACHE_DIR": cache}) for _ in range(2))
    return {"cold_start_s": first["isolated_tile_s"] - second["isolated_tile_s"]}


def table(figures: dict[str, float]) -> str:
    """The engine's figures for people, Markdown."""
    return table_of(FIGURES, figures)


def table_of(wanted: dict[str, tuple[str, float, str]], figures: dict[str, float]) -> str:
    """Figures beside their targets, Markdown."""
    lines = ["| figure | what | measured | target |", "| --- | --- | --- | --- |"]
    for name, (sign, target, what) in wanted.items():
        lines.append(f"| `{name}` | {what} | {figures[name]:.3g} | {sign} {target:g} |")
    return "\n".join(lines)


def renew(page: Path, text: str) -> None:
    """Put the table between the marks of a page."""
    head, rest = page.read_text().split(BEGIN)
    page.write_text(f"{head}{BEGIN}\n{text}\n\n{END}{rest.split(END, 1)[1]}")


def main() -> None:
    """Measure all, print and write."""
    _remember(prepare(PLACE / "scene").folder)
    parts = [measured(name) for name in TASKS]
    figures = dict(itertools.chain.from_iterable(part.items() for part in parts)) | cold_start()
    figures["peak_mb"] = max(part["peak_mb"] for part in parts if "peak_mb" in part)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps({"machine": machine(), **figures}, indent=1) + "\n")
    renew(ROOT / "docs" / "benchmarks.md", table(figures))
    print(table(figures))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(TASKS[sys.argv[1]](prepare(PLACE / "scene"))))
    else:
        main()
