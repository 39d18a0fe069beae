"""Reads what a product says of itself, whether it is a SAFE or a cloud-optimised copy with a STAC item."""

from __future__ import annotations

from sen12ts_pipeline.domain.granules import Granule
from sen12ts_pipeline.domain.layers import S2_BANDS
from sen12ts_pipeline.ports import ProductFiles
from sen12ts_pipeline.sentinel2 import cogs, safe
from sen12ts_pipeline.sentinel2.description import Product


def read_granule(files: ProductFiles) -> Granule:
    """Granule of a product, from its name and its metadata; no image is needed.

    Raises
    ------
    BadProduct
        When metadata are missing, malformed, contradict each other or lack what a granule needs.
    """
    return cogs.read_granule(files) if cogs.ITEM in files.members() else safe.read_granule(files)


def read_product(files: ProductFiles) -> Product:
    """Everything that is needed to read the pixels of a product.

    Raises
    ------
    BadProduct
        As `read_granule`; or when an image of a layer is missing, the quantification is not 10,000, or the grids of
        10, 20 and 60 m do not share their upper left corner.
    """
    product = cogs.read_product(files) if cogs.ITEM in files.members() else safe.read_product(files)
    for band in (*S2_BANDS, "SCL"):
        product.image(band)
    return product
