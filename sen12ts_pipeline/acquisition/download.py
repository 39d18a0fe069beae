"""One whole file from a web server: all of its bytes or an error, and each fault told apart by what is to be done."""

from __future__ import annotations

import http.client
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPMessage
from pathlib import Path
from typing import IO, Any, BinaryIO
from urllib.parse import urlsplit, urlunsplit

from sen12ts_pipeline import __version__
from sen12ts_pipeline.acquisition.provider import Provider
from sen12ts_pipeline.errors import BadProduct, ConfigurationError
from sen12ts_pipeline.passing import PASSING_STATUSES, Passing, asked_wait_s, patiently
from sen12ts_pipeline.ports import Turn

TIMEOUT_S = 60.0
"""Longest silence of a server."""
CHUNK_BYTES = 2**20
LIMIT_BYTES = 64 * 2**20
"""Largest answer that is kept in memory: listings and lists of tiles have some hundred kilobytes."""

_PAGE_BEGINS = (b"<!doctype html", b"<html")


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

    def ask() -> None:
        try:
            go_on()
        except _Changed:
            part.unlink(missing_ok=True)
            raise

    def go_on() -> None:
        nonlocal tag
        here = part.stat().st_size if part.exists() else 0
        going_on = {"Range": f"bytes={here}-", "If-Range": tag} if here and tag else {}
        with asker.answer(going_on) as (answer, turn):
            goes_on = answer.status == HTTPStatus.PARTIAL_CONTENT
            tag = _strong(answer.headers.get("ETag"))
            with part.open("ab" if goes_on else "wb") as out:
                _copy(answer, turn, out, progress)

    patiently(place_of(url), ask)


def text_of(url: str, name: str, provider: Provider) -> bytes:
    """A small answer, whole; errors as for `download`."""

    def ask() -> bytes:
        with _Asker(url, name, provider).answer({}) as (answer, turn):
            body: bytes = answer.read(LIMIT_BYTES)
            turn.received(len(body))
        if answer.length:
            raise Passing(f"sent {len(body)} bytes and then no more")
        return body

    return patiently(place_of(url), ask)


def place_of(url: str) -> str:
    """A URL as it may be shown: without user, password and query."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))


def _copy(answer: Any, turn: Turn, out: BinaryIO, progress: Callable[[int, int], object]) -> None:  # noqa: ANN401 - HTTPResponse
    done = out.tell()
    size = done + answer.length if answer.length is not None else 0
    while chunk := answer.read(CHUNK_BYTES):
        if done == 0 and chunk[:64].lstrip().lower().startswith(_PAGE_BEGINS):
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

    @contextmanager
    def answer(self, headers: Mapping[str, str]) -> Iterator[tuple[Any, Turn]]:
        """A good answer, and the turn at the gate that it has until its last byte."""
        try:
            with self._provider.gate.turn() as turn, self._let_in(headers) as answer:
                yield answer, turn
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, ssl.SSLCertVerificationError):
                rule = "must have a certificate that is trusted"
                raise ConfigurationError("auxiliary", place_of(self._url), rule, str(reason)) from None
            raise Passing(f"broke off ({type(error).__name__}: {reason})") from None

    def _let_in(self, headers: Mapping[str, str]) -> Any:  # noqa: ANN401 - HTTPResponse
        """Ask, and once more with new credentials if the server does not accept those that it was shown."""
        for last in (False, True):
            shown = self._provider.access.headers()
            request = urllib.request.Request(self._url)  # noqa: S310 - http or https, see above
            request.add_header("User-Agent", f"sen12ts-pipeline/{__version__}")
            request.add_header("Accept-Encoding", "identity")
            for key, value in headers.items():
                request.add_header(key, value)
            for key, value in shown.items():
                request.add_unredirected_header(key, value)
            try:
                return _OPENER.open(request, timeout=TIMEOUT_S)
            except urllib.error.HTTPError as error:
                with error:
                    denied = error.code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
                    if denied and self._provider.access.refused(shown) and not last:
                        continue
                    raise self._fault(error) from None
        raise AssertionError("unreachable")

    def _fault(self, error: urllib.error.HTTPError) -> Exception:
        place, answer = place_of(self._url), f"answer {error.code} {error.reason}"
        if error.code in PASSING_STATUSES:
            return Passing(f"answered {error.code} {error.reason}", asked_wait_s(error.headers.get("Retry-After")))
        if error.code in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
            return Absent(self._name, "", f"there is none at {place}: {answer}")
        if error.code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            who = self._provider.name or "the server"
            rule = (
                f"must be there and may be read; {who} refuses it, as some servers also do with what they do not have"
            )
            return ConfigurationError("auxiliary", place, rule, answer)
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return _Changed("has changed while it was read")
        return BadProduct(self._name, "", f"cannot be had from {place}: {answer}")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirections, and shows credentials to no other server than the one that they are meant for."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following and urlsplit(newurl)[:2] == urlsplit(req.full_url)[:2]:
            for key, value in req.unredirected_hdrs.items():
                following.add_unredirected_header(key, value)
        return following


_OPENER = urllib.request.build_opener(_Redirects)
