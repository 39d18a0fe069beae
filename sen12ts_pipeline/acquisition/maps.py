"""Land-cover maps, fetched: ESA WorldCover by tiles, the USDA's national Cropland Data Layer, Catalonia's crop map.

Facts: the buckets' and services' own addresses; lattices and codes of real files of each.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import geopandas
import rasterio
from rasterio.io import DatasetReader
from shapely.geometry.base import BaseGeometry

from sen12ts_pipeline.acquisition.areas import cells_around
from sen12ts_pipeline.acquisition.cache import Cache
from sen12ts_pipeline.acquisition.elevation import member_of, unpack_member
from sen12ts_pipeline.acquisition.listing import objects
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.terrain.mosaic import Cell

WORLDCOVER_URL = "https://esa-worldcover.s3.eu-central-1.amazonaws.com"
CDL_URL = "https://www.nass.usda.gov/Research_and_Science/Cropland/Release/datasets"
PARCELS_URL = "https://analisi.transparenciacatalunya.cat/api/views/yh94-j2n9/files"

EDITIONS: Mapping[str, int] = MappingProxyType({"v100": 2020, "v200": 2021})
"""Editions of WorldCover and the years that they map; their algorithms differ, so differences are not change."""
WORLDCOVER_DEG = 3
WORLDCOVER_PIXELS = 12_000
"""Of a degree."""
WORLDCOVER_MARGIN_DEG = 0.05
"""Around an area: tiles of the data set that begin in it end beyond it, by 4 km at most."""
LIST_AGE_S = 30 * 86_400.0
PARALLEL = 4

PARCEL_FILES: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        2019: ("58d46b1e-522f-428e-b089-aa8e4668fae9", "Cultius_DUN2019_SHP.zip"),
        2020: ("b47b0ab9-8324-40c7-b553-1015793a38a4", "Cultius_DUN2020_SHP.zip"),
        2021: ("aef79c3c-c663-46ed-a535-ceb03a64b46b", "Cultius_DUN2021_SHP.zip"),
        2022: ("f1c8c463-ef4a-4821-8516-ff1884c0386a", "Cultius_DUN2022_SHP.zip"),
        2023: ("b4299961-52ee-4fa0-a276-4594c8c094bc", "Cultius_DUN2023_GPKG.zip"),
        2024: ("d90f5fca-ddd8-405d-a0d5-90609985e98e", "Cultius_DUN2024_GPKG.zip"),
    }
)
"""The portal's name of each year's file, and ours."""


def fetch_worldcover(area: BaseGeometry, edition: str, cache: Cache, url: str = WORLDCOVER_URL) -> list[Path]:
    """Tiles of WorldCover that an area needs; what the bucket does not list is sea without a tile.

    Parameters
    ----------
    area : geometry
        Longitude and latitude in degrees.
    edition : str
        ``v100`` (of 2020) or ``v200`` (of 2021).
    cache : Cache
        Where tiles are kept; a tile has some 100 MB.
    url : str
        Of the bucket, or of a mirror with its layout that answers questions for listings.

    Returns
    -------
    list of Path
        GeoTIFFs of 3 by 3 degrees, EPSG:4326, 1/12000 degree, uint8 with the map's codes, 0 without data; from south to
        north and west to east. Empty for the open sea.

    Raises
    ------
    ConfigurationError
        When the edition is unknown, or the server does not let one in.
    BadProduct, Retryable
        As `Cache.fetched`.
    """
    if edition not in EDITIONS:
        raise ConfigurationError("labels", "edition", f"must be one of {', '.join(EDITIONS)}", edition)
    url, prefix = url.rstrip("/"), f"{edition}/{EDITIONS[edition]}/map/"
    sizes = dict(_listed(url, prefix, edition, cache))

    def fetch(cell: Cell) -> Path | None:
        name = f"ESA_WorldCover_10m_{EDITIONS[edition]}_{edition}_{cell.name}_Map.tif"
        if name not in sizes:
            return None
        return cache.fetched(
            f"{url}/{prefix}{name}", name, lambda path: _check_worldcover(path, cell), size=sizes[name]
        )

    cells = [Cell(*corner) for corner in cells_around(area, WORLDCOVER_DEG, WORLDCOVER_MARGIN_DEG)]
    with ThreadPoolExecutor(PARALLEL, "maps") as pool:
        return [path for path in pool.map(fetch, cells) if path]


def fetch_cdl(year: int, cache: Cache, url: str = CDL_URL) -> Path:
    """The national Cropland Data Layer of a year, unpacked from its zip of some 2 GB, which is not kept.

    Parameters
    ----------
    year : int
        From 2008 on.
    cache : Cache
        Where it is kept; twice its size is needed meanwhile.
    url : str
        Folder of the zips ``<year>_30m_cdls.zip``.

    Returns
    -------
    Path
        GeoTIFF, EPSG:5070, uint8 with the map's codes, 0 outside the country.

    Raises
    ------
    ConfigurationError, BadProduct, Retryable
        As `Cache.fetched`; Absent, a BadProduct, if there is no such year.
    """
    name = f"{year}_30m_cdls"

    def unpack(part: Path) -> None:
        packed = cache.fetched(f"{url.rstrip('/')}/{name}.zip", f"{name}.zip", lambda path: _holds(path, ".tif"))
        unpack_member(packed, ".tif", part)
        for one in (packed, packed.with_name(f"{packed.name}.sha256")):
            one.unlink(missing_ok=True)
        cache.verify(_check_cdl, part, name)

    return cache.kept(f"{name}.tif", unpack)


def fetch_parcels(year: int, cache: Cache, url: str = PARCELS_URL) -> Path:
    """Catalonia's map of declared crops of a year.

    Parameters
    ----------
    year : int
        2019 to 2024.
    cache : Cache
        Where it is kept.
    url : str
        Folder of the portal's files.

    Returns
    -------
    Path
        A zip of one shapefile (to 2022) or GeoPackage, EPSG:25831, with the crop's Catalan name in ``cultiu``, written
        in capitals or not.

    Raises
    ------
    ConfigurationError
        When the year's file is not known.
    BadProduct, Retryable
        As `Cache.fetched`.
    """
    if year not in PARCEL_FILES:
        years = f"{min(PARCEL_FILES)} to {max(PARCEL_FILES)}"
        raise ConfigurationError("labels", "labels.year", f"must be {years}: other maps of parcels must be given", year)
    key, name = PARCEL_FILES[year]
    return cache.fetched(f"{url.rstrip('/')}/{key}?download=true&filename={name}", name, _check_parcels)


def unpacked(path: Path) -> Path:
    """The shapefile or GeoPackage of a zip of parcels, unpacked beside it once; ValueError if there is none."""
    ending = ".gpkg" if any(name.lower().endswith(".gpkg") for name in _names(path)) else ".shp"
    member, folder = member_of(path, ending), path.with_suffix("")
    if not folder.is_dir():
        unfinished = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", suffix=".part", dir=path.parent))
        stem = member.rsplit(".", 1)[0]
        with zipfile.ZipFile(path) as container:
            for name in container.namelist():
                if name.startswith(f"{stem}."):  # a shapefile is several files
                    (unfinished / Path(name).name).write_bytes(container.read(name))
        try:
            unfinished.rename(folder)
        except OSError:  # another process was first
            shutil.rmtree(unfinished)
    return folder / Path(member).name


def _names(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as container:
        return container.namelist()


def layer_of(path: Path) -> str:
    """GDAL's path of the shapefile or GeoPackage in a zip of parcels; ValueError if there is none."""
    for ending in (".gpkg", ".shp"):
        try:
            return f"/vsizip/{{{path}}}/{member_of(path, ending)}"
        except ValueError as error:
            fault = error
    raise fault


