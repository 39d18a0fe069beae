"""Large files of web servers as one stream each, gone on with where it broke off if the server can do that."""

from __future__ import annotations

import os
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, BinaryIO

from sen12ts_pipeline.acquisition.http import TIMEOUT_S
from sen12ts_pipeline.acquisition.opening import BROKEN, OPENER, NotLetIn, broken, let_in, shown
from sen12ts_pipeline.acquisition.provider import Provider
from sen12ts_pipeline.errors import BadProduct, ConfigurationError, Retryable
from sen12ts_pipeline.passing import PASSING_STATUSES, Passing, patiently, wait_named
from sen12ts_pipeline.ports import Turn

CHUNK_BYTES = 2**20

_RANGE = re.compile(r"^bytes (\d+)-\d+/(\d+)$")
_UNSATISFIED = re.compile(r"^bytes \*/(\d+)$")


class Stream:
    """A file at a URL, of which nothing is known but its address.

    Parameters
    ----------
    url : str
        ``http://`` or ``https://``; a query is kept and never shown.
    product : str
        What errors name.
    provider : Provider
        Who serves it.
    """

    def __init__(self, url: str, product: str, provider: Provider) -> None:
        self._url, self._product, self._provider = url, product, provider
        self._tag = ""

    @property
    def place(self) -> str:
        """The URL without its query."""
        return shown(self._url)

    def complete(self, out: BinaryIO) -> None:
        """Write what a file lacks.

        What is there is taken for the beginning of the file. A server that answers a question for the rest with the
        whole (200) has it written from the beginning.

        Raises
        ------
        Retryable
            When the server does not give it now; what has come stays in the file.
        BadProduct, ConfigurationError
            When it does not have it (404, 410), or does not let us in.
        """
        while True:
            before = out.seek(0, os.SEEK_END)
            try:
                return patiently(self.place, lambda: self._let_in(out))
            except Retryable:
                if out.seek(0, os.SEEK_END) <= before:  # otherwise it is slow, and comes all the same
                    raise

    def _let_in(self, out: BinaryIO) -> None:
        """One request, or two where what lets one in has to be renewed."""
        try:
            let_in(self._provider.access, lambda headers: self._once(out, headers))
        except NotLetIn as refusal:
            rule = f"must be of a user who may read {self.place}"
            raise ConfigurationError("environment", self._provider.variables, rule, str(refusal)) from None

    def _once(self, out: BinaryIO, headers: Mapping[str, str]) -> None:
        have = out.seek(0, os.SEEK_END)
        with self._provider.gate.turn() as turn:
            try:
                with OPENER.open(self._request(have, headers), timeout=TIMEOUT_S) as answer:
                    self._write(answer, have, out, turn)
            except urllib.error.HTTPError as error:
                with error:
                    if not self._is_complete(error, have, out):
                        raise self._refused(error) from None
            except BROKEN as error:
                raise broken(error, "product", self.place) from None

    def _request(self, have: int, headers: Mapping[str, str]) -> urllib.request.Request:
        request = urllib.request.Request(self._url)  # noqa: S310 - the scheme is http or https: a place's
        request.add_header("Accept-Encoding", "identity")
        if have:
            request.add_header("Range", f"bytes={have}-")
            if self._tag:
                request.add_header("If-Range", self._tag)
        for name, value in headers.items():
            request.add_unredirected_header(name, value)
        return request

    def _write(self, answer: Any, have: int, out: BinaryIO, turn: Turn) -> None:  # noqa: ANN401 - HTTPResponse
        if answer.status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
            raise Passing(f"answered {answer.status} {answer.reason}")
        tag = answer.headers.get("ETag") or ""
        self._tag = "" if tag.startswith("W/") else tag
        match = _RANGE.match(answer.headers.get("Content-Range") or "")
        goes_on = answer.status == HTTPStatus.PARTIAL_CONTENT and match is not None and int(match[1]) == have
        if answer.status == HTTPStatus.PARTIAL_CONTENT and not goes_on:
            out.truncate(0)
            raise Passing("answered other bytes than those asked for")
        if not goes_on:
            out.truncate(0)
            out.seek(0)
        length = answer.headers.get("Content-Length")
        total = int(match[2]) if goes_on and match else int(length) if length and length.isdecimal() else None
        while chunk := answer.read(CHUNK_BYTES):
            out.write(chunk)
            turn.received(len(chunk))
        out.flush()
        if total is not None and (size := out.tell()) != total:
            raise Passing(f"sent {size} of {total} bytes")

    def _is_complete(self, error: urllib.error.HTTPError, have: int, out: BinaryIO) -> bool:
        """Whether there is no rest (416) because all is there; what is longer than the file is thrown away."""
        if error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not have:
            return False
        match = _UNSATISFIED.match(error.headers.get("Content-Range") or "")
        if match and int(match[1]) == have:
            return True
        out.truncate(0)
        raise Passing("has another file than the one that was begun")

    def _refused(self, error: urllib.error.HTTPError) -> Exception:
        said = f"answered {error.code} {error.reason}"
        if error.code in PASSING_STATUSES:
            return Passing(said, wait_named(error.headers))
        if error.code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return NotLetIn(said)
        return BadProduct(self._product, "", f"cannot be had from {self.place}: {said}")
