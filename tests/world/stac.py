"""Item searches for Sentinel-2 L2A: Copernicus Data Space, Earth Search, Planetary Computer; and the copies of images.

Two of the three have copies as GeoTIFF. Those of Earth Search have the offset of newer baselines taken off, and say so
in a flag, beside an offset that would take it off again; those of the Planetary Computer keep it.
"""

import functools
import hashlib
import json
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import rasterio
from rasterio.shutil import copy as copy_raster
from shapely.geometry import box, shape

from sen12ts_pipeline.domain.layers import S2_BANDS, S2_NATIVE_M
from tests.world.web import Reply, as_json, in_file

COLLECTION = "sentinel-2-l2a"
COG = "image/tiff; application=geotiff; profile=cloud-optimized"
NAMES = {
    "B01": "coastal", "B02": "blue", "B03": "green", "B04": "red", "B05": "rededge1", "B06": "rededge2",
    "B07": "rededge3", "B08": "nir", "B8A": "nir08", "B09": "nir09", "B11": "swir16", "B12": "swir22", "SCL": "scl",
}  # fmt: skip
"""Keys of Earth Search's assets."""
OFFSET = 1000


def has_offset(held):
    """Whether the numbers of a product are too high by the offset."""
    return held.granule.baseline >= (4, 0)


@dataclass
class ItemSearch:
    """A STAC API.

    Attributes
    ----------
    root : str
        Path of the service.
    items : list
        Items of all products.
    most : int
        Most items of one answer.
    tells_total : bool
        Whether an answer tells how many items there are.
    """

    root: str
    items: list
    most: int = 1000
    tells_total: bool = False
    public: str = "https://stac.example.org"

    def __call__(self, request):
        path = request.path.removeprefix(self.root)
        single = re.fullmatch(rf"/collections/{COLLECTION}/items/([^/]+)", path)
        if single:
            found = [item for item in self.items if item["id"] == single[1]]
            return as_json(found[0]) if found else as_json(self._missing(single[1]), 404)
        if path != "/search":
            return as_json({"code": "NotFound", "description": "no such resource"}, 404)
        asked = json.loads(request.body) if request.method == "POST" else _of_query(request.query)
        return self._search(asked)

    def _search(self, asked):
        found = sorted(
            (i for i in self.items if _meets(i, asked)), key=lambda i: (i["properties"]["datetime"], i["id"])
        )
        start, limit = int(asked.get("token", asked.get("next", 0))), min(int(asked.get("limit", 10)), self.most)
        given = found[start : start + limit]
        links = [{"rel": "root", "type": "application/json", "href": f"{self.public}{self.root}/"}]
        reply = {"type": "FeatureCollection", "features": given, "links": links}
        if self.tells_total:
            context = {"limit": limit, "matched": len(found), "returned": len(given)}
            reply |= {"stac_version": "1.0.0", "stac_extensions": [], "context": context}
            reply |= {"numberMatched": len(found), "numberReturned": len(given)}
        if start + limit < len(found) or (self.tells_total and given):  # the last link may lead to an empty page
            links.append(self._next(asked, start + limit))
        return as_json(reply)

    def _next(self, asked, start):
        word = "next" if self.tells_total else "token"
        link = {"rel": "next", "method": "POST", "type": "application/geo+json", "merge": False}
        return link | {"href": f"{self.public}{self.root}/search", "body": asked | {word: str(start)}}

    @staticmethod
    def _missing(identity):
        return {"code": "NotFoundError", "description": f"Item {identity} in Collection {COLLECTION} does not exist."}


def _of_query(query):
    asked = dict(query)
    for key in ("collections", "ids"):
        if key in asked:
            asked[key] = asked[key].split(",")
    if "bbox" in asked:
        asked["bbox"] = [float(x) for x in asked["bbox"].split(",")]
    return asked


def _meets(item, asked):
    told = item["properties"]
    if asked.get("ids") is not None and item["id"] not in asked["ids"]:
        return False
    if COLLECTION not in asked.get("collections", [COLLECTION]):
        return False
    if "datetime" in asked:
        first, last = (datetime.fromisoformat(t).astimezone(UTC) for t in asked["datetime"].split("/"))
        if not first <= datetime.fromisoformat(told["datetime"]) <= last:
            return False
    area = shape(asked["intersects"]) if "intersects" in asked else box(*asked["bbox"]) if "bbox" in asked else None
    query = asked.get("query", {})
    if any(told.get(k) != v["eq"] for k, v in query.items()):
        return False
    return area is None or shape(item["geometry"]).intersects(area)