def _listed(url: str, prefix: str, edition: str, cache: Cache) -> Iterator[tuple[str, int]]:
    """Names and sizes of an edition's tiles, from a list that is kept for some weeks."""
    path = cache.fresh(f"worldcover_{edition}.list", LIST_AGE_S)
    if path is None:
        found = [one for one in objects(url, prefix, cache.provider) if one.key.endswith("_Map.tif")]
        if not found:
            raise ConfigurationError("labels", url, f"must be a bucket with tiles under {prefix}", "none")
        lines = "\n".join(f"{one.size} {one.key.removeprefix(prefix)}" for one in found)
        path = cache.put(f"worldcover_{edition}.list", lines.encode())
    for line in path.read_text("utf-8").splitlines():
        size, name = line.split(" ", 1)
        yield name, int(size)


def _holds(path: Path, ending: str) -> None:
    member_of(path, ending)


def _opened(path: Path) -> DatasetReader:
    try:
        source: DatasetReader = rasterio.open(path)
        source.read(1, window=((source.height - 1, source.height), (source.width - 1, source.width)))
    except rasterio.errors.RasterioError as error:
        raise ValueError(f"it is no raster that can be read ({error})") from None
    return source


def _check_worldcover(path: Path, cell: Cell) -> None:
    with _opened(path) as source:
        t, side = source.transform, WORLDCOVER_DEG * WORLDCOVER_PIXELS
        off = max(abs(t.c - cell.west), abs(t.f - cell.south - WORLDCOVER_DEG)) * WORLDCOVER_PIXELS
        if source.crs != "EPSG:4326" or source.dtypes[0] != "uint8" or source.shape != (side, side) or off > 0.01:
            raise ValueError(
                f"it must have {side} x {side} codes of uint8 in degrees from {cell.name} on; it has {source.shape} "
                f"{source.dtypes[0]} from {t.c:g}, {t.f:g} on"
            )


def _check_cdl(path: Path) -> None:
    with _opened(path) as source:
        albers = source.crs is not None and source.crs.to_epsg() == 5070
        if not albers or source.dtypes[0] != "uint8" or source.transform.a not in (10.0, 30.0):
            raise ValueError(
                f"it must hold codes of uint8 in EPSG:5070, 30 m or 10 m; it holds {source.dtypes[0]} in {source.crs}, "
                f"{source.transform.a:g} m"
            )


def _check_parcels(path: Path) -> None:
    try:
        first = cast(Any, geopandas).read_file(layer_of(path), rows=1)
    except RuntimeError as error:  # what pyogrio raises has no other root
        raise ValueError(f"its layer cannot be read ({error})") from None
    fields, epsg = [str(name).lower() for name in first.columns], first.crs and first.crs.to_epsg()
    if "cultiu" not in fields or len(first) == 0 or epsg != 25831:
        raise ValueError(
            f"it must hold parcels in EPSG:25831 with a column cultiu; it has {'some' if len(first) else 'none'} "
            f"in EPSG:{epsg} with {', '.join(fields)}"
        )
