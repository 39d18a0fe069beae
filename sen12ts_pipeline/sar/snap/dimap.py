"""BEAM-DIMAP as SNAP writes it: a ``.dim`` file, which is XML, and a raw image for every band in the ``.data`` folder.

Samples come from the images, their place on the map from the ``.dim``: what an image's own header says is rounded.
Nothing is believed of a product's size alone, since a run that dies leaves images of full size filled with zeros.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline import xml
from sen12ts_pipeline.domain.lattice import Grid
from sen12ts_pipeline.errors import BadProduct, EngineFailure
from sen12ts_pipeline.ports import Float32

if TYPE_CHECKING:
    from lxml.etree import _Element

TOLERANCE_M = 0.01
"""By how much the place in an image's header may be off that in the ``.dim``."""

_TYPES = {"1": "u1", "2": "i2", "3": "i4", "4": "f4", "5": "f8", "12": "u2", "13": "u4"}
"""ENVI's data types, https://www.nv5geospatialsoftware.com/docs/ENVIHeaderFiles.html."""
_LINES_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Band:
    """A band whose samples are in a file.

    Attributes
    ----------
    name : str
        As in the product.
    image : Path
        Raw samples; the ENVI header lies beside it.
    nodata : float or None
        Value that stands for nothing, where the product uses one.
    """

    name: str
    image: Path
    nodata: float | None


@dataclass(frozen=True, slots=True)
class Product:
    """What a ``.dim`` says.

    Attributes
    ----------
    dim : Path
        The file.
    shape : tuple of int
        Rows and columns.
    transform : tuple of float or None
        a, b, c, d, e, f: easting is ``a * column + b * row + c``; None in radar geometry.
    crs : str
        WKT of the map system; empty in radar geometry.
    bands : tuple of Band
        In the order of the product; bands that are only an expression are left out.
    """

    dim: Path
    shape: tuple[int, int]
    transform: tuple[float, float, float, float, float, float] | None
    crs: str
    bands: tuple[Band, ...]

    def band(self, pattern: str) -> Band:
        """The one band whose whole name a regular expression matches; EngineFailure if there are others or none."""
        found = [band for band in self.bands if re.fullmatch(pattern, band.name)]
        if len(found) != 1:
            names = ", ".join(band.name for band in self.bands) or "none"
            raise _failure(self.dim, f"must have one band {pattern!r}, found {len(found)}; its bands: {names}")
        return found[0]


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """Layers on a map grid.

    Attributes
    ----------
    layers : tuple of float32 (rows, cols)
        NaN without data.
    grid : Grid
        Where they lie.
    """

    layers: tuple[Float32, ...]
    grid: Grid

    def on(self, wanted: Grid) -> tuple[Float32, ...]:
        """The layers on another grid of the same lattice, NaN beyond the raster.

        Raises
        ------
        ValueError
            When the grids are not of one lattice.
        """
        have = self.grid
        step = have.spacing_m
        down, right = (have.north - wanted.north) / step, (wanted.west - have.west) / step
        if (have.epsg, step) != (wanted.epsg, wanted.spacing_m) or max(abs(v - round(v)) for v in (down, right)) > 1e-6:
            raise ValueError(f"must be of one lattice: {have} and {wanted}")
        top, left = round(down), round(right)
        first_row, last_row = max(top, 0), min(top + wanted.rows, have.rows)
        first_col, last_col = max(left, 0), min(left + wanted.cols, have.cols)
        out = []
        for layer in self.layers:
            part = np.full(wanted.shape, np.nan, np.float32)
            if first_row < last_row and first_col < last_col:
                inside = layer[first_row:last_row, first_col:last_col]
                part[first_row - top : last_row - top, first_col - left : last_col - left] = inside
            out.append(part)
        return tuple(out)


def open_product(dim: Path) -> Product:
    """Read a ``.dim`` file.

    Raises
    ------
    EngineFailure
        When it is not there, is cut off, or lacks what every product has.
    """
    try:
        root = xml.parse(dim.read_bytes(), product=dim.name, member="")
    except OSError as error:
        raise _failure(dim, f"must be a readable product ({error.strerror})") from None
    except BadProduct as error:
        raise _failure(dim, error.reason) from None
    files = {
        _text(dim, one, "BAND_INDEX"): dim.parent / _attribute(dim, one, "DATA_FILE_PATH", "href")
        for one in root.iterfind("Data_Access/Data_File")
    }
    shape = int(_text(dim, root, "Raster_Dimensions/NROWS")), int(_text(dim, root, "Raster_Dimensions/NCOLS"))
    return Product(dim, shape, _transform(dim, root), _wkt(root), _bands(dim, root, files))


def check_whole(dim: Path, patterns: Sequence[str]) -> None:
    """Refuse a product without its bands, or with a band that is cut off or holds nothing.

    Parameters
    ----------
    dim : Path
        The ``.dim`` file.
    patterns : sequence of str
        Regular expressions; each must match the whole name of exactly one band.

    Raises
    ------
    EngineFailure
        Naming product, band and fault.
    """
    product = open_product(dim)
    for pattern in patterns:
        samples = _samples(product, product.band(pattern))
        if samples.dtype.kind == "f" and not _says_something(samples):
            raise _failure(dim, f"band {product.band(pattern).name} holds nothing but zeros and no-data")


