"""Elevation models of functions, written as GeoTIFF."""

import numpy as np
import rasterio
from affine import Affine


def write_raster(path, values, transform, crs, *, nodata=None, point=None):
    """A raster; `point` sets AREA_OR_POINT."""
    profile = {"driver": "GTiff", "count": 1, "dtype": values.dtype.name, "crs": crs, "transform": transform}
    with rasterio.open(path, "w", width=values.shape[1], height=values.shape[0], nodata=nodata, **profile) as target:
        if point is not None:
            target.update_tags(AREA_OR_POINT="Point" if point else "Area")
        target.write(values, 1)
    return path


def write_surface(path, surface, epsg, box, step, **options):
    """A function of (x, y) in the raster's own system, sampled at pixel centres over west, south, east, north."""
    west, south, east, north = box
    cols, rows = round((east - west) / step), round((north - south) / step)
    x, y = west + step * (np.arange(cols) + 0.5), north - step * (np.arange(rows) + 0.5)
    values = np.broadcast_to(np.asarray(surface(x[None, :], y[:, None]), np.float32), (rows, cols))
    transform = Affine(step, 0.0, west, 0.0, -step, north)
    return write_raster(path, np.ascontiguousarray(values), transform, f"EPSG:{epsg}", **options)
