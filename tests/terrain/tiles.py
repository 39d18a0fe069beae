"""Elevation tiles of one degree as they are published, of functions and of real heights."""

import io
import zipfile

import numpy as np
import rasterio
from affine import Affine
from rasterio.windows import Window

from sen12ts_pipeline.terrain.mosaic import VOID


def glo30(path, cell, surface, *, columns=3600, rows=3600, window=None):
    """A tile of GLO-30: posts from the north-western corner on, those of the eastern and southern edges left out.

    `surface(longitude, latitude)` gives heights; `window` (column, row, width, height) is all that is written.
    """
    profile = {"driver": "GTiff", "width": columns, "height": rows, "count": 1, "dtype": "float32", "crs": "EPSG:4326"}
    profile |= {"tiled": True, "blockxsize": 256, "blockysize": 256, "SPARSE_OK": True}
    x, y = 1 / columns, 1 / rows
    col, row, width, height = window or (0, 0, columns, rows)
    with rasterio.open(
        path, "w", transform=Affine(x, 0, cell.west - x / 2, 0, -y, cell.south + 1 + y / 2), **profile
    ) as t:
        longitude = cell.west + (col + np.arange(width)) * x
        latitude = cell.south + 1 - (row + np.arange(height)) * y
        values = np.broadcast_to(surface(longitude[None], latitude[:, None]), (height, width))
        t.write(values.astype(np.float32), 1, window=Window(col, row, width, height))
    return path


def srtm_zip(cell, surface, void=None):
    """A zipped tile of SRTMGL1: big-endian whole metres at 3601 x 3601 posts; `void` (row, column) has no height."""
    longitude, latitude = cell.west + np.arange(3601) / 3600, cell.south + 1 - np.arange(3601) / 3600
    values = np.broadcast_to(np.round(surface(longitude[None], latitude[:, None])), (3601, 3601)).astype(">i2")
    if void:
        values[void] = VOID
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as container:
        container.writestr(f"{cell.name}.hgt", values.tobytes())
    return into.getvalue()
