"""What was fetched from afar or unpacked, kept in a folder that all processes of a machine share.

An entry is written beside its place, under a lock, and renamed: whoever finds it finds all of it, and of those who want
the same bytes at one time one gets them and the others wait. Entries are never changed.

The least recently used ones are removed before a new one would take the folder over its limit. Whoever holds an entry
has a shared lock on it and keeps it there; locks end with the process that has them, however it ends. An entry that
nobody holds may go before it is opened, and is then asked for again.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sen12ts_pipeline.acquisition.homes import user_cache
from sen12ts_pipeline.errors import ConfigurationError, Retryable

FOLDER_VARIABLE = "SEN12TS_SPOOL"
SIZE_VARIABLE = "SEN12TS_SPOOL_GB"
BYTES_PER_GB = 1_000_000_000
DEFAULT_GB = 20.0
"""Some sixty bursts with both polarisations."""

ROOM_WAIT_S = 60.0
"""How long room is waited for that others take up with what they hold."""

_ASK_AGAIN = 5
_LOOK_AGAIN_S = 0.1
_PART = ".part"

Fill = Callable[[BinaryIO], None]
Extent = tuple[Path, int]
"""A local file, and the place in it at which what was asked for begins."""
Identity = str | Sequence[object]
"""The name of an entry's file, or everything that decides its bytes, of which a name is made."""


