"""Calls of the launchers in processes of their own, as make does it, and of the user interface's API."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

from tests import servers

ROOT = Path(__file__).parents[1]
FINAL = {"success", "failed"}


def environment(state):
    """An environment in which no run meets another, nor the checkout's own state."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "SEN12TS"))}
    return {**ours, "PYTHONPATH": str(ROOT), "SEN12TS_STATE": str(state), "SEN12TS_RETRY_DELAY_S": "0.1"}


def start(module, environ):
    """Start a launcher; everything that it says can be read from its standard output."""
    return subprocess.Popen(
        [sys.executable, "-m", f"deploy.local.{module}"],
        cwd=ROOT,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def read_until(process, pattern):
    """Read what a launcher says up to a pattern; the match."""
    said = ""
    for line in process.stdout:
        said += line
        if found := re.search(pattern, said, re.M):
            return found
    raise AssertionError(f"ended without {pattern!r}:\n{said}")


@contextmanager
def scheduler(environ, dags):
    """The services of `make ui`, when they know the DAGs; yields what asks its API, and what its hint says."""
    (port,) = servers.free_ports(1)
    process = start("ui", {**environ, "PORT": str(port)})
    try:
        password = read_until(process, r"^  password  (\S+)$")[1]
        hint = read_until(process, r"^Logs: .* \. (\S+)$")[1]
        body = {"username": "admin", "password": password}
        token = ask(port, "/auth/token", body=body)["access_token"]

        def api(path, body=None, method=None):
            try:
                return ask(port, f"/api/v2/{path}", token, body, method)
            except OSError as error:
                error.add_note(_ends_of_logs(Path(environ["SEN12TS_STATE"])))
                raise

        wait(lambda: {d["dag_id"] for d in api("dags")["dags"]} == {*dags, "sen12ts_watch"})
        yield SimpleNamespace(api=api, hint=hint)
    finally:
        process.terminate()
        process.communicate(timeout=60)


def _ends_of_logs(state, lines=30):
    """What the services said last."""
    logs = sorted(state.rglob("ui-*.log"))
    return "\n".join(f"--- {path.name}\n" + "\n".join(path.read_text().splitlines()[-lines:]) for path in logs)


def wait(holds, seconds=300):
    """Wait until something holds."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "waited too long"
        time.sleep(1)


def trigger(airflow, dag, conf):
    """State of a run, and of its tasks, when it is over."""
    airflow.api(f"dags/{dag}", {"is_paused": False}, "PATCH")
    now = datetime.now(UTC).isoformat()
    run = airflow.api(f"dags/{dag}/dagRuns", {"logical_date": now, "conf": conf})["dag_run_id"]
    path = f"dags/{dag}/dagRuns/{run}"
    wait(lambda: airflow.api(path)["state"] in FINAL)
    tasks = airflow.api(f"{path}/taskInstances?limit=200")["task_instances"]
    return airflow.api(path)["state"], tasks


def ask(port, path, token=None, body=None, method=None):
    """Answer of the user interface's API."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", None if body is None else json.dumps(body).encode(), method=method
    )
    request.add_header("Content-Type", "application/json")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)
