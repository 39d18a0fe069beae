"""What a run needs besides products, as open buckets have it: orbits, elevation, undulation of the geoid, land cover.

All of it is of the simulated place: orbits from the annotation of its slices, one-degree elevation tiles whose heights
count from a geoid of our own, three-degree tiles of its label map. Elsewhere tiles are flat, and void of land cover.
"""

import math
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from lxml import etree
from rasterio.warp import Resampling, reproject

POSTS = 3600
SPACING = {True: POSTS, False: POSTS * 2 // 3}
"""Columns of an elevation tile, below and above 50 degrees of latitude."""
MAP_PIXELS = 36_000


def undulation(longitude, latitude):
    """A geoid that is smooth and nowhere level, metres above the ellipsoid."""
    return 30.0 + 12.0 * np.sin(np.radians(2 * longitude)) * np.cos(np.radians(3 * latitude))


def orbit_files(held, folder):
    """Precise orbits of all passes, a file a day, under names as in ``s1-orbits``."""
    made = {}
    for one in (h for h in held if h.is_slice):
        path = folder / _orbit_name(one)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_orbit_file(one))
        made[f"AUX_POEORB/{path.name}"] = path
    return made


def _orbit_name(held):
    day = held.start.replace(hour=0, minute=0, second=0, microsecond=0)
    first, last = day - timedelta(seconds=3618), day + timedelta(days=1, seconds=3582)
    made = day + timedelta(days=20, hours=8, minutes=7, seconds=31)
    moments = (f"{t:%Y%m%dT%H%M%S}" for t in (made, first, last))
    return "{}_OPER_AUX_POEORB_OPOD_{}_V{}_{}.EOF".format(held.slice.platform, *moments)


def _orbit_file(held):
    annotation = etree.parse(next(held.folder.glob("annotation/s1*.xml")))
    vectors = annotation.findall("generalAnnotation/orbitList/orbit")
    root = etree.Element("Earth_Explorer_File")
    header = etree.SubElement(root, "Earth_Explorer_Header")
    fixed = etree.SubElement(header, "Fixed_Header")
    etree.SubElement(fixed, "Mission").text = f"Sentinel-{held.slice.platform[1:]}"
    etree.SubElement(fixed, "File_Type").text = "AUX_POEORB"
    etree.SubElement(etree.SubElement(header, "Variable_Header"), "Ref_Frame").text = "EARTH_FIXED"
    block = etree.SubElement(root, "Data_Block", type="xml")
    found = etree.SubElement(block, "List_of_OSVs", count=str(len(vectors)))
    for vector in vectors:
        _state(etree.SubElement(found, "OSV"), vector)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _state(out, vector):
    time = datetime.fromisoformat(vector.findtext("time"))
    shown = f"{time:%Y-%m-%dT%H:%M:%S.%f}"
    for scale, shift in (("TAI", 37), ("UTC", 0), ("UT1", 0)):
        moment = f"{time + timedelta(seconds=shift):%Y-%m-%dT%H:%M:%S.%f}" if shift else shown
        etree.SubElement(out, scale).text = f"{scale}={moment}"
    etree.SubElement(out, "Absolute_Orbit").text = "+00000"
    for kind, prefix, unit in (("position", "", "m"), ("velocity", "V", "m/s")):
        for axis in "xyz":
            name = f"{prefix}{axis.upper()}"
            etree.SubElement(out, name, unit=unit).text = f"{float(vector.findtext(f'{kind}/{axis}')):.6f}"
    etree.SubElement(out, "Quality").text = "NOMINAL"


def elevation_tiles(dem, folder):
    """The elevation tile of a place, and the list of tiles, as in ``copernicus-dem-30m``."""
    with rasterio.open(dem) as source:
        west, south = (math.floor(x) for x in source.bounds[:2])
        name = _glo30(south, west)
        path = folder / name / f"{name}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        columns = SPACING[south < 50]
        across, down = 1 / columns, 1 / POSTS
        transform = Affine(across, 0, west - across / 2, 0, -down, south + 1 + down / 2)
        heights = np.zeros((POSTS, columns), np.float32)
        reproject(
            rasterio.band(source, 1),
            heights,
            dst_transform=transform,
            dst_crs="EPSG:4326",
            resampling=Resampling.bilinear,
        )
    lon, lat = west + np.arange(columns) * across, south + 1 - np.arange(POSTS) * down
    heights = (heights - undulation(lon[None, :], lat[:, None])).astype(np.float32)
    _write(path, heights, transform, predictor=3)
    (folder / "tileList.txt").write_text(f"{name}\n")
    return {f"{name}/{name}.tif": path, "tileList.txt": folder / "tileList.txt"}


def _glo30(south, west):
    return f"Copernicus_DSM_COG_10_{'NS'[south < 0]}{abs(south):02d}_00_{'EW'[west < 0]}{abs(west):03d}_00_DEM"


def geoid_grid(folder):
    """The undulation on a global grid of a quarter degree, as PROJ's grids are laid out."""
    path = Path(folder) / "us_nga_egm08_25.tif"
    path.parent.mkdir(parents=True, exist_ok=True)
    step = 0.25
    lon, lat = np.arange(-180, 180, step), np.arange(90, -90 - step / 2, -step)
    values = undulation(lon[None, :], lat[:, None]).astype(np.float32)
    _write(path, values, Affine(step, 0, -180 - step / 2, 0, -step, 90 + step / 2), predictor=3)
    return {path.name: path}


def land_cover(labels, folder, *, edition=("v100", 2020)):
    """The land-cover tile of a place, as in ``esa-worldcover``: 36000 pixels of 1/12000 degree to a side."""
    version, year = edition
    with rasterio.open(labels) as source:
        west, south = (3 * math.floor(x / 3) for x in source.bounds[:2])
        name = f"{'NS'[south < 0]}{abs(south):02d}{'EW'[west < 0]}{abs(west):03d}"
        key = f"{version}/{year}/map/ESA_WorldCover_10m_{year}_{version}_{name}_Map.tif"
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        step = 3 / MAP_PIXELS
        column, row = round((source.bounds.left - west) / step), round((south + 3 - source.bounds.top) / step)
        profile = {"width": MAP_PIXELS, "height": MAP_PIXELS, "transform": Affine(step, 0, west, 0, -step, south + 3)}
        layout = {"tiled": True, "blockxsize": 1024, "blockysize": 1024, "compress": "deflate", "SPARSE_OK": True}
        with rasterio.open(
            path, "w", driver="GTiff", count=1, dtype="uint8", crs="EPSG:4326", nodata=0, **profile, **layout
        ) as out:
            window = rasterio.windows.Window(column, row, source.width, source.height)
            out.write(source.read(1), 1, window=window)
    return {key: path}


def _write(path, values, transform, *, predictor):
    layout = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate", "zlevel": 1}
    with rasterio.open(
        path, "w", driver="GTiff", width=values.shape[1], height=values.shape[0], count=1, dtype=values.dtype,
        crs="EPSG:4326", transform=transform, predictor=predictor, **layout,
    ) as out:  # fmt: skip
        out.write(values, 1)
