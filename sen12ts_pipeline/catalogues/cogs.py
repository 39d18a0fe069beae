"""Where the cloud-optimised copies of a product's images are, as the items of archives tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sen12ts_pipeline.catalogues.names import GranuleName
from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.sentinel2.cogs import band_assets, told_offset


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

    Raises
    ------
    BadProduct
        When the item does not tell its product, or lacks the GeoTIFF of a band.
    """
    name = GranuleName.find(str((item.get("properties") or {}).get("s2:product_uri") or item.get("id")))
    if name is None:
        raise BadProduct(str(item.get("id")), "", "its item must tell the product's name in s2:product_uri")
    hrefs = {band: str(asset["href"]) for band, asset in band_assets(name.product, item).items()}
    return CogImages(name.product, name.baseline, hrefs, told_offset(item, name.baseline))
