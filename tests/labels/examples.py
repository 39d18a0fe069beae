"""Rasters and places that the tests of labels share."""

from pathlib import Path

import numpy as np
import rasterio
from pyproj import Transformer

from sen12ts_pipeline.domain.lattice import TileId

DATA = Path(__file__).parents[1] / "data" / "labels"
CDL = DATA / "cdl_2021_kansas.tif"
WORLDCOVER, WORLDCOVER_2021 = DATA / "worldcover_2020_sao_tome.tif", DATA / "worldcover_2021_sao_tome.tif"
DUN = DATA / "dun_2023_sample.gpkg"


def write(path, array, *, crs, transform, tags=None, **options):
    """A GeoTIFF of one layer or of several."""
    layers = array[None] if array.ndim == 2 else array
    count, height, width = layers.shape
    profile = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": array.dtype}
    with rasterio.open(path, "w", **profile, crs=crs, transform=transform, **options) as file:
        file.write(layers)
        file.update_tags(**tags or {})
    return path


def tile_in(path):
    """Tile nearest to a raster's middle."""
    with rasterio.open(path) as file:
        x, y = (file.bounds.left + file.bounds.right) / 2, (file.bounds.bottom + file.bounds.top) / 2
        return TileId.at(*Transformer.from_crs(file.crs, 4326, always_xy=True).transform(x, y))


def source_pixels(path, grid):
    """Fractional (row, column) of the source under each pixel's centre."""
    with rasterio.open(path) as file:
        east = grid.west + 10 * (np.arange(grid.cols) + 0.5)
        north = grid.north - 10 * (np.arange(grid.rows) + 0.5)
        x, y = Transformer.from_crs(grid.epsg, file.crs, always_xy=True).transform(*np.meshgrid(east, north))
        a, b, c, d, e, f = tuple(~file.transform)[:6]
        return d * x + e * y + f, a * x + b * y + c
