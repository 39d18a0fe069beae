"""What `make test-production` calls: the environment `.sen12ts/production-env`, and servers from Debian's packages."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import sys
from pathlib import Path

from deploy.local import commands

call = functools.partial(commands.call, "test-production", stdout=sys.stderr)
PLACE = commands.ROOT / ".sen12ts" / "production-env"
PYTHON = PLACE / "bin" / "python"
LISTS = ("run", "production", "dev")
PACKAGES = {"redis-server": "redis-server", "initdb": "postgresql", "faketime": "faketime"}
"""Debian's package of each program; a test that can do without says so when it is skipped."""
STAMP = PLACE / "made-from"


def main() -> None:
    """Make the environment unless it is there, made from the same lists; install the servers where that is possible."""
    install_servers()
    lists = [commands.ROOT / "requirements" / f"{name}.txt" for name in LISTS]
    wanted = hashlib.sha256("".join([str(PLACE), *(one.read_text() for one in lists)]).encode()).hexdigest()
    if STAMP.exists() and STAMP.read_text() == wanted:
        return
    commands.say("Setting up .sen12ts/production-env: Airflow with Celery, one to three minutes.")
    shutil.rmtree(PLACE, ignore_errors=True)
    call(sys.executable, "-m", "venv", "--without-pip", PLACE)
    uv = (commands.ROOT / ".venv" / "bin" / "uv", "--quiet", "--no-config", "pip", "install", "--python", PYTHON)
    call(*uv, "--require-hashes", *(part for one in lists for part in ("-r", one)))
    STAMP.write_text(wanted)


def install_servers() -> None:
    """PostgreSQL, Redis and faketime by apt, where that can be done without asking."""
    missing = sorted({package for program, package in PACKAGES.items() if not is_there(program)})
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        commands.say(f"Not installed: {', '.join(missing)}; on Debian and Ubuntu: apt-get install {' '.join(missing)}")
        return
    commands.say(f"Installing {', '.join(missing)}.")
    call("apt-get", "update", "-qq")
    call("apt-get", "install", "-qq", "--no-install-recommends", *missing)


def is_there(program: str) -> bool:
    """Whether a program is on the path, or among PostgreSQL's, which Debian keeps off it."""
    return bool(shutil.which(program) or list(Path("/usr/lib/postgresql").glob(f"*/bin/{program}")))


if __name__ == "__main__":
    main()
