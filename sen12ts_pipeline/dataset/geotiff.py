"""GeoTIFFs of the data set, to bytes and back; the same array gives the same bytes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio.shutil
from affine import Affine
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile

from sen12ts_pipeline.domain.lattice import Grid
from sen12ts_pipeline.domain.layers import LABEL_LAYERS, NODATA, S1_LAYERS, S1_UNITS, S2_LAYERS
from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.ports import Float32, Int16

S2_UNITS = (*(["reflectance * 10000"] * 12), "class", "1")
LABEL_UNITS = ("class",)
ZSTD_LEVEL = 3


class Profile(StrEnum):
    """How a file is laid out: ``cog`` tiled and compressed, ``compat`` as the published files."""

    COG = "cog"
    COMPAT = "compat"


@dataclass(frozen=True, slots=True)
class Raster:
    """What a GeoTIFF holds.

    Attributes
    ----------
    array : float32 or int16 (layers, rows, cols)
        Values as stored, nodata included.
    grid : Grid
        Where they lie.
    layers, units : tuple of str
        Description and unit of each layer.
    nodata : float
        Value that stands for no data in every layer.
    tags : mapping of str to str
        Tags of the whole file.
    """

    array: npt.NDArray[Any]
    grid: Grid
    layers: tuple[str, ...]
    units: tuple[str, ...]
    nodata: float | None
    tags: Mapping[str, str] = field(hash=False)


def encode(
    array: npt.NDArray[Any],
    grid: Grid,
    *,
    layers: Sequence[str],
    units: Sequence[str],
    dtype: str,
    nodata: float = NODATA,
    profile: Profile = Profile.COG,
    tags: Mapping[str, str] | None = None,
) -> bytes:
    """A GeoTIFF as bytes.

    Parameters
    ----------
    array : (layers, rows, cols) or, for one layer, (rows, cols)
        Without NaN: nodata is already in its place.
    grid : Grid
        In EPSG:326zz.
    layers, units : sequence of str
        Description and unit of each layer.
    dtype : str
        Type of the file; the array must have it.
    nodata : float
        Nodata value of every layer.
    profile : Profile
        ``cog``: tiles of 256, ZSTD with predictor, layer by layer (a quarter smaller than pixel by pixel), directory
        before data. ``compat``: strips, uncompressed, pixel by pixel.
    tags : mapping of str to str, optional
        Of the whole file; no time, host or path.

    Raises
    ------
    ValueError
        When the array has another shape or type, or holds NaN or infinity.
    """
    stack = array[None] if array.ndim == 2 else array
    _check(stack, grid, layers, units, dtype)
    with MemoryFile(ext=".tif") as plain, MemoryFile(ext=".tif") as final:
        with plain.open(
            driver="GTiff",
            count=len(stack),
            height=grid.rows,
            width=grid.cols,
            dtype=dtype,
            crs=f"EPSG:{grid.epsg}",
            transform=Affine(*grid.transform),
            nodata=nodata,
        ) as file:
            file.write(stack)
            file.descriptions, file.units = tuple(layers), tuple(units)
            file.update_tags(**(tags or {}))
        rasterio.shutil.copy(plain.name, final.name, driver="GTiff", **_options(Profile(profile), dtype))
        return bytes(final.getbuffer())


def encode_s1(stack: Float32, grid: Grid, *, profile: Profile, tags: Mapping[str, str] | None = None) -> bytes:
    """GeoTIFF of a radar stack, float32 (19, 256, 256)."""
    return encode(stack, grid, layers=S1_LAYERS, units=S1_UNITS, dtype="float32", profile=profile, tags=tags)


def encode_s2(stack: Int16, grid: Grid, *, profile: Profile, tags: Mapping[str, str] | None = None) -> bytes:
    """GeoTIFF of an optical stack, int16 (14, 256, 256)."""
    return encode(stack, grid, layers=S2_LAYERS, units=S2_UNITS, dtype="int16", profile=profile, tags=tags)


def encode_label(label: Int16, grid: Grid, *, profile: Profile, tags: Mapping[str, str] | None = None) -> bytes:
    """GeoTIFF of a label, int16 (256, 256)."""
    return encode(label, grid, layers=LABEL_LAYERS, units=LABEL_UNITS, dtype="int16", profile=profile, tags=tags)


def decode(body: bytes, *, name: str = "GeoTIFF") -> Raster:
    """What a GeoTIFF of this data set holds.

    Raises
    ------
    BadProduct
        When it cannot be read, or its pixels are not square and north-up in a system with an EPSG code.
    """
    if not body:
        raise BadProduct(name, "", "must be a readable GeoTIFF: it is empty")
    try:
        with MemoryFile(body, ext=".tif") as memory, memory.open(driver="GTiff") as file:
            spacing, shear, west, turn, down, north = tuple(file.transform)[:6]
            epsg = file.crs.to_epsg() if file.crs else None
            if epsg is None or shear or turn or spacing <= 0 or down != -spacing:
                raise BadProduct(
                    name, "", f"must be north-up with square pixels and an EPSG code; got {file.transform}"
                )
            return Raster(
                array=file.read(),
                grid=Grid(int(epsg), west, north, file.height, file.width, spacing),
                layers=tuple(d or "" for d in file.descriptions),
                units=tuple(u or "" for u in file.units),
                nodata=_only(file.nodatavals),
                tags={key: value for key, value in file.tags().items() if key != "AREA_OR_POINT"},
            )
    except RasterioError as error:
        raise BadProduct(name, "", f"must be a readable GeoTIFF: {error.__cause__ or error}") from error


def _check(stack: npt.NDArray[Any], grid: Grid, layers: Sequence[str], units: Sequence[str], dtype: str) -> None:
    if stack.shape != (len(layers), *grid.shape) or len(units) != len(layers):
        raise ValueError(f"{len(layers)} layers and {len(units)} units of {grid.shape} do not fit {stack.shape}")
    if stack.dtype != np.dtype(dtype):
        raise ValueError(f"an array of type {dtype} is expected; got {stack.dtype}")
    if stack.dtype.kind == "f" and not np.isfinite(stack).all():
        raise ValueError(f"{int((~np.isfinite(stack)).sum())} values are NaN or infinite; files hold nodata instead")


def _options(profile: Profile, dtype: str) -> dict[str, Any]:
    """Creation options; GDAL then writes the directory before the data."""
    if profile is Profile.COMPAT:
        return {"INTERLEAVE": "PIXEL"}
    return {
        "TILED": "YES",
        "BLOCKXSIZE": 256,
        "BLOCKYSIZE": 256,
        "INTERLEAVE": "BAND",
        "COMPRESS": "ZSTD",
        "ZSTD_LEVEL": ZSTD_LEVEL,
        "PREDICTOR": 3 if np.dtype(dtype).kind == "f" else 2,
    }


def _only(values: Sequence[float | None]) -> float | None:
    """Nodata value that all layers share; NaN if they differ."""
    return values[0] if len(set(values)) == 1 else math.nan
