"""Folders of the machine that serves the dashboard, and how full they are."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

GB = 1e9


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder, and the disk on which it lies.

    Attributes
    ----------
    name, path : str
        What it is, and where.
    bytes : int or None
        What its files take; None where that is not counted.
    limit_bytes : int or None
        What they may take; None without a limit.
    disk_used, disk_bytes : int
        Of the disk.
    """

    name: str
    path: str
    bytes: int | None
    limit_bytes: int | None
    disk_used: int
    disk_bytes: int

    @property
    def free_gb(self) -> float:
        """What is left of the disk."""
        return (self.disk_bytes - self.disk_used) / GB


def folder(name: str, path: Path, *, limit_bytes: int | None = None, count: bool = True) -> Folder | None:
    """A folder as it is now; None if it is not there."""
    try:
        disk = shutil.disk_usage(path)
    except OSError:
        return None
    return Folder(name, str(path), _bytes(path) if count else None, limit_bytes, disk.total - disk.free, disk.total)


def _bytes(path: Path) -> int:
    """Bytes of all files below a folder; what goes while it is counted is not counted, links are not followed."""
    total = 0
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                try:
                    is_folder = entry.is_dir(follow_symlinks=False)
                    total += _bytes(Path(entry)) if is_folder else entry.stat(follow_symlinks=False).st_size
                except OSError:
                    continue
    except OSError:
        return 0
    return total
