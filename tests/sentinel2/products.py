"""Products made up for tests: metadata in memory, and small SAFE folders with real JPEG 2000 images."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

from sen12ts_pipeline.acquisition.products import FolderProduct
from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.sentinel2.masks import SclMasker, pixel_mask
from sen12ts_pipeline.sentinel2.scene import open_scene

DATA = Path(__file__).parents[1] / "data" / "sentinel2"

NAME = "S2A_MSIL2A_20200511T105031_N0214_R051_T31TDG_20200511T134023"
GRANULE = "GRANULE/L2A_T31TDG_A025516_20200511T105558"
IMAGES = {
    10: ("B02", "B03", "B04", "B08", "TCI"),
    20: ("B01", "B02", "B05", "B06", "B07", "B8A", "B11", "B12", "SCL", "AOT"),
    60: ("B01", "B02", "B8A", "B09", "B11", "SCL"),
}
"""Some of the images of a product: those of the layers, and others that must not be mistaken for them."""

Stored = Callable[[str, int, np.ndarray, np.ndarray], np.ndarray]
"""(band, resolution, rows, columns) to stored numbers."""


@dataclass
class MemoryFiles:
    """Implements `ports.ProductFiles` in memory; images are empty."""

    product: str = NAME
    content: dict[str, bytes] = field(default_factory=dict)

    def members(self):
        return tuple(sorted(self.content))

    def read(self, member):
        return self.content[member]

    def held(self, member):
        raise BadProduct(self.product, member, "has no pixels")


def general_xml(
    *,
    offsets: dict[int, int] | None = None,
    cloud: str | None = "3.5",
    quantification: str = "10000",
    baseline: str | None = None,
) -> str:
    listed = "".join(f'<BOA_ADD_OFFSET band_id="{k}">{v}</BOA_ADD_OFFSET>' for k, v in (offsets or {}).items())
    offset_list = f"<BOA_ADD_OFFSET_VALUES_LIST>{listed}</BOA_ADD_OFFSET_VALUES_LIST>" if offsets is not None else ""
    made = f"<PROCESSING_BASELINE>{baseline}</PROCESSING_BASELINE>" if baseline else ""
    cover = f"<Cloud_Coverage_Assessment>{cloud}</Cloud_Coverage_Assessment>" if cloud is not None else ""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<n1:Level-2A_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_Level-2A.xsd">
<n1:General_Info><Product_Info><PRODUCT_URI>{NAME}.SAFE</PRODUCT_URI>{made}</Product_Info>
<Product_Image_Characteristics><QUANTIFICATION_VALUES_LIST>
<BOA_QUANTIFICATION_VALUE unit="none">{quantification}</BOA_QUANTIFICATION_VALUE>
</QUANTIFICATION_VALUES_LIST>{offset_list}</Product_Image_Characteristics></n1:General_Info>
<n1:Quality_Indicators_Info>{cover}</n1:Quality_Indicators_Info>
</n1:Level-2A_User_Product>"""


def tile_xml(*, epsg: int = 32631, ulx: int = 399960, uly: int = 4700040, pixels: int = 10980) -> str:
    sizes = "".join(
        f'<Size resolution="{r}"><NROWS>{pixels * 10 // r}</NROWS><NCOLS>{pixels * 10 // r}</NCOLS></Size>'
        f'<Geoposition resolution="{r}"><ULX>{ulx}</ULX><ULY>{uly}</ULY><XDIM>{r}</XDIM><YDIM>-{r}</YDIM></Geoposition>'
        for r in (10, 20, 60)
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<n1:Level-2A_Tile_ID xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/S2_PDI_Level-2A_Tile_Metadata.xsd">
<n1:General_Info><DATASTRIP_ID>S2A_OPER_MSI_L2A_DS_VGS2_20200511T134023_S20200511T105558_N02.14</DATASTRIP_ID></n1:General_Info>
<n1:Geometric_Info><Tile_Geocoding><HORIZONTAL_CS_CODE>EPSG:{epsg}</HORIZONTAL_CS_CODE>{sizes}</Tile_Geocoding>
</n1:Geometric_Info></n1:Level-2A_Tile_ID>"""


def image_member(band: str, resolution: int) -> str:
    return f"{GRANULE}/IMG_DATA/R{resolution}m/T31TDG_20200511T105031_{band}_{resolution}m.jp2"


def memory_product(*, general: str | None = None, tile: str | None = None, **extra: bytes) -> MemoryFiles:
    content = {image_member(band, r): b"" for r, bands in IMAGES.items() for band in bands}
    content["MTD_MSIL2A.xml"] = (general_xml() if general is None else general).encode()
    content[f"{GRANULE}/MTD_TL.xml"] = (tile_xml() if tile is None else tile).encode()
    return MemoryFiles(content=content | extra)


def write_jp2(
    path: Path, array: np.ndarray, *, epsg: int, ulx: float, uly: float, resolution: int, **options: str
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path,
        "w",
        driver="JP2OpenJPEG",
        count=1,
        dtype=array.dtype,
        width=array.shape[1],
        height=array.shape[0],
        crs=f"EPSG:{epsg}",
        transform=Affine(resolution, 0, ulx, 0, -resolution, uly),
        QUALITY="100",
        REVERSIBLE="YES",
        YCBCR420="NO",
        BLOCKXSIZE=256,
        BLOCKYSIZE=256,
        **options,
    ) as file:
        file.write(array, 1)


def write_safe(
    folder: Path,
    stored: Stored,
    *,
    epsg: int = 32631,
    ulx: int = 499980,
    uly: int = 4700040,
    pixels: int = 1020,
    offsets: dict[int, int] | None = None,
    cloud: str | None = "3.5",
    name: str = NAME,
) -> FolderProduct:
    """A SAFE folder whose images hold what `stored` says; B02 at 20 m and the like hold what no layer may show."""
    root = folder / f"{name}.SAFE"
    for resolution, bands in IMAGES.items():
        size = pixels * 10 // resolution
        rows, cols = np.mgrid[:size, :size]
        for band in bands:
            dtype = np.uint8 if band in ("SCL", "TCI") else np.uint16
            wanted = (band in ("B01", "B09")) == (resolution == 60) and not (band == "B02" and resolution != 10)
            values = stored(band, resolution, rows, cols) if wanted else np.full((size, size), 77)
            path = root / image_member(band, resolution)
            write_jp2(path, values.astype(dtype), epsg=epsg, ulx=ulx, uly=uly, resolution=resolution)
    (root / "MTD_MSIL2A.xml").write_text(general_xml(offsets=offsets, cloud=cloud))
    (root / GRANULE / "MTD_TL.xml").write_text(tile_xml(epsg=epsg, ulx=ulx, uly=uly, pixels=pixels))
    return FolderProduct(root)


def zipped(product: FolderProduct, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as container:
        for member in product.members():
            container.write(product.path / member, f"{product.product}.SAFE/{member}")
    return path


def stack_of(scene, grid):
    """Layers of a grid of an open scene, under the default masker."""
    return scene.stack(grid, pixel_mask(scene, SclMasker())).layers


def read_stack(files, grid):
    """Layers of a single grid, of one product or of the halves of a granule."""
    with open_scene(files if isinstance(files, list) else [files]) as scene:
        return stack_of(scene, grid)
