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
from rasterio.windows import Window

from sen12ts_pipeline.errors import ConfigurationError

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


_ALIGNED = 64
"""Posts to whose multiples a part of a grid that is read is widened, so that neighbouring places share it."""


@dataclass(frozen=True, slots=True)
class Geoid:
    """Undulation on a regular grid of longitude and latitude, of which only the parts that are needed are read.

    Attributes
    ----------
    name : str
        ``egm96`` or ``egm2008``: what the grid holds.
    sha256 : str
        Digest of the grid file.
    path : Path
        The grid file.
    shape : tuple of int
        Rows and columns; metres at pixel centres, north up.
    west, north : float
        Centre of the first pixel, degrees.
    step_x, step_y : float
        Pixel size, degrees, both positive.
    """

    name: str
    sha256: str
    path: Path
    shape: tuple[int, int]
    west: float
    north: float
    step_x: float
    step_y: float

    @property
    def is_global(self) -> bool:
        """Whether the grid goes all around the Earth and reaches both poles, but for a pixel."""
        return self._around and self.shape[0] * self.step_y > 179.0

    @property
    def _around(self) -> bool:
        return self.shape[1] * self.step_x > 359.0

    def undulation(self, longitude: Float64, latitude: Float64) -> Float64:
        """Height of the geoid above the ellipsoid, metres, bilinear; ConfigurationError outside the grid."""
        rows, cols = self.shape
        col = (np.asarray(longitude, dtype=float) - self.west) / self.step_x
        row = (self.north - np.asarray(latitude, dtype=float)) / self.step_y
        if col.size == 0:
            return np.zeros(col.shape)
        if self._around:
            # Places that lie beyond the grid's edge from the first one count on, so that their window is one piece.
            turn = 360.0 / self.step_x
            col = np.mod(col, turn)
            aside = col - col.flat[0]
            col = col - turn * (aside > turn / 2) + turn * (aside < -turn / 2)
        self._require_inside(row, col, longitude, latitude)
        r0 = np.clip(np.floor(row).astype(int), 0, rows - 2)
        c0 = np.floor(col).astype(int) if self._around else np.clip(np.floor(col).astype(int), 0, cols - 2)
        fr, fc = row - r0, col - c0
        values, top, left = self._part(r0, c0)
        r0, c0 = r0 - top, c0 - left
        upper = values[r0, c0] * (1 - fc) + values[r0, c0 + 1] * fc
        lower = values[r0 + 1, c0] * (1 - fc) + values[r0 + 1, c0 + 1] * fc
        return np.asarray(upper * (1 - fr) + lower * fr)

    def _require_inside(self, row: Float64, col: Float64, longitude: Float64, latitude: Float64) -> None:
        rows, cols = self.shape
        slack = 1e-6
        sideways = not self._around and (np.any(col < -slack) or np.any(col > cols - 1 + slack))
        if sideways or np.any(row < -slack) or np.any(row > rows - 1 + slack):
            rule = "the geoid grid must cover the DEM window"
            spans = (f"{np.min(x):.3f}..{np.max(x):.3f}" for x in (longitude, latitude))
            area = "lon {}, lat {}".format(*spans)
            raise ConfigurationError(self.name, "dem.geoid", rule, area)

    def _part(self, row: Int64, col: Int64) -> tuple[Float64, int, int]:
        """Posts around cells, and the row and column of the first; columns count on across the grid's edge."""
        top, left = (int(x.min()) // _ALIGNED * _ALIGNED for x in (row, col))
        bottom, right = (-(-(int(x.max()) + 2) // _ALIGNED) * _ALIGNED for x in (row, col))
        top, bottom = max(top, 0), min(bottom, self.shape[0])
        if not self._around:
            left, right = max(left, 0), min(right, self.shape[1])
        return _posts(self.path, self.sha256, top, bottom, left, right), top, left


@functools.lru_cache(maxsize=8)
def _posts(path: Path, sha256: str, top: int, bottom: int, left: int, right: int) -> Float64:  # noqa: ARG001 - part of the key
    """Rows and columns of a grid file, metres; beyond its last column comes its first one."""
    try:
        with rasterio.open(path) as grid:
            pieces, at = [], left
            while at < right:
                first = at % grid.width
                width = min(right - at, grid.width - first)
                pieces.append(grid.read(1, window=Window(first, top, width, bottom - top)))
                at += width
    except (OSError, rasterio.errors.RasterioError) as error:
        raise ConfigurationError(str(path), "dem.geoid", f"must be a readable geoid grid ({error})", None) from None
    return np.concatenate(pieces, axis=1).astype(float)


def load_geoid(vertical: str, path: Path | None, *, allow_egm96: bool = False) -> Geoid | None:
    """Grid of a vertical datum; None for ellipsoidal heights.

    Parameters
    ----------
    vertical : str
        ``ellipsoidal``, ``egm96`` (a grid ships with the package) or ``egm2008`` (needs `path`).
    path : Path or None
        A grid file that replaces the shipped one.
    allow_egm96 : bool
        Whether the shipped grid of EGM96 stands in for one of EGM2008 that is not given; they differ by up to some
        metres, mostly by less than one.

    Raises
    ------
    ConfigurationError
        When the datum is unknown, or its grid is not there.
    """
    if vertical == "ellipsoidal":
        return None
    if vertical not in ("egm96", "egm2008"):
        raise ConfigurationError("DEM", "dem.vertical", "must be ellipsoidal, egm96 or egm2008", vertical)
    if path is None and vertical == "egm2008" and not allow_egm96:
        rule = (
            "heights above EGM2008 need a geoid grid: give one with GEOID=<grid> or --geoid, "
            "or have it fetched with dem.geoid: fetch"
        )
        raise ConfigurationError("DEM", "dem.geoid", rule, None)
    if path is None:
        vertical = "egm96"
        path = Path(str(resources.files("sen12ts_pipeline.terrain") / "us_nga_egm96_15.tif"))
    try:
        state = path.stat()
        return _load(vertical, path, (state.st_mtime_ns, state.st_size))
    except (OSError, rasterio.errors.RasterioError) as error:
        raise ConfigurationError(str(path), "dem.geoid", f"must be a readable geoid grid ({error})", vertical) from None


@functools.lru_cache(maxsize=4)
def _load(name: str, path: Path, version: tuple[int, int]) -> Geoid:  # noqa: ARG001 - part of the key
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    with rasterio.open(path) as grid:
        t = grid.transform
        return Geoid(name, digest, path, grid.shape, t.c + t.a / 2, t.f + t.e / 2, t.a, -t.e)
