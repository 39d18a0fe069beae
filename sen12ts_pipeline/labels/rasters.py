"""Labels from rasters: the code under the exact centre of each 10 m pixel."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window

from sen12ts_pipeline.domain.lattice import Grid
from sen12ts_pipeline.domain.layers import NODATA
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.labels.digests import digest_of
from sen12ts_pipeline.labels.places import Float64, centres, transformer, without_network
from sen12ts_pipeline.ports import Int16, Label
from sen12ts_pipeline.quiet import ignored

KEY = "labels.path"
RASTERS = (".tif", ".tiff", ".vrt")

Bool = npt.NDArray[np.bool_]


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

    year: int | None = None
    silent: tuple[int, ...] = ()

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        without_network()
        self.rasters = tuple(Raster.open(one) for one in raster_files(self.path))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    @functools.cached_property
    def identity(self) -> Mapping[str, Any]:
        """Name of the file or folder, and SHA-256 of the file, or of the list of its parts with theirs."""
        return {"name": self.path.name, "sha256": digest_of(part for one in self.rasters for part in one.parts)}

    def label(self, grid: Grid) -> Label:
        """Codes by nearest neighbour at the pixels' centres, -3000 outside the rasters.

        Parameters
        ----------
        grid : Grid
            In any projected system.

        Raises
        ------
        ConfigurationError
            When a code does not fit into int16, or a file cannot be read.
        """
        codes: Int16 = np.full(grid.shape, NODATA, np.int16)
        open_pixels = np.ones(grid.shape, bool)
        places: dict[str, tuple[Float64, Float64]] = {}
        for raster in self.rasters:
            if raster.crs not in places:
                places[raster.crs] = transformer(raster.crs, grid).transform(*centres(grid))
            inside = raster.take(*places[raster.crs], open_pixels, codes)
            open_pixels &= ~inside
            if not open_pixels.any():
                break
        return Label(codes, {})


@dataclass(frozen=True, slots=True)
class Raster:
    """What is known of a raster without its pixels; it is opened for each window, so that threads share nothing."""

    path: Path
    parts: tuple[Path, ...]
    crs: str
    geographic: bool
    to_pixel: tuple[float, float, float, float, float, float]
    middle_x: float
    shape: tuple[int, int]
    nodata: float | None
    tags: Mapping[str, str] = field(hash=False)

    @classmethod
    def open(cls, path: Path) -> Raster:
        """Read a raster's head; ConfigurationError when it is none, has several layers or no place on the Earth."""
        try:
            with ignored(NotGeoreferencedWarning), rasterio.open(path, sharing=False) as found:
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
                    tags=dict(found.tags()),
                )
        except RasterioError as error:
            raise ConfigurationError("labels", KEY, f"must be a readable raster, file {path}", str(error)) from error

    def take(self, x: Float64, y: Float64, wanted: Bool, codes: Int16) -> Bool:
        """Write the codes at some places into an array where they are wanted.

        Parameters
        ----------
        x, y : float64 (rows, cols)
            Places in the raster's system.
        wanted : bool (rows, cols)
            Where codes are written.
        codes : int16 (rows, cols)
            Is changed.

        Returns
        -------
        bool (rows, cols)
            Places in the raster that were wanted.
        """
        row, col, inside = self._indices(x, y)
        inside &= wanted
        if inside.any():
            rows, cols = row[inside], col[inside]
            top, left = int(rows.min()), int(cols.min())
            stored = self._read(Window(left, top, int(cols.max()) - left + 1, int(rows.max()) - top + 1))
            codes[inside] = self._int16(stored[rows - top, cols - left])
        return inside

    def _indices(self, x: Float64, y: Float64) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Bool]:
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
            rule = f"must be a readable raster, file {self.path}"
            raise ConfigurationError("labels", KEY, rule, found_text) from error

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


def raster_files(path: Path) -> list[Path]:
    """The raster itself, or the rasters of a folder by name; ConfigurationError if there is none."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise ConfigurationError("labels", KEY, "must be a raster or a folder of rasters; it is not there", str(path))
    found = sorted(one for one in path.iterdir() if one.suffix.lower() in RASTERS)
    if not found:
        raise ConfigurationError("labels", KEY, f"must hold rasters ({', '.join(RASTERS)}); there is none", str(path))
    return found
