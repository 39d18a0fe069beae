"""The folder in which an engine works: every graph runs once, and what it made serves all tiles that need it."""

from __future__ import annotations

import hashlib
import logging
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

from sen12ts_pipeline.sar.snap.gpt import Gpt
from sen12ts_pipeline.sar.snap.graph import Graph

log = logging.getLogger(__name__)

BYTES_PER_GB = 1_000_000_000
ORBITS = Path("auxdata/Orbits/Sentinel-1")
"""Where SNAP looks for orbit files below its user folder, before it asks a server."""


class Workshop:
    """Runs graphs, one at a time, in a folder of this process that is removed when the process ends.

    Parameters
    ----------
    gpt : Gpt
        What runs graphs.
    scratch : Path
        Existing or new folder on a disk with room; a folder of its own is made in it.
    keep_gb : float
        Products of earlier pairs are removed beyond this.
    cancelled : callable
        Asked while gpt runs; True ends the run.

    Attributes
    ----------
    folder : Path
        The folder.
    lock : RLock
        To be held from the making of products until they are read.
    """

    def __init__(self, gpt: Gpt, scratch: Path, keep_gb: float, cancelled: Callable[[], bool]) -> None:
        scratch.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix="snap-", dir=scratch))
        self.lock = threading.RLock()
        self._keep_bytes, self._cancelled = keep_gb * BYTES_PER_GB, cancelled
        self._used: dict[Path, None] = {}
        self._gpt = replace(gpt, userdir=_userdir(gpt.userdir, self.folder / "userdir"))
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)

    def made(self, graph: Graph) -> Path:
        """Run a graph unless it was run before; its product, in a folder named by all that decides it.

        The graph's own place of the product is only a name.
        """
        key = hashlib.sha256(graph.xml()).hexdigest()[:16]
        with self.lock:
            folder = self.folder / f"{graph.name}-{key}"
            target = graph.writing_to(folder)
            path = target.outputs[0].path
            if not path.exists():
                folder.mkdir(exist_ok=True)
                self._gpt.run(target, folder, self._cancelled)
            self._used.pop(folder, None)
            self._used[folder] = None
            return path

    def tidy(self, needed: Collection[Path] = ()) -> None:
        """Remove what was longest not used, until the rest is small enough.

        needed : products of this folder that graphs are about to read. They stay; later ones may replace them.
        """
        with self.lock:
            for folder in needed:
                self._used.pop(folder, None)
                self._used[folder] = None
            sizes = {folder: _bytes_in(folder) for folder in self._used}
            for folder, size in list(sizes.items()):
                if sum(sizes.values()) <= self._keep_bytes:
                    return
                if folder in needed:
                    continue
                shutil.rmtree(folder, ignore_errors=True)
                del sizes[folder], self._used[folder]
                log.info("product removed", extra={"folder": folder.name, "bytes": size})

    def offer_orbit(self, name: str, body: bytes, platform: str, months: set[tuple[int, int]]) -> None:
        """Lay an orbit file where SNAP looks for it: by year and month of what was acquired, not of the file."""
        kind = "POEORB" if "_AUX_POEORB_" in name else "RESORB"
        for year, month in months:
            path = self.folder / "userdir" / ORBITS / kind / platform / f"{year:04d}" / f"{month:02d}" / f"{name}.EOF"
            with self.lock:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(body)


def _userdir(base: Path | None, own: Path) -> Path:
    """A user folder with the auxiliary data of another one, but orbit files of its own."""
    (own / ORBITS).mkdir(parents=True)
    for shared in sorted(base.glob("auxdata/*")) if base else []:
        if shared.name != "Orbits":
            (own / "auxdata" / shared.name).symlink_to(shared.absolute())
    if base and (base / "etc").is_dir():
        (own / "etc").symlink_to((base / "etc").absolute())
    return own


def _bytes_in(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())