def copernicus_item(held):
    """Item of the Copernicus Data Space: every image where it lies in ``eodata``, with size and digest."""
    one = held.granule
    assets = {_key(name): _jp2(held, name) for name in held.files if name.endswith(".jp2")}
    for key, name in {"safe_manifest": "manifest.safe", "product_metadata": "MTD_MSIL2A.xml"}.items():
        assets[key] = _file(held, name, "application/xml", ["metadata"], f"d50110{_digest(held, name, 'md5')}")
    assets["Product"] = {
        "href": f"https://zipper.dataspace.copernicus.eu/odata/v1/Products({held.id})/$value",
        "auth:refs": ["oidc"],
        "file:size": held.size,
        "file:checksum": f"d50110{held.md5}",
        "type": "application/zip",
        "roles": ["data", "metadata", "archive"],
        "title": "Zipped product",
    }
    properties = {
        "gsd": 10,
        "datetime": _millis(held.start),
        "start_datetime": _millis(held.start),
        "end_datetime": _millis(held.start),
        "platform": f"sentinel-{one.mission[1:].lower()}",
        "grid:code": f"MGRS-{one.mgrs}",
        "instruments": ["msi"],
        "constellation": "sentinel-2",
        "product:type": "S2MSI2A",
        "eo:cloud_cover": one.cloud_percent,
        "eopf:datastrip_id": one.datastrip,
        "eopf:instrument_mode": "INS-NOBS",
        "processing:level": "L2",
        "processing:version": _baseline(one),
        "sat:absolute_orbit": held.orbit,
        "sat:relative_orbit": one.relative_orbit,
        "sat:orbit_state": "descending",
    }
    return _item(held, held.name, properties, assets, "1.1.0")


def earth_search_item(held, copies):
    """Item of Earth Search, with the copies as GeoTIFF at their addresses."""
    one = held.granule
    zone, band, square = int(one.mgrs[:2]), one.mgrs[2], one.mgrs[3:]
    identity = f"{one.mission}_{zone}{band}{square}_{one.datatake_start:%Y%m%d}_0_L2A"
    properties = {
        "platform": f"sentinel-{one.mission[1:].lower()}",
        "constellation": "sentinel-2",
        "instruments": ["msi"],
        "eo:cloud_cover": one.cloud_percent,
        "proj:epsg": one.epsg,
        "mgrs:utm_zone": zone,
        "mgrs:latitude_band": band,
        "mgrs:grid_square": square,
        "grid:code": f"MGRS-{one.mgrs}",
        "s2:product_type": "S2MSI2A",
        "s2:processing_baseline": _baseline(one),
        "s2:product_uri": held.safe,
        "s2:datastrip_id": one.datastrip,
        "s2:sequence": "0",
        "datetime": f"{held.start:%Y-%m-%dT%H:%M:%S.%f}Z",
        "earthsearch:boa_offset_applied": has_offset(held),
    }
    assets = {}
    for name, key in NAMES.items():
        resolution = S2_NATIVE_M.get(name, 20)
        told = {"nodata": 0, "data_type": "uint8" if name == "SCL" else "uint16", "spatial_resolution": resolution}
        if name != "SCL":
            told |= {"bits_per_sample": 15, "scale": 0.0001, "offset": -0.1 if has_offset(held) else 0}
        assets[key] = {
            "href": copies.address(held, name),
            "type": COG,
            "title": name,
            "proj:shape": _shape(held, resolution),
            "proj:transform": _transform(one, resolution, int),
            "raster:bands": [told],
            "roles": ["data", "reflectance"],
        }
    return _item(held, identity, properties, assets, "1.0.0")


def planetary_computer_item(held, copies):
    """Item of the Planetary Computer, whose addresses need a signature."""
    one = held.granule
    parts = held.name.split("_")
    identity = "_".join([*parts[:3], *parts[4:]])
    properties = {
        "datetime": f"{held.start:%Y-%m-%dT%H:%M:%S.%f}Z",
        "platform": f"Sentinel-{one.mission[1:]}",
        "proj:epsg": one.epsg,
        "instruments": ["msi"],
        "s2:mgrs_tile": one.mgrs,
        "constellation": "Sentinel 2",
        "eo:cloud_cover": one.cloud_percent,
        "s2:product_uri": held.safe,
        "s2:datastrip_id": one.datastrip,
        "s2:product_type": "S2MSI2A",
        "sat:orbit_state": "descending",
        "sat:relative_orbit": one.relative_orbit,
        "s2:processing_baseline": _baseline(one),
    }
    assets = {}
    for name in NAMES:
        resolution = S2_NATIVE_M.get(name, 20)
        assets[name] = {
            "href": copies.address(held, name),
            "proj:shape": _shape(held, resolution),
            "proj:transform": _transform(one, resolution, float),
            "gsd": float(resolution),
            "type": COG,
            "roles": ["data"],
            "title": name,
        }
    return _item(held, identity, properties, assets, "1.0.0")


def _item(held, identity, properties, assets, version):
    return {
        "type": "Feature",
        "stac_version": version,
        "stac_extensions": [],
        "id": identity,
        "collection": COLLECTION,
        "bbox": [round(x, 6) for x in held.area.bounds],
        "geometry": held.geometry,
        "properties": properties,
        "links": [],
        "assets": assets,
    }


