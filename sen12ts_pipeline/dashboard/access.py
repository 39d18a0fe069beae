"""Who may see and do what: said by whoever serves the dashboard, kept here on every route."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from fastapi import HTTPException, Request

SAFE_SITES = {"same-origin", "none"}


@dataclass(frozen=True, slots=True)
class Access:
    """Rights, as dependencies of FastAPI.

    Attributes
    ----------
    reader : callable
        Lets pass who may look; HTTPException 401 for the anonymous, 403 for who may not.
    writer : callable
        The same for who may give verdicts on triplets of the area in the path parameter ``aoi``; returns the name of
        the person.
    origins : callable
        Addresses, besides the request's own, under which the pages are served: scheme, host and port.
    """

    reader: Callable[..., Any]
    writer: Callable[..., Any]
    origins: Callable[[], tuple[str, ...]] = tuple


def own_origin(access: Access) -> Callable[[Request], None]:
    """Dependency that refuses requests which pages of other sites make in the name of whoever is logged in.

    Browsers send ``Origin`` with every request that is not a plain visit, and ``Sec-Fetch-Site`` with all; programs
    send neither.
    """

    def check(request: Request) -> None:
        origin = request.headers.get("origin")
        own = {f"{request.url.scheme}://{request.url.netloc}", *access.origins()}
        if origin is not None and origin not in own:
            raise HTTPException(403, f"refused: the request comes from a page of {origin[:200]}, not from this one")
        site = request.headers.get("sec-fetch-site")
        if request.method not in {"GET", "HEAD"} and site is not None and site not in SAFE_SITES:
            raise HTTPException(403, "refused: a page of another site may change nothing here")

    return check


def json_only(request: Request) -> None:
    """Dependency of writing routes: forms of foreign pages cannot send JSON without being asked for leave."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "must be sent as application/json")


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
