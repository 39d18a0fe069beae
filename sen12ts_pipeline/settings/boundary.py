"""The boundary of an area, read from GeoJSON. Apart from the rest, because it needs shapely."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import shapely
from shapely.errors import ShapelyError  # type: ignore[attr-defined]
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.settings.model import AoiSettings

UTM_LATITUDES = (-80.0, 84.0)
_LONGITUDE_LATITUDE = ("CRS84", "EPSG::4326", "EPSG:4326")


def read_boundary(aoi: AoiSettings) -> BaseGeometry:
    """Area of interest as one geometry.

    Returns
    -------
    Polygon or MultiPolygon
        Union of all polygons of the file, longitude and latitude in degrees, without heights.

    Raises
    ------
    ConfigurationError
        When the file is missing or no GeoJSON, or holds no polygon, an invalid one, or one that is not on the map.
    """
    source = str(aoi.boundary)
    content = _content(source, aoi)
    _check_system(source, content)
    parts = [_polygon(source, geometry) for geometry in _geometries(source, content)]
    area: BaseGeometry = shapely.union_all(parts)
    if area.is_empty:
        raise ConfigurationError(source, "boundary", "must hold at least one polygon", content.get("type"))
    return area


def _content(source: str, aoi: AoiSettings) -> dict[str, Any]:
    try:
        content = json.loads(aoi.boundary.read_text("utf-8-sig"))
    except OSError as error:
        raise ConfigurationError(source, "boundary", f"must be a readable file: {error.strerror}", source) from error
    except ValueError as error:
        raise ConfigurationError(source, "boundary", f"must be GeoJSON: {error}", source) from error
    if not isinstance(content, dict):
        raise ConfigurationError(source, "boundary", "must be a GeoJSON object", type(content).__name__)
    return content


def _check_system(source: str, content: dict[str, Any]) -> None:
    """Refuse the ``crs`` member of older files when it is not longitude and latitude."""
    system = content.get("crs")
    if system and not any(name in json.dumps(system) for name in _LONGITUDE_LATITUDE):
        raise ConfigurationError(source, "crs", "must be longitude and latitude in degrees (WGS 84)", system)


def _geometries(source: str, content: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - a part of a JSON document
    kind = content.get("type") if isinstance(content, dict) else None
    match kind:
        case "FeatureCollection" | "GeometryCollection":
            for part in content.get("features" if kind == "FeatureCollection" else "geometries") or ():
                yield from _geometries(source, part)
        case "Feature":
            if content.get("geometry") is not None:
                yield from _geometries(source, content["geometry"])
        case "Polygon" | "MultiPolygon":
            yield content
        case _:
            rule = "must be a Polygon or MultiPolygon, a Feature of one, or a collection of them"
            raise ConfigurationError(source, "type", rule, kind)


def _polygon(source: str, geometry: dict[str, Any]) -> BaseGeometry:
    try:
        area: BaseGeometry = shapely.force_2d(shape(geometry))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, ShapelyError) as error:
        raise ConfigurationError(
            source, "coordinates", f"must be rings of positions: {error}", geometry["type"]
        ) from error
    if area.is_empty:
        return area
    west, south, east, north = area.bounds
    if not (west >= -180 and east <= 180 and UTM_LATITUDES[0] <= south and north <= UTM_LATITUDES[1]):
        rule = "must be degrees, longitude first: -180 to 180 and, on the UTM grid, -80 to 84"
        raise ConfigurationError(source, "coordinates", rule, area.bounds)
    if not area.is_valid:
        raise ConfigurationError(source, "coordinates", "must be a valid polygon", shapely.is_valid_reason(area))
    return area
