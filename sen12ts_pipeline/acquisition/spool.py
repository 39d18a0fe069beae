"""Bytes that were fetched from afar or unpacked, kept in a folder that all processes of a machine share.

An entry is written beside its place, under a lock, and renamed: whoever finds it finds all of it, and of those who want
the same bytes at one time one gets them and the others wait. Entries are never changed. The least recently used ones
are removed when the folder grows over its limit; a reader that has one open keeps reading it, one that has not opened
it yet asks again.
"""

from __future__ import annotations

import fcntl
import hashlib
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sen12ts_pipeline.errors import ConfigurationError, Retryable

FOLDER_VARIABLE = "SEN12TS_SPOOL"
SIZE_VARIABLE = "SEN12TS_SPOOL_GB"
BYTES_PER_GB = 1_000_000_000
DEFAULT_GB = 20.0
"""Some sixty bursts with both polarisations."""

_ASK_AGAIN = 5

Fill = Callable[[BinaryIO], None]
Extent = tuple[Path, int]
"""A local file, and the place in it at which what was asked for begins."""


@dataclass(frozen=True, slots=True)
class Spool:
    """The folder.

    Attributes
    ----------
    folder : Path
        Made when it is first needed.
    limit_bytes : int
        What all entries together may take; the newest one stays however large it is.
    """

    folder: Path
    limit_bytes: int = round(DEFAULT_GB * BYTES_PER_GB)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Spool:
        """The folder that ``SEN12TS_SPOOL`` names, else one in the user's cache; at most ``SEN12TS_SPOOL_GB`` (20).

        Raises
        ------
        ConfigurationError
            When the size is not a positive number.
        """
        folder = environ.get(FOLDER_VARIABLE)
        cache = Path(environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
        text = environ.get(SIZE_VARIABLE) or str(DEFAULT_GB)
        try:
            size_gb = float(text)
        except ValueError:
            size_gb = math.nan
        if not (math.isfinite(size_gb) and size_gb > 0):
            raise ConfigurationError("environment", SIZE_VARIABLE, "must be a positive number of gigabytes", text)
        return cls(Path(folder or cache / "sen12ts" / "spool").absolute(), round(size_gb * BYTES_PER_GB))

    def keep(self, identity: Sequence[object], fill: Fill) -> Path:
        """File of the bytes with an identity; they are made unless they are here.

        Parameters
        ----------
        identity : sequence
            Everything that decides the bytes, for example place, version, first byte and length.
        fill : callable
            Writes them to an empty file that is open for reading and writing.

        Raises
        ------
        ConfigurationError
            When the folder cannot be made.
        Retryable
            When the folder cannot be written to now, for example because the disk is full; and whatever `fill` raises.
        """
        self._make()
        entry = self.folder / hashlib.sha256("\0".join(map(str, identity)).encode()).hexdigest()
        try:
            while not _touch(entry):
                self._fill(entry, fill)
        except OSError as error:
            raise Retryable(f"{self.folder} cannot keep what is fetched: {error.strerror or error}") from error
        return entry

    def _make(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            rule = f"must be a folder that can be written: {error.strerror}"
            raise ConfigurationError("environment", FOLDER_VARIABLE, rule, str(self.folder)) from error

    def _fill(self, entry: Path, fill: Fill) -> None:
        """Make an entry, or wait until another process or thread has made it or given up."""
        part = entry.with_suffix(".part")
        with _locked(part) as file:
            if file is None:
                return
            if entry.exists():
                part.unlink()
                return
            fill(file)
            file.flush()
            part.rename(entry)
        self._make_room(entry)

    def _make_room(self, newest: Path) -> None:
        held = []
        for item in os.scandir(self.folder):
            with suppress(FileNotFoundError):
                status = item.stat()
                held.append((status.st_atime_ns, status.st_size, Path(item.path)))
        total = sum(size for _, size, _ in held)
        for _, size, path in sorted(held):
            if total <= self.limit_bytes:
                return
            if path != newest and _remove(path):
                total -= size


def read_extent(ask: Callable[[], Extent], length: int) -> bytes:
    """Up to `length` bytes of an extent; it is asked for again if its file goes before it is opened."""
    for _ in range(_ASK_AGAIN):
        path, at = ask()
        with suppress(FileNotFoundError), path.open("rb", buffering=0) as file:
            return os.pread(file.fileno(), length, at)
    raise Retryable(f"{path} is removed again and again before it is read; is {SIZE_VARIABLE} large enough?")


def _touch(entry: Path) -> bool:
    """Note that an entry is used, and tell whether it is there; its time of change stays."""
    try:
        os.utime(entry, ns=(time.time_ns(), entry.stat().st_mtime_ns))
    except FileNotFoundError:
        return False
    return True


@contextmanager
def _locked(part: Path) -> Iterator[BinaryIO | None]:
    """The file, empty and locked; None if, by the time the lock is free, it has become an entry or is gone."""
    with os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT, 0o666), "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not _is_at(part, file):
            yield None
            return
        file.truncate(0)
        try:
            yield file
        except BaseException:
            part.unlink(missing_ok=True)
            raise


def _is_at(path: Path, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _remove(path: Path) -> bool:
    """Remove a file, unless somebody is just filling it."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
    except FileNotFoundError:
        return True
    except BlockingIOError:
        return False
    return True
