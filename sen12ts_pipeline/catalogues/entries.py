"""Domain values made of what archives tell of a product, each field in its own spelling."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from sen12ts_pipeline.catalogues.mgrs import SIZE_M, square_of
from sen12ts_pipeline.catalogues.names import GranuleName, SliceName
from sen12ts_pipeline.domain.bursts import TRACKS
from sen12ts_pipeline.domain.granules import Granule
from sen12ts_pipeline.domain.passes import Slice
from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.sentinel1.manifest import outline

UNKNOWN_IPF = (0, 0)
_VERSION = re.compile(r"0*(\d+)\.(\d+)")


def slice_of(
    name: SliceName,
    *,
    start: Any,  # noqa: ANN401 - what an archive says may be anything
    stop: Any,  # noqa: ANN401
    relative_orbit: Any,  # noqa: ANN401
    direction: Any,  # noqa: ANN401
    polarisations: Any = None,  # noqa: ANN401
    processed: Any = None,  # noqa: ANN401
    ipf: Any = None,  # noqa: ANN401
    footprint: BaseGeometry | None,
) -> Slice:
    """A slice; what is not told is filled from its name, where that is possible.

    Parameters
    ----------
    name : SliceName
        Gives platform, datatake, and the polarisations that may be there.
    start, stop : text
        ISO times; those of the name, to the second, where they are missing.
    relative_orbit : int or text
        1 to 175.
    direction : text
        ``ASCENDING`` or ``descending`` and the like.
    polarisations : text, optional
        Such as ``VV&VH``; those of the name where they are missing.
    processed : text, optional
        ISO time; the slice's stop where it is missing, so that any known processing is later.
    ipf : text, optional
        Such as ``003.31``; (0, 0) where it is missing.
    footprint : Polygon or MultiPolygon
        Degrees.

    Raises
    ------
    BadProduct
        When orbit, direction or footprint are missing, or a value cannot be.
    """
    begins, ends = time_of(start) or name.start, time_of(stop) or name.stop
    if not begins < ends:
        raise BadProduct(name.product, "", f"its catalogue entry must end after {begins}; got {ends}")
    told = set(re.findall(r"[HV]{2}", str(polarisations or "").upper()))
    return Slice(
        start=begins,
        stop=ends,
        platform=name.platform,
        datatake=name.datatake,
        relative_orbit=_track(name.product, relative_orbit),
        direction=_direction(name.product, direction),
        polarisations=tuple(p for p in name.polarisations if not told or p in told),
        processed=time_of(processed) or ends,
        ipf=version_of(ipf) or UNKNOWN_IPF,
        product=name.product,
        footprint=shapely.to_wkt(_footprint(name.product, footprint), rounding_precision=6),
    )


def granule_of(name: GranuleName, *, datastrip: Any = None, cloud_percent: Any = None) -> Granule:  # noqa: ANN401
    """A granule; its square follows from its tile.

    Parameters
    ----------
    name : GranuleName
        Gives all that is not named here.
    datastrip : text, optional
        Identity of the datastrip; empty where it is missing.
    cloud_percent : float, optional
        0 to 100; None, to be measured, where it is missing or cannot be.

    Raises
    ------
    BadProduct
        When there is no such MGRS tile.
    """
    try:
        square = square_of(name.mgrs)
    except ValueError as error:
        raise BadProduct(name.product, "", str(error)) from None
    return Granule(
        datatake_start=name.datatake_start,
        mgrs=name.mgrs,
        product=name.product,
        mission=name.mission,
        relative_orbit=name.relative_orbit,
        baseline=name.baseline,
        discriminator=name.discriminator,
        datastrip=str(datastrip or ""),
        cloud_percent=_percent(cloud_percent),
        epsg=square.epsg,
        ulx_m=square.ulx_m,
        uly_m=square.uly_m,
        size_m=SIZE_M,
    )


def time_of(text: Any) -> datetime | None:  # noqa: ANN401 - what an archive says may be anything
    """UTC time of an ISO text (``Z``, ``+00:00`` or nothing at its end) or of a datetime; None if it is neither."""
    try:
        moment = text if isinstance(text, datetime) else datetime.fromisoformat(str(text).strip())
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def version_of(text: Any) -> tuple[int, int] | None:  # noqa: ANN401 - what an archive says may be anything
    """``003.31`` as (3, 31), compared as numbers; None if it is no version."""
    match = _VERSION.match(str(text).strip())
    return (int(match[1]), int(match[2])) if match else None


def geojson_area(geometry: Any) -> BaseGeometry | None:  # noqa: ANN401 - what an archive says may be anything
    """Area of a GeoJSON polygon, cut in two where it crosses the antimeridian; None if it is none."""
    try:
        coordinates = geometry["coordinates"]
        polygons = {"Polygon": [coordinates], "MultiPolygon": coordinates}[geometry["type"]]
        return _union(polygon[0] for polygon in polygons)
    except (IndexError, KeyError, TypeError, ValueError):
        return None


def wkt_area(text: Any) -> BaseGeometry | None:  # noqa: ANN401 - what an archive says may be anything
    """Area of a WKT polygon or multipolygon, cut as in `geojson_area`; None if it is none."""
    area = shapely.from_wkt(str(text), on_invalid="ignore")
    try:
        return _union(part.exterior.coords for part in getattr(area, "geoms", [area]))
    except (AttributeError, ValueError):
        return None


def _union(rings: Iterable[Any]) -> BaseGeometry:
    whole: BaseGeometry = shapely.union_all([outline((x[0], x[1]) for x in ring) for ring in rings])
    return whole


def _track(product: str, value: Any) -> int:  # noqa: ANN401
    text = str(value).removesuffix(".0")
    if not text.isdecimal() or not 1 <= int(text) <= TRACKS:
        raise BadProduct(product, "", f"its catalogue entry must tell a relative orbit of 1 to {TRACKS}; got {value!r}")
    return int(text)


def _direction(product: str, value: Any) -> str:  # noqa: ANN401
    text = str(value).upper()
    if text not in {"ASCENDING", "DESCENDING"}:
        rule = "its catalogue entry must tell a direction, ASCENDING or DESCENDING"
        raise BadProduct(product, "", f"{rule}; got {value!r}")
    return text[0]


def _footprint(product: str, area: BaseGeometry | None) -> BaseGeometry:
    if area is None or area.is_empty:
        raise BadProduct(product, "", "its catalogue entry must tell its outline, a polygon in degrees; there is none")
    return area


def _percent(value: Any) -> float | None:  # noqa: ANN401
    try:
        percent = float(value)
    except (TypeError, ValueError):
        return None
    return percent if math.isfinite(percent) and 0.0 <= percent <= 100.0 else None
