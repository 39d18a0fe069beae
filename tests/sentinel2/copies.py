"""Cloud-optimised copies of simulated products, as mirrors hold them."""

import json

import numpy as np
import rasterio

from sen12ts_pipeline.acquisition.products import FolderProduct
from sen12ts_pipeline.domain.layers import S2_BANDS, S2_NATIVE_M
from sen12ts_pipeline.sentinel2.product import read_product


def copy_of(files, folder, *, taken_off, says=None, **properties):
    """A copy: a GeoTIFF for each band, with the offset taken off or not, and the item that describes them."""
    product = read_product(files)
    root = folder / f"{files.product}.SAFE"
    root.mkdir(parents=True)
    assets = {}
    for band in (*S2_BANDS, "SCL"):
        with rasterio.open(files.path / product.image(band)) as source:
            values, profile = source.read(), source.profile
        if taken_off and band != "SCL":
            lower = np.maximum(values.astype(int) + product.offsets[band], 1)
            values = np.where(values == 0, 0, lower).astype(np.uint16)
        grid = {key: profile[key] for key in ("width", "height", "count", "dtype", "crs", "transform")}
        with rasterio.open(root / f"{band}.tif", "w", driver="COG", compress="DEFLATE", blocksize=256, **grid) as file:
            file.write(values)
        assets[band] = asset(band, profile["height"], tuple(profile["transform"])[:6])
    granule = product.granule
    told = {
        "s2:product_uri": f"{files.product}.SAFE",
        "s2:datastrip_id": granule.datastrip,
        "eo:cloud_cover": granule.cloud_percent,
        "proj:code": f"EPSG:{granule.epsg}",
        "earthsearch:boa_offset_applied": taken_off if says is None else says,
    }
    (root / "item.json").write_text(json.dumps({"id": "any", "properties": told | properties, "assets": assets}))
    return FolderProduct(root)


def asset(band, size, transform):
    kind = "image/tiff; application=geotiff; profile=cloud-optimized"
    assert transform[0] == S2_NATIVE_M[band]
    return {
        "href": f"https://mirror.example/{band}.tif",
        "type": kind,
        "proj:shape": [size, size],
        "proj:transform": transform,
    }
