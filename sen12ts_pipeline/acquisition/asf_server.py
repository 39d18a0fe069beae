"""The burst service of the Alaska Satellite Facility (ASF): how it is asked, and what it may answer."""

from __future__ import annotations

import http.client
import http.cookiejar
import logging
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from sen12ts_pipeline.acquisition.opening import Redirects, broken, is_page, request_for
from sen12ts_pipeline.acquisition.provider import FromEnvironment, Provider
from sen12ts_pipeline.acquisition.providers import EARTHDATA_TOKEN
from sen12ts_pipeline.errors import BadProduct, ConfigurationError, Retryable
from sen12ts_pipeline.passing import PASSING_STATUSES, Passing, asked_wait_s, patiently

log = logging.getLogger(__name__)

ADDRESS = "https://sentinel1-burst.asf.alaska.edu"
DOORSTEP = (
    "https://sentinel1.asf.alaska.edu/METADATA_RAW/SA/"
    "S1A_IW_RAW__0SSV_20141229T072718_20141229T072750_003931_004B96_B79F.iso.xml"
)
"""A small file of ASF's whose answer brings the cookie that the burst service takes."""
TIMEOUT_S = 120.0
"""Longest silence of the server."""
FIRST_WAIT_S, LONGEST_WAIT_S = 2.0, 15.0
"""Between questions while a burst is cut out (202)."""
PATIENCE_S = 600.0
"""How long a burst may be cut out before the task is left to be tried again."""

_CHUNK_BYTES = 2**20

Check = Callable[[str, BinaryIO], None]
"""Takes the name under which a file was delivered, and the file; raises Passing if it is another than the one meant."""


@dataclass(frozen=True, slots=True)
class BurstServer:
    """The burst service.

    Attributes
    ----------
    address : str
        Its URL.
    doorstep : str
        A file that is asked for first, for its cookie: a token alone does not let one in. Empty where none is needed.
    provider : Provider
        How one is let in, and how much may be asked; by default the token of ``SEN12TS_EARTHDATA_TOKEN``.
    """

    address: str = ADDRESS
    doorstep: str = ""
    provider: Provider = field(default_factory=lambda: Provider("asf", FromEnvironment(EARTHDATA_TOKEN)))
    _jar: Any = field(init=False, repr=False, compare=False, default_factory=http.cookiejar.CookieJar)

    def fetch(self, url: str, out: BinaryIO, check: Check, *, product: str, member: str) -> None:
        """Write what lies at a URL, when the service has cut it out.

        Parameters
        ----------
        url : str
            Of the service.
        out : file
            Open for reading and writing.
        check : callable
            Whether it is what was asked for; if not, it is asked for again.
        product, member : str
            What errors name.

        Raises
        ------
        BadProduct
            When the service has no such file.
        ConfigurationError
            When it does not let one in.
        Retryable
            When it has not cut it out in ten minutes, or sends something else again and again.
        """

        def once() -> None:
            out.seek(0)
            out.truncate(0)
            name = self._when_cut_out(url, out, product, member)
            out.flush()
            out.seek(0)
            if is_page(out.read(256)):
                raise _not_let_in(url, "a web page")
            out.seek(0)
            check(name, out)

        patiently(url, once)

    def _when_cut_out(self, url: str, out: BinaryIO, product: str, member: str) -> str:
        """Write the file; the name under which it was delivered."""
        wait_s, until = FIRST_WAIT_S, time.monotonic() + PATIENCE_S
        while True:
            with self._answer(url, product, member) as answer:
                if answer.status == HTTPStatus.OK:
                    _copy(answer, out)
                    return answer.headers.get_filename() or ""
                asked_s = asked_wait_s(answer.headers.get("Retry-After"))
            if time.monotonic() > until:
                raise Retryable(f"{url} is still being cut out after {PATIENCE_S:.0f} s")
            time.sleep(min(asked_s if asked_s is not None else wait_s, LONGEST_WAIT_S))
            wait_s *= 1.5

    @contextmanager
    def _answer(self, url: str, product: str, member: str) -> Iterator[http.client.HTTPResponse]:
        """The answer to a question, by status 200 or 202.

        Raises
        ------
        Passing, ConfigurationError, BadProduct
            By what is to be done about any other answer.
        """
        if self.doorstep and not len(self._jar):
            with self._ask(self.doorstep, product, member):
                log.info("let in", extra={"server": urlsplit(self.doorstep).netloc})
        with self._ask(url, product, member) as answer:
            yield answer

    @contextmanager
    def _ask(self, url: str, product: str, member: str) -> Iterator[http.client.HTTPResponse]:
        credentials = self.provider.access.credentials()
        request = request_for(url, credentials)
        opener = urllib.request.build_opener(Redirects, urllib.request.HTTPCookieProcessor(self._jar))
        try:
            with self.provider.gate.turn() as turn, opener.open(request, timeout=TIMEOUT_S) as answer:
                yield answer
                turn.received(int(answer.headers.get("Content-Length") or 0))
        except urllib.error.HTTPError as error:
            with error:
                if error.code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN) and self.provider.access.refused(
                    credentials
                ):
                    raise Passing(f"answered {error.code} {error.reason}") from None
                raise _refused(error, url, product, member) from None
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            raise broken(error, "product", url) from None


def _refused(error: urllib.error.HTTPError, url: str, product: str, member: str) -> Exception:
    if error.code in PASSING_STATUSES:
        return Passing(f"answered {error.code} {error.reason}", asked_wait_s(error.headers.get("Retry-After")))
    if error.code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return _not_let_in(url, f"answer {error.code} {error.reason}")
    return BadProduct(product, member, f"cannot be had from {url}: answer {error.code} {error.reason}")


def _not_let_in(url: str, got: str) -> ConfigurationError:
    rule = f"must be a bearer token of Earthdata Login whose user has accepted ASF's licence, to read {url}"
    return ConfigurationError("environment", EARTHDATA_TOKEN, rule, got)


def _copy(answer: http.client.HTTPResponse, out: BinaryIO) -> None:
    size = 0
    while chunk := answer.read(_CHUNK_BYTES):
        out.write(chunk)
        size += len(chunk)
    expected = answer.headers.get("Content-Length")
    if expected is not None and int(expected) != size:
        raise Passing(f"sent {size} of {expected} bytes")
