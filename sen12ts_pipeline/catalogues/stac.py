"""STAC item search for Sentinel-2 L2A: Copernicus Data Space Ecosystem, Earth Search, Planetary Computer; open to all.

Facts: STAC API 1.0.0, item search with the sort extension, and recorded answers of the three.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import shapely

from sen12ts_pipeline.catalogues.entries import granule_of
from sen12ts_pipeline.catalogues.live import Interface
from sen12ts_pipeline.catalogues.names import GranuleName
from sen12ts_pipeline.catalogues.questions import Answer, Kind, Question, Record
from sen12ts_pipeline.catalogues.web import JsonService
from sen12ts_pipeline.domain.granules import Granule
from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.passing import Passing
from sen12ts_pipeline.ports import OPEN_GATE, Gate


@dataclass(frozen=True, slots=True)
class StacArchive:
    """Where a STAC archive is, and what it calls Sentinel-2 L2A.

    Attributes
    ----------
    archive : str
        Name of the archive.
    url : str
        Address of the service, without ``/search``.
    collection : str
        Of the granules.
    limit : int
        Most items of one answer.
    """

    archive: str
    url: str
    collection: str
    limit: int


CDSE = StacArchive("cdse_stac", "https://stac.dataspace.copernicus.eu/v1", "sentinel-2-l2a", 100)
EARTH_SEARCH = StacArchive("earth_search", "https://earth-search.aws.element84.com/v1", "sentinel-2-l2a", 100)
PLANETARY_COMPUTER = StacArchive(
    "planetary_computer", "https://planetarycomputer.microsoft.com/api/stac/v1", "sentinel-2-l2a", 250
)


class StacInterface(Interface):
    """Asks with ``POST /search`` and reads items.

    Parameters
    ----------
    of : StacArchive
        The archive.
    """

    kinds = frozenset({Kind.GRANULE})

    def __init__(self, of: StacArchive, gate: Gate = OPEN_GATE) -> None:
        self.archive = of.archive
        self._of, self._service = of, JsonService(of.archive, of.url, gate)

    def ask(self, question: Question) -> Answer:
        """One request for an ordered answer; both ends of its time are included."""
        first, last = (f"{t:%Y-%m-%dT%H:%M:%S}Z" for t in (question.during.start, question.during.end))
        answer = self._service.post(
            "search",
            {
                "collections": [self._of.collection],
                "intersects": json.loads(shapely.to_geojson(question.area)),
                "datetime": f"{first}/{last}",
                "limit": self._of.limit,
                "sortby": [{"field": "properties.datetime", "direction": "asc"}],
            },
        )
        return read_answer(answer, limit=self._of.limit)

    def granule_of(self, entry: Record) -> Granule | None:
        """The granule of an item; None if it is another product.

        Raises
        ------
        BadProduct
            When the item does not tell the product, or its images lie elsewhere than its tile.
        """
        told = _properties(entry)
        name = GranuleName.find(str(told.get("s2:product_uri") or entry.get("id")))
        if name is None:
            if str(told.get("s2:product_type") or told.get("product:type") or "S2MSI2A") != "S2MSI2A":
                return None
            reason = "its item must tell the product's name, as its id or s2:product_uri"
            raise BadProduct(str(entry.get("id")), "", reason)
        granule = granule_of(
            name,
            datastrip=told.get("eopf:datastrip_id") or told.get("s2:datastrip_id"),
            cloud_percent=told.get("eo:cloud_cover"),
        )
        _require_square(granule, entry)
        return granule


def read_answer(answer: Mapping[str, Any], *, limit: int) -> Answer:
    """Items of an answer by their identities; Passing if it lacks its list, or its numbers do not agree.

    Two of the three archives tell no total. The third tells one, and links to a next page even where that is empty; so
    the link counts only where there is no total.
    """
    items = answer.get("features")
    if not isinstance(items, list) or not all(isinstance(item, dict) and "id" in item for item in items):
        raise Passing("sent an answer without a list of items that have an id")
    context = answer.get("context") or {}
    given, total = answer.get("numberReturned", context.get("returned")), answer.get("numberMatched")
    if given is not None and given != len(items):
        raise Passing(f"announced {given} items and gave {len(items)}")
    total = context.get("matched") if total is None else total
    more = any(isinstance(link, dict) and link.get("rel") == "next" for link in answer.get("links") or ())
    records = {str(item["id"]): item for item in items}
    return Answer.of(records, given=len(items), limit=limit, total=total, more=more)


def _properties(entry: Record) -> Mapping[str, Any]:
    found = entry.get("properties")
    return found if isinstance(found, dict) else {}


def _require_square(granule: Granule, entry: Record) -> None:
    """BadProduct where the item's 10 m or 20 m images have another upper left corner than its tile."""
    for key, asset in (entry.get("assets") or {}).items():
        transform = asset.get("proj:transform") if isinstance(asset, dict) else None
        if transform and transform[0] in (10, 20) and (transform[2], transform[5]) != (granule.ulx_m, granule.uly_m):
            rule = f"its images must begin at the corner of tile {granule.mgrs}, {granule.ulx_m:g}, {granule.uly_m:g}"
            raise BadProduct(granule.product, "", f"{rule}; {key} begins at {transform[2]:g}, {transform[5]:g}")