@dataclass(frozen=True, slots=True)
class Spool:
    """The folder.

    Attributes
    ----------
    folder : Path
        Made when it is first needed. Folders inside it are left alone.
    limit_bytes : int
        What all entries together may take, those included that somebody is just making.
    """

    folder: Path
    limit_bytes: int = round(DEFAULT_GB * BYTES_PER_GB)

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str] = os.environ, *, folder: Path | None = None, size_gb: float | None = None
    ) -> Spool:
        """The folder that ``SEN12TS_SPOOL`` names, else one in the user's cache; at most ``SEN12TS_SPOOL_GB`` (20).

        Parameters
        ----------
        environ : mapping
            The environment; what it says goes over the other arguments.
        folder, size_gb : Path and float, optional
            What holds where the environment says nothing.

        Raises
        ------
        ConfigurationError
            When the size is not a positive number.
        """
        named = environ.get(FOLDER_VARIABLE)
        text = environ.get(SIZE_VARIABLE) or str(size_gb or DEFAULT_GB)
        try:
            limit_gb = float(text)
        except ValueError:
            limit_gb = math.nan
        if not (math.isfinite(limit_gb) and limit_gb > 0):
            raise ConfigurationError("environment", SIZE_VARIABLE, "must be a positive number of gigabytes", text)
        place = Path(named) if named else folder or user_cache(environ) / "spool"
        return cls(place.absolute(), round(limit_gb * BYTES_PER_GB))

    def keep(self, identity: Identity, size: int, fill: Fill, *, resumed: bool = False) -> Path:
        """File of the bytes with an identity; they are made unless they are here.

        Parameters
        ----------
        identity : sequence or str
            Everything that decides the bytes, for example place, version, first byte and length; or a file's name.
        size : int
            How many bytes it will have; room is made for them.
        fill : callable
            Writes them to an empty file that is open for reading and writing.
        resumed : bool
            Whether `fill` goes on where an earlier one ended: it then finds what that one left, and what a failing one
            has written stays, unless the file was truncated to nothing.

        Raises
        ------
        ConfigurationError
            When the folder cannot be made, or its limit is smaller than the entry.
        Retryable
            When the folder cannot be written to now, for example because the disk is full, or others hold so much that
            there is no room; and whatever `fill` raises.
        """
        self._make()
        entry = self.folder / _name(identity)
        try:
            while not _touch(entry):
                self._fill(entry, size, fill, resumed)
        except OSError as error:
            raise Retryable(self._unwritable(error)) from error
        return entry

    @contextmanager
    def held(self, identity: Identity, size: int, fill: Fill, *, resumed: bool = False) -> Iterator[Path]:
        """As `keep`; the file is not removed while the context lasts, by no process."""
        with ExitStack() as locks:
            while True:
                entry = self.keep(identity, size, fill, resumed=resumed)
                with suppress(FileNotFoundError):
                    file = locks.enter_context(entry.open("rb"))
                    fcntl.flock(file, fcntl.LOCK_SH)
                    if _is_at(entry, file):
                        break
            yield entry

    def forget(self, identity: Identity) -> None:
        """Remove an entry, unless somebody holds it."""
        _remove(self.folder / _name(identity))

    def _make(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            rule = f"must be a folder that can be written: {error.strerror}"
            raise ConfigurationError("environment", FOLDER_VARIABLE, rule, str(self.folder)) from error

    def _unwritable(self, error: OSError) -> str:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        advice = f"; free some of the disk, or name another folder in {FOLDER_VARIABLE}" if full else ""
        return f"{self.folder} cannot keep what is fetched: {error.strerror or error}{advice}"

    def _fill(self, entry: Path, size: int, fill: Fill, resumed: bool) -> None:
        """Make an entry, or wait until another process or thread has made it or given up."""
        part = entry.with_name(f"{entry.name}.{size}{_PART}")
        with _locked(part, resumed) as file:
            if file is None:
                return
            if entry.exists():
                part.unlink()
                return
            self._make_room(size)
            fill(file)
            file.flush()
            part.rename(entry)

    def _make_room(self, size: int) -> None:
        """Remove what was used longest ago until what is being made has room; its size is in the name of its part."""
        if size > self.limit_bytes:
            rule = f"must be at least {size / BYTES_PER_GB:.3g}, to hold one of the files that are needed"
            raise ConfigurationError("environment", SIZE_VARIABLE, rule, self.limit_bytes / BYTES_PER_GB)
        patience = time.monotonic() + ROOM_WAIT_S
        while (excess := self._excess()) > 0:
            if time.monotonic() > patience:
                raise Retryable(
                    f"{self.folder} has no room for {size} bytes: others hold what is there, {excess} bytes too many; "
                    f"set {SIZE_VARIABLE} higher, or let fewer work at a time"
                )
            time.sleep(_LOOK_AGAIN_S)

    def _excess(self) -> int:
        """Bytes over the limit after everything went that was in the way and that nobody holds."""
        with _alone_in(self.folder):
            held = sorted(self._entries())
            excess = sum(size for _, size, _ in held) - self.limit_bytes
            for _, size, path in held:
                if excess <= 0:
                    break
                if _remove(path):
                    excess -= size
        return excess

    def _entries(self) -> Iterator[tuple[int, int, Path]]:
        """Time of last use, size and path of all that is there."""
        for item in os.scandir(self.folder):
            if item.is_dir():
                continue
            with suppress(FileNotFoundError):
                status = item.stat()
                yield status.st_atime_ns, max(status.st_size, _reserved(item.name)), Path(item.path)


def read_extent(ask: Callable[[], Extent], length: int) -> bytes:
    """Up to `length` bytes of an extent; it is asked for again if its file goes before it is opened."""
    for _ in range(_ASK_AGAIN):
        path, at = ask()
        with suppress(FileNotFoundError), path.open("rb", buffering=0) as file:
            return os.pread(file.fileno(), length, at)
    raise Retryable(f"{path} is removed again and again before it is read; is {SIZE_VARIABLE} large enough?")


def _name(identity: Identity) -> str:
    if isinstance(identity, str):
        return identity
    return hashlib.sha256("\0".join(map(str, identity)).encode()).hexdigest()


def _reserved(name: str) -> int:
    """Size that something will have which is just being made; 0 for what is complete."""
    if not name.endswith(_PART):
        return 0
    size = name.removesuffix(_PART).rpartition(".")[2]
    return int(size) if size.isdecimal() else 0


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Only one process or thread at a time makes room."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _touch(entry: Path) -> bool:
    """Note that an entry is used, and tell whether it is there; its time of change stays."""
    try:
        os.utime(entry, ns=(time.time_ns(), entry.stat().st_mtime_ns))
    except FileNotFoundError:
        return False
    return True


@contextmanager
def _locked(part: Path, resumed: bool) -> Iterator[BinaryIO | None]:
    """The file, locked and, unless it is resumed, empty; None if by then it has become an entry or is gone."""
    with os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT, 0o666), "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not _is_at(part, file):
            yield None
            return
        if not resumed:
            file.truncate(0)
        try:
            yield file
        except BaseException:
            if not resumed or not os.fstat(file.fileno()).st_size:
                part.unlink(missing_ok=True)
            raise


def _is_at(path: Path, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _remove(path: Path) -> bool:
    """Remove a file, unless somebody holds it or is just filling it."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
    except FileNotFoundError:
        return True
    except BlockingIOError:
        return False
    return True
