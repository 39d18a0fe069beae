"""Files on a web server that answers byte ranges (RFC 9110, section 14)."""

from __future__ import annotations

import http.client
import re
import urllib.error
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

from sen12ts_pipeline.acquisition.files import Version
from sen12ts_pipeline.acquisition.opening import OPENER, NotLetIn, broken, let_in, request_for, shown
from sen12ts_pipeline.acquisition.provider import TOKEN_VARIABLE, Credentials, Provider
from sen12ts_pipeline.errors import BadProduct, ConfigurationError, Retryable
from sen12ts_pipeline.passing import PASSING_STATUSES, Passing, wait_named
from sen12ts_pipeline.ports import Turn

TIMEOUT_S = 60.0
"""Longest silence of a server."""
NOTED_BYTES = 2**20
"""Bytes that come between two notes at the gate."""
TOO_MANY_SESSIONS = b"DAT-ZIP-100"
SESSIONS_WAIT_S = 60.0
"""How long a user with too many sessions leaves a server alone: they end with their tokens, within ten minutes."""

T = TypeVar("T")

_CONTENT_RANGE = re.compile(r"^bytes (?:(\d+)-(\d+)|\*)/(\d+)$")


class HttpFile:
    """A file at a URL; each question is a connection of its own, so that threads and processes share none.

    Parameters
    ----------
    url : str
        ``http://`` or ``https://``. A query is kept, for addresses that are signed; it is never shown.
    product, member : str
        What errors name.
    provider : Provider, optional
        Who serves it; by default somebody who lets in whoever shows the token of the environment.
    """

    def __init__(self, url: str, product: str, member: str, provider: Provider | None = None) -> None:
        self._url, self._product, self._member = url, product, member
        self._provider = provider or Provider()

    def __repr__(self) -> str:
        return f"HttpFile({self.place!r})"

    @property
    def place(self) -> str:
        """The URL without its query."""
        return shown(self._url)

    @property
    def identity(self) -> str:
        """The URL in full; never shown."""
        return self._url

    def version(self) -> Version:
        """Size and tag, from the answer to a question for one byte."""
        return self._ask(0, 1, lambda answer, _: self._version(answer))

    def fetch(self, start: int, length: int, expected: Version) -> bytes:
        """Just these bytes of this version."""

        def take(answer: Any, turn: Turn) -> bytes:  # noqa: ANN401 - HTTPResponse
            if "Content-Range" not in answer.headers:  # it has answered ranges before: a page of some proxy, say
                raise Passing(f"answered {answer.status} with something else than the bytes asked for")
            if self._version(answer) != expected:
                raise Retryable(f"{self.place} has changed while it was read")
            match = _CONTENT_RANGE.match(answer.headers["Content-Range"])
            if not match or match.group(1, 2) != (str(start), str(start + length - 1)):
                raise Passing("answered other bytes than those asked for")
            return received(answer, length, turn)

        return self._ask(start, length, take)

    def _version(self, answer: Any) -> Version:  # noqa: ANN401 - HTTPResponse or HTTPError
        match = _CONTENT_RANGE.match(answer.headers.get("Content-Range") or "")
        if not match:
            reason = f"{self.place} must answer a question for a range of bytes with that range (206), not with all"
            raise BadProduct(self._product, self._member, f"{reason}; it answered {answer.status}")
        return Version(int(match[3]), answer.headers.get("ETag") or answer.headers.get("Last-Modified") or "")

    def _ask(self, start: int, length: int, use: Callable[[Any, Turn], T]) -> T:
        """What `use` makes of the server's answer to a question for a range; new credentials are tried once."""
        try:
            return let_in(self._provider.access, lambda credentials: self._once(start, length, credentials, use))
        except NotLetIn as refusal:
            raise self._not_let_in(refusal) from None

    def _once(self, start: int, length: int, credentials: Credentials, use: Callable[[Any, Turn], T]) -> T:
        """One request; faults are told apart by what is to be done about them."""
        request = request_for(self._url, credentials)
        request.add_header("Range", f"bytes={start}-{start + length - 1}")
        with self._provider.gate.turn() as turn:
            try:
                with OPENER.open(request, timeout=TIMEOUT_S) as answer:
                    return use(answer, turn)
            except urllib.error.HTTPError as error:
                with error:
                    if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and length == 1:
                        return use(error, turn)  # an empty file has no first byte; its size is told all the same
                    raise self._refused(error) from None
            except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
                raise broken(error, "product", self.place) from None

    def _refused(self, error: urllib.error.HTTPError) -> Exception:
        if error.code in PASSING_STATUSES:
            return Passing(f"answered {error.code} {error.reason}", _wait_s(error))
        if error.code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return NotLetIn(f"answer {error.code} {error.reason}")
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return Retryable(f"{self.place} has changed while it was read")
        reason = f"cannot be had from {self.place}: answer {error.code} {error.reason}"
        return BadProduct(self._product, self._member, reason)

    def _not_let_in(self, refusal: NotLetIn) -> ConfigurationError:
        rule = f"must be of a user who may read {self.place}"
        if self._provider.variables == TOKEN_VARIABLE:
            rule = f"must be a bearer token that may read {self.place}, or none where none is needed"
        return ConfigurationError("environment", self._provider.variables, rule, str(refusal))


def received(stream: Any, length: int, turn: Turn) -> bytes:  # noqa: ANN401 - of http.client or botocore
    """Bytes of an answer, noted at the gate as they come; Passing if there are fewer.

    A slow answer so keeps its place at the gate, and one that stands still loses it.
    """
    body = bytearray()
    while len(body) < length and (part := stream.read(min(NOTED_BYTES, length - len(body)))):
        turn.received(len(part))
        body += part
    if len(body) != length:
        raise Passing(f"sent {len(body)} of {length} bytes")
    return bytes(body)


def _wait_s(error: urllib.error.HTTPError) -> float | None:
    """The wait that a refusal names; that for sessions to end where it says that there are too many (CDSE)."""
    wait_s = wait_named(error.headers)
    if wait_s is None and error.code == HTTPStatus.TOO_MANY_REQUESTS:
        with suppress(OSError, http.client.HTTPException):
            if TOO_MANY_SESSIONS in error.read(2**12):
                return SESSIONS_WAIT_S
    return wait_s


def inside(url: str, member: str) -> str:
    """URL of a file of the folder at a URL; a query stays at the end."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{quote(member)}", fragment=""))


__all__ = ["TOKEN_VARIABLE", "HttpFile", "inside", "received"]
