"""One environment for each tool, from its own list with hashes; nothing of it reaches the project's environment."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_STAMP = "made-from"


class NotInstalled(Exception):
    """The tool cannot be had here; the message says why."""


def python_of(tool: str, folder: Path) -> Path:
    """Python of a tool's environment, made or renewed when its list of requirements has changed.

    It is made beside its place and renamed when it is complete, so that what is there is whole. Scripts inside would
    still name the old place; only ``bin/python`` is used, which finds its packages wherever it lies.

    Parameters
    ----------
    tool : str
        ``requirements/peers-TOOL.txt`` is its list.
    folder : Path
        Where the environments lie.

    Raises
    ------
    NotInstalled
        When pip fails.
    """
    requirements = ROOT / "requirements" / f"peers-{tool}.txt"
    wanted = hashlib.sha256(f"{sys.version}\n{requirements.read_text()}".encode()).hexdigest()
    place, part = folder / tool, folder / f"{tool}.part"
    stamp = place / _STAMP
    if stamp.exists() and stamp.read_text() == wanted:
        return place / "bin" / "python"
    for old in (part, place):
        shutil.rmtree(old, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        _run(sys.executable, "-m", "venv", "--without-pip", part)
        pip = (sys.executable, "-m", "pip", "--python", part / "bin" / "python")
        quietly = ("--quiet", "--disable-pip-version-check", "--no-input")
        _run(*pip, "install", *quietly, "--require-hashes", "-r", requirements)
        (part / _STAMP).write_text(wanted)
        part.rename(place)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return place / "bin" / "python"


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()] or [f"exit status {done.returncode}"]
        raise NotInstalled(next((line for line in said if line.startswith("ERROR")), said[-1]))
