"""What `make bench` calls: each stage over the demo, into a store that is thrown away.

Prints wall seconds, CPU seconds (threads and children together) and peak memory of each stage, then the cost of a
triplet.
Compiled kernels are taken from their cache: without one, the first run counts their compilation.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from deploy.local.environment import State, pipeline_environment
from deploy.local.run import make_demo
from sen12ts_pipeline import wiring
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.stages import steps

PARTITION = "demo/2023-fall"


@dataclass(frozen=True, slots=True)
class Cost:
    """What a stage took.

    Attributes
    ----------
    wall_s, cpu_s : float
        Seconds on the clock, and of all processors together.
    peak_mib : float
        Largest resident memory of the process during the stage.
    """

    stage: str
    shards: int
    wall_s: float
    cpu_s: float
    peak_mib: float


def cpu_seconds() -> float:
    """CPU time of this process and its children so far."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def forget_peak() -> None:
    """Let the peak of resident memory start anew."""
    Path("/proc/self/clear_refs").write_text("5")


def peak_mib() -> float:
    """Peak of resident memory since it was forgotten."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def measure(name: str, list_shards: Callable[[], list[str]], make: Callable[[str], object]) -> Cost:
    """Run a stage and take its cost."""
    forget_peak()
    wall, cpu = time.perf_counter(), cpu_seconds()
    shards = list_shards()
    for shard in shards:
        make(shard)
    return Cost(name, len(shards), time.perf_counter() - wall, cpu_seconds() - cpu, peak_mib())


def run(store: Path) -> tuple[list[Cost], int]:
    """Costs of all stages of the demo's partition, and how many triplets they made."""
    os.environ.update(pipeline_environment(State.of(store)))
    services = wiring.connect("demo")
    costs = [measure(*step) for step in steps.sequence(PARTITION, services)]
    return costs, len(services.ledger.triplets(Partition.parse(PARTITION)))


def table(costs: list[Cost], triplets: int) -> str:
    """The costs for people."""
    lines = [f"{'stage':<16}{'shards':>8}{'wall s':>10}{'CPU s':>10}{'peak MiB':>10}"]
    lines += [f"{c.stage:<16}{c.shards:>8}{c.wall_s:>10.2f}{c.cpu_s:>10.2f}{c.peak_mib:>10.0f}" for c in costs]
    wall, cpu = sum(c.wall_s for c in costs), sum(c.cpu_s for c in costs)
    lines.append(f"{'all':<16}{'':>8}{wall:>10.2f}{cpu:>10.2f}{max(c.peak_mib for c in costs):>10.0f}")
    if triplets:
        lines.append(f"{triplets} triplets; each took {wall / triplets:.2f} s, {cpu / triplets:.2f} CPU s")
    return "\n".join(lines)


def main() -> None:
    """Measure, and print or write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures into this file too")
    arguments = parser.parse_args()
    make_demo(print)
    with tempfile.TemporaryDirectory(prefix="sen12ts-bench-") as folder:
        costs, triplets = run(Path(folder) / "store")
    print(table(costs, triplets))
    if arguments.json:
        figures = {"triplets": triplets, "stages": [asdict(cost) for cost in costs]}
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
