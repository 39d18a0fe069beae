"""Files on a web server that answers byte ranges (RFC 9110, section 14)."""

from __future__ import annotations

import http.client
import os
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPMessage
from typing import IO, Any
from urllib.parse import quote, urlsplit, urlunsplit

from sen12ts_pipeline.acquisition.files import Version
from sen12ts_pipeline.acquisition.provider import ANYBODY, Provider
from sen12ts_pipeline.errors import BadProduct, ConfigurationError, Retryable
from sen12ts_pipeline.passing import PASSING_STATUSES, Passing, asked_wait_s

TOKEN_VARIABLE = "SEN12TS_HTTP_TOKEN"  # noqa: S105 - its name only
TIMEOUT_S = 60.0
"""Longest silence of a server."""

_CONTENT_RANGE = re.compile(r"^bytes (?:(\d+)-(\d+)|\*)/(\d+)$")


class HttpFile:
    """A file at a URL; each question is a connection of its own, so that threads and processes share none.

    Parameters
    ----------
    url : str
        ``http://`` or ``https://``. A query is kept, for addresses that are signed; it is never shown.
    product, member : str
        What errors name.
    provider : Provider
        Who serves it.
    """

    def __init__(self, url: str, product: str, member: str, provider: Provider = ANYBODY) -> None:
        self._url, self._product, self._member, self._provider = url, product, member, provider

    @property
    def place(self) -> str:
        """The URL without its query."""
        return urlunsplit(urlsplit(self._url)._replace(query="", fragment=""))

    @property
    def identity(self) -> str:
        """The URL in full; never shown."""
        return self._url

    def version(self) -> Version:
        """Size and tag, from the answer to a question for one byte."""
        with self._answer(0, 1) as answer:
            return self._version(answer)

    def fetch(self, start: int, length: int, expected: Version) -> bytes:
        """Just these bytes of this version."""
        with self._answer(start, length) as answer:
            if self._version(answer) != expected:
                raise Retryable(f"{self.place} has changed while it was read")
            match = _CONTENT_RANGE.match(answer.headers["Content-Range"])
            if not match or match.group(1, 2) != (str(start), str(start + length - 1)):
                raise Passing("answered other bytes than those asked for")
            body: bytes = answer.read(length)
        if len(body) != length:
            raise Passing(f"sent {len(body)} of {length} bytes")
        return body

    def _version(self, answer: Any) -> Version:  # noqa: ANN401 - HTTPResponse or HTTPError
        match = _CONTENT_RANGE.match(answer.headers.get("Content-Range") or "")
        if not match:
            reason = f"{self.place} must answer a question for a range of bytes with that range (206), not with all"
            raise BadProduct(self._product, self._member, f"{reason}; it answered {answer.status}")
        return Version(int(match[3]), answer.headers.get("ETag") or answer.headers.get("Last-Modified") or "")

    @contextmanager
    def _answer(self, start: int, length: int) -> Iterator[Any]:
        """The server's answer to a question for a range; faults are told apart by what is to be done about them."""
        request = urllib.request.Request(self._url)  # noqa: S310 - the scheme is http or https, see open_remote
        request.add_header("Range", f"bytes={start}-{start + length - 1}")
        request.add_header("Accept-Encoding", "identity")
        if token := os.environ.get(TOKEN_VARIABLE):
            request.add_unredirected_header("Authorization", f"Bearer {token}")
        try:
            with _OPENER.open(request, timeout=TIMEOUT_S) as answer:
                yield answer
        except urllib.error.HTTPError as error:
            with error:
                if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and length == 1:
                    yield error  # an empty file has no first byte; its size is told all the same
                    return
                raise self._refused(error) from None
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, ssl.SSLCertVerificationError):
                rule = "must have a certificate that is trusted"
                raise ConfigurationError("product", self.place, rule, str(reason)) from None
            raise Passing(f"broke off ({type(error).__name__}: {reason})") from None

    def _refused(self, error: urllib.error.HTTPError) -> Exception:
        if error.code in PASSING_STATUSES:
            return Passing(f"answered {error.code} {error.reason}", asked_wait_s(error.headers.get("Retry-After")))
        if error.code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            rule = f"must be a bearer token that may read {self.place}, or none where none is needed"
            return ConfigurationError("environment", TOKEN_VARIABLE, rule, f"answer {error.code} {error.reason}")
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return Retryable(f"{self.place} has changed while it was read")
        reason = f"cannot be had from {self.place}: answer {error.code} {error.reason}"
        return BadProduct(self._product, self._member, reason)


def inside(url: str, member: str) -> str:
    """URL of a file of the folder at a URL; a query stays at the end."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{quote(member)}", fragment=""))


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirections, and shows the token to no other server than the one it was meant for."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        token = req.get_header("Authorization")
        if following and token and _server(newurl) == _server(req.full_url):
            following.add_unredirected_header("Authorization", token)
        return following


def _server(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


_OPENER = urllib.request.build_opener(_Redirects)