def read_bands(dim: Path, patterns: Sequence[str]) -> Raster:
    """Layers of a product on the map, in the order of the patterns.

    Parameters
    ----------
    dim : Path
        The ``.dim`` file.
    patterns : sequence of str
        Regular expressions; each must match the whole name of exactly one band.

    Returns
    -------
    Raster
        float32, NaN where the band's own no-data value stands.

    Raises
    ------
    EngineFailure
        When a band is missing or cut off, the product is not on a north-up map grid of square pixels, or an image's
        header puts it elsewhere.
    """
    import rasterio

    product = open_product(dim)
    grid = _grid(product)
    layers = []
    for band in (product.band(pattern) for pattern in patterns):
        _samples(product, band)
        with rasterio.open(band.image) as image:
            off = np.abs(np.subtract(tuple(image.transform)[:6], grid.transform))
            if off.max() > TOLERANCE_M:
                place = f"{tuple(image.transform)[:6]} instead of {grid.transform}"
                raise _failure(dim, f"the header of band {band.name} puts it at {place}")
            values = image.read(1).astype(np.float32)
        if band.nodata is not None:
            values[values == np.float32(band.nodata)] = np.nan
        layers.append(values)
    return Raster(tuple(layers), grid)


def _failure(dim: Path, reason: str) -> EngineFailure:
    return EngineFailure("SNAP", dim.name, reason)


def _text(dim: Path, element: _Element, path: str) -> str:
    text = element.findtext(path)
    if text is None or not text.strip():
        raise _failure(dim, f"must have {path}")
    return text.strip()


def _attribute(dim: Path, element: _Element, path: str, name: str) -> str:
    found = element.find(path)
    if found is None or name not in found.attrib:
        raise _failure(dim, f"must have {path}/@{name}")
    return str(found.attrib[name])


def _bands(dim: Path, root: _Element, files: dict[str, Path]) -> tuple[Band, ...]:
    found = []
    for about in root.iterfind("Image_Interpretation/Spectral_Band_Info"):
        header = files.get(_text(dim, about, "BAND_INDEX"))
        if header is None:
            continue
        used = about.findtext("NO_DATA_VALUE_USED", "false").strip() == "true"
        nodata = float(about.findtext("NO_DATA_VALUE", "nan")) if used else None
        found.append(Band(_text(dim, about, "BAND_NAME"), header.with_suffix(".img"), nodata))
    return tuple(found)


def _transform(dim: Path, root: _Element) -> tuple[float, float, float, float, float, float] | None:
    """Of ``m00,m10,m01,m11,m02,m12``, the columns of Java's AffineTransform."""
    text = root.findtext("Geoposition/IMAGE_TO_MODEL_TRANSFORM")
    if text is None:
        return None
    numbers = [float(number) for number in text.split(",")]
    if len(numbers) != 6:
        raise _failure(dim, f"IMAGE_TO_MODEL_TRANSFORM must be six numbers, got {text!r}")
    a, d, b, e, c, f = numbers
    return a, b, c, d, e, f


def _wkt(root: _Element) -> str:
    return (root.findtext("Coordinate_Reference_System/WKT") or "").strip()


def _grid(product: Product) -> Grid:
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    if product.transform is None or not product.crs:
        raise _failure(product.dim, "must lie on a map; it is in radar geometry")
    a, b, c, d, e, f = product.transform
    if (b, d) != (0.0, 0.0) or a <= 0 or a != -e:
        raise _failure(product.dim, f"must be north-up with square pixels, is {product.transform}")
    try:
        epsg = CRS.from_wkt(product.crs).to_epsg()
    except CRSError:
        epsg = None
    if epsg is None:
        raise _failure(product.dim, f"must have a map system with an EPSG code, has {product.crs[:80]}")
    return Grid(epsg, c, f, *product.shape, spacing_m=a)


def _samples(product: Product, band: Band) -> npt.NDArray[np.generic]:
    """Samples of a band as they lie in its file, (rows, cols); EngineFailure unless it has all of them."""
    header = band.image.with_suffix(".hdr")
    try:
        fields = dict(re.findall(r"^\s*([^=\n]+?)\s*=\s*([^{\n]+?)\s*$", header.read_text("latin-1"), re.M))
        size = band.image.stat().st_size
        dtype = np.dtype((">" if fields["byte order"] == "1" else "<") + _TYPES[fields["data type"]])
        shape, offset = (int(fields["lines"]), int(fields["samples"])), int(fields.get("header offset", "0"))
    except (OSError, KeyError, ValueError) as error:
        raise _failure(product.dim, f"the image of band {band.name} must be readable: {error}") from None
    needed = offset + dtype.itemsize * shape[0] * shape[1]
    if shape != product.shape or size != needed:
        found = f"{size} bytes, {shape[0]} x {shape[1]}"
        wanted = f"{needed} bytes, {product.shape[0]} x {product.shape[1]}"
        raise _failure(product.dim, f"the image of band {band.name} is not whole: {found} instead of {wanted}")
    samples: npt.NDArray[np.generic] = np.memmap(band.image, dtype, "r", offset, shape)
    return samples


def _says_something(samples: npt.NDArray[np.generic]) -> bool:
    """Whether a band has a finite value that is not zero."""
    for first in range(0, samples.shape[0], _LINES_AT_ONCE):
        part = np.asarray(samples[first : first + _LINES_AT_ONCE])
        if np.any(np.isfinite(part) & (part != 0)):
            return True
    return False
