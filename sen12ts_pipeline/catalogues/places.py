"""Where archives keep their products: asked by exact name, one request each, and remembered.

A product's address is never made of its name: layouts differ by age and processing.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import shapely

from sen12ts_pipeline.catalogues import asf, odata, stac
from sen12ts_pipeline.catalogues.archive import square
from sen12ts_pipeline.catalogues.asf import attributes
from sen12ts_pipeline.catalogues.cogs import cog_images
from sen12ts_pipeline.catalogues.entries import granule_of
from sen12ts_pipeline.catalogues.names import GranuleName, SliceName
from sen12ts_pipeline.catalogues.registry import DOWNLOADS, Addresses
from sen12ts_pipeline.catalogues.stac import StacArchive
from sen12ts_pipeline.catalogues.web import JsonService
from sen12ts_pipeline.errors import BadProduct, ConfigurationError
from sen12ts_pipeline.passing import Passing, patiently
from sen12ts_pipeline.ports import Place

DOWNLOAD_URL = "https://download.dataspace.copernicus.eu/odata/v1"
"""Whole products of the Copernicus Data Space; the catalogue's host would redirect there, and lose the token."""
EARTH_SEARCH_COLLECTIONS = ("sentinel-2-l2a", "sentinel-2-c1-l2a")
SENSED_WITHIN = timedelta(hours=1)
"""How long after its datatake's start a granule may be sensed."""

_BUCKET_PATH = "/eodata/"

Ask = Callable[[str], Place]
"""Asks an archive once; Passing, BadProduct, ConfigurationError."""


class ArchivePlaces:
    """Implements `ports.Places` over an archive.

    Parameters
    ----------
    archive : str
        Name of the archive.
    missions : sequence of str
        Of the products that it has: ``S1``, ``S2``.
    ask : callable
        Asks the archive once.
    folder : Path, optional
        Where places are remembered for other processes and later runs; what cannot be written there is only not
        remembered.
    """

    def __init__(self, archive: str, missions: Sequence[str], ask: Ask, folder: Path | None = None) -> None:
        self._archive, self._missions, self._ask = archive, tuple(missions), ask
        self._folder = folder / archive if folder else None
        self._known: dict[str, Place] = {}

    @property
    def archive(self) -> str:
        """Name of the archive."""
        return self._archive

    def serves(self, product: str) -> bool:
        """Whether the archive has products of this mission."""
        return product.startswith(self._missions)

    def place(self, product: str, *, anew: bool = False) -> Place:
        """The place of a product; `anew` forgets what was known.

        Raises
        ------
        BadProduct
            When the archive does not have it, or not as something that can be read.
        Retryable
            When the archive does not answer.
        ConfigurationError
            When it does not understand the question.
        """
        known = None if anew else self._known.get(product) or self._remembered(product)
        if known is None:
            self._forget(product)
            known = patiently(f"{self.archive}: where {product} lies", lambda: self._asked_twice(product))
            self._remember(known)
        self._known[product] = known
        return known

    def _asked_twice(self, product: str) -> Place:
        """An answer may have lost its only entry: what is not listed is asked for once more."""
        try:
            return self._ask(product)
        except BadProduct:
            return self._ask(product)

    def _remembered(self, product: str) -> Place | None:
        if self._folder is None:
            return None
        with suppress(OSError, ValueError, TypeError):
            found = Place(**json.loads((self._folder / f"{product}.json").read_bytes()))
            return found if (found.product, found.archive) == (product, self.archive) else None
        return None

    def _remember(self, place: Place) -> None:
        if self._folder is None:
            return
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=self._folder)
            with os.fdopen(descriptor, "w") as file:
                json.dump(asdict(place), file)
            Path(name).replace(self._folder / f"{place.product}.json")

    def _forget(self, product: str) -> None:
        self._known.pop(product, None)
        if self._folder is not None:
            with suppress(OSError):
                (self._folder / f"{product}.json").unlink(missing_ok=True)


def connect(archive: str, at: Addresses, folder: Path | None = None) -> ArchivePlaces:
    """Places of an archive; nothing is asked yet.

    Parameters
    ----------
    archive : str
        One of `ARCHIVES`.
    at : Addresses
        Where archives are, if not where they usually are.
    folder : Path, optional
        Where places are remembered.

    Raises
    ------
    ConfigurationError
        When products of the archive cannot be fetched.
    """
    if archive not in ARCHIVES:
        rule = f"must name archives whose products can be fetched, {', '.join(ARCHIVES)}; or set catalogue.root"
        raise ConfigurationError("settings", "acquisition.providers", rule, archive)
    missions, ask = ARCHIVES[archive]
    return ArchivePlaces(archive, missions, ask(at), folder)


def provider_of(archive: str) -> str:
    """Name of the archive from whose servers an archive's products come: interfaces of one service share them."""
    return "cdse" if archive.startswith("cdse") else archive


def _cdse(at: Addresses) -> Ask:
    service = JsonService("cdse_odata", at.urls.get("cdse_odata", odata.URL), at.gates("cdse"))
    downloads = at.urls.get(DOWNLOADS, DOWNLOAD_URL).rstrip("/")

    def ask(product: str) -> Place:
        _require_name(product)
        answer = service.get("Products", {"$filter": f"Name eq '{product}.SAFE'", "$top": "10"})
        entries = answer.get("value")
        if not isinstance(entries, list):
            raise Passing("sent an answer without a list")
        return cdse_place(product, entries, downloads)

    return ask


