"""What `make setup` calls: the environment `.venv`, from the lists with hashes in `requirements`.

Runs on the system's Python, so it uses the standard library alone. Ends at once when the environment is up to date.
"""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "sen12ts-setup"
PIP, LISTS = "requirements/pip.txt", ("requirements/run.txt", "requirements/dev.txt")
DECIDES = (PIP, *LISTS, "pyproject.toml", "deploy/local/setup_venv.py")


def state() -> str:
    """What the environment was made from, and where: it cannot be moved."""
    digest = hashlib.sha256(str(ROOT).encode())
    for name in DECIDES:
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def create() -> None:
    """Make an empty environment that has pip, unless a working one is there."""
    if PYTHON.exists() and subprocess.run([PYTHON, "-m", "pip", "--version"], capture_output=True).returncode == 0:
        return
    if importlib.util.find_spec("ensurepip"):
        call(sys.executable, "-m", "venv", "--clear", VENV)
    elif importlib.util.find_spec("pip"):
        call(sys.executable, "-m", "venv", "--clear", "--without-pip", VENV)
        call(sys.executable, "-m", "pip", "--python", PYTHON, "install", "--quiet", "--require-hashes", "-r", ROOT / PIP)
    else:
        name = f"python{sys.version_info.major}.{sys.version_info.minor}"
        sys.exit(f"make setup: {name} has neither venv nor pip; on Debian and Ubuntu: apt-get install {name}-venv")


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
