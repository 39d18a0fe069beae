"""Cloud-optimised copies of products: a STAC item and a GeoTIFF for each band, and whether its numbers hold the offset.

From baseline 04.00 on a product's numbers are 1000 too high. Some copies have that taken off and some not, and what
items say of it has been wrong; the pixels tell.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.domain.granules import Granule
from sen12ts_pipeline.domain.layers import S2_BANDS, S2_NATIVE_M
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

ITEM = "item.json"
DRIVER = "GTiff"
OFFSET = -1000
FIRST_BASELINE_WITH_OFFSET = (4, 0)
IMPOSSIBLE_WITH_OFFSET = 800
"""Numbers below it would be reflectances below -0.02: rare where the offset is still in them."""
DARK_WITH_OFFSET = 1300
"""Numbers from 1000 to this are reflectances below 0.03 where the offset is still in them."""
ENOUGH, HARDLY_ANY = 0.01, 0.0001
"""Shares of the valid pixels."""
TELLING_BAND = "B11"
"""Short-wave infrared: water and shadow are dark in it, and no air brightens them."""

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


def read_granule(files: ProductFiles) -> Granule:
    """Granule of a copy, from the item of Earth Search or of the Planetary Computer; BadProduct as `read_product`."""
    item = _item(files)
    return _granule(files.product, item, band_assets(files.product, item))


def read_product(files: ProductFiles) -> Product:
    """What is needed to read a copy: the item ``item.json``, and ``B01.tif`` to ``B12.tif`` and ``SCL.tif``.

    ``raster:bands`` gives an offset also where it was taken off; ``earthsearch:boa_offset_applied`` tells, and is not
    always right: `check_offset` looks at the pixels.

    Raises
    ------
    BadProduct
        When the item is no item, is that of another product, lacks a band or its grid, or when a file is not there.
    """
    item = _item(files)
    assets = band_assets(files.product, item)
    granule = _granule(files.product, item, assets)
    members = {m.rpartition("/")[2]: m for m in files.members()}
    missing = [band for band in (*S2_BANDS, "SCL") if f"{band}.tif" not in members]
    if missing:
        raise BadProduct(files.product, "", f"must hold a GeoTIFF of each band; there is none of {missing}")
    return Product(
        granule=granule,
        images={(band, S2_NATIVE_M[band]): members[f"{band}.tif"] for band in (*S2_BANDS, "SCL")},
        offsets=dict.fromkeys(BAND_IDS, told_offset(item, granule.baseline)),
        quantification=QUANTIFICATION,
        sizes={r: (int(granule.size_m) // r, int(granule.size_m) // r) for r in RESOLUTIONS_M},
        driver=DRIVER,
        doubtful=granule.baseline >= FIRST_BASELINE_WITH_OFFSET,
    )


def told_offset(item: Mapping[str, Any], baseline: tuple[int, int]) -> int:
    """What is to be added to the numbers of a copy of a baseline, as its item says: 0 or -1000."""
    applied = (item.get("properties") or {}).get("earthsearch:boa_offset_applied", False)
    return OFFSET if baseline >= FIRST_BASELINE_WITH_OFFSET and not applied else 0


def offset_in(numbers: npt.NDArray[Any], baseline: tuple[int, int]) -> int | None:
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


def check_offset(product: Product, numbers: npt.NDArray[Any]) -> None:
    """Refuse a copy whose numbers contradict what its item says of the offset.

    Parameters
    ----------
    product : Product
        The copy.
    numbers : uint16, any shape
        As `offset_in` takes them.

    Raises
    ------
    BadProduct
        When they do; not where the numbers do not tell.
    """
    granule, said = product.granule, product.offsets[TELLING_BAND]
    shown = offset_in(numbers, granule.baseline)
    if shown is not None and shown != said:
        reason = f"its item says that {said} is to be added to its numbers, and they show {shown}"
        raise BadProduct(granule.product, product.image(TELLING_BAND), reason)


def _item(files: ProductFiles) -> Mapping[str, Any]:
    try:
        item = json.loads(files.read(ITEM))
    except ValueError as error:
        raise BadProduct(files.product, ITEM, f"must be a STAC item: {error}") from error
    if not isinstance(item, dict) or not isinstance(item.get("properties"), dict):
        raise BadProduct(files.product, ITEM, "must be a STAC item with properties")
    told = str(item["properties"].get("s2:product_uri") or item.get("id")).removesuffix(".SAFE")
    if told != files.product:
        raise BadProduct(files.product, ITEM, f"must be the item of this product; it is that of {told}")
    return item


def band_assets(product: str, item: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """GeoTIFF assets of an item by band, ``B01`` to ``B12`` and ``SCL``; BadProduct if one is missing."""
    assets = {
        _EARTH_SEARCH_NAMES.get(key, key): asset
        for key, asset in (item.get("assets") or {}).items()
        if "geotiff" in str(asset.get("type"))
    }
    missing = [band for band in (*S2_BANDS, "SCL") if band not in assets]
    if missing:
        raise BadProduct(product, ITEM, f"must have GeoTIFF images of all bands; {missing} are missing")
    return assets


def _granule(product: str, item: Mapping[str, Any], assets: Mapping[str, Mapping[str, Any]]) -> Granule:
    told = item["properties"]
    code = str(told.get("proj:code") or f"EPSG:{told.get('proj:epsg')}").removeprefix("EPSG:")
    corners = {_corner(product, band, assets[band]) for band in (*S2_BANDS, "SCL")}
    if len(corners) != 1 or not code.isdecimal():
        rule = "the grids of all bands must cover the same square (west, north, edge) of a map system"
        raise BadProduct(product, ITEM, f"{rule}; got {sorted(corners)} of {code}")
    cloud = told.get("eo:cloud_cover")
    if cloud is not None and not (isinstance(cloud, int | float) and 0 <= cloud <= 100):
        raise BadProduct(product, ITEM, f"eo:cloud_cover must be 0 to 100 percent; got {cloud!r}")
    square = Square(int(code), *corners.pop())
    return described(product, square, str(told.get("s2:datastrip_id") or ""), None if cloud is None else float(cloud))


def _corner(product: str, band: str, asset: Mapping[str, Any]) -> tuple[int, int, int]:
    """West, north and edge of an asset, metres."""
    resolution, shape, transform = S2_NATIVE_M[band], asset.get("proj:shape"), asset.get("proj:transform")
    try:
        (rows, cols), (width, turn, west, skew, height, north) = shape, transform[:6]  # type: ignore[misc,index]
        fits = (width, turn, skew, height) == (resolution, 0, 0, -resolution) and rows == cols and west % 20 == 0
        if fits and north % 20 == 0:
            return int(west), int(north), int(rows) * resolution
    except (TypeError, ValueError):
        pass
    rule = f"{band} must lie on a square grid of {resolution} m, its corner on multiples of 20 m"
    raise BadProduct(product, ITEM, f"{rule}; got shape {shape}, transform {transform}")
