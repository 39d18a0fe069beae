"""What `make test-snap` calls: pyroSAR's environment `.sen12ts/snap-env`, from `requirements/snap.txt`.

GDAL's Python bindings and psycopg2 are the system's: they belong to libraries that no wheel brings. So the environment
is one of the system's Python, and sees its packages.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from deploy.local import commands

call = functools.partial(commands.call, "test-snap", stdout=subprocess.DEVNULL)
PLACE = commands.ROOT / ".sen12ts" / "snap-env"
PYTHON = PLACE / "bin" / "python"
LIST = commands.ROOT / "requirements" / "snap.txt"
SYSTEM_PYTHON = Path("/usr/bin/python3")
DEBIAN_PACKAGES = ("python3-gdal", "python3-psycopg2")
STAMP = "made-from"
TRIED = "from osgeo import gdal_array; import psycopg2"
WORKS = "from osgeo import gdal_array; import pyroSAR"


def main() -> None:
    """Make the environment unless it is there, made from the same list, and works."""
    wanted = hashlib.sha256(f"{PLACE}\n{LIST.read_text()}".encode()).hexdigest()
    stamp = PLACE / STAMP
    if stamp.exists() and stamp.read_text() == wanted and imports(PYTHON, WORKS):
        return
    commands.say("Setting up .sen12ts/snap-env for pyroSAR.")
    if not imports(SYSTEM_PYTHON, TRIED):
        install_system_packages()
    shutil.rmtree(PLACE, ignore_errors=True)
    call(SYSTEM_PYTHON, "-m", "venv", "--system-site-packages", "--without-pip", PLACE)
    pip = (sys.executable, "-m", "pip", "--python", PYTHON, "install", "--quiet", "--disable-pip-version-check")
    # The list is whole but for what the system brings; pip need not look for more.
    call(*pip, "--no-input", "--no-deps", "--require-hashes", "-r", LIST)
    if not imports(PYTHON, WORKS):
        sys.exit(f"make test-snap: pyroSAR cannot be imported; try {PYTHON} -c '{WORKS}', and see docs/snap.md")
    stamp.write_text(wanted)


def install_system_packages() -> None:
    """GDAL's bindings by apt, where that can be done without asking."""
    names = " ".join(DEBIAN_PACKAGES)
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        sys.exit(
            f"make test-snap: {SYSTEM_PYTHON} needs GDAL's bindings and psycopg2; on Debian and Ubuntu: "
            f"apt-get install {names}"
        )
    commands.say(f"Installing {names}.")
    call("apt-get", "update", "-qq")
    call("apt-get", "install", "-qq", "--no-install-recommends", *DEBIAN_PACKAGES)
    if not imports(SYSTEM_PYTHON, TRIED):
        sys.exit(f"make test-snap: {names} are installed, but {SYSTEM_PYTHON} cannot import them")


def imports(python: Path, program: str) -> bool:
    """Whether a Python runs a program; pyroSAR writes into the home folder, so it gets another."""
    if not python.exists():
        return False
    environment = {**os.environ, "HOME": str(PLACE.parent)}
    environment.pop("PYTHONPATH", None)
    command = [python, "-s", "-c", program]
    return subprocess.run(command, env=environment, capture_output=True, stdin=subprocess.DEVNULL).returncode == 0


if __name__ == "__main__":
    main()
