"""Digital elevation models: a raster in any system, its vertical datum declared, as ellipsoidal heights."""

from __future__ import annotations

import functools
import hashlib
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from affine import Affine
from numpy.polynomial import chebyshev
from pyproj import CRS, Transformer
from rasterio.io import DatasetReader
from rasterio.windows import Window

from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.terrain import bicubic
from sen12ts_pipeline.terrain.geoid import Geoid, load_geoid

Float64 = npt.NDArray[np.float64]

_DEGREE = 5
_MARGIN_CELLS = 4


@dataclass(frozen=True, slots=True, eq=False)
class HeightWindow:
    """Ellipsoidal heights of a part of the DEM on its own grid, and the way from map coordinates to its pixels.

    Attributes
    ----------
    values : float64 (m, n)
        Metres above the WGS 84 ellipsoid at pixel centres; NaN where the DEM is void.
    column, row : float64 (6, 6)
        Chebyshev coefficients of the fractional pixel over the box, easting first.
    box : tuple
        West, south, east, north in map metres.
    """

    values: Float64
    column: Float64
    row: Float64
    box: tuple[float, float, float, float]

    def lattice(self, easting: Float64, northing: Float64) -> Float64:
        """Bicubic ellipsoidal heights (rows, cols), metres, over northings (rows,) and eastings (cols,).

        NaN in voids and outside the DEM.
        """
        west, south, east, north = self.box
        x, y = (2.0 * easting - west - east) / (east - west), (2.0 * northing - south - north) / (north - south)
        tx, ty = (np.asarray(chebyshev.chebvander(u, _DEGREE), dtype=float) for u in (x, y))
        out = np.empty((len(northing), len(easting)))
        bicubic.on_lattice(self.values, self.row, self.column, np.ascontiguousarray(tx.T), ty, out)
        return out


@dataclass(frozen=True, slots=True)
class Dem:
    """A DEM file and the datum of its heights.

    Attributes
    ----------
    path : Path
        Any raster that GDAL reads, in any horizontal system.
    vertical : str
        ``ellipsoidal``, ``egm96`` or ``egm2008``.
    geoid : Path or None
        Geoid grid; needed for ``egm2008``, optional for ``egm96``.
    allow_egm96 : bool
        Whether EGM96 stands in for an ``egm2008`` grid that is not given.
    sha256 : str
        Digest of the content, where it is known without reading it; empty: that of the file is taken.
    """

    path: Path
    vertical: str
    geoid: Path | None = None
    allow_egm96: bool = False
    sha256: str = ""

    def check(self) -> None:
        """Refuse an unreadable file, a file without a reference system, and a datum without its grid."""
        self._geoid()
        _describe(self.path)

    @property
    def identity(self) -> dict[str, Any]:
        """Digest of the file, datum and digest of the geoid grid: part of every recipe.

        A geoid that stands in for the one of the datum is named.
        """
        geoid = self._geoid()
        told: dict[str, Any] = {
            "sha256": self.sha256 or _digest(self.path),
            "vertical": self.vertical,
            "geoid": geoid.sha256 if geoid else None,
        }
        if geoid and geoid.name != self.vertical:
            told["stand_in"] = geoid.name
        return told

    def _geoid(self) -> Geoid | None:
        return load_geoid(self.vertical, self.geoid, allow_egm96=self.allow_egm96)

    def window(self, epsg: int, box: tuple[float, float, float, float]) -> HeightWindow:
        """Read the part of the DEM under a box of map coordinates (west, south, east, north), with a margin.

        Raises
        ------
        ConfigurationError
            When the file cannot be read; a box outside the DEM gives voids.
        """
        crs, transform, shape, _ = _describe(self.path)
        to_dem = _transformer(epsg, crs.to_wkt())
        column, row, span = _pixel_polynomials(to_dem, box, transform, shape)
        c0, c1, r0, r1 = span
        values = np.full((r1 - r0, c1 - c0), np.nan)
        top, left = max(r0, 0), max(c0, 0)
        bottom, right = min(r1, shape[0]), min(c1, shape[1])
        if top < bottom and left < right:
            part = self._read(Window(left, top, right - left, bottom - top))
            values[top - r0 : bottom - r0, left - c0 : right - c0] = part
            self._to_ellipsoid(values, crs, transform, (r0, c0))
        column[0, 0] -= c0
        row[0, 0] -= r0
        return HeightWindow(values, column, row, box)

    def _read(self, window: Window) -> Float64:
        try:
            source = _handle(self.path, _version(self.path))
            values = np.asarray(source.read(1, window=window), dtype=float)
            if source.nodata is not None:
                values[values == source.nodata] = np.nan
        except rasterio.errors.RasterioError as error:
            raise ConfigurationError(
                str(self.path), "dem.path", f"must be readable everywhere ({error})", window
            ) from None
        values[~np.isfinite(values)] = np.nan
        return values

    def _to_ellipsoid(self, values: Float64, crs: CRS, transform: Affine, corner: tuple[int, int]) -> None:
        geoid = self._geoid()
        if geoid is None:
            return
        rows, cols = values.shape
        x, y = np.meshgrid(np.arange(cols) + corner[1] + 0.5, np.arange(rows) + corner[0] + 0.5)
        lon, lat = _transformer_to_geographic(crs.to_wkt()).transform(
            transform.a * x + transform.b * y + transform.c, transform.d * x + transform.e * y + transform.f
        )
        known = np.isfinite(values)
        values[known] += geoid.undulation(np.asarray(lon)[known], np.asarray(lat)[known])


