"""What `make run` calls: one partition, through its real DAG, in this process, which ends with a summary.

Exit status: 0 when the partition was made (even if there was nothing to make), 1 when a task failed, 2 when a variable
is wrong, 130 when interrupted. A run that was ended in any way, at any moment, is taken up by the next one.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from deploy.local.console import Console
from deploy.local.environment import (
    DAGS,
    DEMO,
    ROOT,
    Busy,
    airflow_environment,
    locked,
    prepare_database,
    tidy_database,
)
from deploy.local.variables import Job, WrongVariables, plan, read_variables
from sen12ts_pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from deploy.local.progress import Progress

FAILED, WRONG, INTERRUPTED = 1, 2, 130
UNLIMITED = -1


def main() -> int:
    """Run what the variables in the environment ask for."""
    end_on_signals()
    try:
        job = plan(read_variables(os.environ, os.environ.get("SEN12TS_MAKE_VARIABLES", "")))
    except WrongVariables as error:
        return _refuse(str(error), WRONG)
    try:
        with job.state.lock():
            return _run(job)
    except Busy as error:
        reason = f"STORE: {job.state.store} is in use by {error}: wait for it, or give another STORE"
        return _refuse(reason, FAILED)


def _run(job: Job) -> int:
    started = time.monotonic()
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    console = Console(job.state.logs / f"run-{job.partition.aoi}-{job.partition.name}-{stamp}.log")
    os.environ.update(job.environment)
    os.environ.update(airflow_environment(job.state), AIRFLOW__LOGGING__LOGGING_LEVEL="WARNING")
    console.say(f"{job.partition} -> {job.state.store}")
    try:
        failures = _prepare_and_execute(job, console)
    except ConfigurationError as error:
        failures = [str(error)]
    console.say("")
    for failure in failures:
        console.say(f"FAILED  {failure}")
    if not failures:
        console.say(_summary(job))
    console.say(f"  log      {console.log}")
    console.say(f"  time     {time.monotonic() - started:.0f} s")
    if failures:
        console.say("What is finished is kept: the same command goes on from there.")
    return FAILED if failures else 0


def _prepare_and_execute(job: Job, console: Console) -> list[str]:
    if job.demo:
        make_demo(console.say)
    prepare_database(job.state, console.file.fileno())
    tidy_database({"radar": UNLIMITED, "optical": UNLIMITED})
    return execute(job, console)


def make_demo(say: Callable[[str], None]) -> None:
    """Simulate the demo's archive, unless it is there."""
    from sen12ts_pipeline.simulate.archive import simulate
    from sen12ts_pipeline.simulate.place import DEMO as PLACE

    with locked(DEMO.parent / "demo.lock", wait=True):
        made = (DEMO / "truth.json").exists()
        if made:
            try:
                simulate(PLACE, DEMO)
            except ConfigurationError:
                made = False  # another version's demo
                shutil.rmtree(DEMO)
        if not made:
            say(f"  simulating the demo's products in {_short(DEMO)}")
            simulate(PLACE, DEMO)


def execute(job: Job, console: Console) -> list[str]:
    """Run the area's DAG; what its failed tasks said, nothing when all went well."""
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk.listener import get_listener_manager

    from deploy.local.progress import Progress

    bag = DagBag(dag_folder=DAGS / "sen12ts.py")
    if bag.import_errors:
        return list(bag.import_errors.values())
    console.watch("sen12ts_pipeline")
    progress = Progress(console.say)
    get_listener_manager().add_listener(progress)
    conf = {"year": job.partition.year, "season": str(job.partition.season)}
    run = bag.dags[job.partition.aoi].test(run_conf=conf)
    return _failures(run.get_task_instances(), str(run.state), progress)


def _failures(tasks: list[object], state: str, progress: Progress) -> list[str]:
    """What went wrong, told by the states of the tasks: a run may end as a success although a task failed."""
    failed = sorted({t.task_id for t in tasks if str(t.state) in ("failed", "upstream_failed")})  # type: ignore[attr-defined]
    if state == "success" and not failed:
        return []
    return progress.failures or [f"the run ended as {state}; failed tasks: {', '.join(failed) or 'none'}"]


def _summary(job: Job) -> str:
    from sen12ts_pipeline import wiring
    from sen12ts_pipeline.stages import report

    return report.summary_text(str(job.partition), wiring.connect(job.partition.aoi))


def end_on_signals() -> None:
    """End at once, with all children, on Ctrl-C and SIGTERM.

    A thread waits for them, because Airflow puts its own handlers in place of ours, takes either signal for a task that
    failed, and goes on. To be called before a library starts threads, which would not block the signals.
    """
    numbers, out = {signal.SIGINT, signal.SIGTERM}, os.dup(1)
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)

    def wait() -> None:
        number = signal.Signals(signal.sigwait(numbers))
        for child in psutil.Process().children(recursive=True):
            child.kill()
        os.write(out, f"\nended by {number.name}; the same command goes on from here\n".encode())
        os._exit(INTERRUPTED)

    threading.Thread(target=wait, daemon=True).start()


def _refuse(reason: str, status: int) -> int:
    sys.stderr.write("".join(f"make run: {line}\n" for line in reason.splitlines()))
    return status


def _short(path: Path) -> str:
    """A path below the checkout without the checkout."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


if __name__ == "__main__":
    sys.exit(main())
