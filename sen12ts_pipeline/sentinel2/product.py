"""What a Sentinel-2 L2A product says of itself: granule, images, offsets, grid. No pixel is read here."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sen12ts_pipeline import xml
from sen12ts_pipeline.domain.granules import Granule
from sen12ts_pipeline.domain.layers import S2_BANDS, S2_NATIVE_M
from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.ports import ProductFiles

if TYPE_CHECKING:
    from lxml.etree import _Element

RESOLUTIONS_M = (10, 20, 60)
QUANTIFICATION = 10_000
BAND_IDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
"""Bands in the order of ``BOA_ADD_OFFSET``'s ``band_id``, 0 to 12."""

_NAME = re.compile(
    r"(S2[A-D])_MSIL2A_(\d{8}T\d{6})_N(\d{2})(\d{2})_R(\d{3})_T(\d{2}[C-HJ-NP-X][A-HJ-NP-Z]{2})_([A-Za-z0-9]+)",
    re.ASCII,
)
_IMAGE = re.compile(r"(?:^|/)IMG_DATA/(?:.*/)?[^/]*_(B\d\d|B8A|SCL)_(10|20|60)m\.jp2$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Product:
    """A product that is ready to be read.

    Attributes
    ----------
    granule : Granule
        Identity and square of the product.
    images : mapping of (band, resolution in metres) to str
        Members, for example ``("B01", 60)``; SCL counts as a band.
    offsets : mapping of str to int
        What is to be added to a band's stored number, for each of the 13 bands.
    quantification : int
        Stored numbers per unit of reflectance; always 10,000.
    sizes : mapping of int to (rows, cols)
        Size of the images of 10, 20 and 60 m.
    """

    granule: Granule
    images: Mapping[tuple[str, int], str]
    offsets: Mapping[str, int]
    quantification: int
    sizes: Mapping[int, tuple[int, int]]

    def image(self, band: str) -> str:
        """Member from which a layer is made: the band at its native resolution."""
        resolution = S2_NATIVE_M[band]
        try:
            return self.images[band, resolution]
        except KeyError:
            expected = f"must hold one image IMG_DATA/**/*_{band}_{resolution}m.jp2; there is none"
            raise BadProduct(self.granule.product, "", expected) from None


def read_granule(files: ProductFiles) -> Granule:
    """Granule of a product, from its name and its two metadata files.

    Raises
    ------
    BadProduct
        When a metadata file is missing, malformed or lacks what a granule needs.
    """
    return _granule(files.product, _Document.of(files, "MTD_MSIL2A.xml"), _Document.of(files, "MTD_TL.xml"))


def read_product(files: ProductFiles) -> Product:
    """Everything that is needed to read the pixels of a product.

    Raises
    ------
    BadProduct
        As `read_granule`; or when an image of a layer is missing, the quantification is not 10,000, or the grids of
        10, 20 and 60 m do not share their upper left corner.
    """
    general, tile = _Document.of(files, "MTD_MSIL2A.xml"), _Document.of(files, "MTD_TL.xml")
    product = Product(
        granule=_granule(files.product, general, tile),
        images=_images(files),
        offsets=_offsets(general),
        quantification=_quantification(general),
        sizes=_sizes(tile),
    )
    for band in (*S2_BANDS, "SCL"):
        product.image(band)
    return product


@dataclass(frozen=True, slots=True)
class _Document:
    """A metadata file, with what an error about it must name."""

    product: str
    member: str
    root: _Element

    @classmethod
    def of(cls, files: ProductFiles, name: str) -> _Document:
        found = [m for m in files.members() if m.rpartition("/")[2].lower() == name.lower()]
        if len(found) != 1:
            raise BadProduct(files.product, name, f"must be in the product exactly once; found {len(found)}")
        return cls(files.product, found[0], xml.parse(files.read(found[0]), product=files.product, member=found[0]))

    def bad(self, reason: str) -> BadProduct:
        return BadProduct(self.product, self.member, reason)

    def elements(self, *names: str) -> list[_Element]:
        """All elements of any of the names, whatever their namespace."""
        return [found for name in names for found in self.root.iter("{*}" + name)]

    def text(self, *names: str) -> str:
        """Text of the one element of that name."""
        found = self.elements(*names)
        if len(found) != 1 or not (found[0].text or "").strip():
            raise self.bad(f"must have one element {names[0]} with a text; found {len(found)}")
        return str(found[0].text).strip()

    def number(self, text: str | None, what: str) -> float:
        """A finite number."""
        try:
            value = float(text or "")
        except ValueError:
            raise self.bad(f"{what} must be a number; got {text!r}") from None
        if not math.isfinite(value):
            raise self.bad(f"{what} must be a finite number; got {text!r}")
        return value

    def integer(self, text: str | None, what: str) -> int:
        """A whole number."""
        value = self.number(text, what)
        if not value.is_integer():
            raise self.bad(f"{what} must be a whole number; got {text!r}")
        return int(value)

    def at(self, name: str, resolution: int, child: str) -> int:
        """A whole number inside the element of that name whose attribute ``resolution`` is as given."""
        found = [e for e in self.elements(name) if e.get("resolution") == str(resolution)]
        children = [c for e in found for c in e.iter("{*}" + child)]
        if len(children) != 1:
            raise self.bad(f"must have one {name}[@resolution={resolution}]/{child}; found {len(children)}")
        return self.integer(children[0].text, f"{name}[@resolution={resolution}]/{child}")


def _granule(product: str, general: _Document, tile: _Document) -> Granule:
    name = _NAME.fullmatch(product)
    if not name:
        raise BadProduct(product, "", "must be named as S2x_MSIL2A_<datatake>_N<bbbb>_R<ooo>_T<tile>_<discriminator>")
    mission, start, major, minor, orbit, mgrs, discriminator = name.groups()
    try:
        datatake = datetime.strptime(start, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        raise BadProduct(product, "", f"its name must hold a time YYYYMMDDThhmmss; got {start}") from None
    ulx, uly, size = _square(tile)
    return Granule(
        datatake_start=datatake,
        mgrs=mgrs,
        product=product,
        mission=mission,
        relative_orbit=int(orbit),
        baseline=(int(major), int(minor)),
        discriminator=discriminator,
        datastrip=_datastrip(general, tile),
        cloud_percent=_cloud_percent(general),
        epsg=_epsg(tile),
        ulx_m=float(ulx),
        uly_m=float(uly),
        size_m=float(size),
    )


def _datastrip(general: _Document, tile: _Document) -> str:
    """Identity of the datastrip; empty if neither file tells."""
    of_tile = [(e.text or "").strip() for e in tile.elements("DATASTRIP_ID")]
    of_product = [e.get("datastripIdentifier", "") for e in general.elements("Granule", "Granules")]
    return next((one for one in (*of_tile, *of_product) if one), "")


def _cloud_percent(general: _Document) -> float | None:
    found = general.elements("Cloud_Coverage_Assessment")
    if not found or not (found[0].text or "").strip():
        return None
    percent = general.number(found[0].text, "Cloud_Coverage_Assessment")
    if not 0.0 <= percent <= 100.0:
        raise general.bad(f"Cloud_Coverage_Assessment must be 0 to 100 percent; got {percent:g}")
    return percent


def _epsg(tile: _Document) -> int:
    text = tile.text("HORIZONTAL_CS_CODE")
    match = re.fullmatch(r"EPSG:(32[67]\d\d)", text, re.ASCII | re.IGNORECASE)
    if not match or not 1 <= int(match[1]) % 100 <= 60:
        raise tile.bad(f"HORIZONTAL_CS_CODE must be a UTM zone, EPSG:326zz or EPSG:327zz; got {text!r}")
    return int(match[1])


def _square(tile: _Document) -> tuple[int, int, int]:
    """Upper left corner and edge, metres; the same at every resolution."""
    squares: dict[int, tuple[int, int, int, int]] = {}
    for resolution in RESOLUTIONS_M:
        spacing = tile.at("Geoposition", resolution, "XDIM"), tile.at("Geoposition", resolution, "YDIM")
        if spacing != (resolution, -resolution):
            raise tile.bad(f"pixels of {resolution} m must have XDIM, YDIM {resolution}, -{resolution}; got {spacing}")
        rows, cols = _size(tile, resolution)
        corner = tile.at("Geoposition", resolution, "ULX"), tile.at("Geoposition", resolution, "ULY")
        squares[resolution] = (*corner, rows * resolution, cols * resolution)
    if len(set(squares.values())) != 1:
        raise tile.bad(f"the grids of 10, 20 and 60 m must cover the same square (ULX, ULY, height, width): {squares}")
    ulx, uly, height, width = squares[10]
    if height != width:
        raise tile.bad(f"a granule must be square; got {height} x {width} m")
    if ulx % 20 or uly % 20:
        raise tile.bad(f"the upper left corner must lie on multiples of 20 m; got {ulx}, {uly}")
    return ulx, uly, height


def _size(tile: _Document, resolution: int) -> tuple[int, int]:
    rows, cols = tile.at("Size", resolution, "NROWS"), tile.at("Size", resolution, "NCOLS")
    if rows <= 0 or cols <= 0:
        raise tile.bad(f"Size[@resolution={resolution}] must be positive; got {rows} x {cols}")
    return rows, cols


def _sizes(tile: _Document) -> dict[int, tuple[int, int]]:
    return {resolution: _size(tile, resolution) for resolution in RESOLUTIONS_M}


def _images(files: ProductFiles) -> dict[tuple[str, int], str]:
    """Images by what their names say, never by their position in a list: that varies between baselines."""
    images: dict[tuple[str, int], str] = {}
    for member in files.members():
        match = _IMAGE.search(member)
        if match:
            key = match[1].upper(), int(match[2])
            if key in images:
                raise BadProduct(files.product, member, f"must be the only image of {key[0]}; {images[key]} is another")
            images[key] = member
    return images


def _offsets(general: _Document) -> dict[str, int]:
    """Offset of each band; 0 for products without the list, as all were before baseline 04.00."""
    offsets = dict.fromkeys(BAND_IDS, 0)
    if not general.elements("BOA_ADD_OFFSET_VALUES_LIST"):
        return offsets
    found: dict[str, int] = {}
    for element in general.elements("BOA_ADD_OFFSET"):
        band_id = general.integer(element.get("band_id"), "BOA_ADD_OFFSET/@band_id")
        if not 0 <= band_id < len(BAND_IDS) or BAND_IDS[band_id] in found:
            raise general.bad(f"BOA_ADD_OFFSET must name each band_id from 0 to 12 once; got {band_id}")
        found[BAND_IDS[band_id]] = general.integer(element.text, f"BOA_ADD_OFFSET[@band_id={band_id}]")
    missing = [band for band in S2_BANDS if band not in found]
    if missing:
        raise general.bad(f"BOA_ADD_OFFSET_VALUES_LIST must tell the offset of every band; none for {missing}")
    return offsets | found


def _quantification(general: _Document) -> int:
    text = general.text("BOA_QUANTIFICATION_VALUE", "L2A_BOA_QUANTIFICATION_VALUE")
    if general.number(text, "BOA_QUANTIFICATION_VALUE") != QUANTIFICATION:
        raise general.bad(f"BOA_QUANTIFICATION_VALUE must be {QUANTIFICATION}; got {text}")
    return QUANTIFICATION
