"""What `make ui` calls: Airflow's services on the state that `make run` uses, until Ctrl-C or SIGTERM ends all of them.

Everything listens on the loopback address alone. Areas start paused; the dialog of the Trigger button unpauses one.
"""

from __future__ import annotations

import ctypes
import json
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import psutil

from deploy.local.environment import (
    DEFAULT_STORE,
    ROOT,
    SQLITE_SETTINGS,
    Busy,
    State,
    airflow_environment,
    pipeline_environment,
    prepare_database,
    tidy_database,
)
from deploy.local.run import make_demo
from deploy.local.variables import DEMO_AOI, adhoc_folder
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.settings.load import aoi_folders, list_aois

USER = "admin"
FIRST_PORT, PORTS_TRIED = 8080, 20
HEALTHY_WITHIN_S = 300
GRACE_S = 5
SERVICES = {
    "api-server": (),
    "scheduler": ("--skip-serve-logs",),
    "dag-processor": (),
    "triggerer": ("--skip-serve-logs",),
}
SLOTS = {"radar": 1, "optical": 2}
"""A shard uses all processors by itself."""
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


class Stopped(Exception):
    """Somebody asked for the end."""


class Failed(Exception):
    """The services cannot run."""


@dataclass(frozen=True, slots=True)
class Service:
    """One of Airflow's services, as a process with a group of its own."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path


def main() -> int:
    """Run the services; 0 when somebody ended them, 1 when they failed."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    state = State.of(Path(os.environ.get("STORE", "").strip() or DEFAULT_STORE))
    try:
        with state.lock():
            _serve(state, os.environ.get("PORT", "").strip())
    except Stopped:
        _say("All services have ended.")
        return 0
    except Busy as error:
        return _complain(f"STORE: {state.store} is in use by {error}: wait for it, or give another STORE")
    except (Failed, ConfigurationError) as error:
        return _complain(str(error))
    return 0


def _serve(state: State, wanted_port: str) -> None:
    port = find_port(wanted_port)
    os.environ.update(pipeline_environment(state))
    os.environ.update(SEN12TS_AOIS=str(adhoc_folder(state, os.environ)))
    settings = {**airflow_environment(state), **service_environment(state, port)}
    os.environ.update(settings)
    sys.path.append(str(SQLITE_SETTINGS))
    if any(path.stem == DEMO_AOI for path in list_aois(aoi_folders())):
        make_demo(_say)
    prepare_database(state)
    tidy_database(SLOTS)
    password = make_user(state)
    hint = write_environment(state, settings)
    with services(state) as running:
        _say(f"Airflow starts on port {port}; this takes about half a minute.")
        wait_until_healthy(running, port)
        _say(f"\n  http://127.0.0.1:{port}\n  user      {USER}\n  password  {password}\n")
        _say(f"Logs: {state.logs}/ui-*.log. For Airflow's own commands: . {hint}")
        _say("Ctrl-C ends all of it.")
        while True:
            time.sleep(1)
            _require_all(running)


def service_environment(state: State, port: int) -> dict[str, str]:
    """Environment variables of the services."""
    return {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS": "airflow_local_settings.CONNECT_ARGUMENTS",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(SQLITE_SETTINGS)]),
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(_passwords(state)),
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "30",
        "AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS": "12",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
    }


def find_port(wanted: str) -> int:
    """Port to serve on: the one that was asked for, or the first free one."""
    if wanted:
        if not wanted.isascii() or not wanted.isdigit() or not 1024 <= int(wanted) <= 65535:
            raise Failed(f"PORT: must be a number from 1024 to 65535; got {wanted!r}")
        if not _is_free(int(wanted)):
            raise Failed(f"PORT: {wanted} is in use by another program; give another PORT")
        return int(wanted)
    for port in range(FIRST_PORT, FIRST_PORT + PORTS_TRIED):
        if _is_free(port):
            if port != FIRST_PORT:
                _say(f"Port {FIRST_PORT} is in use by another program; taking {port}.")
            return port
    raise Failed(f"PORT: {FIRST_PORT} to {FIRST_PORT + PORTS_TRIED - 1} are all in use; give a free PORT")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _passwords(state: State) -> Path:
    return state.home / "passwords.json"


def make_user(state: State) -> str:
    """Create the user, once, with a password that only the owner of the checkout can read; returns the password."""
    file = _passwords(state)
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(json.dumps({USER: secrets.token_urlsafe(9)}) + "\n")
    return str(json.loads(file.read_text())[USER])


def write_environment(state: State, settings: Mapping[str, str]) -> Path:
    """Write the variables with which Airflow's own commands meet the services, for a shell to read."""
    pipeline = {name: os.environ[name] for name in ("SEN12TS_CONFIG", "SEN12TS_AOIS", "SEN12TS__STORE")}
    path = state.folder / "airflow.env"
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in {**pipeline, **settings}.items()]
    path.write_text("".join(lines))
    return path


@contextmanager
def services(state: State) -> Iterator[list[Service]]:
    """All services, started; none of their processes is left afterwards."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    state.logs.mkdir(parents=True, exist_ok=True)
    running: list[Service] = []
    try:
        for name, options in SERVICES.items():
            running.append(_start(name, options, state.logs / f"ui-{name}.log"))
        yield running
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        _end_all()


def _start(name: str, options: tuple[str, ...], log: Path) -> Service:
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "airflow", name, *options],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
    return Service(name, process, log)


def _end_with_parent() -> None:
    """Ask the kernel to end this child when the launcher dies without having ended it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _end_all() -> None:
    """End every descendant, also those whose parent is gone: they are ours, because we are their subreaper."""
    me = psutil.Process()
    for child in me.children():
        child.terminate()
    until = time.monotonic() + GRACE_S
    while (left := me.children(recursive=True)) and time.monotonic() < until:
        psutil.wait_procs(left, timeout=0.2)
    while left := me.children(recursive=True):
        for child in left:
            child.kill()
        psutil.wait_procs(left, timeout=0.5)


def wait_until_healthy(running: list[Service], port: int) -> None:
    """Wait until every service says that it is well."""
    until = time.monotonic() + HEALTHY_WITHIN_S
    while time.monotonic() < until:
        _require_all(running)
        if (health := _health(port)) and all(part.get("status") == "healthy" for part in health.values()):
            return
        time.sleep(1)
    raise Failed(f"the services were not healthy within {HEALTHY_WITHIN_S} s; see {running[0].log.parent}/ui-*.log")


def _health(port: int) -> dict[str, dict[str, str]] | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/monitor/health", timeout=10) as answer:
            health: dict[str, dict[str, str]] = json.load(answer)
    except (urllib.error.URLError, OSError, ValueError):
        return None
    return health


def _require_all(running: list[Service]) -> None:
    for service in running:
        status = service.process.poll()
        if status is not None:
            raise Failed(f"{service.name} ended with exit status {status}; see {service.log}")


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise Stopped


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _complain(text: str) -> int:
    sys.stderr.write(f"make ui: {text}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
