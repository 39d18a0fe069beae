"""Calls of the launchers in processes of their own, as make does it, and of the user interface's API."""

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[1]


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
