"""Object store over a folder: an object is a file, a write is a link of a finished file into its place."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from sen12ts_pipeline.errors import ConfigurationError, Retryable
from sen12ts_pipeline.ports import ObjectKey, Put
from sen12ts_pipeline.state.keys import Entry, checked, checked_prefix

log = logging.getLogger(__name__)

TEMPORARY = "_work/.tmp"
ABANDONED_AFTER_S = 86400.0
_NO_HARD_LINKS = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_ACCESS = {errno.EACCES, errno.EPERM, errno.EROFS}


class FolderStore:
    """Implements `ports.ObjectStore`; safe for any number of threads and processes of one machine or shared disk.

    A body is written to a temporary file on the same filesystem, flushed to the disk and linked to its final name,
    which fails when the name is taken: the first writer wins, and no reader ever sees a part of a file. What a killed
    process leaves is a temporary file; opening the store removes those older than a day.

    Parameters
    ----------
    root : Path
        Folder of the store; made when it is not there.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root).absolute()
        self._temporary = self.root / TEMPORARY
        with self._explained(self._temporary, 0):
            self._temporary.mkdir(parents=True, exist_ok=True)
        self.remove_unfinished(datetime.fromtimestamp(time.time() - ABANDONED_AFTER_S, UTC))

    def put_if_absent(self, key: ObjectKey, body: bytes) -> Put:
        """Write unless the key is there; DIFFERENT, and nothing written, if it holds other bytes."""
        path = self._path(key)
        if path.exists():
            return _compare(path, body)
        with self._written(path, body) as finished:
            try:
                self._link(finished, path)
            except FileExistsError:
                return _compare(path, body)
        return Put.WRITTEN

    def replace(self, key: ObjectKey, body: bytes) -> None:
        """Write whatever is there: only for what is derived from other objects."""
        path = self._path(key)
        with self._written(path, body) as finished:
            finished.replace(path)
            _flush_folder(path.parent)

    def get(self, key: ObjectKey) -> bytes:
        """Content; KeyError if absent."""
        try:
            return self._path(key).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise KeyError(key) from None

    def exists(self, key: ObjectKey) -> bool:
        """Whether the key is there."""
        return self._path(key).is_file()

    def keys(self, prefix: str) -> Iterator[ObjectKey]:
        """Keys that begin with a prefix ending in ``/`` (or with the empty prefix), sorted."""
        folder = self.root / checked_prefix(prefix)
        yield from sorted(ObjectKey(path.relative_to(self.root).as_posix()) for path in _files(folder))

    def entries(self, prefix: str) -> list[Entry]:
        """Objects below a prefix ending in ``/`` (or the empty prefix), by key; what goes meanwhile is left out."""
        found = []
        for key in self.keys(prefix):
            with suppress(FileNotFoundError):
                known = self._path(key).stat()
                found.append(Entry(key, known.st_size, datetime.fromtimestamp(known.st_mtime, UTC)))
        return found

    def folders(self) -> list[str]:
        """Names of the folders at the top of the store, sorted."""
        return sorted(path.name for path in self.root.iterdir() if path.is_dir() and not path.name.startswith("."))

    def delete(self, key: ObjectKey) -> None:
        """Remove a key; nothing happens if it is absent."""
        with suppress(FileNotFoundError, NotADirectoryError):
            self._path(key).unlink()

    def location(self, key: ObjectKey) -> str:
        """Absolute path of the object's file."""
        return str(self._path(key))

    def remove_unfinished(self, before: datetime) -> int:
        """Remove temporary files that were written before a time; how many."""
        count = 0
        for left in self._temporary.iterdir():
            with suppress(FileNotFoundError):
                if left.stat().st_mtime < before.timestamp() and left.name != ".lock":
                    left.unlink()
                    count += 1
                    log.info("temporary file of a dead process removed", extra={"path": str(left)})
        return count

    def _path(self, key: str) -> Path:
        return self.root / checked(key)

    @contextmanager
    def _written(self, path: Path, body: bytes) -> Iterator[Path]:
        """Temporary file that holds the body, on the disk; gone afterwards."""
        finished = self._temporary / f"{os.getpid()}-{uuid.uuid4().hex}"
        with self._explained(path, len(body)):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                with finished.open("xb") as file:
                    file.write(body)
                    file.flush()
                    os.fsync(file.fileno())
                yield finished
            finally:
                finished.unlink(missing_ok=True)

    def _link(self, finished: Path, path: Path) -> None:
        try:
            os.link(finished, path)
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            self._rename(finished, path)
        _flush_folder(path.parent)

    def _rename(self, finished: Path, path: Path) -> None:
        """Twin of a link for filesystems without hard links: one writer at a time looks, then renames."""
        with (self._temporary / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if path.exists():
                raise FileExistsError(errno.EEXIST, "already written", str(path))
            finished.rename(path)

    @contextmanager
    def _explained(self, path: Path, size: int) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in _NO_SPACE:
                raise Retryable(self._no_space(path, size)) from error
            if error.errno in _NO_ACCESS:
                rule = "the store's folder must be writable"
                raise ConfigurationError(str(self.root), "store", rule, str(path)) from error
            if error.errno == errno.EXDEV:
                rule = f"{TEMPORARY} must lie on the same filesystem as the rest of the store"
                raise ConfigurationError(str(self.root), "store", rule, str(path)) from error
            raise

    def _no_space(self, path: Path, size: int) -> str:
        free = shutil.disk_usage(self.root).free if self.root.exists() else 0
        return (
            f"the disk is full: {path} needs {size} bytes, {free} are free under {self.root}. Nothing was half "
            f"written: free some space (or raise the quota) and run the same command again"
        )


def _compare(path: Path, body: bytes) -> Put:
    same = path.stat().st_size == len(body) and path.read_bytes() == body
    return Put.SAME if same else Put.DIFFERENT


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent, name) for name in files if not name.startswith("."))


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
