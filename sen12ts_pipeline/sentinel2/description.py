"""What a Sentinel-2 L2A product says of itself, as values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sen12ts_pipeline.domain.granules import Granule
from sen12ts_pipeline.domain.layers import S2_NATIVE_M
from sen12ts_pipeline.errors import BadProduct

RESOLUTIONS_M = (10, 20, 60)
QUANTIFICATION = 10_000
BAND_IDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
"""Bands in the order of ``BOA_ADD_OFFSET``'s ``band_id``, 0 to 12."""

_NAME = re.compile(
    r"(S2[A-D])_MSIL2A_(\d{8}T\d{6})_N(\d{2})(\d{2})_R(\d{3})_T(\d{2}[C-HJ-NP-X][A-HJ-NP-Z]{2})_([A-Za-z0-9]+)",
    re.ASCII,
)


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
    driver : str
        GDAL's driver of the images.
    doubtful : bool
        Whether pixels must confirm the offsets, as copies have been described wrongly.
    """

    granule: Granule
    images: Mapping[tuple[str, int], str]
    offsets: Mapping[str, int]
    quantification: int
    sizes: Mapping[int, tuple[int, int]]
    driver: str = "JP2OpenJPEG"
    doubtful: bool = False

    def image(self, band: str) -> str:
        """Member from which a layer is made: the band at its native resolution."""
        resolution = S2_NATIVE_M[band]
        try:
            return self.images[band, resolution]
        except KeyError:
            expected = f"must hold one image IMG_DATA/**/*_{band}_{resolution}m.jp2; there is none"
            raise BadProduct(self.granule.product, "", expected) from None


@dataclass(frozen=True, slots=True)
class Square:
    """Where a granule lies.

    Attributes
    ----------
    epsg : int
        326zz, or 327zz for southern granules.
    ulx_m, uly_m : int
        Upper left corner in `epsg`.
    size_m : int
        Edge.
    """

    epsg: int
    ulx_m: int
    uly_m: int
    size_m: int


def described(product: str, square: Square, datastrip: str, cloud_percent: float | None) -> Granule:
    """Granule of a product's name and of what its metadata say.

    Raises
    ------
    BadProduct
        When the name is none of an L2A product, or its MGRS tile lies in another zone or hemisphere.
    """
    name = _NAME.fullmatch(product)
    if not name:
        raise BadProduct(product, "", "must be named as S2x_MSIL2A_<datatake>_N<bbbb>_R<ooo>_T<tile>_<discriminator>")
    mission, start, major, minor, orbit, mgrs, discriminator = name.groups()
    try:
        datatake = datetime.strptime(start, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        raise BadProduct(product, "", f"its name must hold a time YYYYMMDDThhmmss; got {start}") from None
    expected = (32600 if mgrs[2] >= "N" else 32700) + int(mgrs[:2])
    if square.epsg != expected:
        raise BadProduct(product, "", f"its tile {mgrs} lies in EPSG:{expected}; its metadata say EPSG:{square.epsg}")
    return Granule(
        datatake_start=datatake,
        mgrs=mgrs,
        product=product,
        mission=mission,
        relative_orbit=int(orbit),
        baseline=(int(major), int(minor)),
        discriminator=discriminator,
        datastrip=datastrip,
        cloud_percent=cloud_percent,
        epsg=square.epsg,
        ulx_m=float(square.ulx_m),
        uly_m=float(square.uly_m),
        size_m=float(square.size_m),
    )
