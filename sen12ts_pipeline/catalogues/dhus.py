"""DHuS hubs, by way of sentinelsat: an optional part, because that package is GPL and knows no other archives.

Hubs of this kind are still run by some national and private data centres; those of Copernicus were closed in 2023.
"""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

from sen12ts_pipeline.catalogues.entries import granule_of, slice_of, wkt_area
from sen12ts_pipeline.catalogues.live import Interface
from sen12ts_pipeline.catalogues.names import GranuleName, SliceName
from sen12ts_pipeline.catalogues.questions import Answer, Kind, Question, Record
from sen12ts_pipeline.domain.granules import Granule
from sen12ts_pipeline.domain.passes import Slice
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.passing import PASSING_STATUSES, Passing, asked_wait_s

KEY = "catalogue.urls.dhus"
USER_VARIABLE, PASSWORD_VARIABLE = "SEN12TS_DHUS_USER", "SEN12TS_DHUS_PASSWORD"
LIMIT = 100
"""Most entries of one answer: what a hub gives at once."""
TIMEOUT_S = 60.0

CLOSED = frozenset(
    f"{name}.copernicus.eu" for name in ("scihub", "apihub", "cophub", "colhub", "inthub", "inthub2", "s5phub")
)

T = TypeVar("T")

_PRODUCTS: Mapping[Kind, Mapping[str, str]] = {
    Kind.SLICE: {"platformname": "Sentinel-1", "producttype": "SLC", "sensoroperationalmode": "IW"},
    Kind.GRANULE: {"platformname": "Sentinel-2", "producttype": "S2MSI2A"},
}


class DhusInterface(Interface):
    """Asks a hub through ``sentinelsat.SentinelAPI``.

    Parameters
    ----------
    url : str
        Of the hub, for example ``https://hub.example.org/dhus``.
    environ : mapping, optional
        Holds user and password; the process's own environment by default.

    Raises
    ------
    ConfigurationError
        When the hub was closed, is none, or sentinelsat is not installed.
    """

    archive = "dhus"
    kinds = frozenset({Kind.SLICE, Kind.GRANULE})

    def __init__(self, url: str, environ: Mapping[str, str] | None = None) -> None:
        _require_open(url)
        values = os.environ if environ is None else environ
        self._url = url.rstrip("/") + "/"
        self._sentinelsat = _sentinelsat()
        user, password = values.get(USER_VARIABLE), values.get(PASSWORD_VARIABLE)
        self._api = self._sentinelsat.SentinelAPI(user, password, self._url, show_progressbars=False, timeout=TIMEOUT_S)

    def ask(self, question: Question) -> Answer:
        """Two requests: for the count, and for the entries if they fit into one answer."""
        words: dict[str, Any] = {
            "area": question.area.wkt,
            "date": (question.during.start, question.during.end),
            **_PRODUCTS[question.kind],
        }
        total = self._asked(functools.partial(self._api.count, **words))
        if total > LIMIT:
            return Answer({}, total)
        query = functools.partial(self._api.query, **words, order_by="beginposition", limit=LIMIT)
        entries: dict[str, Record] = self._asked(query)
        return Answer.of(entries, given=len(entries), limit=LIMIT, total=total, more=False)

    def slice_of(self, entry: Record) -> Slice | None:
        """The slice of an entry; its processor version is not known, and its processing time is that of ingestion."""
        name = SliceName.find(str(entry.get("title")))
        if name is None:
            return None
        return slice_of(
            name,
            start=entry.get("beginposition"),
            stop=entry.get("endposition"),
            relative_orbit=entry.get("relativeorbitnumber"),
            direction=entry.get("orbitdirection"),
            polarisations=entry.get("polarisationmode"),
            processed=entry.get("ingestiondate"),
            footprint=wkt_area(entry.get("footprint")),
        )

    def granule_of(self, entry: Record) -> Granule | None:
        """The granule of an entry."""
        name = GranuleName.find(str(entry.get("title")))
        if name is None:
            return None
        cloud = entry.get("cloudcoverpercentage")
        return granule_of(name, datastrip=entry.get("datastripidentifier"), cloud_percent=cloud)

    def _asked(self, ask: Callable[[], T]) -> T:
        """The answer of sentinelsat, which tells most faults by one class: the status tells them apart."""
        requests = importlib.import_module("requests")
        try:
            return ask()
        except self._sentinelsat.SentinelAPIError as error:
            answer = error.response
            if answer is None:
                raise Passing(f"did not answer ({type(error).__name__})") from None
            raise self._refused(int(answer.status_code), answer.headers.get("Retry-After")) from None
        except requests.exceptions.RequestException as error:
            raise Passing(f"broke off ({type(error).__name__})") from None

    def _refused(self, status: int, wait: str | None) -> Exception:
        if status in PASSING_STATUSES:
            return Passing(f"answered {status}", asked_wait_s(wait))
        if status in (401, 403):
            rule = f"must be a user of the hub {self._url}, with {PASSWORD_VARIABLE}"
            return ConfigurationError("environment", USER_VARIABLE, rule, f"answer {status}")
        rule = "must be a DHuS hub, with its address up to /dhus; the Copernicus Data Space is catalogue.kind: cdse"
        return ConfigurationError("area", KEY, rule, f"{self._url}, answer {status}")


def _require_open(url: str) -> None:
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc:
        rule = f"must be an https:// address; user and password are {USER_VARIABLE} and {PASSWORD_VARIABLE}"
        raise ConfigurationError("area", KEY, rule, f"{parts.scheme}://{host}{parts.path}")
    if host in CLOSED:
        rule = "must be a hub that is open; those of Copernicus were closed in 2023, choose catalogue.kind: cdse"
        raise ConfigurationError("area", KEY, rule, host)
    if host.endswith(".dataspace.copernicus.eu"):
        rule = "must be a DHuS hub; the Copernicus Data Space Ecosystem is none, choose catalogue.kind: cdse"
        raise ConfigurationError("area", KEY, rule, host)


def _sentinelsat() -> Any:  # noqa: ANN401 - a module that may not be there
    try:
        return importlib.import_module("sentinelsat")
    except ImportError as error:
        rule = "dhus needs sentinelsat (GPL): pip install 'sen12ts-pipeline[dhus]'"
        raise ConfigurationError("area", "catalogue.kind", rule, str(error)) from error
