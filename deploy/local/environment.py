"""Where the embedded Airflow lives and how it is set up; no Airflow is imported before its environment is complete."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]
DAGS, PLUGINS = ROOT / "dags", ROOT / "plugins"
SQLITE_SETTINGS = ROOT / "deploy" / "local" / "airflow_settings"
DEMO = ROOT / ".sen12ts" / "demo"
DEFAULT_STORE = ROOT / "data" / "store"
POOLS = {"radar": "Radar shards at one time", "optical": "Optical shards at one time"}


class Busy(Exception):
    """Another process uses the state."""


@dataclass(frozen=True, slots=True)
class State:
    """What the embedded Airflow keeps for one store, apart from the store: database, logs, areas given by file.

    Attributes
    ----------
    store : Path
        Folder of the data set.
    folder : Path
        Folder of the state; one per store, so that runs into different stores do not meet.
    """

    store: Path
    folder: Path

    @classmethod
    def of(cls, store: Path) -> State:
        """State that belongs to a store; below ``.sen12ts``, or the folder that ``SEN12TS_STATE`` names."""
        store = store.absolute()
        base = Path(os.environ.get("SEN12TS_STATE") or ROOT / ".sen12ts").absolute()
        if store == DEFAULT_STORE:
            return cls(store, base)
        digest = hashlib.sha256(str(store).encode()).hexdigest()[:8]
        name = re.sub(r"[^A-Za-z0-9_-]+", "_", store.name)
        return cls(store, base / "stores" / f"{name}-{digest}")

    @property
    def home(self) -> Path:
        """Airflow's own folder."""
        return self.folder / "airflow"

    @property
    def database(self) -> Path:
        """Airflow's SQLite database."""
        return self.home / "airflow.db"

    @property
    def logs(self) -> Path:
        """Folder of the run logs."""
        return self.folder / "logs"

    @property
    def adhoc(self) -> Path:
        """Folder of settings for areas that were given as a GeoJSON file."""
        return self.folder / "adhoc"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep the state for this process; it is free again when the process ends, however it ends.

        Raises
        ------
        Busy
            When another process has it.
        """
        with locked(self.folder / "lock", wait=False) as file:
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield


@contextmanager
def locked(path: Path, *, wait: bool) -> Iterator[IO[str]]:
    """Hold a lock file; without waiting, `Busy` tells who has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            file.seek(0)
            raise Busy(f"process {file.read() or 'unknown'}") from None
        yield file


def airflow_environment(state: State) -> dict[str, str]:
    """Environment variables of the embedded Airflow: SQLite, no examples, nothing reachable from other machines."""
    return {
        "AIRFLOW_HOME": str(state.home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{state.database}",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PLUGINS),
        "AIRFLOW__CORE__MAX_MAP_LENGTH": "10000",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(state.home / "logs"),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__WORKERS": "1",
        "SEN12TS_RETRY_DELAY_S": os.environ.get("SEN12TS_RETRY_DELAY_S", "2"),
    }


def pipeline_environment(state: State, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Environment variables of the pipeline: the project's settings and the store."""
    config = environ.get("SEN12TS_CONFIG", str(ROOT / "config" / "pipeline.yaml"))
    return {"SEN12TS_CONFIG": str(Path(config).absolute()), "SEN12TS__STORE": str(state.store)}


def prepare_database(state: State, log: IO[bytes] | int = subprocess.DEVNULL) -> None:
    """Create Airflow's database, once; one whose creation was interrupted is thrown away."""
    marker = state.home / f"migrated-{version('apache-airflow')}"
    if marker.exists() and state.database.exists():
        return
    if not any(state.home.glob("migrated-*")):
        shutil.rmtree(state.home, ignore_errors=True)
    state.home.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "airflow", "db", "migrate"]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=dict(os.environ))
    marker.touch()


def tidy_database(slots: Mapping[str, int]) -> None:
    """Create the pools, and end what a killed run left as running; needs the lock on the state.

    Parameters
    ----------
    slots : mapping
        Pool and number of tasks that it lets run at one time.
    """
    from airflow.models.dagrun import DagRun
    from airflow.models.pool import Pool
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState, TaskInstanceState
    from airflow.utils.types import DagRunTriggeredByType
    from sqlalchemy import select

    unfinished = [DagRunState.RUNNING, DagRunState.QUEUED]
    with create_session() as session:
        for name, description in POOLS.items():
            Pool.create_or_update_pool(name, slots[name], description, include_deferred=False, session=session)
        left = select(DagRun).where(DagRun.state.in_(unfinished), DagRun.triggered_by == DagRunTriggeredByType.TEST)
        for run in session.scalars(left):
            run.state = DagRunState.FAILED
            for task in run.task_instances:
                if task.state in (None, *TaskInstanceState) and task.end_date is None:
                    task.state = TaskInstanceState.FAILED
