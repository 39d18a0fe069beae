"""What `make test-applications` calls: `.sen12ts/torch-env`, the packages of `.venv`, PyTorch and cloud networks."""

from __future__ import annotations

import functools
import hashlib
import shutil
import sys
import sysconfig
from pathlib import Path

from deploy.local import commands

call = functools.partial(commands.call, "test-applications")
PLACE = commands.ROOT / ".sen12ts" / "torch-env"
PYTHON = PLACE / "bin" / "python"
PACKAGES = (
    "torch==2.13.0",
    "webdataset==1.0.2",
    "xarray==2026.9.0",
    "omnicloudmask==1.8.1",
    "ukis-csmask[cpu]==1.0.0",
    "onnxruntime==1.32.0",
)
"""Not locked by digests: PyTorch's wheels differ by accelerator."""
STAMP = "made-from"


def main() -> None:
    """Make the environment unless it is there, made from the same list over the same packages."""
    beside = sysconfig.get_path("purelib")
    wanted = hashlib.sha256(f"{PLACE}\n{beside}\n{PACKAGES}".encode()).hexdigest()
    stamp = PLACE / STAMP
    if stamp.exists() and stamp.read_text() == wanted:
        return
    commands.say("Setting up .sen12ts/torch-env with PyTorch; this takes some minutes.")
    shutil.rmtree(PLACE, ignore_errors=True)
    call(sys.executable, "-m", "venv", "--without-pip", PLACE)
    folder = PLACE / Path(beside).relative_to(sys.prefix)
    (folder / "beside.pth").write_text(f"{beside}\n")
    call(
        sys.executable, "-m", "pip", "--python", PYTHON, "install", "--quiet", "--disable-pip-version-check", *PACKAGES
    )
    call(PYTHON, "-c", "import torch, webdataset, xarray, ukis_csmask, onnxruntime")
    stamp.write_text(wanted)


if __name__ == "__main__":
    main()