_Description = tuple[CRS, Affine, tuple[int, int], tuple[Path, ...]]
"""Horizontal system, transform, shape, and the files with the content: of a VRT also those that it puts together."""

_handles = threading.local()


def _handle(path: Path, version: tuple[int, int]) -> DatasetReader:
    """The file, open once a thread: GDAL keeps the blocks that it decoded with the handle."""
    if getattr(_handles, "key", None) != (path, version):
        if hasattr(_handles, "source"):
            _handles.source.close()
        _handles.source, _handles.key = rasterio.open(path, sharing=False), (path, version)
    source: DatasetReader = _handles.source
    return source


def _describe(path: Path) -> _Description:
    """What is known of a raster without its heights; read again only when the file has changed."""
    return _describe_version(path, _version(path))


def _digest(path: Path) -> str:
    """SHA-256 of a raster's content; read again only when the file has changed."""
    return _digest_version(path, _version(path))


def _version(path: Path) -> tuple[int, int]:
    try:
        state = path.stat()
    except OSError as error:
        raise ConfigurationError(str(path), "dem.path", f"must be a readable raster ({error})", path.name) from None
    return state.st_mtime_ns, state.st_size


@functools.lru_cache(maxsize=8)
def _digest_version(path: Path, version: tuple[int, int]) -> str:  # noqa: ARG001 - part of the key
    digest = hashlib.sha256()
    for part in _describe(path)[-1]:
        with part.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


@functools.lru_cache(maxsize=8)
def _describe_version(path: Path, version: tuple[int, int]) -> _Description:  # noqa: ARG001 - part of the key
    try:
        with rasterio.open(path) as source:
            wkt, transform, shape = source.crs and source.crs.to_wkt(), source.transform, source.shape
            parts = tuple(Path(name) for name in source.files) if source.driver == "VRT" else (path,)
    except rasterio.errors.RasterioError as error:
        raise ConfigurationError(str(path), "dem.path", f"must be a readable raster ({error})", path.name) from None
    if not wkt:
        raise ConfigurationError(str(path), "dem.path", "must have a coordinate reference system", None)
    crs = CRS.from_wkt(wkt)
    return (crs.sub_crs_list[0] if crs.is_compound else crs.to_2d()), transform, shape, parts


@functools.lru_cache(maxsize=64)
def _transformer(epsg: int, wkt: str) -> Transformer:
    return Transformer.from_crs(epsg, CRS.from_wkt(wkt), always_xy=True)


@functools.lru_cache(maxsize=8)
def _transformer_to_geographic(wkt: str) -> Transformer:
    return Transformer.from_crs(CRS.from_wkt(wkt), 4326, always_xy=True)


def _pixel_polynomials(
    to_dem: Transformer, box: tuple[float, float, float, float], transform: Affine, shape: tuple[int, int]
) -> tuple[Float64, Float64, tuple[int, int, int, int]]:
    """Chebyshev coefficients of (column, row) over a box, and the pixel span (c0, c1, r0, r1) that holds it.

    The way to the DEM's grid is analytic: degree 5 on a box of some kilometres is exact to nanometres.
    """
    west, south, east, north = box
    order, angle = np.arange(_DEGREE + 1), np.pi * (np.arange(_DEGREE + 1) + 0.5) / (_DEGREE + 1)
    unit = np.cos(angle)
    x, y = np.meshgrid(unit, unit, indexing="ij")
    px, py = to_dem.transform((west + east + x * (east - west)) / 2, (south + north + y * (north - south)) / 2)
    if to_dem.target_crs is not None and to_dem.target_crs.is_geographic:
        px = _around(np.asarray(px), transform.c + transform.a * shape[1] / 2)
    inverse = ~transform
    col = inverse.a * np.asarray(px) + inverse.b * np.asarray(py) + inverse.c - 0.5
    row = inverse.d * np.asarray(px) + inverse.e * np.asarray(py) + inverse.f - 0.5
    weights = np.cos(order[:, None] * angle) * np.where(order == 0, 1.0, 2.0)[:, None] / (_DEGREE + 1)
    column_c, row_c = (_product(_product(weights, pixel), weights.T) for pixel in (col, row))
    reach = [np.abs(c).sum() - abs(c[0, 0]) for c in (column_c, row_c)]
    span = (
        int(np.floor(column_c[0, 0] - reach[0])) - _MARGIN_CELLS,
        int(np.ceil(column_c[0, 0] + reach[0])) + _MARGIN_CELLS + 1,
        int(np.floor(row_c[0, 0] - reach[1])) - _MARGIN_CELLS,
        int(np.ceil(row_c[0, 0] + reach[1])) + _MARGIN_CELLS + 1,
    )
    return column_c, row_c, span


def _product(a: Float64, b: Float64) -> Float64:
    """Matrix product, summed in order: the same bits on every machine, unlike that of a linear algebra library."""
    return np.asarray((a[:, :, None] * b[None]).sum(axis=1))


def _around(longitude: Float64, middle: float) -> Float64:
    """Longitudes as one piece, near the DEM's own, where they would jump at 180 degrees."""
    first = longitude.flat[0]
    centre = middle + (first - middle + 180.0) % 360.0 - 180.0
    return np.asarray(centre + (longitude - first + 180.0) % 360.0 - 180.0)
