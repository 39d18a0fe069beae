"""Whole products as zips, kept in an area of their own until its room is needed."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from sen12ts_pipeline.acquisition.checks import Expected, Fault, fault, unsound
from sen12ts_pipeline.acquisition.files import LocalFile
from sen12ts_pipeline.acquisition.provider import Provider
from sen12ts_pipeline.acquisition.spool import Extent, Spool
from sen12ts_pipeline.acquisition.stream import Stream
from sen12ts_pipeline.acquisition.whole import TRIES
from sen12ts_pipeline.acquisition.zips import zip_fault
from sen12ts_pipeline.ports import Place

log = logging.getLogger(__name__)


class Download:
    """Implements `files.ByteFile` over the zip of a place; it is fetched when it is first needed.

    It is named ``<product>.zip``. Until every member of it fits the manifest it is a ``.part``, with which whoever
    comes next goes on.

    Parameters
    ----------
    at : Place
        With a ``zip_url``.
    provider : Provider
        Who serves it.
    area : Spool
        Where it is kept.
    """

    def __init__(self, at: Place, provider: Provider, area: Spool) -> None:
        self._at, self._area = at, area
        self._stream = Stream(at.zip_url, at.product, provider, checked=True)

    @property
    def place(self) -> str:
        """Where it comes from, for people."""
        return self._stream.place

    def identity(self) -> str:
        """Path, size and time of the last change of the zip on this machine."""
        while True:
            with suppress(FileNotFoundError):
                return LocalFile(self._kept()).identity()

    @contextmanager
    def held(self) -> Iterator[Path | None]:
        """Path of the zip on this machine; it stays there while the context lasts."""
        with self._area.held(self._name, self._at.zip_bytes, self._fill, resumed=True) as path:
            yield path

    def extent(self, start: int, length: int) -> Extent:  # noqa: ARG002 - all of it is here
        """The zip on this machine and the place asked for."""
        return self._kept(), start

    def copy(self, start: int, length: int, out: BinaryIO) -> None:
        """Write these bytes to an empty file."""
        with self.held() as path:
            if path is not None:
                LocalFile(path).copy(start, length, out)

    def open(self, cuts: Sequence[int] = ()) -> BinaryIO:  # noqa: ARG002 - all of it is here
        """The zip, for reading."""
        while True:
            with suppress(FileNotFoundError):
                return self._kept().open("rb")

    @property
    def _name(self) -> str:
        return f"{self._at.product}.zip"

    def _kept(self) -> Path:
        return self._area.keep(self._name, self._at.zip_bytes, self._fill, resumed=True)

    def _fill(self, out: BinaryIO) -> None:
        """Fetch, and look at every byte; what was begun by somebody else and turns out wrong is nobody's fault."""
        begun, faults = bool(out.seek(0, 2)), list[Fault]()
        while len(faults) < TRIES:
            self._stream.complete(out)
            found = self._fault(out)
            if found is None:
                return
            log.warning("wrong product fetched", extra={"product": self._at.product, "found": found.found})
            faults += [] if begun else [found]
            begun = False
            out.seek(0)
            out.truncate(0)
        raise unsound(self._at.product, "", self.place, faults)

    def _fault(self, out: BinaryIO) -> Fault | None:
        md5 = self._at.zip_md5
        expected = Expected(None, "md5" if md5 else "", md5, self._at.archive)
        found = fault(out, self._name, expected)
        if found is not None:
            return found
        inside = zip_fault(out, self._at.product)
        return Fault(inside, of_server=False) if inside else None
