"""Tiles of another zone than their granule's: bands interpolated between centres of pixels, classes from the nearest.

Both systems are the zones' northern ones; of a southern granule the shift by 10,000 km is already taken off.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.warp import reproject

from sen12ts_pipeline.domain.lattice import PIXEL_M, Grid, between
from sen12ts_pipeline.domain.layers import NODATA
from sen12ts_pipeline.ports import Bool, Int16
from sen12ts_pipeline.sentinel2.description import Product

N = TypeVar("N", np.int16, np.uint8)

HOW = {"bands": "bilinear", "classes": "nearest"}
"""How layers are warped, as provenance says it."""


def crosses(product: Product, grid: Grid) -> bool:
    """Whether a grid belongs to another zone than the granule."""
    return grid.epsg != _epsg(product)


@dataclass(frozen=True, slots=True)
class Window:
    """Part of an image from which a grid of another zone is made. Made by `window_of`.

    Attributes
    ----------
    rows, cols : (int, int)
        Of the image, from the first up to, not including, the second.
    grid : Grid
        The part's own pixels, in the northern system of the granule's zone.
    """

    rows: tuple[int, int]
    cols: tuple[int, int]
    grid: Grid

    def under(self, grid: Grid) -> Bool:
        """Pixels of the part whose centre lies in a grid of another zone, (rows, cols)."""
        own, step = self.grid, self.grid.spacing_m
        east, north = np.meshgrid(
            own.west + step * (np.arange(own.cols) + 0.5), own.north - step * (np.arange(own.rows) + 0.5)
        )
        x, y = between(own.epsg, grid.epsg).transform(east, north)
        inside: Bool = (x >= grid.west) & (x < grid.east) & (y > grid.south) & (y <= grid.north)
        return inside


def window_of(product: Product, grid: Grid, resolution_m: int) -> Window:
    """Part of the product's images of a resolution that a grid of a neighbouring zone needs.

    Raises
    ------
    ValueError
        When the grid and a pixel around it are not wholly inside the granule: a scene of another granule was chosen for
        this tile.
    """
    granule, size = product.granule, product.sizes[resolution_m]
    west, south, east, north = grid.bounds_in(_epsg(product))
    rows = _span(granule.north_m - north, granule.north_m - south, resolution_m)
    cols = _span(west - granule.ulx_m, east - granule.ulx_m, resolution_m)
    if not (rows[0] >= 0 and rows[1] <= size[0] and cols[0] >= 0 and cols[1] <= size[1]):
        raise ValueError(f"{grid} must, with a pixel of {resolution_m} m around it, lie inside the granule; {granule}")
    corner = granule.ulx_m + resolution_m * cols[0], granule.north_m - resolution_m * rows[0]
    own = Grid(_epsg(product), *corner, rows[1] - rows[0], cols[1] - cols[0], float(resolution_m))
    return Window(rows, cols, own)


def interpolated(values: Int16, window: Window, grid: Grid) -> Int16:
    """Reflectances of a grid, bilinear between the centres of a window's pixels; int16 (rows, cols).

    A pixel has no data, -3000, where that of the image which holds its centre has none; others are interpolated
    between neighbours with data alone.
    """
    warped = _warped(values, window, grid, Resampling.bilinear, NODATA)
    known = values != NODATA
    if not known.all():
        warped[nearest(known.astype(np.uint8), window, grid) == 0] = NODATA
    return warped


def nearest(values: npt.NDArray[N], window: Window, grid: Grid) -> npt.NDArray[N]:
    """Classes of a grid: of each pixel that of the window's pixel which holds its centre; (rows, cols)."""
    return _warped(values, window, grid, Resampling.nearest, None)


def _warped(values: npt.NDArray[N], window: Window, grid: Grid, how: Resampling, nodata: int | None) -> npt.NDArray[N]:
    warped: npt.NDArray[N] = np.empty(grid.shape, values.dtype)
    scale = window.grid.spacing_m / PIXEL_M
    reproject(
        values,
        warped,
        src_transform=Affine(*window.grid.transform),
        src_crs=CRS.from_epsg(window.grid.epsg),
        src_nodata=nodata,
        dst_transform=Affine(*grid.transform),
        dst_crs=CRS.from_epsg(grid.epsg),
        dst_nodata=nodata,
        resampling=how,
        XSCALE=scale,  # else GDAL takes it from the turned window's size, and widens its kernel
        YSCALE=scale,
    )
    return warped


def _span(first_m: float, last_m: float, resolution_m: int) -> tuple[int, int]:
    """Rows (or columns) that hold an interval, and one on either side."""
    return math.floor(first_m / resolution_m) - 1, math.ceil(last_m / resolution_m) + 1


def _epsg(product: Product) -> int:
    return 32600 + product.granule.epsg % 100
