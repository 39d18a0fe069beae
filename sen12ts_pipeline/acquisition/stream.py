"""Whole files of web servers as one stream each, gone on with where it broke off if the server can do that."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO

from sen12ts_pipeline.acquisition.asking import Asker, Beyond
from sen12ts_pipeline.acquisition.opening import is_page
from sen12ts_pipeline.acquisition.provider import Provider
from sen12ts_pipeline.errors import Retryable
from sen12ts_pipeline.passing import Passing, patiently
from sen12ts_pipeline.ports import Turn

CHUNK_BYTES = 2**20

Tell = Callable[[int, int], object]
"""Is told bytes that are here and all bytes, 0 if those are not known."""

_RANGE = re.compile(r"^bytes (\d+)-\d+/(\d+)$")


def _nobody(_done: int, _total: int) -> None:
    """Nobody is told."""


class Stream:
    """A file at a URL, of which nothing is known but its address.

    Parameters
    ----------
    url : str
        ``http://`` or ``https://``; a query is kept and never shown.
    name : str
        What errors name.
    provider : Provider
        Who serves it.
    checked : bool
        Whether whoever wants the file looks at every byte of it. Then it is gone on with whoever began it; else only
        where the server's tag says that it is the same file still.
    """

    def __init__(self, url: str, name: str, provider: Provider, *, checked: bool) -> None:
        self._asker, self._checked = Asker(url, name, provider), checked
        self._tag = ""

    @property
    def place(self) -> str:
        """The URL without its query."""
        return self._asker.place

    def complete(self, out: BinaryIO, tell: Tell = _nobody) -> None:
        """Write what a file lacks.

        What is there is taken for the beginning of the file. A server that answers a question for the rest with the
        whole (200) has it written from the beginning.

        Raises
        ------
        Retryable
            When the server does not give it now; what has come stays in the file.
        Absent, BadProduct, ConfigurationError
            As `asking.Asker.ask`.
        """
        while True:
            before = out.seek(0, os.SEEK_END)
            try:
                return patiently(self.place, lambda: self._go_on(out, tell))
            except Retryable:
                if out.seek(0, os.SEEK_END) <= before:  # otherwise it is slow, and comes all the same
                    raise

    def _go_on(self, out: BinaryIO, tell: Tell) -> None:
        have, headers = out.seek(0, os.SEEK_END), dict[str, str]()
        if have and (self._tag or self._checked):
            headers = {"Range": f"bytes={have}-"} | ({"If-Range": self._tag} if self._tag else {})
        try:
            self._asker.ask(headers, lambda answer, turn: self._write(answer, have, out, turn, tell))
        except Beyond as beyond:
            if not have or beyond.size != have:  # what is longer than the file is thrown away
                out.truncate(0)
                raise

    def _write(self, answer: Any, have: int, out: BinaryIO, turn: Turn, tell: Tell) -> None:  # noqa: ANN401 - HTTPResponse
        self._tag = _strong(answer.headers.get("ETag"))
        match = _RANGE.match(answer.headers.get("Content-Range") or "")
        goes_on = answer.status == HTTPStatus.PARTIAL_CONTENT and match is not None and int(match[1]) == have
        if not goes_on:
            out.truncate(0)
            out.seek(0)
        if answer.status == HTTPStatus.PARTIAL_CONTENT and not goes_on:
            raise Passing("answered other bytes than those asked for")
        length = answer.headers.get("Content-Length")
        total = int(match[2]) if goes_on and match else int(length) if length and length.isdecimal() else None
        while chunk := answer.read(CHUNK_BYTES):
            if out.tell() == 0 and is_page(chunk[:64]):
                raise Passing("sent a web page in the place of the file")
            out.write(chunk)
            turn.received(len(chunk))
            tell(out.tell(), total or 0)
        out.flush()
        if total is not None and (size := out.tell()) != total:
            raise Passing(f"sent {size} of {total} bytes")


def download(url: str, part: Path, name: str, provider: Provider, tell: Tell) -> None:
    """Write a file.

    A transfer that breaks off goes on where it stopped, if the server has the same file still; else it begins again.

    Parameters
    ----------
    url : str
        ``http://`` or ``https://``.
    part : Path
        Where it is written; it must not be there.
    name : str
        What errors name.
    provider : Provider
        Whose gate it passes, and what is shown to be let in.
    tell : callable
        Is told how much of it is here.

    Raises
    ------
    Absent, BadProduct, ConfigurationError, Retryable
        As `cache.Cache.fetched`.
    """
    stream = Stream(url, name, provider, checked=False)
    with part.open("xb") as out:
        stream.complete(out, tell)


def _strong(tag: str | None) -> str:
    """An entity tag that names the very bytes (RFC 9110, section 8.8.1); empty if there is none."""
    return tag if tag and not tag.startswith("W/") else ""
