"""Labels from rasters: the code under the exact centre of each 10 m pixel."""

from __future__ import annotations

import functools
import hashlib
import threading
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from pyproj import Transformer
from pyproj.aoi import AreaOfInterest
from pyproj.network import set_network_enabled  # type: ignore[attr-defined]
from pyproj.transformer import TransformerGroup
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window

from sen12ts_pipeline.domain.lattice import Grid, to_geographic
from sen12ts_pipeline.domain.layers import NODATA
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.ports import Int16

KEY = "labels.path"
RASTERS = (".tif", ".tiff", ".vrt")

Float64 = npt.NDArray[np.float64]

_warnings = threading.Lock()


class RasterLabels:
    """Land cover of rasters in any map system; implements `ports.LabelSource`.

    Codes are the source's own; its 0 and its nodata value are codes like others, because sources disagree on what they
    mean. Only a nodata value that int16 cannot hold counts as nothing said.

    Parameters
    ----------
    path : Path
        A raster, a VRT of rasters, or a folder of rasters (``*.tif``): of several that cover a pixel the first by name
        counts.

    Raises
    ------
    ConfigurationError
        When the path holds no raster, or one that is not georeferenced or not readable.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        set_network_enabled(active=False)  # a datum grid on one machine must not move labels there
        self._rasters = tuple(_Raster.open(one) for one in _files(self.path))

    def __repr__(self) -> str:
        return f"RasterLabels({str(self.path)!r})"

    @functools.cached_property
    def identity(self) -> Mapping[str, Any]:
        """Name of the file or folder, and SHA-256 of the file, or of the list of its parts with theirs."""
        parts = {one.name: one for raster in self._rasters for one in raster.parts}
        if len(parts) == 1:
            return {"name": self.path.name, "sha256": _digest(*parts.values())}
        lines = "".join(f"{_digest(parts[name])}  {name}\n" for name in sorted(parts))
        return {"name": self.path.name, "sha256": hashlib.sha256(lines.encode()).hexdigest()}

    def label(self, grid: Grid) -> Int16:
        """Codes by nearest neighbour at the pixels' centres, -3000 outside the rasters.

        Parameters
        ----------
        grid : Grid
            In any projected system.

        Returns
        -------
        int16 (rows, cols)

        Raises
        ------
        ConfigurationError
            When a code does not fit into int16, or a file cannot be read.
        """
        label: Int16 = np.full(grid.shape, NODATA, np.int16)
        open_pixels = np.ones(grid.shape, bool)
        for raster in self._rasters:
            codes, inside = raster.codes(grid)
            label[inside & open_pixels] = codes[inside & open_pixels]
            open_pixels &= ~inside
            if not open_pixels.any():
                break
        return label


@dataclass(frozen=True, slots=True)
class _Raster:
    """What is known of a raster without its pixels; it is opened for each window, so that threads share nothing."""

    path: Path
    parts: tuple[Path, ...]
    crs: str
    geographic: bool
    to_pixel: tuple[float, float, float, float, float, float]
    middle_x: float
    shape: tuple[int, int]
    nodata: float | None

    @classmethod
    def open(cls, path: Path) -> _Raster:
        try:
            with _warnings, warnings.catch_warnings():
                warnings.simplefilter("ignore", NotGeoreferencedWarning)
                with rasterio.open(path, sharing=False) as found:
                    if found.crs is None or found.transform.is_identity or found.count != 1:
                        rule = f"must be a georeferenced raster of one layer, file {path}"
                        raise ConfigurationError("labels", KEY, rule, f"{found.count} layers, CRS {found.crs}")
                    parts = tuple(Path(name) for name in found.files) if found.driver == "VRT" else (path,)
                    return cls(
                        path=path,
                        parts=parts,
                        crs=found.crs.to_wkt(version="WKT2_2019"),
                        geographic=found.crs.is_geographic,
                        to_pixel=tuple(~found.transform)[:6],
                        middle_x=(found.bounds.left + found.bounds.right) / 2,
                        shape=found.shape,
                        nodata=found.nodata,
                    )
        except RasterioError as error:
            raise ConfigurationError("labels", KEY, f"must be a readable raster, file {path}", str(error)) from error

    def codes(self, grid: Grid) -> tuple[Int16, npt.NDArray[np.bool_]]:
        """Codes at the centres of a grid, and where they are: int16 and bool, (rows, cols)."""
        row, col, inside = self._indices(grid)
        codes: Int16 = np.full(grid.shape, NODATA, np.int16)
        if inside.any():
            top, left = int(row[inside].min()), int(col[inside].min())
            height, width = int(row[inside].max()) - top + 1, int(col[inside].max()) - left + 1
            stored = self._read(Window(left, top, width, height))
            codes[inside] = self._int16(stored[row[inside] - top, col[inside] - left])
        return codes, inside

    def _indices(self, grid: Grid) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        x, y = _transformer(self.crs, grid.epsg, _area(grid)).transform(*_centres(grid))
        if self.geographic:
            x = x + 360.0 * np.round((self.middle_x - x) / 360.0)
        known = np.isfinite(x) & np.isfinite(y)
        a, b, c, d, e, f = self.to_pixel
        x, y = np.where(known, x, 0.0), np.where(known, y, 0.0)
        col, row = np.floor(a * x + b * y + c), np.floor(d * x + e * y + f)
        inside = known & (row >= 0) & (row < self.shape[0]) & (col >= 0) & (col < self.shape[1])
        zero = np.zeros_like(row)
        return np.where(inside, row, zero).astype(np.int64), np.where(inside, col, zero).astype(np.int64), inside

    def _read(self, window: Window) -> npt.NDArray[Any]:
        try:
            with rasterio.open(self.path, sharing=False) as found:
                stored: npt.NDArray[Any] = found.read(1, window=window)
                return stored
        except RasterioError as error:
            found_text = str(error.__cause__ or error)
            raise ConfigurationError(
                "labels", KEY, f"must be a readable raster, file {self.path}", found_text
            ) from error

    def _int16(self, stored: npt.NDArray[Any]) -> Int16:
        bounds = np.iinfo(np.int16)
        fits = (stored >= bounds.min) & (stored <= bounds.max) & (stored == np.trunc(stored.real))
        nothing = ~fits & ((stored == self.nodata) | (np.isnan(stored) & (self.nodata is not None)))
        wrong = stored[~fits & ~nothing]
        if wrong.size:
            rule = f"codes must be whole numbers from {bounds.min} to {bounds.max}, file {self.path}"
            raise ConfigurationError("labels", KEY, rule, wrong[0].item())
        codes: Int16 = np.where(nothing, NODATA, np.where(fits, stored, 0).astype(np.int16)).astype(np.int16)
        return codes


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise ConfigurationError("labels", KEY, "must be a raster or a folder of rasters; it is not there", str(path))
    found = sorted(one for one in path.iterdir() if one.suffix.lower() in RASTERS)
    if not found:
        raise ConfigurationError("labels", KEY, f"must hold rasters ({', '.join(RASTERS)}); there is none", str(path))
    return found


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ConfigurationError("labels", KEY, f"must be readable, file {path}", error.strerror) from error


def _centres(grid: Grid) -> tuple[Float64, Float64]:
    """(easting, northing) of the pixels' centres, metres, each (rows, cols)."""
    east = grid.west + grid.spacing_m * (np.arange(grid.cols) + 0.5)
    north = grid.north - grid.spacing_m * (np.arange(grid.rows) + 0.5)
    easting, northing = np.meshgrid(east, north)
    return easting, northing


def _area(grid: Grid) -> tuple[int, int]:
    """Longitude and latitude of a grid's centre, whole degrees: which datum shift is used may depend on the region."""
    lon, lat = to_geographic(grid.epsg).transform(*grid.centre)
    return round(float(lon)), round(float(lat))


@functools.lru_cache(maxsize=256)
def _transformer(crs: str, epsg: int, area: tuple[int, int]) -> Transformer:
    """Transformer from a grid's system to a raster's, the same on every machine: none that needs a datum grid."""
    lon, lat = area
    near = AreaOfInterest(max(lon - 1, -180), max(lat - 1, -90), min(lon + 1, 180), min(lat + 1, 90))
    with _warnings, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that a better one would need a grid
        group = TransformerGroup(epsg, crs, always_xy=True, area_of_interest=near)  # type: ignore[arg-type]
    for one in group.transformers:
        if "grids=" not in one.definition:
            return one
    return Transformer.from_crs(epsg, crs, always_xy=True)