def _jp2(held, name):
    resolution = int(name.rsplit("_", 1)[1].removesuffix("m.jp2"))
    asset = _file(held, name, "image/jp2", ["data", "reflectance"], f"1620{_digest(held, name, 'sha3_256')}")
    projected = {
        "proj:code": f"EPSG:{held.granule.epsg}",
        "proj:transform": _transform(held.granule, resolution, float),
    }
    return asset | projected | {"proj:shape": _shape(held, resolution), "gsd": resolution}


def _file(held, name, kind, roles, checksum):
    nodes = "".join(f"/Nodes({part})" for part in (held.safe, *name.split("/")))
    other = f"https://zipper.dataspace.copernicus.eu/odata/v1/Products({held.id}){nodes}/$value"
    return {
        "href": f"s3://{held.s3_path.lstrip('/')}/{name}",
        "alternate": {"https": {"href": other, "auth:refs": ["oidc"], "alternate:name": "HTTPS"}},
        "file:size": (held.folder / name).stat().st_size,
        "file:checksum": checksum,
        "file:local_path": f"{held.safe}/{name}",
        "type": kind,
        "roles": roles,
        "title": name.rsplit("/", 1)[-1],
        "auth:refs": ["s3"],
    }


def _key(name):
    return "_".join(name.removesuffix(".jp2").split("_")[-2:])


def _digest(held, name, kind):
    return hashlib.new(kind, (held.folder / name).read_bytes()).hexdigest()


def _millis(moment):
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"


def _baseline(one):
    return f"{one.baseline[0]:02d}.{one.baseline[1]:02d}"


def _shape(held, resolution):
    return [int(held.granule.size_m) // resolution] * 2


def _transform(one, resolution, number):
    return [number(x) for x in (resolution, 0, one.ulx_m, 0, -resolution, one.uly_m)]


@dataclass
class Copies:
    """Images as cloud-optimised GeoTIFFs, made the first time.

    Attributes
    ----------
    place : callable
        From a product and a band to the path on the host.
    offset_taken_off : bool
        Whether the offset of newer baselines is taken off the numbers.
    address_of : callable
        Gives the address of the host.
    """

    held: list
    work: Path
    place: Callable
    offset_taken_off: bool
    address_of: Callable

    def address(self, held, name):
        """Address of an image, without a signature."""
        return self.address_of() + self.place(held, name)

    @functools.cached_property
    def _by_path(self):
        return {self.place(h, name): (h, name) for h in self.held for name in (*S2_BANDS, "SCL")}

    def __call__(self, request):
        if request.path not in self._by_path:
            return Reply(403, b"<Error><Code>AccessDenied</Code></Error>", {"Content-Type": "application/xml"})
        path = self.made(*self._by_path[request.path])
        return in_file(request, path, {"ETag": f'"{path.stat().st_size:x}"', "Content-Type": COG})

    def made(self, held, name):
        """File of an image."""
        resolution = S2_NATIVE_M.get(name, 20)
        path = self.work / f"{held.name}-{name}-{'without' if self.offset_taken_off else 'as'}.tif"
        if not path.exists():
            (source,) = held.folder.glob(f"GRANULE/*/IMG_DATA/R{resolution}m/*_{name}_{resolution}m.jp2")
            plain = path.with_suffix(".plain")
            with rasterio.open(source) as image:
                numbers, profile = image.read(1), image.profile
            if name != "SCL" and self.offset_taken_off and has_offset(held):
                numbers = np.where(numbers > 0, np.maximum(numbers, OFFSET + 1) - OFFSET, 0).astype(numbers.dtype)
            profile = {k: profile[k] for k in ("width", "height", "count", "dtype", "crs", "transform")}
            with rasterio.open(plain, "w", driver="GTiff", nodata=0, **profile) as out:
                out.write(numbers, 1)
            copy_raster(plain, path, driver="COG", compress="deflate", blocksize=256)
            plain.unlink()
        return path


@dataclass
class Signatures:
    """The Planetary Computer's tokens for its blobs, and the blobs.

    Attributes
    ----------
    given : dict
        Signatures handed out and when they end, seconds since 1970; all of them are too old after `forget`.
    life_s : float
        For how long they are good.
    """

    copies: Copies
    mark: str
    given: dict = field(default_factory=dict)
    life_s: float = 3600.0

    def token(self, request):
        """Answer of the token service; None for other questions."""
        if not re.fullmatch(rf"/api/sas/v1/token/(\w+/)?{COLLECTION}|/api/sas/v1/token/\w+/[\w-]+", request.path):
            return None
        name, ends = f"{self.mark}-{secrets.token_hex(8)}", time.time() + self.life_s
        self.given[name] = ends
        expiry = f"{datetime.fromtimestamp(ends, UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
        return as_json({"msft:expiry": expiry, "token": f"st=2023&sp=rl&sig={name}"})

    def blob(self, request):
        """Answer of the blob store."""
        if self.given.get(request.query.get("sig"), 0.0) < time.time():
            return Reply(403, b"<Error><Code>AuthenticationFailed</Code></Error>", {"Content-Type": "application/xml"})
        return self.copies(request)

    def forget(self):
        """Let all signatures be too old from now on."""
        self.given.clear()
