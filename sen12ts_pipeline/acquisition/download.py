"""One whole file from a web server: all of its bytes or an error, and each fault told apart by what is to be done."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from urllib.parse import urlsplit

from sen12ts_pipeline import __version__
from sen12ts_pipeline.acquisition.opening import BROKEN, OPENER, NotLetIn, broken, is_page, let_in, shown
from sen12ts_pipeline.acquisition.provider import Provider
from sen12ts_pipeline.errors import BadProduct, ConfigurationError
from sen12ts_pipeline.passing import PASSING_STATUSES, Passing, asked_wait_s, patiently
from sen12ts_pipeline.ports import Turn

T = TypeVar("T")

TIMEOUT_S = 60.0
"""Longest silence of a server."""
CHUNK_BYTES = 2**20
LIMIT_BYTES = 64 * 2**20
"""Largest answer that is kept in memory: listings and lists of tiles have some hundred kilobytes."""


class Absent(BadProduct):
    """A file that a server says it does not have."""


class _Changed(Passing):
    """A file that is not any more the one of which a part is here."""


def download(url: str, part: Path, name: str, provider: Provider, progress: Callable[[int, int], object]) -> None:
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
    progress : callable
        Is told bytes that are here and all bytes, 0 if those are not known.

    Raises
    ------
    Absent, BadProduct, ConfigurationError, Retryable
        As `cache.Cache.fetched`.
    """
    asker = _Asker(url, name, provider)
    tag = ""

    def go_on() -> None:
        here = part.stat().st_size if part.exists() else 0
        going_on = {"Range": f"bytes={here}-", "If-Range": tag} if here and tag else {}
        try:
            asker.ask(going_on, write)
        except _Changed:
            part.unlink(missing_ok=True)
            raise

    def write(answer: Any, turn: Turn) -> None:  # noqa: ANN401 - HTTPResponse
        nonlocal tag
        tag = _strong(answer.headers.get("ETag"))
        with part.open("ab" if answer.status == HTTPStatus.PARTIAL_CONTENT else "wb") as out:
            _copy(answer, turn, out, progress)

    patiently(shown(url), go_on)


def text_of(url: str, name: str, provider: Provider) -> bytes:
    """A small answer, whole; errors as for `download`."""

    def read(answer: Any, turn: Turn) -> bytes:  # noqa: ANN401 - HTTPResponse
        body: bytes = answer.read(LIMIT_BYTES)
        turn.received(len(body))
        if answer.length:
            raise Passing(f"sent {len(body)} bytes and then no more")
        return body

    return patiently(shown(url), lambda: _Asker(url, name, provider).ask({}, read))


def _copy(answer: Any, turn: Turn, out: BinaryIO, progress: Callable[[int, int], object]) -> None:  # noqa: ANN401 - HTTPResponse
    done = out.tell()
    size = done + answer.length if answer.length is not None else 0
    while chunk := answer.read(CHUNK_BYTES):
        if done == 0 and is_page(chunk[:64]):
            raise Passing("sent a web page in the place of the file")
        out.write(chunk)
        done += len(chunk)
        turn.received(len(chunk))
        progress(done, size)
    if size and done != size:
        raise Passing(f"sent {done} of {size} bytes")


def _strong(tag: str | None) -> str:
    """An entity tag that names the very bytes (RFC 9110, section 8.8.1); empty if there is none."""
    return tag if tag and not tag.startswith("W/") else ""


class _Asker:
    """Asks for one URL; each question is a connection of its own."""

    def __init__(self, url: str, name: str, provider: Provider) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ConfigurationError("auxiliary", name, "must be fetched from an http:// or https:// address", url)
        self._url, self._name, self._provider = url, name, provider

    def ask(self, headers: Mapping[str, str], use: Callable[[Any, Turn], T]) -> T:
        """What `use` makes of a good answer, and of the turn at the gate that it has until its last byte."""
        try:
            return let_in(self._provider.access, lambda credentials: self._once(headers, credentials, use))
        except NotLetIn as refusal:
            who = self._provider.name or "the server"
            rule = (
                f"must be there and may be read; {who} refuses it, as some servers also do with what they do not have"
            )
            raise ConfigurationError("auxiliary", shown(self._url), rule, str(refusal)) from None

    def _once(self, headers: Mapping[str, str], credentials: Mapping[str, str], use: Callable[[Any, Turn], T]) -> T:
        request = urllib.request.Request(self._url, headers=dict(headers))  # noqa: S310 - http or https, see above
        request.add_header("User-Agent", f"sen12ts-pipeline/{__version__}")
        request.add_header("Accept-Encoding", "identity")
        for key, value in credentials.items():
            request.add_unredirected_header(key, value)
        with self._provider.gate.turn() as turn:
            try:
                with OPENER.open(request, timeout=TIMEOUT_S) as answer:
                    return use(answer, turn)
            except urllib.error.HTTPError as error:
                with error:
                    raise self._fault(error) from None
            except BROKEN as error:
                raise broken(error, "auxiliary", shown(self._url)) from None

    def _fault(self, error: urllib.error.HTTPError) -> Exception:
        place, answer = shown(self._url), f"answer {error.code} {error.reason}"
        if error.code in PASSING_STATUSES:
            return Passing(f"answered {error.code} {error.reason}", asked_wait_s(error.headers.get("Retry-After")))
        if error.code in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
            return Absent(self._name, "", f"there is none at {place}: {answer}")
        if error.code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return NotLetIn(answer)
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return _Changed("has changed while it was read")
        return BadProduct(self._name, "", f"cannot be had from {place}: {answer}")
