"""What the scripts share that make environments: commands that must succeed, and a word on what takes a while."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]


def call(target: str, *command: str | Path, stdout: int | IO[str] | None = None) -> None:
    """Run a command in the project's folder; a failure ends the target of make with its exit status.

    Parameters
    ----------
    target : str
        Of make, for the message.
    command : str or Path
        Program and arguments. The project's own modules are not on its path, and apt asks nothing.
    stdout : optional
        Where its output goes, as for `subprocess.run`.
    """
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    environment.pop("PYTHONPATH", None)
    status = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=stdout).returncode
    if status:
        sys.exit(f"make {target}: failed with exit status {status}: {' '.join(map(str, command))}")


def say(text: str) -> None:
    """Tell what takes a while."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
