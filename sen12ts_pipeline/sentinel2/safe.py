"""What the metadata of a SAFE say: granule, images, offsets, grid. No pixel is read here."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sen12ts_pipeline import xml
from sen12ts_pipeline.domain.granules import MADE_ELSEWHERE, Granule
from sen12ts_pipeline.domain.layers import S2_BANDS
from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.ports import ProductFiles
from sen12ts_pipeline.sentinel2.description import (
    BAND_IDS,
    QUANTIFICATION,
    RESOLUTIONS_M,
    Product,
    Square,
    described,
)

if TYPE_CHECKING:
    from lxml.etree import _Element

FIRST_BASELINE_WITH_OFFSET = (4, 0)

_IMAGE = re.compile(r"(?:^|/)IMG_DATA/(?:.*/)?[^/]*_(B\d\d|B8A|SCL)_(10|20|60)m\.jp2$", re.IGNORECASE)


def read_granule(files: ProductFiles) -> Granule:
    """Granule of a product, from its name and its two metadata files.

    Raises
    ------
    BadProduct
        When a metadata file is missing, malformed, contradicts the name or lacks what a granule needs.
    """
    return _granule(files.product, _Document.of(files, "MTD_MSIL2A.xml"), _Document.of(files, "MTD_TL.xml"))


def read_product(files: ProductFiles) -> Product:
    """Everything that is needed to read the pixels of a product.

    Raises
    ------
    BadProduct
        As `read_granule`; or when two images are of one band, the offsets of the bands are not told or absurd, or the
        quantification is not 10,000.
    """
    general, tile = _Document.of(files, "MTD_MSIL2A.xml"), _Document.of(files, "MTD_TL.xml")
    granule = _granule(files.product, general, tile)
    return Product(granule, _images(files), _offsets(general, granule), _quantification(general), _sizes(tile))


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
    ulx, uly, size = _square(tile)
    square = Square(_epsg(tile), ulx, uly, size)
    granule = described(product, square, _datastrip(general, tile), _cloud_percent(general))
    _check_baseline(granule, general)
    return granule


def _check_baseline(granule: Granule, general: _Document) -> None:
    """The metadata must be those of the product that the name names."""
    named = f"{granule.baseline[0]:02d}.{granule.baseline[1]:02d}"
    for element in general.elements("PROCESSING_BASELINE"):
        if (element.text or "").strip() != named:
            raise general.bad(f"PROCESSING_BASELINE must be {named}, as the name says; got {element.text}")


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


def _offsets(general: _Document, granule: Granule) -> dict[str, int]:
    """Offset of each band as the metadata list them; 0 for products without the list, as all were before 04.00.

    The list alone decides. A product that should have one by its baseline and has none is refused: its numbers would be
    a tenth too bright or not, and nothing tells.
    """
    offsets = dict.fromkeys(BAND_IDS, 0)
    if not general.elements("BOA_ADD_OFFSET_VALUES_LIST"):
        if FIRST_BASELINE_WITH_OFFSET <= granule.baseline < MADE_ELSEWHERE:
            raise general.bad("must have BOA_ADD_OFFSET_VALUES_LIST, as all products of its baseline have; found none")
        return offsets
    found: dict[str, int] = {}
    for element in general.elements("BOA_ADD_OFFSET"):
        band_id = general.integer(element.get("band_id"), "BOA_ADD_OFFSET/@band_id")
        if not 0 <= band_id < len(BAND_IDS) or BAND_IDS[band_id] in found:
            raise general.bad(f"BOA_ADD_OFFSET must name each band_id from 0 to 12 once; got {band_id}")
        offset = general.integer(element.text, f"BOA_ADD_OFFSET[@band_id={band_id}]")
        if abs(offset) > QUANTIFICATION:
            raise general.bad(f"BOA_ADD_OFFSET[@band_id={band_id}] must be within {QUANTIFICATION}; got {offset}")
        found[BAND_IDS[band_id]] = offset
    missing = [band for band in S2_BANDS if band not in found]
    if missing:
        raise general.bad(f"BOA_ADD_OFFSET_VALUES_LIST must tell the offset of every band; none for {missing}")
    return offsets | found


def _quantification(general: _Document) -> int:
    text = general.text("BOA_QUANTIFICATION_VALUE", "L2A_BOA_QUANTIFICATION_VALUE")
    if general.number(text, "BOA_QUANTIFICATION_VALUE") != QUANTIFICATION:
        raise general.bad(f"BOA_QUANTIFICATION_VALUE must be {QUANTIFICATION}; got {text}")
    return QUANTIFICATION
