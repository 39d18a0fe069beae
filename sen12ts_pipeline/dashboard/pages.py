"""Pages made of templates; whatever is put into them is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from sen12ts_pipeline.domain.names import TripletName
from sen12ts_pipeline.domain.seasons import Season

MENU = (
    ("", "Overview"),
    ("map", "Map"),
    ("availability", "Availability"),
    ("funnel", "Funnel"),
    ("triplets", "Triplets"),
    ("quality", "Quality"),
    ("resources", "Resources"),
    ("why", "Why"),
    ("withheld", "Withheld"),
)


_SIZES = {12: "TB", 9: "GB", 6: "MB", 3: "kB"}


class Pages:
    """Templates, read once."""

    def __init__(self) -> None:
        loader = PackageLoader("sen12ts_pipeline.dashboard", "templates")
        self._templates = Environment(
            loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        self._templates.filters.update(number=number, moment=moment, query=query, percent=percent, short=short)
        self._templates.filters.update(words=words, unit=unit, dates=dates, size=size, duration=duration)
        self._templates.globals.update(seasons=[str(s) for s in Season], menu=MENU)

    def show(self, request: Request, page: str, values: Mapping[str, object], status: int = 200) -> HTMLResponse:
        """A page as an answer."""
        root = str(request.scope.get("root_path", "")).rstrip("/")
        path = request.url.path.removeprefix(root).strip("/").partition("/")[0]
        known = {"root": root, "airflow": root.rpartition("/")[0], "here": path, "page": page}
        return HTMLResponse(self._templates.get_template(f"{page}.html").render({**known, **values}), status)


def number(value: float) -> str:
    """A whole number with a thin space between thousands."""
    return f"{value:,.0f}".replace(",", "\u202f")


def short(value: float | None) -> str:
    """A number with four digits; a dash for none."""
    return "–" if value is None else f"{value:.4g}"


def words(name: str) -> str:
    """A name of the ledger as people read it."""
    return name.replace("_", " ").replace(" t-", " t−")


def unit(name: str) -> str:
    """A unit; nothing for a number that has none."""
    return "" if name == "1" else name


def dates(name: str) -> str:
    """Dates and track of a triplet, from its name."""
    one = TripletName.parse(name)
    return f"S1 {one.s1date}, S2 {one.s2date}, track {one.track} {one.direction}"


def size(count: float) -> str:
    """Bytes in the unit that suits."""
    if not count:
        return "0"
    step = next((step for step in _SIZES if count >= 10**step), 3)
    return f"{count / 10**step:.3g} {_SIZES[step]}" if count < 1000 * 10**step else f"{number(count / 10**step)} TB"


def duration(seconds: float) -> str:
    """A time in the unit that suits."""
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{number(seconds / 3600)} h"


def percent(part: float, whole: float) -> str:
    """A share; a dash where there is nothing to share."""
    return f"{100 * part / whole:.0f} %" if whole else "–"


def moment(at: datetime | None) -> str:
    """A time in UTC, to the minute; a dash for none."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if at else "–"


def query(values: Mapping[str, object], **changes: object) -> str:
    """A query string; empty values are left out, a class code 0 is none of them."""
    merged = {**values, **changes}
    return urlencode(
        {k: v for k, v in merged.items() if v not in ("", None) and not (v == 0 and k in {"year", "track"})}
    )
