"""The project's DAGs for Airflow; their tasks meet the faults that a drill has put down for them.

A fault is an empty file `<area>.<task>.<fault>[.<number>]` in the folder of drills. Who removes it has met it, so that
each is met once.
"""

import ctypes
import os
import resource
import signal
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from airflow.sdk import DAG, get_current_context, get_parsing_context

from dags import sen12ts

DRILLS = Path(os.environ["SEN12TS_DRILLS"])
globals().update({name: value for name, value in vars(sen12ts).items() if isinstance(value, DAG)})


def kill_task(_services):
    """The process that holds the slot of the worker, and the task with it."""
    import psutil

    me = psutil.Process()
    for one in [*_up_to_celery(me)[:-1], me]:
        one.kill()


def kill_worker(_services):
    """The whole worker, as a machine that loses power."""
    import psutil

    os.killpg(_up_to_celery(psutil.Process())[-1].pid, signal.SIGKILL)


def _up_to_celery(me):
    """Ancestors of the task up to the worker's main process, which leads the session."""
    leader = os.getsid(0)
    parents = me.parents()
    return parents[: [p.pid for p in parents].index(leader) + 1]


def little_memory(_services):
    """No more memory than the process has now."""
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now, now))


def killed_for_memory(_services):
    """The system ends the largest process of the task, as it does when a container's memory is used up."""
    import psutil

    def kill():
        while not (children := psutil.Process().children()):
            time.sleep(0.01)
        children[0].kill()

    threading.Thread(target=kill, daemon=True).start()


def held(_services):
    """The task, connected to everything, puts down a file that says so, and stays until the drill takes it away."""
    here = DRILLS / f"{get_current_context()['ti'].task_id}.is_held"
    here.touch()
    while here.exists():
        time.sleep(0.2)


def after_a_write(fault):
    """The fault, as soon as the task has written something to the store."""

    def prepare(services):
        store = type(services.store)

        def then(write):
            def wrapped(*args):
                done = write(*args)
                fault(services)
                return done

            return wrapped

        store.put_if_absent, store.replace = then(store.put_if_absent), then(store.replace)

    return prepare


FAULTS = {
    "kill_task": after_a_write(kill_task),
    "kill_worker": after_a_write(kill_worker),
    "little_memory": little_memory,
    "killed_for_memory": killed_for_memory,
    "held": held,
}
SURROUNDINGS = {"full_scratch": {"SEN12TS_SPOOL": os.environ["SEN12TS_DRILL_SMALL_DISK"]}}
"""Faults that lie in the environment: what is unpacked goes to a disk of a few kilobytes."""


def connect(aoi):
    """Services of an area, in a store of its own, after the faults that lie there for this task."""
    fault = _met(aoi, get_current_context()["ti"].task_id)
    environ = {**os.environ, "SEN12TS__STORE": f"s3://stores/{aoi}", **SURROUNDINGS.get(fault, {})}
    services = _connect(aoi, environ)
    if fault in FAULTS:
        FAULTS[fault](services)
    return services


def _met(aoi, task):
    """Name of a fault that lies there for a task, which from now on is met."""
    for file in sorted(DRILLS.glob(f"{aoi}.{task}.*")):
        if _claim(file):
            return file.name.split(".")[2]
    return None


def _claim(file):
    try:
        file.unlink()
    except FileNotFoundError:
        return False
    return True


def poisonous(held):
    """A product with a file POISON ends the process that looks into its images, as a fault in a library does."""

    @contextmanager
    def wrapped(files, member):
        with held(files, member) as path:
            if any((folder / "POISON").exists() for folder in Path(path).parents):
                ctypes.string_at(0)
            yield path

    return wrapped


if get_parsing_context().dag_id:
    from sen12ts_pipeline import wiring
    from sen12ts_pipeline.acquisition import watched

    watched._WatchedFiles.held = poisonous(watched._WatchedFiles.held)
    _connect, wiring.connect = wiring.connect, connect
