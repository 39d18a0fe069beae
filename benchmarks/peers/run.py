"""What `make bench-peers` calls: this project's engine and tools that one could install instead, on the same burst.

Every task runs in a process and, for other tools, an environment of its own, with one thread. A tool that cannot be
installed or fails is named with the reason, and the others go on.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers import judge, report
from benchmarks.peers.environments import ROOT, NotInstalled, python_of
from benchmarks.peers.scene import Scene, prepare

PLACE = ROOT / ".sen12ts" / "peers"
RESULTS = ROOT / "benchmarks" / "results" / "peers.json"
LIMIT_S = 600.0
_THREADS = ("OMP", "OPENBLAS", "MKL", "NUMBA", "GDAL")
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in _THREADS} | {"OPENCV_FOR_THREADS_NUM": "1"}

Errors = dict[str, float]
Judge = Callable[[Scene, Path], Errors]


@dataclass(frozen=True, slots=True)
class Run:
    """One task of one tool.

    Attributes
    ----------
    tool, task : str
        Tool, and the name of the task in its module.
    kind : str
        ``backscatter``, ``pair`` or ``frame``; what is compared with what.
    layers : int
        How many it makes: polarisations, and pairs.
    alone : bool
        One tile instead of the burst. Such a task is run twice, and the second run counts.
    judge : callable, optional
        Errors of its output.
    """

    tool: str
    task: str
    kind: str
    layers: int
    alone: bool = False
    judge: Judge | None = None


def _native_power(scene: Scene, out: Path) -> Errors:
    power = 10 ** (judge.tiles_mosaic(scene, out, 0, 256).astype(float) / 10)
    return _power(scene, power, "gamma0")


def _native_pair(scene: Scene, out: Path) -> Errors:
    coherence, phase = (judge.tiles_mosaic(scene, out, k, 128) for k in (0, 1))
    return judge.pair_errors(coherence, phase, np.load(scene.truth))


def _sarsen(of: str) -> Judge:
    return lambda scene, out: _power(scene, judge.known_window(scene, out / "made.tif"), of)


def _power(scene: Scene, power: judge.Float, of: str) -> Errors:
    truth = np.load(scene.truth)
    return judge.power_errors(power, truth, of) | judge.shift_m(power, truth, of)


def _insardev(scene: Scene, out: Path) -> Errors:
    truth, made = np.load(scene.truth), np.load(out / "made.npz")
    return judge.pair_errors(made["coherence"], made["phase"], truth) | judge.shift_m(made["power"], truth, "beta0")


RUNS = (
    Run("native", "tile_backscatter", "backscatter", 2, alone=True),
    Run("sarsen", "tile_gamma_bilinear", "backscatter", 1, alone=True),
    Run("native", "tile_interferogram", "pair", 1, alone=True),
    Run("insardev", "tile_interferogram", "pair", 1, alone=True),
    Run("native", "backscatter", "backscatter", 2, judge=_native_power),
    Run("sarsen", "gamma_bilinear", "backscatter", 1, judge=_sarsen("gamma0")),
    Run("sarsen", "geometric", "backscatter", 1, judge=_sarsen("beta0")),
    Run("native", "interferogram", "pair", 1, judge=_native_pair),
    Run("insardev", "interferogram", "pair", 1, judge=_insardev),
    Run("native", "frame", "frame", 3),
)


class Failed(Exception):
    """A task did not give its result; the message says why."""


def measure(run: Run, python: Path, scene: Scene, out: Path) -> dict[str, Any]:
    """Cost and errors of a run, with the values of `Meter.figures`."""
    for _ in range(2 if run.alone else 1):
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        _execute([python, "-m", f"benchmarks.peers.{run.tool}_task", run.task, scene.folder, out])
    cost: dict[str, Any] = json.loads((out / "cost.json").read_text())
    return cost | {"errors": run.judge(scene, out) if run.judge else {}}


def _execute(command: list[str | Path]) -> None:
    """Run a command with one thread and a limit of time; Failed with the last line that it said."""
    environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            _, said = process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            raise Failed(f"not finished after {LIMIT_S:.0f} s") from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode:
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        raise Failed(f"exit status {process.returncode}: {lines[-1] if lines else 'said nothing'}")


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    cpu = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    memory_kib = int(Path("/proc/meminfo").read_text().split()[1])
    return {
        "cpu": cpu[0].partition(":")[2].strip() if cpu else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory_kib / 2**20, 1),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def run_all(scene: Scene, tools: set[str], say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Results of all runs of the tools, in order; a failed one has `failed` in place of its figures."""
    pythons: dict[str, Path | NotInstalled] = {"native": Path(sys.executable)}
    found = []
    for run in (r for r in RUNS if r.tool in tools):
        if run.tool not in pythons:
            say(f"{run.tool}: its environment")
            pythons[run.tool] = _environment(run.tool)
        named = {"tool": run.tool, "task": run.task, "kind": run.kind, "layers": run.layers, "alone": run.alone}
        say(f"{run.tool} {run.task}")
        try:
            figures = measure(run, _usable(pythons[run.tool]), scene, PLACE / "out" / f"{run.tool}-{run.task}")
        except (Failed, NotInstalled) as error:
            say(f"  failed: {error}")
            figures = {"failed": str(error).replace(str(ROOT), ".")}
        found.append(named | figures)
        shutil.rmtree(PLACE / "out", ignore_errors=True)
    return found


def _environment(tool: str) -> Path | NotInstalled:
    try:
        return python_of(tool, PLACE / "environments")
    except NotInstalled as error:
        return error


def _usable(python: Path | NotInstalled) -> Path:
    if isinstance(python, NotInstalled):
        raise NotInstalled(f"not installed: {python}")
    return python


def main() -> None:
    """Measure, print, and write the results and the table of the documentation."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = sorted({r.tool for r in RUNS})
    parser.add_argument("tools", nargs="*", metavar="TOOL", help=f"of {', '.join(names)}; all of them, else print only")
    chosen = set(parser.parse_args().tools)
    if chosen - set(names):
        parser.error(f"must be of {', '.join(names)}")

    def say(line: str) -> None:
        print(line, flush=True)

    say("the simulated burst")
    results = {"machine": machine(), "runs": run_all(prepare(PLACE / "scene"), chosen or set(names), say)}
    print(report.text(results))
    if not chosen:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        report.renew(ROOT / "docs" / "benchmarks.md", results)


if __name__ == "__main__":
    main()
