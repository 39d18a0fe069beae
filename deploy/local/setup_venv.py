"""What `make setup` calls: the environment `.venv`, from the lists with hashes in `requirements`.

Runs on the system's Python, so it uses the standard library alone. Ends at once when the environment is up to date.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "sen12ts-setup"
PIP, LISTS = "requirements/pip.txt", ("requirements/run.txt", "requirements/dev.txt")
DECIDES = (PIP, *LISTS, "deploy/local/setup_venv.py")


def state() -> str:
    """What the environment was made from, and where: it cannot be moved."""
    digest = hashlib.sha256(str(ROOT).encode())
    for name in DECIDES:
        digest.update((ROOT / name).read_bytes())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    digest.update(json.dumps([project["project"], project["build-system"]], sort_keys=True).encode())
    return digest.hexdigest()


def create() -> None:
    """Make an empty environment that has pip, unless a working one is there."""
    if is_whole():
        return
    if importlib.util.find_spec("ensurepip"):
        call(sys.executable, "-m", "venv", "--clear", VENV)
    elif importlib.util.find_spec("pip"):
        call(sys.executable, "-m", "venv", "--clear", "--without-pip", VENV)
        pip = (sys.executable, "-m", "pip", "--python", PYTHON, "install", "--quiet")
        call(*pip, "--require-hashes", "-r", ROOT / PIP)
    else:
        name = f"python{sys.version_info.major}.{sys.version_info.minor}"
        sys.exit(f"make setup: {name} has neither venv nor pip; on Debian and Ubuntu: apt-get install {name}-venv")


def is_whole() -> bool:
    """Whether there is an environment that works and lies where it was made."""
    script = VENV / "bin" / "pip"
    if not PYTHON.exists() or not script.exists() or str(VENV) not in script.read_text("utf-8")[:1000]:
        return False
    return subprocess.run([PYTHON, "-m", "pip", "--version"], capture_output=True).returncode == 0


def install() -> None:
    """Install what the lists say, then the package itself, which brings nothing else."""
    pip = (PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input")
    call(*pip, "--require-hashes", "-r", ROOT / PIP)
    call(*pip, "--require-hashes", *(part for name in LISTS for part in ("-r", ROOT / name)))
    call(*pip, "--no-deps", "--no-build-isolation", "--editable", ROOT)


def call(*command: str | Path) -> None:
    """Run a command; a failure ends the setup with its exit status."""
    status = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL).returncode
    if status:
        sys.exit(f"make setup: failed with exit status {status}: {' '.join(map(str, command))}")


def main() -> None:
    """Make or update the environment."""
    wanted = state()
    if STAMP.exists() and STAMP.read_text() == wanted and PYTHON.exists():
        return
    sys.stdout.write("Setting up .venv: about 200 packages, one to three minutes the first time.\n")
    sys.stdout.flush()
    create()
    STAMP.unlink(missing_ok=True)
    install()
    STAMP.write_text(wanted)


if __name__ == "__main__":
    main()
