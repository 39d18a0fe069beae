"""Questions to a web server for one file, and each fault told apart by what is to be done."""

from __future__ import annotations

import re
import urllib.error
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlsplit

from sen12ts_pipeline import __version__
from sen12ts_pipeline.acquisition.opening import BROKEN, OPENER, NotLetIn, broken, let_in, request_for, shown
from sen12ts_pipeline.acquisition.provider import Credentials, Provider
from sen12ts_pipeline.errors import BadProduct, ConfigurationError
from sen12ts_pipeline.passing import PASSING_STATUSES, Passing, patiently, wait_named
from sen12ts_pipeline.ports import Turn

T = TypeVar("T")

TIMEOUT_S = 60.0
"""Longest silence of a server."""
LIMIT_BYTES = 64 * 2**20
"""Largest answer that is kept in memory: listings and lists of tiles have some hundred kilobytes."""

_UNSATISFIED = re.compile(r"^bytes \*/(\d+)$")


class Absent(BadProduct):
    """A file that a server says it does not have."""


class Beyond(Passing):
    """A question for what would lie behind the end of a file, with the size that the server names, if any."""

    def __init__(self, size: int | None) -> None:
        super().__init__("has another file than the one that was begun")
        self.size = size


class Asker:
    """Asks for one URL; each question is a connection of its own.

    Parameters
    ----------
    url : str
        ``http://`` or ``https://``; a query is kept and never shown.
    name : str
        What errors name.
    provider : Provider
        Whose gate it passes, and what is shown to be let in.

    Raises
    ------
    ConfigurationError
        When it is no address of a web server.
    """

    def __init__(self, url: str, name: str, provider: Provider) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ConfigurationError("download", name, "must be fetched from an http:// or https:// address", url)
        self._url, self._name, self._provider = url, name, provider

    @property
    def place(self) -> str:
        """The URL without its query."""
        return shown(self._url)

    def ask(self, headers: Mapping[str, str], use: Callable[[Any, Turn], T]) -> T:
        """What `use` makes of a good answer, and of the turn at the gate that it has until its last byte.

        Raises
        ------
        Passing
            When the same may be asked again; `Beyond` where there are no such bytes.
        Absent, BadProduct, ConfigurationError
            When the server does not have it, does not give it, or does not let us in.
        """
        try:
            return let_in(self._provider.access, lambda credentials: self._once(headers, credentials, use))
        except NotLetIn as refusal:
            who = self._provider.name or "the server"
            but = f"{who} refuses it, as some servers also do with what they do not have"
            rule = f"must be of a user who may read {self.place}; {but}"
            raise ConfigurationError("environment", self._provider.variables, rule, str(refusal)) from None

    def _once(self, headers: Mapping[str, str], credentials: Credentials, use: Callable[[Any, Turn], T]) -> T:
        request = request_for(self._url, credentials)
        request.add_header("User-Agent", f"sen12ts-pipeline/{__version__}")
        for key, value in headers.items():
            request.add_header(key, value)
        with self._provider.gate.turn() as turn:
            try:
                with OPENER.open(request, timeout=TIMEOUT_S) as answer:
                    if answer.status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
                        raise Passing(f"answered {answer.status} {answer.reason}")
                    return use(answer, turn)
            except urllib.error.HTTPError as error:
                with error:
                    raise self._fault(error) from None
            except BROKEN as error:
                raise broken(error, "download", self.place) from None

    def _fault(self, error: urllib.error.HTTPError) -> Exception:
        answer = f"{error.code} {error.reason}"
        if error.code in PASSING_STATUSES:
            return Passing(f"answered {answer}", wait_named(error.headers))
        if error.code in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
            return Absent(self._name, "", f"there is none at {self.place}: answer {answer}")
        if error.code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return NotLetIn(f"answer {answer}")
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            match = _UNSATISFIED.match(error.headers.get("Content-Range") or "")
            return Beyond(int(match[1]) if match else None)
        return BadProduct(self._name, "", f"cannot be had from {self.place}: answer {answer}")


def text_of(url: str, name: str, provider: Provider) -> bytes:
    """A small answer, whole; errors as for `stream.download`."""

    def read(answer: Any, turn: Turn) -> bytes:  # noqa: ANN401 - HTTPResponse
        body: bytes = answer.read(LIMIT_BYTES)
        turn.received(len(body))
        if answer.length:
            raise Passing(f"sent {len(body)} bytes and then no more")
        return body

    asker = Asker(url, name, provider)
    return patiently(asker.place, lambda: asker.ask({}, read))