def cdse_place(product: str, entries: Sequence[Mapping[str, Any]], downloads: str = DOWNLOAD_URL) -> Place:
    """The place that entries of OData tell: the newest one that is online.

    Raises
    ------
    BadProduct
        When there is none.
    """
    named = [e for e in entries if str(e.get("Name")) == f"{product}.SAFE"]
    online = [e for e in named if e.get("Online") is not False]
    if not online:
        found = "it is listed and not online" if named else "it is not listed"
        raise BadProduct(product, "", f"must be at cdse; {found}")
    entry = max(online, key=lambda e: str(e.get("PublicationDate")))
    path, size = str(entry.get("S3Path") or ""), entry.get("ContentLength")
    return Place(
        product,
        "cdse",
        url=f"s3://{path.removeprefix('/')}" if path.startswith(_BUCKET_PATH) else "",
        zip_url=f"{downloads}/Products({entry['Id']})/$value" if entry.get("Id") else "",
        zip_bytes=size if isinstance(size, int) else 0,
    )


def _asf(at: Addresses) -> Ask:
    service = JsonService("asf", at.urls.get("asf", asf.URL), at.gates("asf"))

    def ask(product: str) -> Place:
        values = [("provider", "ASF"), ("granule_ur[]", f"{product}-SLC"), ("page_size", "10")]
        items = service.post_form("granules.umm_json", values).get("items")
        if not isinstance(items, list):
            raise Passing("sent an answer without items")
        return asf_place(product, items)

    return ask


def asf_place(product: str, items: Sequence[Mapping[str, Any]]) -> Place:
    """The place that entries of the metadata repository tell: the zip, its size and checksum.

    Raises
    ------
    BadProduct
        When there is none.
    """
    for umm in (item.get("umm") or {} for item in items):
        if str(umm.get("GranuleUR")) != f"{product}-SLC":
            continue
        told = attributes(umm)
        for link in umm.get("RelatedUrls") or ():
            url = str(link.get("URL"))
            if link.get("Type") == "GET DATA" and urlsplit(url).scheme in ("http", "https") and url.endswith(".zip"):
                size = told.get("BYTES", "")
                return Place(
                    product,
                    "asf",
                    url=url,
                    zip_url=url,
                    zip_bytes=int(size) if size.isdecimal() else 0,
                    zip_md5=told.get("MD5SUM", "").lower(),
                )
        raise BadProduct(product, "", "must have an address at asf to be fetched from; its entry tells none")
    raise BadProduct(product, "", "must be at asf; it is not listed")


def _items(of: StacArchive, collections: Sequence[str]) -> Callable[[Addresses], Ask]:
    def connected(at: Addresses) -> Ask:
        service = JsonService(of.archive, at.urls.get(of.archive, of.url), at.gates(of.archive))

        def ask(product: str) -> Place:
            items = service.post("search", item_question(product, collections, of.limit)).get("features")
            if not isinstance(items, list):
                raise Passing("sent an answer without a list of items")
            return item_place(product, of.archive, items)

        return ask

    return connected


def item_question(product: str, collections: Sequence[str], limit: int) -> dict[str, Any]:
    """Search for the items of a granule's square, and so its neighbours', in the hour after its datatake's start.

    The whole square, because an item may tell just a sliver of it, at an edge of the swath.
    Identities of items differ from names, and not every archive can search for ``s2:product_uri``.
    """
    name = GranuleName.find(product)
    if name is None:
        raise BadProduct(product, "", "must be named as an L2A product of Sentinel-2")
    start, area = name.datatake_start, square(granule_of(name))
    return {
        "collections": list(collections),
        "intersects": json.loads(shapely.to_geojson(area)),
        "datetime": f"{start:%Y-%m-%dT%H:%M:%S}Z/{start + SENSED_WITHIN:%Y-%m-%dT%H:%M:%S}Z",
        "limit": limit,
    }


def item_place(product: str, archive: str, items: Sequence[Mapping[str, Any]]) -> Place:
    """The place that an item tells of which the product is the source.

    Raises
    ------
    BadProduct
        When there is none, or it has not all images as GeoTIFF.
    """
    reasons = []
    for item in items:
        told = (item.get("properties") or {}).get("s2:product_uri") or item.get("id")
        if str(told).removesuffix(".SAFE") != product:
            continue
        try:
            images = cog_images(item)
        except BadProduct as error:
            reasons.append(error.reason)
            continue
        hrefs = {f"{band}.tif": href for band, href in images.hrefs.items() if band in IMAGES}
        return Place(product, archive, item=json.dumps(item), hrefs=hrefs)
    raise BadProduct(product, "", f"must be at {archive}; {'; '.join(reasons) or 'it is not listed'}")


def _require_name(product: str) -> None:
    if SliceName.find(product) is None and GranuleName.find(product) is None:
        raise BadProduct(
            product, "", "must be named as an IW SLC product of Sentinel-1 or an L2A product of Sentinel-2"
        )


IMAGES = frozenset((*(f"B{number:02d}" for number in range(1, 13)), "B8A", "SCL"))
"""Names of images that are fetched."""
_BOTH = ("S1", "S2")
ARCHIVES: Mapping[str, tuple[tuple[str, ...], Callable[[Addresses], Ask]]] = {
    "cdse": (_BOTH, _cdse),
    "asf": (("S1",), _asf),
    "earth_search": (("S2",), _items(stac.EARTH_SEARCH, EARTH_SEARCH_COLLECTIONS)),
    "planetary_computer": (("S2",), _items(stac.PLANETARY_COMPUTER, (stac.PLANETARY_COMPUTER.collection,))),
}
"""Missions and interface of each archive whose products can be fetched."""
