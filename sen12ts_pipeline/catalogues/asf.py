"""NASA's Common Metadata Repository for the products of ASF: Sentinel-1 IW SLC and their bursts; open to all.

Facts: CMR search API, granules as UMM JSON, and recorded entries.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import shapely
from shapely.geometry.base import BaseGeometry

from sen12ts_pipeline.catalogues.bursts import BurstRecord
from sen12ts_pipeline.catalogues.entries import UNKNOWN_IPF, geojson_area, slice_of, time_of, version_of
from sen12ts_pipeline.catalogues.live import Interface
from sen12ts_pipeline.catalogues.names import SliceName
from sen12ts_pipeline.catalogues.questions import Answer, Kind, Question, Record
from sen12ts_pipeline.catalogues.web import JsonService
from sen12ts_pipeline.domain.bursts import BurstId
from sen12ts_pipeline.domain.passes import Slice
from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.passing import Passing
from sen12ts_pipeline.ports import OPEN_GATE, Gate

URL = "https://cmr.earthdata.nasa.gov/search"
LIMIT = 500
"""Most entries of one answer; the service gives at most 2000, and one weighs some 8 kB."""

_COLLECTIONS = {
    Kind.SLICE: tuple(f"SENTINEL-1{letter}_SLC" for letter in "ABCD"),
    Kind.BURST: ("SENTINEL-1_BURSTS",),
}


class AsfInterface(Interface):
    """Asks for granules of the collections and reads their UMM entries.

    Parameters
    ----------
    url : str
        Of the service, up to ``/search``.
    limit : int
        Most entries of one answer.
    gate : Gate, optional
        At which requests queue.
    """

    archive = "asf"
    kinds = frozenset({Kind.SLICE, Kind.BURST})

    def __init__(self, url: str = URL, limit: int = LIMIT, gate: Gate = OPEN_GATE) -> None:
        self._service, self._limit = JsonService(self.archive, url, gate), limit

    def ask(self, question: Question) -> Answer:
        """One request; the service takes all that has a part in the time, not only what starts in it."""
        corners = shapely.get_coordinates(question.area)
        first, last = (f"{t:%Y-%m-%dT%H:%M:%S}Z" for t in (question.during.start, question.during.end))
        answer = self._service.post_form(
            "granules.umm_json",
            [
                ("provider", "ASF"),
                *(("short_name[]", name) for name in _COLLECTIONS[question.kind]),
                ("polygon", ",".join(f"{x:.4f}" for corner in corners for x in corner)),
                ("temporal", f"{first},{last}"),
                ("sort_key[]", "start_date"),
                ("page_size", str(self._limit)),
            ],
        )
        return read_answer(answer, limit=self._limit)

    def slice_of(self, entry: Record) -> Slice | None:
        """The slice of an entry; None if it is no IW SLC.

        Its production time is that of sensing; when it was processed stands among the attributes.
        """
        umm = _umm(entry)
        name = SliceName.find(str(umm.get("GranuleUR")).removesuffix("-SLC"))
        if name is None:
            return None
        told, times = attributes(umm), _times(umm)
        return slice_of(
            name,
            start=times.get("BeginningDateTime"),
            stop=times.get("EndingDateTime"),
            relative_orbit=told.get("PATH_NUMBER"),
            direction=told.get("ASCENDING_DESCENDING"),
            polarisations=told.get("POLARIZATION"),
            processed=told.get("PROCESSING_DATE"),
            ipf=(umm.get("PGEVersionClass") or {}).get("PGEVersion"),
            footprint=_area(umm),
        )

    def burst_of(self, entry: Record) -> BurstRecord | None:
        """The burst of an entry; None if it is not one of an IW SLC."""
        umm = _umm(entry)
        parents = umm.get("InputGranules") or [""]
        name = SliceName.find(str(parents[0]).removesuffix("-SLC"))
        if name is None:
            return None
        told, area = attributes(umm), _area(umm)
        return _burst(
            name,
            start=_times(umm).get("BeginningDateTime"),
            full=told.get("BURST_ID_FULL"),
            polarisation=told.get("POLARIZATION"),
            offset=told.get("BYTE_OFFSET"),
            length=told.get("BYTE_LENGTH"),
            index=told.get("BURST_INDEX"),
            ipf=(umm.get("PGEVersionClass") or {}).get("PGEVersion"),
            area=area,
        )


def burst_of_feature(feature: Mapping[str, Any]) -> BurstRecord:
    """The burst of a GeoJSON feature of ASF's own search, which tells no byte offset.

    Raises
    ------
    BadProduct
        When it lacks something of a burst.
    """
    told: Mapping[str, Any] = feature["properties"]
    product = urlsplit(str(told.get("url"))).path.split("/")[1:2]
    name = SliceName.find(product[0] if product else "")
    if name is None:
        raise BadProduct(str(told.get("fileID")), "", f"its address must begin with an IW SLC; got {told.get('url')!r}")
    burst: Mapping[str, Any] = told.get("burst") or {}
    return _burst(
        name,
        start=told.get("startTime"),
        full=burst.get("fullBurstID"),
        polarisation=told.get("polarization"),
        offset=None,
        length=told.get("bytes"),
        index=burst.get("burstIndex"),
        ipf=told.get("pgeVersion"),
        area=geojson_area(feature.get("geometry")),
    )


def _burst(
    name: SliceName,
    *,
    start: Any,  # noqa: ANN401 - what an archive says may be anything
    full: Any,  # noqa: ANN401
    polarisation: Any,  # noqa: ANN401
    offset: Any,  # noqa: ANN401
    length: Any,  # noqa: ANN401
    index: Any,  # noqa: ANN401
    ipf: Any,  # noqa: ANN401
    area: BaseGeometry | None,
) -> BurstRecord:
    begins = time_of(start)
    try:
        track, number, subswath = str(full).split("_")
        if begins is None or area is None or not polarisation:
            raise ValueError("no start, polarisation or outline")
        return BurstRecord(
            start=begins,
            burst=BurstId(int(number), subswath),
            polarisation=str(polarisation),
            product=name.product,
            pass_id=name.pass_id,
            relative_orbit=int(track),
            offset=None if offset is None else int(offset),
            length=None if length is None else int(length),
            index=None if index is None else int(index),
            ipf=version_of(ipf) or UNKNOWN_IPF,
            footprint=area.wkt,
        )
    except (TypeError, ValueError) as error:
        raise BadProduct(name.product, "", f"a burst's entry is not complete: {error}") from None


def read_answer(answer: Mapping[str, Any], *, limit: int) -> Answer:
    """Entries of an answer by their concepts; Passing if it lacks its list or its hits, or they do not agree."""
    items, hits = answer.get("items"), answer.get("hits")
    if not isinstance(items, list) or not isinstance(hits, int):
        raise Passing("sent an answer without items and hits")
    records = {str((item.get("meta") or {}).get("concept-id")): item for item in items if isinstance(item, dict)}
    return Answer.of(records, given=len(items), limit=limit, total=hits, more=False)


def attributes(umm: Mapping[str, Any]) -> dict[str, str]:
    """First values of the additional attributes, by name."""
    found = umm.get("AdditionalAttributes") or ()
    return {str(a["Name"]): str(a["Values"][0]) for a in found if a.get("Values")}


def _umm(entry: Record) -> Mapping[str, Any]:
    found = entry.get("umm")
    return found if isinstance(found, dict) else {}


def _times(umm: Mapping[str, Any]) -> Mapping[str, Any]:
    found = (umm.get("TemporalExtent") or {}).get("RangeDateTime")
    return found if isinstance(found, dict) else {}


def _area(umm: Mapping[str, Any]) -> BaseGeometry | None:
    try:
        polygons = umm["SpatialExtent"]["HorizontalSpatialDomain"]["Geometry"]["GPolygons"]
        rings = [[(p["Longitude"], p["Latitude"]) for p in g["Boundary"]["Points"]] for g in polygons]
    except (KeyError, TypeError):
        return None
    return geojson_area({"type": "MultiPolygon", "coordinates": [[ring] for ring in rings]})
