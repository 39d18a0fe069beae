"""Optical layers of tiles: 12 bands, scene classification and cloud mask on the 10 m lattice.

Everything is integer arithmetic. A pixel of 20 or 60 m covers whole pixels of 10 m, so nearest neighbour is the row (or
column) of the image that holds the centre of the 10 m pixel: ``(10 k + 5) // resolution``, k counted from the granule's
edge. A southern granule has the same lattice, shifted by exactly 10,000 km.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.domain.lattice import PIXEL_M, Grid
from sen12ts_pipeline.domain.layers import NODATA, REFLECTANCE_RANGE, S2_BANDS, S2_LAYERS, S2_MASK, S2_NATIVE_M, S2_SCL
from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.ports import CloudMasker, Int16, ProductFiles, UInt8
from sen12ts_pipeline.sentinel2.images import Image, Stored
from sen12ts_pipeline.sentinel2.product import Product, read_product

SCL_CLASSES = 12
SCL_CLOUD = (8, 9, 10)
"""Classes that a product's cloud cover counts: cloud medium, cloud high, thin cirrus."""


class OpenGranule:
    """A granule whose images are open; belongs to one thread. Made by `open_granule`.

    Tiles are fastest from north to south, as `stacks` takes them: then every block of an image is decoded once, and no
    more than two rows of blocks of each image are in memory, about 350 MB for all bands of a real granule. GDAL's own
    cache comes on top (``GDAL_CACHEMAX``, a twentieth of the memory by default).

    Attributes
    ----------
    product : Product
        What the metadata say.
    """

    def __init__(self, product: Product, files: ProductFiles, images: ExitStack) -> None:
        self.product = product
        self._files, self._images = files, images
        self._open: dict[str, Image] = {}

    def scl(self, grid: Grid) -> UInt8:
        """Scene classification 0 to 11 of a grid, uint8 (rows, cols); BadProduct if an image is broken."""
        scl: UInt8 = self._nearest("SCL", grid).astype(np.uint8)
        if scl.max() >= SCL_CLASSES:
            reason = f"scene classes must be 0 to {SCL_CLASSES - 1}; got {scl.max()}"
            raise BadProduct(self.product.granule.product, self.product.image("SCL"), reason)
        return scl

    def stack(self, grid: Grid, masker: CloudMasker) -> Int16:
        """The 14 optical layers of a grid.

        Parameters
        ----------
        grid : Grid
            10 m pixels inside the granule, in the northern system of its zone.
        masker : CloudMasker
            Tells cloud and cloud shadow from the scene classification.

        Returns
        -------
        int16 (14, rows, cols)
            Reflectance x 10,000 of 12 bands, 0 to 10,000, -3000 where the stored number is 0; scene classification;
            mask, 1 valid, 0 cloud, cloud shadow or any band without data.

        Raises
        ------
        BadProduct
            When an image is broken.
        """
        return _masked(self._layers(grid), masker)

    def stacks(self, grids: Iterable[Grid], masker: CloudMasker) -> Iterator[tuple[Grid, Int16]]:
        """Optical layers of many grids, from north to south and then from west to east."""
        for grid in north_to_south(grids):
            yield grid, self.stack(grid, masker)

    def scls(self, grids: Iterable[Grid]) -> Iterator[tuple[Grid, UInt8]]:
        """Scene classification of many grids, from north to south and then from west to east."""
        for grid in north_to_south(grids):
            yield grid, self.scl(grid)

    def cloud_percent(self) -> float | None:
        """Cloud cover as products tell it: classes 8, 9 and 10 among pixels with data, percent; None without any.

        Measured from the whole scene classification at 20 m: for products that do not tell their cloud cover.
        """
        image = self._image("SCL")
        rows, cols = image.shape
        counts: npt.NDArray[np.int64] = np.zeros(256, np.int64)
        for top in range(0, rows, 512):
            counts += np.bincount(image.read((top, min(top + 512, rows)), (0, cols)).ravel(), minlength=256)
        with_data = int(counts[1:].sum())
        return 100.0 * int(counts[list(SCL_CLOUD)].sum()) / with_data if with_data else None

    def _layers(self, grid: Grid) -> Int16:
        """Bands and scene classification; the mask is left at 0."""
        layers: Int16 = np.zeros((len(S2_LAYERS), *grid.shape), np.int16)
        for k, band in enumerate(S2_BANDS):
            layers[k] = reflectance(self._nearest(band, grid), self.product.offsets[band])
        layers[S2_SCL] = self.scl(grid)
        return layers

    def _nearest(self, band: str, grid: Grid) -> Stored:
        resolution = S2_NATIVE_M[band]
        row, col = row_col(self.product, grid)
        rows, cols = source_index(row, grid.rows, resolution), source_index(col, grid.cols, resolution)
        window = self._image(band).read((int(rows[0]), int(rows[-1]) + 1), (int(cols[0]), int(cols[-1]) + 1))
        return window[np.ix_(rows - rows[0], cols - cols[0])]

    def _image(self, band: str) -> Image:
        if band not in self._open:
            granule = self.product.granule
            image = Image(
                self._files,
                self.product.image(band),
                shape=self.product.sizes[S2_NATIVE_M[band]],
                corner_m=(granule.ulx_m, granule.uly_m),
                resolution_m=S2_NATIVE_M[band],
                dtype="uint8" if band == "SCL" else "uint16",
            )
            self._open[band] = self._images.enter_context(image)
        return self._open[band]


