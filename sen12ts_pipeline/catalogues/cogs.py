"""Cloud-optimised copies of Sentinel-2 images, and whether their numbers still hold the offset of the product.

From baseline 04.00 on a product's numbers are 1000 too high. Some copies have that taken off and some not, and what
items say of it has been wrong; the pixels tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.catalogues.names import GranuleName
from sen12ts_pipeline.domain.layers import S2_BANDS
from sen12ts_pipeline.errors import BadProduct

OFFSET = -1000
FIRST_BASELINE_WITH_OFFSET = (4, 0)
IMPOSSIBLE_WITH_OFFSET = 800
"""Numbers below it would be reflectances below -0.02: rare where the offset is still in them."""
DARK_WITH_OFFSET = 1300
"""Numbers from 1000 to this are reflectances below 0.03 where the offset is still in them."""
ENOUGH, HARDLY_ANY = 0.01, 0.0001
"""Shares of the valid pixels."""

_EARTH_SEARCH_NAMES = {
    "coastal": "B01",
    "blue": "B02",
    "green": "B03",
    "red": "B04",
    "rededge1": "B05",
    "rededge2": "B06",
    "rededge3": "B07",
    "nir": "B08",
    "nir08": "B8A",
    "nir09": "B09",
    "swir16": "B11",
    "swir22": "B12",
    "scl": "SCL",
}


@dataclass(frozen=True, slots=True)
class CogImages:
    """Images of one item.

    Attributes
    ----------
    product : str
        Name of the product that they were made of, without ``.SAFE``.
    baseline : tuple of int
        Processing baseline.
    hrefs : mapping of str to str
        Addresses by band, ``B01`` to ``B12`` and ``SCL``.
    offset : int
        What is to be added to a band's numbers, as the item says: 0 or -1000.
    """

    product: str
    baseline: tuple[int, int]
    hrefs: Mapping[str, str]
    offset: int


def cog_images(item: Mapping[str, Any]) -> CogImages:
    """Images of an item of Earth Search or of the Planetary Computer.

    ``raster:bands`` gives an offset also where it was taken off; ``earthsearch:boa_offset_applied`` tells.

    Raises
    ------
    BadProduct
        When the item does not tell its product, or lacks the GeoTIFF of a band.
    """
    told = item.get("properties") or {}
    name = GranuleName.find(str(told.get("s2:product_uri") or item.get("id")))
    if name is None:
        raise BadProduct(str(item.get("id")), "", "its item must tell the product's name in s2:product_uri")
    hrefs = {}
    for key, asset in (item.get("assets") or {}).items():
        if "geotiff" in str(asset.get("type")):
            hrefs[_EARTH_SEARCH_NAMES.get(key, key)] = str(asset["href"])
    missing = [band for band in (*S2_BANDS, "SCL") if band not in hrefs]
    if missing:
        raise BadProduct(name.product, "", f"its item must have GeoTIFF images of all bands; {missing} are missing")
    still = name.baseline >= FIRST_BASELINE_WITH_OFFSET and not told.get("earthsearch:boa_offset_applied", False)
    return CogImages(name.product, name.baseline, hrefs, OFFSET if still else 0)


def offset_in(numbers: npt.NDArray[np.uint16], baseline: tuple[int, int]) -> int | None:
    """What is to be added to numbers to get reflectance times 10,000, as the numbers themselves show.

    Parameters
    ----------
    numbers : uint16, any shape
        Stored numbers of one band, best of short-wave infrared over a whole granule; 0 is no data.
    baseline : tuple of int
        Processing baseline of the product.

    Returns
    -------
    int or None
        0 or -1000; None where the numbers do not tell, as over snow.
    """
    valid = numbers[numbers > 0]
    if baseline < FIRST_BASELINE_WITH_OFFSET:
        return 0
    if not valid.size:
        return None
    below = np.count_nonzero(valid < IMPOSSIBLE_WITH_OFFSET) / valid.size
    dark = np.count_nonzero((valid >= -OFFSET) & (valid < DARK_WITH_OFFSET)) / valid.size
    if below >= ENOUGH:
        return 0
    return OFFSET if below <= HARDLY_ANY and dark >= ENOUGH else None


def check_offset(images: CogImages, numbers: npt.NDArray[np.uint16]) -> None:
    """Refuse images whose numbers contradict what their item says of the offset.

    Raises
    ------
    BadProduct
        When they do; not where the numbers do not tell.
    """
    shown = offset_in(numbers, images.baseline)
    if shown is not None and shown != images.offset:
        reason = f"its item says that {images.offset} is to be added to its numbers, and they show {shown}"
        raise BadProduct(images.product, "", reason)
