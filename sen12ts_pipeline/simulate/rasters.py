"""Terrain model, label map and area of interest of a place."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from affine import Affine

from sen12ts_pipeline.domain.lattice import TILE_M, Grid, to_geographic, to_map
from sen12ts_pipeline.simulate.geodesy import Array
from sen12ts_pipeline.simulate.landcover import CODES, LandCover
from sen12ts_pipeline.simulate.place import Place
from sen12ts_pipeline.simulate.relief import Relief

Undulation = Callable[[Array, Array], Array]
"""Height of the geoid above the ellipsoid in metres at longitudes and latitudes in degrees."""

POSTS_PER_DEGREE = 3600
LABELS_PER_DEGREE = 12000
DEM_MARGIN_M, LABEL_MARGIN_M = 6000.0, 1500.0
_ODD = 37


def _bounds_deg(place: Place, margin_m: float, steps: int) -> tuple[float, float, int, int]:
    """West and north edge in degrees and rows and columns of a geographic raster around the tiles."""
    grid = place.grid
    east = np.array([grid.west - margin_m, grid.east + margin_m])
    north = np.array([grid.south - margin_m, grid.north + margin_m])
    lon, lat = to_geographic(grid.epsg).transform(*np.meshgrid(east, north))
    west, top = math.floor(lon.min() * steps), math.ceil(lat.max() * steps)
    cols, rows = math.ceil(lon.max() * steps) - west, top - math.floor(lat.min() * steps)
    return west / steps, top / steps, rows, cols


def write_dem(place: Place, relief: Relief, path: Path, *, undulation: Undulation | None = None) -> None:
    """Write posts of 1 arc second that sample the relief exactly.

    Parameters
    ----------
    place, relief
        What is written.
    path : Path
        GeoTIFF, EPSG:4326, float32; a post is the centre of its pixel.
    undulation : callable, optional
        Geoid undulation, taken off the ellipsoidal heights; without it they stay ellipsoidal.
    """
    west, north, rows, cols = _bounds_deg(place, DEM_MARGIN_M, POSTS_PER_DEGREE)
    lon = west + (np.arange(cols) + 0.5) / POSTS_PER_DEGREE
    lat = north - (np.arange(rows) + 0.5) / POSTS_PER_DEGREE
    lon, lat = np.meshgrid(lon, lat)
    height = relief.geographic(lon, lat)
    if undulation is not None:
        height = height - undulation(lon, lat)
    _write(path, height.astype(np.float32), west, north, POSTS_PER_DEGREE, predictor=3)


def write_labels(place: Place, cover: LandCover, path: Path) -> None:
    """Write the label map, uint8 codes on pixels of 1/12000 degree, 0 never used."""
    west, north, rows, cols = label_frame(place)
    row, col = np.meshgrid(np.arange(rows), np.arange(cols), indexing="ij")
    _write(path, _codes(place, cover, row, col), west, north, LABELS_PER_DEGREE, predictor=1, nodata=0)


def label_frame(place: Place) -> tuple[float, float, int, int]:
    """West and north edge in degrees, rows and columns of the label map."""
    return _bounds_deg(place, LABEL_MARGIN_M, LABELS_PER_DEGREE)


def _codes(
    place: Place, cover: LandCover, row: npt.NDArray[np.intp], col: npt.NDArray[np.intp]
) -> npt.NDArray[np.uint8]:
    """Code of label pixels: the class of the field at their centre; every 37th pixel on a slant has another."""
    west, north, _, _ = label_frame(place)
    lon, lat = west + (col + 0.5) / LABELS_PER_DEGREE, north - (row + 0.5) / LABELS_PER_DEGREE
    east, northing = to_map(place.grid.epsg).transform(lon, lat)
    kind = cover.kinds(np.asarray(east), np.asarray(northing))
    kind = np.where((3 * row + col) % _ODD == 0, (kind + 3) % len(CODES), kind)
    return np.asarray(CODES, np.uint8)[kind]


def label_truth(place: Place, cover: LandCover, grid: Grid) -> npt.NDArray[np.int16]:
    """Label of a grid by nearest neighbour at pixel centres, int16 (rows, cols); -3000 outside the map."""
    west, north, rows, cols = label_frame(place)
    step = grid.spacing_m
    east, northing = np.meshgrid(
        grid.west + (np.arange(grid.cols) + 0.5) * step, grid.north - (np.arange(grid.rows) + 0.5) * step
    )
    lon, lat = to_geographic(grid.epsg).transform(east, northing)
    row = np.floor((north - lat) * LABELS_PER_DEGREE).astype(np.intp)
    col = np.floor((lon - west) * LABELS_PER_DEGREE).astype(np.intp)
    inside = (row >= 0) & (row < rows) & (col >= 0) & (col < cols)
    return np.where(inside, _codes(place, cover, row, col).astype(np.int16), -3000).astype(np.int16)


def _write(
    path: Path,
    values: npt.NDArray[np.generic],
    west: float,
    north: float,
    steps: int,
    *,
    predictor: int,
    nodata: float | None = None,
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=values.shape[1],
        height=values.shape[0],
        count=1,
        dtype=values.dtype,
        crs="EPSG:4326",
        transform=Affine(1 / steps, 0.0, west, 0.0, -1 / steps, north),
        nodata=nodata,
        tiled=True,
        blockxsize=256,
        blockysize=256,
        compress="deflate",
        predictor=predictor,
    ) as file:
        file.write(values, 1)


def write_aoi(place: Place, path: Path) -> None:
    """Write a polygon that holds the centres of the tiles and of no other."""
    grid, inset = place.grid, 0.15 * TILE_M
    corners = (
        (grid.west + inset, grid.south + inset),
        (grid.east - inset, grid.south + inset),
        (grid.east - inset, grid.north - inset),
        (grid.west + inset, grid.north - inset),
    )
    ring = [[round(v, 7) for v in to_geographic(grid.epsg).transform(*c)] for c in (*corners, corners[0])]
    feature = {
        "type": "Feature",
        "properties": {"name": place.name},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}, indent=2) + "\n")
