"""What all questions to web servers have in common: redirections, what lets one in, what may be shown, what broke."""

from __future__ import annotations

import http.client
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPMessage
from typing import IO, TypeVar
from urllib.parse import urlsplit, urlunsplit

from sen12ts_pipeline.acquisition.provider import Access, Credentials
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.passing import Passing

T = TypeVar("T")

BROKEN = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError)
"""Faults of a connection; a full disk is none of them."""

_THE_OPENERS_OWN = ("host", "cookie")
"""Headers that are set anew for each request."""


class NotLetIn(Exception):
    """A server did not accept who asks (401, 403)."""


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirections, and shows what lets one in to no other server than the one it was meant for."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        """The request to follow with; None where none is followed."""
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following and urlsplit(newurl)[:2] == urlsplit(req.full_url)[:2]:
            for name, value in req.unredirected_hdrs.items():
                if name.lower() not in _THE_OPENERS_OWN:
                    following.add_unredirected_header(name, value)
        return following


OPENER = urllib.request.build_opener(Redirects)


def let_in(access: Access, ask: Callable[[Credentials], T]) -> T:
    """What `ask` returns, with credentials that let one in; asked once more with new ones where these may help.

    Nobody waits for new ones with a turn in hand: `ask` takes and ends its own.

    Raises
    ------
    NotLetIn
        As `ask` raised it last.
    Passing
        When who gives credentials is busy or at fault.
    """
    for last in (False, True):
        credentials = access.credentials()
        try:
            return ask(credentials)
        except NotLetIn:
            if not access.refused(credentials) or last:
                raise
    raise AssertionError("unreachable")


def request_for(url: str, credentials: Credentials) -> urllib.request.Request:
    """A question for the bytes of a file as they are, with credentials that are shown to its server alone."""
    parts = urlsplit(url)
    signed = urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, credentials.query)))))
    request = urllib.request.Request(signed if credentials.query else url)  # noqa: S310 - http or https: a place's
    request.add_header("Accept-Encoding", "identity")
    for name, value in credentials.headers.items():
        request.add_unredirected_header(name, value)
    return request


def shown(url: str) -> str:
    """A URL as people may see it: without user, password and query."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))


def is_page(head: bytes) -> bool:
    """Whether a file that begins so is a web page, as servers and proxies send in the place of what was asked for."""
    return head.lstrip().lower().startswith((b"<!doctype html", b"<html"))


def broken(error: Exception, source: str, place: str) -> Exception:
    """What a connection that failed means: a certificate that is not trusted is a wrong setting, all else may pass."""
    reason = getattr(error, "reason", error)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return ConfigurationError(source, place, "must have a certificate that is trusted", str(reason))
    return Passing(f"broke off ({type(error).__name__}: {reason})")
