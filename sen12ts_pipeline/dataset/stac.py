"""STAC of the data set: an item for each triplet, and the documents that lead to them.

Items are written by hand, not by pystac, so that a newer pystac does not change bytes that were published. They have
the form of STAC 1.1: bands are an array of the asset, with the second versions of the raster and eo extensions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from shapely.affinity import translate
from shapely.geometry import MultiPolygon, Polygon, box, mapping
from shapely.geometry.base import BaseGeometry

from sen12ts_pipeline.dataset.classes import LandClass, classes_of, table
from sen12ts_pipeline.dataset.geotiff import S2_UNITS, Profile
from sen12ts_pipeline.dataset.triplet import Triplet
from sen12ts_pipeline.domain.lattice import Grid, TileId, to_geographic
from sen12ts_pipeline.domain.layers import LABEL_LAYERS, NODATA, S1_LAYERS, S1_UNITS, S2_LAYERS, S2_NATIVE_M
from sen12ts_pipeline.domain.recipe import canonical_json
from sen12ts_pipeline.domain.seasons import Partition

STAC_VERSION = "1.1.0"
EXTENSIONS = tuple(
    f"https://stac-extensions.github.io/{name}/schema.json"
    for name in (
        "classification/v2.0.0",
        "eo/v2.0.0",
        "file/v2.1.0",
        "processing/v1.2.0",
        "projection/v2.0.0",
        "raster/v2.0.0",
        "sar/v1.0.0",
        "sat/v1.0.0",
    )
)
MEDIA_TYPES = {
    Profile.COG: "image/tiff; application=geotiff; profile=cloud-optimized",
    Profile.COMPAT: "image/tiff; application=geotiff",
}
COLLECTION_FILE = "collection.json"
CLASSES_FILE, STYLE_FILE = "classes.csv", "classes.qml"
"""Class table of the labels, beside the collection."""
LABEL_TITLE = "Land cover"
DEGREE_DECIMALS = 7

_OPTICS = {
    "B01": ("coastal", 0.443, 0.027), "B02": ("blue", 0.490, 0.098), "B03": ("green", 0.560, 0.045),
    "B04": ("red", 0.665, 0.038), "B05": ("rededge071", 0.704, 0.019), "B06": ("rededge075", 0.740, 0.018),
    "B07": ("rededge078", 0.783, 0.028), "B08": ("nir", 0.842, 0.145), "B8A": ("nir08", 0.865, 0.033),
    "B09": ("nir09", 0.945, 0.026), "B11": ("swir16", 1.610, 0.143), "B12": ("swir22", 2.190, 0.242),
}  # fmt: skip
"""Common name, centre and width in micrometres."""
_UPWARDS = ("root", "parent", "collection")
_ORBIT_STATES = {"A": "ascending", "D": "descending"}


def item(triplet: Triplet, *, software: Mapping[str, str], profile: Profile = Profile.COG) -> dict[str, Any]:
    """STAC item of a triplet, its assets relative to the folder ``metadata``.

    Parameters
    ----------
    triplet : Triplet
        What is to be said.
    software : mapping of str to str
        Names and versions of what made it, the engine included.
    profile : Profile
        Layout of the GeoTIFFs.
    """
    outline = footprint(triplet.tile.grid)
    return {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": list(EXTENSIONS),
        "id": str(triplet.name),
        "collection": triplet.partition.aoi,
        "geometry": _rounded(mapping(outline)),
        "bbox": _bbox(outline),
        "properties": {**_properties(triplet), "processing:software": dict(software)},
        "assets": _assets(triplet, MEDIA_TYPES[Profile(profile)]),
        "links": [{"rel": rel, "href": f"../{COLLECTION_FILE}", "type": "application/json"} for rel in _UPWARDS],
    }


def item_bytes(document: Mapping[str, Any]) -> bytes:
    """A STAC document as it is stored: canonical JSON."""
    return canonical_json(document)


def collection(
    aoi: str,
    items: Iterable[Mapping[str, Any]],
    *,
    description: str,
    licence: str,
    classes: Iterable[LandClass] = (),
) -> dict[str, Any]:
    """STAC collection of an AOI, beside its folder ``metadata``; derived from the items, in the order of their names.

    Parameters
    ----------
    aoi : str
        Name of the AOI.
    items : iterable of mapping
        At least one item.
    description : str
        For people; Markdown.
    licence : str
        SPDX identifier or ``other``.
    classes : iterable of LandClass
        Class table of the labels; with it come the files `CLASSES_FILE` and `STYLE_FILE` as assets.
    """
    ordered = sorted(items, key=lambda one: str(one["id"]))
    if not ordered:
        raise ValueError("a collection needs at least one item")
    starts, ends = ([str(one["properties"][key]) for one in ordered] for key in ("start_datetime", "end_datetime"))
    boxes = [one["bbox"] for one in ordered]
    west, south = min(b[0] for b in boxes), min(b[1] for b in boxes)
    east, north = max(b[2] for b in boxes), max(b[3] for b in boxes)
    return {
        "type": "Collection",
        "stac_version": STAC_VERSION,
        "id": aoi,
        "description": description,
        "license": licence,
        "extent": {
            "spatial": {"bbox": [[west, south, east, north]]},
            "temporal": {"interval": [[min(starts), max(ends)]]},
        },
        "summaries": {
            key: sorted({one["properties"][key] for one in ordered})
            for key in ("proj:code", "sat:orbit_state", "sat:relative_orbit", "sen12ts:partition")
        },
        **_classes_of_collection(sorted(classes)),
        "links": [
            {"rel": "root", "href": f"./{COLLECTION_FILE}", "type": "application/json"},
            *(
                {"rel": "item", "href": f"./metadata/{one['id']}.json", "type": "application/geo+json"}
                for one in ordered
            ),
        ],
    }


def _classes_of_collection(classes: Sequence[LandClass]) -> dict[str, Any]:
    """Class table of a collection: in the bands that items have, and as files."""
    if not classes:
        return {}
    csv = {"href": f"./{CLASSES_FILE}", "title": "Classes of the labels", "type": "text/csv", "roles": ["metadata"]}
    style = {"href": f"./{STYLE_FILE}", "title": "Style of QGIS", "type": "application/xml", "roles": ["metadata"]}
    label = {"title": LABEL_TITLE, "roles": ["data", "labels"], "bands": _label_bands(classes)}
    return {
        "stac_extensions": [one for one in EXTENSIONS if "/classification/" in one or "/raster/" in one],
        "assets": {"classes": csv, "style": style},
        "item_assets": {"label": label},
    }


def catalog(partition: Partition, names: Iterable[str]) -> dict[str, Any]:
    """STAC sub-catalogue of a partition, for ``stac/<year>-<season>.json`` of the AOI's folder.

    Parameters
    ----------
    partition : Partition
        What it lists.
    names : iterable of str
        Ids of its items.
    """
    return {
        "type": "Catalog",
        "stac_version": STAC_VERSION,
        "id": f"{partition.aoi}-{partition.name}",
        "description": f"Triplets of {partition}.",
        "links": [
            {"rel": "root", "href": f"../{COLLECTION_FILE}", "type": "application/json"},
            {"rel": "parent", "href": f"../{COLLECTION_FILE}", "type": "application/json"},
            *(
                {"rel": "item", "href": f"../metadata/{name}.json", "type": "application/geo+json"}
                for name in sorted(names)
            ),
        ],
    }


def root(title: str, aois: Iterable[str]) -> dict[str, Any]:
    """STAC catalogue of a whole store, beside the folders of its areas.

    Parameters
    ----------
    title : str
        Of the data set.
    aois : iterable of str
        Areas, each with its collection.
    """
    links = [{"rel": "child", "href": f"./{aoi}/{COLLECTION_FILE}", "type": "application/json"} for aoi in sorted(aois)]
    return {
        "type": "Catalog",
        "stac_version": STAC_VERSION,
        "id": "sen12ts",
        "title": title,
        "description": "Triplets of Sentinel-1, Sentinel-2 and land cover.",
        "links": [{"rel": "root", "href": "./catalog.json", "type": "application/json"}, *links],
    }


def footprint(grid: Grid) -> BaseGeometry:
    """Outline of a grid in degrees through its four corners; cut in two at the antimeridian."""
    corners = ((grid.west, grid.south), (grid.east, grid.south), (grid.east, grid.north), (grid.west, grid.north))
    lonlat = [to_geographic(grid.epsg).transform(*corner) for corner in corners]
    longitudes = [lon for lon, _ in lonlat]
    if max(longitudes) - min(longitudes) < 180.0:
        return Polygon(lonlat)
    outline = Polygon([(lon % 360.0, lat) for lon, lat in lonlat])
    east = translate(outline.intersection(box(180.0, -90.0, 360.0, 90.0)), -360.0)
    return MultiPolygon([outline.intersection(box(0.0, -90.0, 180.0, 90.0)), east])


def _bbox(outline: BaseGeometry) -> list[float]:
    """West, south, east, north; west is the larger one across the antimeridian, as GeoJSON has it."""
    parts = [part.bounds for part in getattr(outline, "geoms", [outline])]
    west, east = parts[0][0], parts[-1][2]
    bounds = west, min(p[1] for p in parts), east, max(p[3] for p in parts)
    return [round(value, DEGREE_DECIMALS) for value in bounds]


def _rounded(geometry: Any) -> Any:  # noqa: ANN401 - GeoJSON, to any depth
    if isinstance(geometry, dict):
        return {key: _rounded(value) for key, value in geometry.items()}
    if isinstance(geometry, list | tuple):
        return [_rounded(value) for value in geometry]
    return round(geometry, DEGREE_DECIMALS) if isinstance(geometry, float) else geometry


def _properties(triplet: Triplet) -> dict[str, Any]:
    return {
        **_times(triplet),
        "gsd": 10,
        "constellation": "sentinel",
        "instruments": ["c-sar", "msi"],
        **_projection(triplet.tile),
        "sat:orbit_state": _ORBIT_STATES[triplet.name.direction],
        "sat:relative_orbit": triplet.name.track,
        "sar:instrument_mode": "IW",
        "sar:frequency_band": "C",
        "sar:polarizations": ["VH", "VV"],
        "sar:product_type": "RTC",
        "sar:observation_direction": "right",
        "processing:level": "L3",
        "processing:lineage": "gamma0, coherence and phase of Sentinel-1 SLC; Sentinel-2 L2A; land-cover label",
        **_own(triplet),
    }


def _times(triplet: Triplet) -> dict[str, str]:
    """Datatake of the scene, and the span of everything that went in."""
    scene = triplet.scene.granules[0].datatake_start
    moments = [scene, *(visit.time for visit in triplet.candidate.series.visits)]
    return {"datetime": _text(scene), "start_datetime": _text(min(moments)), "end_datetime": _text(max(moments))}


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _projection(tile: TileId) -> dict[str, Any]:
    grid = tile.grid
    lon, lat = tile.centre_lonlat
    return {
        "proj:code": f"EPSG:{grid.epsg}",
        "proj:bbox": [grid.west, grid.south, grid.east, grid.north],
        "proj:shape": list(grid.shape),
        "proj:transform": [*grid.transform, 0.0, 0.0, 1.0],
        "proj:centroid": {"lat": round(lat, DEGREE_DECIMALS), "lon": round(lon, DEGREE_DECIMALS)},
    }


def _own(triplet: Triplet) -> dict[str, Any]:
    name, newest = triplet.name, triplet.candidate.series.newest
    values = {
        "partition": str(triplet.partition),
        "aoi": triplet.partition.aoi,
        "year": triplet.partition.year,
        "season": str(triplet.partition.season),
        "slot": triplet.slot,
        "tile": str(triplet.tile),
        "s1date": name.s1date.isoformat(),
        "s2date": name.s2date.isoformat(),
        "s1track": name.track,
        "days": (name.s2date - name.s1date).days,
        "platform": newest.platform,
        "passes": [visit.pass_id for visit in triplet.candidate.series.visits],
        "pass_times": [_text(visit.time) for visit in triplet.candidate.series.visits],
        "scene": triplet.scene.id,
        "scene_products": list(triplet.scene.products),
        "scene_cloud_percent": triplet.scene.cloud_percent,
        "invalid_s1": triplet.invalid_s1,
        "invalid_s2": triplet.invalid_s2,
        **({"label_year": triplet.label_year} if triplet.label_year is not None else {}),
        "label_histogram": {str(code): count for code, count in sorted(triplet.histogram.items())},
        "provenance": triplet.provenance,
    }
    return {f"sen12ts:{key}": value for key, value in values.items()}


def _assets(triplet: Triplet, media_type: str) -> dict[str, Any]:
    paths, files = triplet.paths, triplet.files
    codes = [code for code in triplet.histogram if code != NODATA]
    content: dict[str, dict[str, Any]] = {
        "s1": {"title": "Sentinel-1 stack", "type": media_type, "roles": ["data"], "bands": _radar_bands()},
        "s2": {"title": "Sentinel-2 stack", "type": media_type, "roles": ["data"], "bands": _optical_bands()},
        "label": {
            "title": LABEL_TITLE,
            "type": media_type,
            "roles": ["data", "labels"],
            "bands": _label_bands(classes_of(codes, triplet.class_table).values()),
        },
        "quicklook": {"title": "Quick-look", "type": "image/png", "roles": ["overview"]},
    }
    return {
        key: {
            "href": f"../{paths[key]}",
            **asset,
            "file:size": files[key].size,
            "file:checksum": multihash(files[key].sha256),
        }
        for key, asset in content.items()
        if key in files
    }


def multihash(sha256: str) -> str:
    """SHA-256 as the file extension writes it: the multihash prefix, then the digest."""
    return f"1220{sha256}"


def _radar_bands() -> list[dict[str, Any]]:
    return [_band(name, "float32", unit, 10) for name, unit in zip(S1_LAYERS, S1_UNITS, strict=True)]


def _optical_bands() -> list[dict[str, Any]]:
    bands = [
        _band(name, "int16", unit, S2_NATIVE_M.get(name, 10)) for name, unit in zip(S2_LAYERS, S2_UNITS, strict=True)
    ]
    for band in bands:
        if band["name"] in _OPTICS:
            common, centre, width = _OPTICS[band["name"]]
            band |= {
                "eo:common_name": common,
                "eo:center_wavelength": centre,
                "eo:full_width_half_max": width,
                "raster:scale": 0.0001,
            }
    bands[-2]["classification:classes"] = _stac_classes(table("scl").values())
    return bands


def _label_bands(classes: Iterable[LandClass]) -> list[dict[str, Any]]:
    band = _band(LABEL_LAYERS[0], "int16", "class", 10)
    return [band | {"classification:classes": _stac_classes(classes)}]


def _band(name: str, data_type: str, unit: str, resolution_m: int) -> dict[str, Any]:
    return {
        "name": name,
        "data_type": data_type,
        "nodata": NODATA,
        "unit": unit,
        "raster:spatial_resolution": resolution_m,
    }


def _stac_classes(classes: Iterable[LandClass]) -> list[dict[str, Any]]:
    return [_stac_class(one) for one in sorted(classes)]


def _stac_class(one: LandClass) -> dict[str, Any]:
    name = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in one.name.lower())
    document: dict[str, Any] = {"value": one.code, "name": name, "title": one.name}
    return document | {"color_hint": one.color[1:].upper()} if one.color else document
