"""The manifest of a Sentinel-1 product: what a search needs to know of a slice."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import shapely
from shapely.affinity import translate
from shapely.geometry import Polygon, box
from shapely.geometry.base import BaseGeometry

from sen12ts_pipeline.domain.bursts import TRACKS
from sen12ts_pipeline.domain.passes import Slice
from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.ports import ProductFiles
from sen12ts_pipeline.quiet import ignored
from sen12ts_pipeline.xml import parse

if TYPE_CHECKING:
    from lxml.etree import _Element

MANIFEST = "manifest.safe"

_NAME = re.compile(r"^S1[A-D]_IW_SL[C1]_.{3}(?P<polarisation>SV|SH|DV|DH)_\d{8}T\d{6}")
"""Fields by position: the older ``SL1`` names have an underscore in the place of the level."""
_POLARISATIONS = {"SV": {"VV"}, "SH": {"HH"}, "DV": {"VV", "VH"}, "DH": {"HH", "HV"}}


def read_slice(files: ProductFiles) -> Slice:
    """Read the slice of an IW SLC product from its manifest.

    Raises
    ------
    BadProduct
        When the manifest is missing or malformed, or lacks something of a slice.
    """
    name = _NAME.match(files.product)
    if not name:
        raise BadProduct(files.product, "", "must be named as an IW SLC product of Sentinel-1")
    manifest = _Manifest(files.product, parse(files.read(MANIFEST), product=files.product, member=MANIFEST))
    start, stop = manifest.time("startTime"), manifest.time("stopTime")
    if not start < stop:
        raise manifest.bad("stopTime", f"must be later than startTime {start.isoformat()}", stop.isoformat())
    named = _POLARISATIONS[name["polarisation"]]
    listed = {text.upper() for text in manifest.texts("transmitterReceiverPolarisation")}
    return Slice(
        start=start,
        stop=stop,
        platform=files.product[:3],
        datatake=manifest.number("missionDataTakeID", 0, 0xFFFFFF),
        relative_orbit=manifest.number("relativeOrbitNumber", 1, TRACKS),
        direction=manifest.direction(),
        polarisations=tuple(sorted(named & listed if listed else named)),
        processed=manifest.processed(default=stop),
        ipf=manifest.ipf(),
        product=files.product,
        footprint=shapely.to_wkt(manifest.footprint(), rounding_precision=6),
    )


class _Manifest:
    """Questions to a manifest; each one is answered, or BadProduct."""

    def __init__(self, product: str, root: _Element) -> None:
        self.product, self.root = product, root

    def texts(self, tag: str) -> list[str]:
        """Texts of all elements of a name, in whatever namespace, without the empty ones."""
        found = (element.text for element in self.root.iter(f"{{*}}{tag}"))
        return [text.strip() for text in found if text and text.strip()]

    def text(self, tag: str) -> str:
        found = self.texts(tag)
        if not found:
            raise BadProduct(self.product, MANIFEST, f"must have an element {tag}; there is none")
        return found[0]

    def bad(self, tag: str, rule: str, value: object) -> BadProduct:
        return BadProduct(self.product, MANIFEST, f"{tag} {rule}; got {value!r}")

    def number(self, tag: str, low: int, high: int) -> int:
        text = self.text(tag)
        if not text.isdecimal() or not low <= int(text) <= high:
            raise self.bad(tag, f"must be a whole number from {low} to {high}", text)
        return int(text)

    def time(self, tag: str) -> datetime:
        text = self.text(tag)
        moment = _moment(text)
        if moment is None:
            raise self.bad(tag, "must be a time such as 2020-05-11T13:51:17.123456", text)
        return moment

    def direction(self) -> str:
        text = self.text("pass")
        if text.upper() not in {"ASCENDING", "DESCENDING"}:
            raise self.bad("pass", "must be ASCENDING or DESCENDING", text)
        return text[0].upper()

    def processed(self, default: datetime) -> datetime:
        """End of the last processing step, which encloses the others; `default` where the manifest is silent."""
        for step in self.root.iter("{*}processing"):
            moment = _moment(str(step.get("stop") or step.get("start") or ""))
            if moment is not None:
                return moment
        return default

    def ipf(self) -> tuple[int, int]:
        """Version of ESA's processor, (0, 0) if the manifest does not say."""
        for software in self.root.iter("{*}software"):
            match = re.match(r"^(\d+)\.(\d+)", str(software.get("version", "")))
            if match and "IPF" in str(software.get("name", "")).upper():
                return int(match[1]), int(match[2])
        return 0, 0

    def footprint(self) -> BaseGeometry:
        text = self.text("coordinates")
        try:
            corners = [tuple(float(number) for number in pair.split(",")) for pair in text.split()]
            area = outline((lon, lat) for lat, lon in corners)
        except ValueError as error:
            raise self.bad("coordinates", f"must be corners lat,lon of a polygon ({error})", text) from error
        return area


def outline(corners: Iterable[tuple[float, float]]) -> BaseGeometry:
    """Area of a ring of corners in degrees, cut in two where it crosses the antimeridian.

    Parameters
    ----------
    corners : iterable of (longitude, latitude)
        Of a ring, closed or not; neighbours lie less than 180 degrees of longitude apart.

    Returns
    -------
    Polygon or MultiPolygon
        With longitudes from -180 to 180.

    Raises
    ------
    ValueError
        When the corners make no area on the globe.
    """
    ring: list[tuple[float, float]] = []
    for lon, lat in corners:
        if not (-180 <= lon <= 180 and -90 <= lat <= 90):
            raise ValueError(f"no place has longitude {lon} and latitude {lat}")
        turns = round((ring[-1][0] - lon) / 360.0) if ring else 0
        ring.append((lon + 360.0 * turns, lat))
    area = Polygon(ring)
    with ignored(RuntimeWarning):  # which this question does by itself, with filters that all threads share
        valid = area.is_valid
    if not valid or area.area <= 0:
        raise ValueError(shapely.is_valid_reason(area) if area.area else "the corners lie on a line")
    world = [translate(area.intersection(box(w, -90, w + 360, 90)), -180 - w) for w in (-540.0, -180.0, 180.0)]
    whole: BaseGeometry = shapely.union_all([part for part in world if part.area > 0])
    return whole


def _moment(text: str) -> datetime | None:
    """UTC time of an ISO text, with or without ``Z``; None if it is none."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
