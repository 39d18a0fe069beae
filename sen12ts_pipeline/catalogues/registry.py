"""Live archives by the names that settings use."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sen12ts_pipeline.catalogues import asf, odata, stac
from sen12ts_pipeline.catalogues.asf import AsfInterface
from sen12ts_pipeline.catalogues.chain import ChainCatalogue, Link
from sen12ts_pipeline.catalogues.dhus import KEY as DHUS_KEY
from sen12ts_pipeline.catalogues.dhus import DhusInterface
from sen12ts_pipeline.catalogues.live import LiveCatalogue
from sen12ts_pipeline.catalogues.odata import ODataInterface
from sen12ts_pipeline.catalogues.stac import StacArchive, StacInterface
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.ports import OPEN_GATE, Gate

CHAIN = "chain"
DOWNLOADS = "cdse_download"
SERVERS = (DOWNLOADS, "cdse_s3", "cdse_tokens", "asf_bursts", "planetary_computer_tokens")
"""Addresses that are no catalogue: of the Copernicus Data Space downloads, bucket and tokens, of ASF its bursts, of the
Planetary Computer its signatures."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where archives are, and where their users are named.

    Attributes
    ----------
    urls : mapping
        Addresses that differ from the usual ones, by archive.
    environ : mapping
        The environment, in which user and password of a DHuS hub stand.
    gates : callable
        The gate of a provider, by its name; by default all are open. A hub of one's own has none.
    """

    urls: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    gates: Callable[[str], Gate] = lambda _: OPEN_GATE


def connect(kind: str, *, chain: Sequence[str] = (), at: Addresses | None = None) -> Link:
    """The catalogue of an archive, or of a chain of archives; nothing is asked yet.

    Parameters
    ----------
    kind : str
        One of `KINDS`, or ``chain``.
    chain : sequence of str
        For ``chain``: archives in the order in which they are asked.
    at : Addresses, optional
        Where they are; by default where they usually are.

    Raises
    ------
    ConfigurationError
        When there is no such archive, an address is missing or wrong, or a package is not installed.
    """
    places = at or Addresses()
    known = (*KINDS, *SERVERS)
    unknown = sorted(set(places.urls) - set(known))
    if unknown:
        raise ConfigurationError("area", "catalogue.urls", f"must be addresses of {', '.join(known)}", unknown)
    if kind == CHAIN:
        return ChainCatalogue(CHAIN, [_one(name, "catalogue.chain", places) for name in chain])
    return _one(kind, "catalogue.kind", places)


def _one(kind: str, key: str, at: Addresses) -> Link:
    if kind not in KINDS:
        raise ConfigurationError("area", key, f"must be one of {', '.join(KINDS)}", kind)
    return KINDS[kind](at)


def _cdse(at: Addresses) -> Link:
    """Products by OData, which counts; granules also by STAC, where OData does not answer."""
    return ChainCatalogue("cdse", [_cdse_odata(at), _cdse_stac(at)])


def _cdse_odata(at: Addresses) -> Link:
    return LiveCatalogue(ODataInterface(at.urls.get("cdse_odata", odata.URL), gate=at.gates("cdse")))


def _stac(of: StacArchive, provider: str) -> Callable[[Addresses], Link]:
    def make(at: Addresses) -> Link:
        here = replace(of, url=at.urls.get(of.archive, of.url))
        return LiveCatalogue(StacInterface(here, at.gates(provider)))

    return make


_cdse_stac = _stac(stac.CDSE, "cdse")


def _asf(at: Addresses) -> Link:
    return LiveCatalogue(AsfInterface(at.urls.get("asf", asf.URL), gate=at.gates("asf")))


def _dhus(at: Addresses) -> Link:
    if "dhus" not in at.urls:
        raise ConfigurationError("area", DHUS_KEY, "must be the address of a DHuS hub", None)
    return LiveCatalogue(DhusInterface(at.urls["dhus"], at.environ))


KINDS: Mapping[str, Callable[[Addresses], Link]] = {
    "cdse": _cdse,
    "cdse_odata": _cdse_odata,
    "cdse_stac": _cdse_stac,
    "asf": _asf,
    "earth_search": _stac(stac.EARTH_SEARCH, "earth_search"),
    "planetary_computer": _stac(stac.PLANETARY_COMPUTER, "planetary_computer"),
    "dhus": _dhus,
}
"""How each archive is connected."""
