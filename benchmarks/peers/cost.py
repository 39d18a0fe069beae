"""What a task costs its process; standard library alone, for it runs in every tool's environment."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any


def cpu_s() -> float:
    """CPU seconds of this process, its threads and its finished children so far."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def peak_mib() -> float:
    """Peak of resident memory of this process, or of its largest child if that had more."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return max(int(line.split()[1]), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024


class Meter:
    """Takes the cost of a task and of its parts; the clock starts with it."""

    def __init__(self) -> None:
        self._begun = self._last = cpu_s()
        self._wall = time.perf_counter()
        self._parts: dict[str, float] = {}

    def lap(self, part: str) -> None:
        """Count what was spent since the last lap to a part."""
        now = cpu_s()
        self._parts[part] = self._parts.get(part, 0.0) + now - self._last
        self._last = now

    def figures(self, packages: tuple[str, ...], **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON values
        """CPU and wall seconds since the start, CPU seconds of the parts, peak memory, versions, and what is added."""
        return {
            "cpu_s": cpu_s() - self._begun,
            "wall_s": time.perf_counter() - self._wall,
            "parts_cpu_s": self._parts,
            "peak_mib": peak_mib(),
            "versions": {name: version(name) for name in packages},
            **more,
        }


Task = Callable[[dict[str, Any], Path], dict[str, Any]]
"""Takes the content of `scene.json` with the scene's folder, and a folder for its output; gives `Meter.figures`."""


def run_task(tasks: dict[str, Task], arguments: list[str]) -> None:
    """Run what `arguments` name, a task, the scene's folder, the folder for output; write `cost.json` there, last."""
    imports_cpu_s = cpu_s()
    name, scene, out = arguments
    values = json.loads((Path(scene) / "scene.json").read_text())
    figures = tasks[name](values | {"folder": scene}, Path(out))
    (Path(out) / "cost.json").write_text(json.dumps({"imports_cpu_s": imports_cpu_s, **figures}, indent=1) + "\n")
