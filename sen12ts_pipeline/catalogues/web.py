"""Questions to a web service that answers with JSON; nothing secret is ever sent."""

from __future__ import annotations

import gzip
import http.client
import io
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from sen12ts_pipeline import __version__
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.passing import PASSING_STATUSES, Passing, wait_named
from sen12ts_pipeline.ports import OPEN_GATE, Gate, Turn

TIMEOUT_S = 60.0
"""Longest silence of a server."""
LIMIT_BYTES = 256 * 2**20
"""Largest answer, unpacked; real ones have some megabytes."""
NOTED_BYTES = 2**20
"""Bytes that come between two notes at the gate."""
SHOWN_CHARACTERS = 200
"""How much of a refusal is shown."""

Json = dict[str, Any]


class JsonService:
    """A web service.

    Parameters
    ----------
    archive : str
        Name of the archive, for messages.
    url : str
        ``https://`` (or ``http://``) address, without user and password.
    gate : Gate, optional
        At which requests queue; by default none does.

    Raises
    ------
    ConfigurationError
        When the address is of another kind.
    """

    def __init__(self, archive: str, url: str, gate: Gate = OPEN_GATE) -> None:
        self._key = f"catalogue.urls.{archive}"
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc or "@" in parts.netloc or parts.query:
            rule = f"must be the https:// address of {archive}, without user, password and query"
            shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
            raise ConfigurationError(archive, self._key, rule, shown)
        self._archive, self._url, self._gate = archive, url.rstrip("/"), gate

    def get(self, path: str, values: Mapping[str, str] | list[tuple[str, str]]) -> Json:
        """Answer to a question that is written in the address.

        Raises
        ------
        Passing
            When the server is busy, or its answer broken.
        ConfigurationError
            When it does not understand the question.
        """
        return self._ask(urllib.request.Request(f"{self._url}/{path}?{urlencode(values)}"))  # noqa: S310 - see above

    def post(self, path: str, question: Json) -> Json:
        """Answer to a question that is sent as JSON; errors as for `get`."""
        request = urllib.request.Request(f"{self._url}/{path}", json.dumps(question).encode())  # noqa: S310 - see above
        request.add_header("Content-Type", "application/json")
        return self._ask(request)

    def post_form(self, path: str, values: list[tuple[str, str]]) -> Json:
        """Answer to a question that is sent as a form; errors as for `get`."""
        return self._ask(urllib.request.Request(f"{self._url}/{path}", urlencode(values).encode()))  # noqa: S310

    def _ask(self, request: urllib.request.Request) -> Json:
        request.add_header("User-Agent", f"sen12ts-pipeline/{__version__}")
        request.add_header("Accept", "application/json, application/geo+json")
        request.add_header("Accept-Encoding", "gzip")
        with self._gate.turn() as turn:
            return self._answer(request, turn)

    def _answer(self, request: urllib.request.Request, turn: Turn) -> Json:
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310 - see above
                return _parsed(_unpacked(_received(answer, turn), answer.headers.get("Content-Encoding")))
        except urllib.error.HTTPError as error:
            with error:
                raise self._refused(error) from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, ssl.SSLCertVerificationError):
                rule = "must have a certificate that is trusted"
                raise ConfigurationError(self._archive, self._key, rule, f"{self._url}: {reason}") from None
            raise Passing(f"broke off ({type(error).__name__}: {reason})") from None

    def _refused(self, error: urllib.error.HTTPError) -> Exception:
        status = f"answered {error.code} {error.reason}"
        if error.code in PASSING_STATUSES:
            return Passing(status, wait_named(error.headers))
        try:
            said = _unpacked(error.read(2**16), error.headers.get("Content-Encoding"))
        except (OSError, Passing, http.client.HTTPException):
            said = b""
        shown = " ".join(said.decode(errors="replace").split())[:SHOWN_CHARACTERS]
        rule = f"must be the address of {self._archive}, open to all and with the interface that this version knows"
        return ConfigurationError(self._archive, self._key, rule, f"{self._url} {status}: {shown}")


def _received(answer: http.client.HTTPResponse, turn: Turn) -> bytes:
    """An answer's body, noted at the gate as it comes."""
    body = bytearray()
    while len(body) < LIMIT_BYTES and (part := answer.read(NOTED_BYTES)):
        turn.received(len(part))
        body += part
    return bytes(body)


def _unpacked(body: bytes, coding: str | None) -> bytes:
    if (coding or "identity").lower() != "gzip":
        return body
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as packed:
            return packed.read(LIMIT_BYTES)
    except (OSError, EOFError) as error:
        raise Passing(f"sent a broken answer ({error})") from None


def _parsed(body: bytes) -> Json:
    if len(body) >= LIMIT_BYTES:
        raise Passing(f"sent more than {LIMIT_BYTES} bytes")
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        began = body[:40].decode(errors="replace")
        raise Passing(f"sent {len(body)} bytes that are not JSON, beginning with {began!r}") from None
    if not isinstance(value, dict):
        raise Passing("sent JSON that is not an object")
    return value