@contextmanager
def open_granule(files: ProductFiles) -> Iterator[OpenGranule]:
    """Open a product to read many tiles of it; its images are closed at the end.

    Raises
    ------
    BadProduct
        When the product's metadata or images are broken, at once or while reading.
    """
    with ExitStack() as images:
        yield OpenGranule(read_product(files), files, images)


def read_stack(files: ProductFiles, grid: Grid, masker: CloudMasker) -> Int16:
    """The 14 optical layers of a single grid; see `OpenGranule.stack`."""
    with open_granule(files) as granule:
        return granule.stack(grid, masker)


def read_scl(files: ProductFiles, grid: Grid) -> UInt8:
    """Scene classification of a single grid at 10 m; see `OpenGranule.scl`."""
    with open_granule(files) as granule:
        return granule.scl(grid)


def scene_stack(parts: Sequence[OpenGranule], grid: Grid, masker: CloudMasker) -> Int16:
    """The 14 optical layers of a grid from the split datastrips of one granule, best first.

    In each layer a pixel comes from the first part in which the scene classification is not 0 and that layer has data;
    failing that from the first part in which that layer has data.

    Returns
    -------
    int16 (14, rows, cols)
        As `OpenGranule.stack`; the mask follows from the layers put together.
    """
    stacks = [part._layers(grid) for part in parts]
    seen = [stack[S2_SCL] != 0 for stack in stacks]
    merged: Int16 = np.zeros_like(stacks[0])
    for k in range(S2_MASK):
        nodata = 0 if k == S2_SCL else NODATA
        has_data = [stack[k] != nodata for stack in stacks]
        usable = [data & known for data, known in zip(has_data, seen, strict=True)] + has_data
        merged[k] = np.select(usable, [stack[k] for stack in stacks] * 2, nodata)
    return _masked(merged, masker)


def scene_scl(parts: Sequence[OpenGranule], grid: Grid) -> UInt8:
    """Scene classification of split datastrips: of each pixel the first that is not 0; uint8 (rows, cols)."""
    scls = [part.scl(grid) for part in parts]
    merged: UInt8 = np.select([scl != 0 for scl in scls], scls, np.uint8(0))
    return merged


def reflectance(stored: Stored, offset: int) -> Int16:
    """Reflectance x 10,000 of stored numbers: ``clip(stored + offset, 0, 10000)``, -3000 where the number is 0."""
    shifted = np.clip(stored.astype(np.int32) + offset, *REFLECTANCE_RANGE).astype(np.int16)
    layer: Int16 = np.where(stored == 0, np.int16(NODATA), shifted)
    return layer


def row_col(product: Product, grid: Grid) -> tuple[int, int]:
    """Row and column, in 10 m pixels of the granule, of a grid's upper left pixel.

    Raises
    ------
    ValueError
        When the grid has other pixels, another zone, or is not wholly inside the granule: a scene of another granule
        was chosen for this tile.
    """
    granule = product.granule
    row, row_rest = divmod(granule.north_m - grid.north, PIXEL_M)
    col, col_rest = divmod(grid.west - granule.ulx_m, PIXEL_M)
    fits = 0 <= row <= product.sizes[10][0] - grid.rows and 0 <= col <= product.sizes[10][1] - grid.cols
    same = grid.epsg == 32600 + granule.epsg % 100 and grid.spacing_m == PIXEL_M and row_rest == col_rest == 0
    if not (fits and same):
        raise ValueError(f"{grid} must have 10 m pixels of the granule's zone and lie inside it; {granule}")
    return int(row), int(col)


def source_index(first: int, count: int, resolution_m: int) -> npt.NDArray[np.int64]:
    """Rows (or columns) of an image that hold the centres of 10 m pixels ``first, ..., first + count - 1``."""
    return (10 * np.arange(first, first + count, dtype=np.int64) + 5) // resolution_m


def north_to_south(grids: Iterable[Grid]) -> list[Grid]:
    """Grids in the order in which an image's blocks are decoded once."""
    return sorted(grids, key=lambda grid: (-grid.north, grid.west))


def _masked(layers: Int16, masker: CloudMasker) -> Int16:
    has_data = (layers[: len(S2_BANDS)] != NODATA).all(axis=0)
    layers[S2_MASK] = masker.valid(layers[S2_SCL].astype(np.uint8)) & has_data
    return layers
