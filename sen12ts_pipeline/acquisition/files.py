"""One file that is read by parts: on this machine, or afar through the spool."""

from __future__ import annotations

import functools
import io
import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from sen12ts_pipeline.acquisition.checks import NOTHING_KNOWN, Expected
from sen12ts_pipeline.acquisition.spool import Extent, Spool, read_extent
from sen12ts_pipeline.acquisition.whole import WholeFile
from sen12ts_pipeline.passing import patiently

PIECE_BYTES = 8 * 2**20
"""Most that one request asks for."""
PARALLEL = 4
"""Most requests for one extent at a time; also the connections that Copernicus grants a user."""
WHOLE_BYTES = 4 * 2**20
"""Stretches of a file up to this size are fetched whole when one of their bytes is read."""
HEAD_BYTES = 64 * 2**10
STREAM_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Version:
    """What tells whether a file is still the same.

    Attributes
    ----------
    size : int
        Bytes.
    tag : str
        Entity tag, or time of the last change where the server gives none.
    """

    size: int
    tag: str


class RemoteFile(Protocol):
    """A file on a server. Both questions raise `Passing`, BadProduct, Retryable or ConfigurationError."""

    @property
    def place(self) -> str:
        """Where it lies, for people: without credentials."""
        ...

    @property
    def identity(self) -> str:
        """Where it lies, in full; never shown."""
        ...

    def version(self) -> Version:
        """Size and tag as they are now."""
        ...

    def fetch(self, start: int, length: int, expected: Version) -> bytes:
        """Just these bytes of this version."""
        ...


class ByteFile(Protocol):
    """A file whose parts can be had as files of this machine."""

    @property
    def place(self) -> str:
        """Where it lies, for people: without credentials."""
        ...

    def held(self) -> AbstractContextManager[Path | None]:
        """Path of all of it on this machine, while the context lasts; None where just parts of it come here."""
        ...

    def identity(self) -> str:
        """Place and version; FileNotFoundError if it is not there any more."""
        ...

    def extent(self, start: int, length: int) -> Extent:
        """A local file with these bytes, fewer where the file ends before, and their place in it."""
        ...

    def copy(self, start: int, length: int, out: BinaryIO) -> None:
        """Write these bytes to an empty file."""
        ...

    def open(self, cuts: Sequence[int] = ()) -> BinaryIO:
        """The file, for reading; `cuts` are places at which reading is likely to begin or to end."""
        ...


class LocalFile:
    """A file of this machine."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path).absolute()

    @property
    def place(self) -> str:
        """The path."""
        return str(self.path)

    @contextmanager
    def held(self) -> Iterator[Path | None]:
        """The path."""
        yield self.path

    def identity(self) -> str:
        """Path, size and time of the last change."""
        status = self.path.stat()
        return f"{self.path}\0{status.st_size}\0{status.st_mtime_ns}"

    def extent(self, start: int, length: int) -> Extent:  # noqa: ARG002 - all of it is here
        """The file itself and the place asked for."""
        return self.path, start

    def copy(self, start: int, length: int, out: BinaryIO) -> None:
        """Write these bytes to an empty file."""
        with self.path.open("rb") as file:
            file.seek(start)
            while length > 0 and (body := file.read(min(length, PIECE_BYTES))):
                out.write(body)
                length -= len(body)

    def open(self, cuts: Sequence[int] = ()) -> BinaryIO:  # noqa: ARG002 - nothing is fetched
        """The file, for reading."""
        return self.path.open("rb")


class SpooledFile:
    """A file afar, whose parts come into the spool when they are asked for.

    Its version is asked for once: a file that changes afterwards cannot be read on.
    """

    def __init__(self, remote: RemoteFile, spool: Spool) -> None:
        self.remote, self.spool = remote, spool

    @property
    def place(self) -> str:
        """Where it lies, for people."""
        return self.remote.place

    @contextmanager
    def held(self) -> Iterator[Path | None]:
        """None: only parts of it come here."""
        yield None

    @functools.cached_property
    def version(self) -> Version:
        """Size and tag."""
        return patiently(self.remote.place, self.remote.version)

    def identity(self) -> str:
        """Place, size and tag."""
        return f"{self.remote.identity}\0{self.version.size}\0{self.version.tag}"

    def extent(self, start: int, length: int) -> Extent:
        """A file of the spool that holds just these bytes, and 0."""
        stop = min(start + length, self.version.size)
        length = max(stop - start, 0)
        fill = functools.partial(self.copy, start, length)
        return self.spool.keep((self.identity(), start, length), length, fill), 0

    def whole(self, product: str, member: str, expected: Expected = NOTHING_KNOWN) -> WholeFile:
        """All of it, as a member of a product, checked against what is known of it besides."""
        size, identity = self.version.size, (self.identity(), "whole", expected.algorithm, expected.digest)
        copy = functools.partial(self.copy, 0, size)
        return WholeFile(self.spool, product, member, self.place, identity, size, copy, expected)

    def read(self, start: int, length: int) -> bytes:
        """These bytes, fewer where the file ends before, by way of the spool."""
        return read_extent(lambda: self.extent(start, length), length)

    def open(self, cuts: Sequence[int] = ()) -> BinaryIO:
        """The file, for reading and seeking; just the parts that are read are fetched."""
        return cast(BinaryIO, _Parts(self, cuts))

    def copy(self, start: int, length: int, out: BinaryIO) -> None:
        """Write these bytes to an empty file, piece by piece; errors as those of the remote file."""
        stop = start + length

        def one(first: int) -> None:
            size = min(PIECE_BYTES, stop - first)
            body = patiently(self.remote.place, lambda: self.remote.fetch(first, size, self.version))
            os.pwrite(out.fileno(), body, first - start)

        pieces = range(start, stop, PIECE_BYTES)
        with ThreadPoolExecutor(min(PARALLEL, max(len(pieces), 1)), "fetch") as pool:
            for _ in pool.map(one, pieces):
                pass


class _Parts(io.RawIOBase):
    """A spooled file as zipfile wants one: it fetches what is read, in parts that begin and end at the cuts."""

    def __init__(self, file: SpooledFile, cuts: Sequence[int]) -> None:
        super().__init__()
        self._file, self._size, self._at = file, file.version.size, 0
        inner = cuts or [max(self._size - HEAD_BYTES, 0)]
        self._cuts = sorted({0, self._size, *(cut for cut in inner if 0 < cut < self._size)})

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = max({os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence] + offset, 0)
        return self._at

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - whatever holds bytes
        wanted, filled = memoryview(buffer).cast("B"), 0
        while filled < len(wanted) and self._at < self._size:
            start, stop = self._part()
            body = self._read(start, stop, min(len(wanted) - filled, stop - self._at))
            wanted[filled : filled + len(body)] = body
            filled, self._at = filled + len(body), self._at + len(body)
        return filled

    def _read(self, start: int, stop: int, length: int) -> bytes:
        """Next bytes, from the part that holds them."""

        def ask() -> Extent:
            path, at = self._file.extent(start, stop - start)
            return path, at + self._at - start

        return read_extent(ask, length)

    def _part(self) -> tuple[int, int]:
        """The part that holds the next byte: a whole stretch, or the head or a further part of a long one."""
        k = bisect_right(self._cuts, self._at)
        start, stop = self._cuts[k - 1], self._cuts[k]
        if stop - start <= WHOLE_BYTES:
            return start, stop
        body = start + HEAD_BYTES
        if self._at < body:
            return start, body
        start = body + (self._at - body) // STREAM_BYTES * STREAM_BYTES
        return start, min(start + STREAM_BYTES, stop)
