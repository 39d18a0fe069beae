"""OData interface of the Copernicus Data Space Ecosystem: products, bursts, orbit files; open to all.

Facts: documentation of the service, "OData" and "Sentinel-1 SLC Burst", and recorded answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sen12ts_pipeline.catalogues.bursts import BurstRecord
from sen12ts_pipeline.catalogues.entries import geojson_area, granule_of, slice_of, time_of, wkt_area
from sen12ts_pipeline.catalogues.live import Interface, Offline
from sen12ts_pipeline.catalogues.names import GranuleName, SliceName
from sen12ts_pipeline.catalogues.questions import Answer, Kind, Question, Record
from sen12ts_pipeline.catalogues.web import JsonService
from sen12ts_pipeline.domain.bursts import BurstId
from sen12ts_pipeline.domain.granules import Granule
from sen12ts_pipeline.domain.passes import Slice
from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.passing import Passing
from sen12ts_pipeline.ports import OPEN_GATE, Gate

URL = "https://catalogue.dataspace.copernicus.eu/odata/v1"
LIMIT = 500
"""Most entries of one answer; the service gives at most 1000, and one with all attributes weighs some 6 kB."""
BYTES_PER_SAMPLE = 4

_WANTED = {Kind.SLICE: ("SENTINEL-1", "IW_SLC__1S"), Kind.GRANULE: ("SENTINEL-2", "S2MSI2A")}


class ODataInterface(Interface):
    """Asks with ``$filter`` and reads entries with all their attributes.

    Parameters
    ----------
    url : str
        Of the service, up to ``/odata/v1``.
    limit : int
        Most entries of one answer.
    gate : Gate, optional
        At which requests queue.
    """

    archive = "cdse_odata"
    kinds = frozenset({Kind.SLICE, Kind.GRANULE, Kind.BURST})

    def __init__(self, url: str = URL, limit: int = LIMIT, gate: Gate = OPEN_GATE) -> None:
        self._service, self._limit = JsonService(self.archive, url, gate), limit

    def ask(self, question: Question) -> Answer:
        """One request for an ordered and counted answer."""
        bursts = question.kind is Kind.BURST
        values = {
            "$filter": _bursts(question) if bursts else _products(question),
            "$orderby": "ContentDate/Start asc",
            "$top": str(self._limit),
            "$count": "true",
        }
        answer = self._service.get("Bursts" if bursts else "Products", values if bursts else _with_attributes(values))
        return read_answer(answer, limit=self._limit)

    def slice_of(self, entry: Record) -> Slice | None:
        """The slice of an entry; None if it is another product."""
        name, told = SliceName.find(str(entry.get("Name"))), attributes(entry)
        if name is None or told.get("productType", "IW_SLC__1S") != "IW_SLC__1S":
            return None
        _require_online(entry, name.product)
        dates = entry.get("ContentDate") or {}
        return slice_of(
            name,
            start=dates.get("Start"),
            stop=dates.get("End"),
            relative_orbit=told.get("relativeOrbitNumber"),
            direction=told.get("orbitDirection"),
            polarisations=told.get("polarisationChannels"),
            processed=told.get("processingDate") or entry.get("OriginDate"),
            ipf=told.get("processorVersion"),
            footprint=_area(entry),
        )

    def granule_of(self, entry: Record) -> Granule | None:
        """The granule of an entry; None if it is another product."""
        name, told = GranuleName.find(str(entry.get("Name"))), attributes(entry)
        if name is None:
            return None
        _require_online(entry, name.product)
        return granule_of(name, datastrip=told.get("datastripId"), cloud_percent=told.get("cloudCover"))

    def burst_of(self, entry: Record) -> BurstRecord | None:
        """The burst of an entry of ``Bursts``; None if it is not one of an IW SLC.

        The entry's own ``DatatakeID`` holds hexadecimal digits as if they were decimal; the parent's name is right.
        """
        name = SliceName.find(str(entry.get("ParentProductName")))
        if name is None:
            return None
        dates, area = entry.get("ContentDate") or {}, _area(entry)
        start = time_of(dates.get("Start"))
        try:
            burst = BurstId(int(entry["BurstId"]), str(entry["SwathIdentifier"]))
            if start is None or area is None:
                raise ValueError("no start or no outline")
            return BurstRecord(
                start=start,
                burst=burst,
                polarisation=str(entry["PolarisationChannels"]),
                product=name.product,
                pass_id=name.pass_id,
                relative_orbit=int(entry["RelativeOrbitNumber"]),
                offset=int(entry["ByteOffset"]),
                length=int(entry["Lines"]) * int(entry["SamplesPerBurst"]) * BYTES_PER_SAMPLE,
                index=None,
                ipf=(0, 0),
                footprint=area.wkt,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BadProduct(name.product, "", f"a burst's entry is not complete: {error!r}") from None


def read_answer(answer: Mapping[str, Any], *, limit: int) -> Answer:
    """Entries of an answer by their identities; Passing if it lacks its list or its count, or they do not agree."""
    entries = answer.get("value")
    if not isinstance(entries, list) or not all(isinstance(e, dict) and "Id" in e for e in entries):
        raise Passing("sent an answer without a list of entries that have an Id")
    count = answer.get("@odata.count")
    if not isinstance(count, int):
        raise Passing("sent an answer without a count")
    records = {str(entry["Id"]): entry for entry in entries}
    return Answer.of(records, given=len(entries), limit=limit, total=count, more=False)


def attributes(entry: Record) -> dict[str, Any]:
    """The expanded attributes of an entry, by name."""
    return {str(a.get("Name")): a.get("Value") for a in entry.get("Attributes") or () if isinstance(a, dict)}


def _with_attributes(values: dict[str, str]) -> dict[str, str]:
    return {**values, "$expand": "Attributes"}


def _products(question: Question) -> str:
    collection, product_type = _WANTED[question.kind]
    of_type = f"att/Name eq 'productType' and att/OData.CSC.StringAttribute/Value eq '{product_type}'"
    return (
        f"Collection/Name eq '{collection}' and Attributes/OData.CSC.StringAttribute/any(att:{of_type})"
        f" and {_where_and_when(question)}"
    )


def _bursts(question: Question) -> str:
    return f"ParentProductType eq 'IW_SLC__1S' and {_where_and_when(question)}"


def _where_and_when(question: Question) -> str:
    first, last = (_text(t) for t in (question.during.start, question.during.end))
    return (
        f"OData.CSC.Intersects(area=geography'SRID=4326;{question.area.wkt}')"
        f" and ContentDate/Start ge {first} and ContentDate/Start lt {last}"
    )


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _area(entry: Record) -> Any:  # noqa: ANN401 - a geometry or None
    geometry = entry.get("GeoFootprint")
    if geometry:
        return geojson_area(geometry)
    return wkt_area(str(entry.get("Footprint")).rpartition(";")[2].rstrip("'"))


def _require_online(entry: Record, product: str) -> None:
    if entry.get("Online") is False:
        raise Offline(product)
