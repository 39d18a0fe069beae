"""Geoid grids: the height of the geoid above the WGS 84 ellipsoid, from a file that is really there."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio

from sen12ts_pipeline.errors import ConfigurationError

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Geoid:
    """Undulation on a regular grid of longitude and latitude.

    Attributes
    ----------
    name : str
        ``egm96`` or ``egm2008``.
    sha256 : str
        Digest of the grid file.
    values : float64 (rows, cols)
        Metres, at pixel centres, north up.
    west, north : float
        Centre of the first pixel, degrees.
    step_x, step_y : float
        Pixel size, degrees, both positive.
    """

    name: str
    sha256: str
    values: Float64
    west: float
    north: float
    step_x: float
    step_y: float

    def undulation(self, longitude: Float64, latitude: Float64) -> Float64:
        """Height of the geoid above the ellipsoid, metres, bilinear; ConfigurationError outside the grid."""
        rows, cols = self.values.shape
        around = cols * self.step_x > 359.0
        col = (np.asarray(longitude) - self.west) / self.step_x
        row = (self.north - np.asarray(latitude)) / self.step_y
        if around:
            col = np.mod(col, 360.0 / self.step_x)
        slack = 1e-6
        if (
            np.any(row < -slack)
            or np.any(row > rows - 1 + slack)
            or (not around and (np.any(col < -slack) or np.any(col > cols - 1 + slack)))
        ):
            rule = "the geoid grid must cover the DEM window"
            spans = (f"{np.min(x):.3f}..{np.max(x):.3f}" for x in (longitude, latitude))
            area = "lon {}, lat {}".format(*spans)
            raise ConfigurationError(self.name, "dem.geoid", rule, area)
        r0 = np.clip(np.floor(row).astype(int), 0, rows - 2)
        c0 = np.floor(col).astype(int) if around else np.clip(np.floor(col).astype(int), 0, cols - 2)
        fr, fc = row - r0, col - c0
        c1 = (c0 + 1) % cols if around else c0 + 1
        c0 = c0 % cols
        top = self.values[r0, c0] * (1 - fc) + self.values[r0, c1] * fc
        low = self.values[r0 + 1, c0] * (1 - fc) + self.values[r0 + 1, c1] * fc
        return np.asarray(top * (1 - fr) + low * fr)


@functools.lru_cache(maxsize=4)
def load_geoid(vertical: str, path: Path | None) -> Geoid | None:
    """Grid of a vertical datum; None for ellipsoidal heights.

    Parameters
    ----------
    vertical : str
        ``ellipsoidal``, ``egm96`` (a grid ships with the package) or ``egm2008`` (needs `path`).
    path : Path or None
        A grid file that replaces the shipped one.

    Raises
    ------
    ConfigurationError
        When the datum is unknown, or its grid is not there.
    """
    if vertical == "ellipsoidal":
        return None
    if vertical not in ("egm96", "egm2008"):
        raise ConfigurationError("DEM", "dem.vertical", "must be ellipsoidal, egm96 or egm2008", vertical)
    if path is None and vertical == "egm2008":
        rule = "heights above EGM2008 need a geoid grid: give one with GEOID=<grid> or --geoid"
        raise ConfigurationError("DEM", "dem.geoid", rule, None)
    if path is None:
        path = Path(str(resources.files("sen12ts_pipeline.terrain") / "us_nga_egm96_15.tif"))
    try:
        body = path.read_bytes()
        with rasterio.open(path) as grid:
            t, values = grid.transform, grid.read(1).astype(float)
    except (OSError, rasterio.errors.RasterioError) as error:
        raise ConfigurationError(str(path), "dem.geoid", f"must be a readable geoid grid ({error})", vertical) from None
    digest = hashlib.sha256(body).hexdigest()
    return Geoid(vertical, digest, values, t.c + t.a / 2, t.f + t.e / 2, t.a, -t.e)
