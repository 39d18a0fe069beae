"""Whole files that every run of an area needs, fetched once and kept: orbit files, elevations, geoids, maps.

A file is written beside its place as ``.part``, under a lock, checked, and renamed: whoever finds it finds all of it,
and of those who want it at one time one fetches it and the others wait. Nothing is ever removed. Beside each file lies
its digest, so that what is made of gigabytes can be named without reading them again.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from sen12ts_pipeline.acquisition.asking import Absent
from sen12ts_pipeline.acquisition.homes import user_cache
from sen12ts_pipeline.acquisition.provider import Provider
from sen12ts_pipeline.acquisition.stream import download
from sen12ts_pipeline.errors import BadProduct, ConfigurationError, Retryable

FOLDER_VARIABLE = "SEN12TS_CACHE"

Check = Callable[[Path], None]
"""Looks at a file that has come; ValueError, with what is wrong, if it is not the one that was wanted."""
Tell = Callable[[str, int, int], None]
"""Is told the name of a file, how many of its bytes are here, and how many there are (0: not known)."""


def _nobody(name: str, done: int, size: int) -> None:
    """What is told to nobody."""


@dataclass(frozen=True, slots=True)
class Cache:
    """A folder of fetched files.

    Attributes
    ----------
    folder : Path
        Made when it is first needed.
    provider : Provider
        How the server lets one in, and at which gate requests queue.
    tell : callable
        Is told of progress.
    """

    folder: Path
    provider: Provider = field(default_factory=Provider)
    tell: Tell = _nobody

    def within(self, name: str, provider: Provider | None = None) -> Cache:
        """A folder of this one, for the files of another server."""
        return replace(self, folder=self.folder / name, provider=provider or self.provider)

    def linked(self, name: str, files: Iterable[Path]) -> Path:
        """A folder of that name with links to some files of the cache, and to no others."""
        folder, wanted = self.folder / name, {one.name: one for one in files}
        folder.mkdir(parents=True, exist_ok=True)
        for one in folder.iterdir():
            if one.name not in wanted:
                one.unlink(missing_ok=True)
        for link, file in wanted.items():
            with suppress(FileExistsError):
                (folder / link).symlink_to(file.absolute())
        return folder

    def fetched(self, url: str, name: str, check: Check, *, size: int | None = None, md5: str = "") -> Path:
        """The file of a name, from a URL unless it is here.

        Parameters
        ----------
        url : str
            ``http://`` or ``https://``.
        name : str
            Of the file in the folder.
        check : callable
            Raises ValueError if the file is not what it should be; it is then not kept.
        size : int, optional
            Bytes that it must have.
        md5 : str
            Its MD5, hexadecimal, where that is published.

        Raises
        ------
        Absent
            When the server says that it has no such file (404).
        BadProduct
            When what it gives is not the file.
        ConfigurationError
            When it does not let one in.
        Retryable
            When it is busy, or the folder cannot be written to now.
        """

        def fill(part: Path) -> None:
            download(url, part, name, self.provider, lambda done, total: self.tell(name, done, total))
            _measure(part, name, size, md5)
            self.verify(check, part, name, url)

        return self.kept(name, fill)

    def kept(self, name: str, fill: Callable[[Path], None]) -> Path:
        """The file of a name; `fill` writes it to the path that it is given, unless it is here."""
        path = self.folder / name
        if path.exists():
            return path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with _locked(path) as part:
                if not path.exists():
                    fill(part)
                    _note_digest(part, path)
                    part.rename(path)
        except PermissionError as error:
            rule = f"must be a folder that can be written: {error.strerror}"
            raise ConfigurationError("cache", FOLDER_VARIABLE, rule, str(path.parent)) from error
        except OSError as error:
            raise Retryable(f"{path.parent} cannot keep {name}: {error.strerror or error}") from error
        return path

    @staticmethod
    def verify(check: Check, part: Path, name: str, origin: str = "its archive") -> None:
        """Apply a check to a file in the making; BadProduct, and the file is removed, if it does not pass."""
        try:
            check(part)
        except ValueError as error:
            part.unlink()
            raise BadProduct(name, "", f"what {origin} gives is not the file: {error}") from None

    def fresh(self, name: str, age_s: float) -> Path | None:
        """The file of a name, if it is here and has not lain for longer than some seconds."""
        path = self.folder / name
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime <= age_s:
                return path
        return None

    def put(self, name: str, body: bytes) -> Path:
        """Write a small file, in the place of the one that is here."""
        path = self.folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f"{path.name}.{os.getpid()}.{time.monotonic_ns()}.part")
            part.write_bytes(body)
            part.replace(path)
        except OSError as error:
            raise Retryable(f"{path.parent} cannot keep {name}: {error.strerror or error}") from error
        return path


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Folder of fetched files where none is set: ``SEN12TS_CACHE``, else one in the user's cache."""
    return Path(environ.get(FOLDER_VARIABLE) or user_cache(environ) / "auxiliary").absolute()


def digest_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal; from the note beside it if that is of this file, else read and noted.

    A note holds size and time of the file, so that one that was replaced is read again.
    """
    with suppress(OSError, ValueError):
        digest, state = _note(path).read_text("ascii").split(" ", 1)
        if state == _state(path):
            return digest
    _note_digest(path, path)
    return _note(path).read_text("ascii").split(" ", 1)[0]


def _note(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _state(path: Path) -> str:
    status = path.stat()
    return f"{status.st_size} {status.st_mtime_ns}"


def _note_digest(content: Path, path: Path) -> None:
    with content.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    note = _note(path)
    beside = note.with_name(f"{note.name}.{os.getpid()}.{time.monotonic_ns()}.part")
    beside.write_text(f"{digest} {_state(content)}", "ascii")
    beside.replace(note)


def _measure(part: Path, name: str, size: int | None, md5: str) -> None:
    found = part.stat().st_size
    if size is not None and found != size:
        part.unlink()
        raise BadProduct(name, "", f"must have {size} bytes; the server gives {found}")
    if md5:
        with part.open("rb") as stream:
            got = hashlib.file_digest(stream, "md5").hexdigest()
        if got != md5.lower():
            part.unlink()
            raise BadProduct(name, "", f"must have the MD5 {md5.lower()}; what came has {got}")


@contextmanager
def _locked(path: Path) -> Iterator[Path]:
    """Place of a file in the making, for one process and thread at a time; what was left there is removed."""
    # The lock stays: were it removed, one who waits for it and one who makes a new one would both go on.
    with path.with_name(f".{path.name}.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        part = path.with_name(f"{path.name}.part")
        part.unlink(missing_ok=True)
        try:
            yield part
        finally:
            part.unlink(missing_ok=True)


__all__ = ["Absent", "Cache", "Check", "Tell", "cache_folder", "digest_of"]
