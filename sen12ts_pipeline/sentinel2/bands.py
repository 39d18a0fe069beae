"""Bands of one granule on the lattices of 10 m and 20 m, from its stored numbers.

Everything is integer arithmetic. A pixel of 20 or 60 m covers whole pixels of 10 m, so nearest neighbour is the row (or
column) of the image that holds the centre of the 10 m pixel: ``(10 k + 5) // resolution``, k counted from the granule's
edge. A southern granule has the same lattice, shifted by exactly 10,000 km.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.domain.lattice import PIXEL_M, Grid
from sen12ts_pipeline.domain.layers import NODATA, REFLECTANCE_RANGE, S2_NATIVE_M
from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.ports import Int16, ProductFiles, UInt8
from sen12ts_pipeline.sentinel2 import warp
from sen12ts_pipeline.sentinel2.cogs import TELLING_BAND, check_offset
from sen12ts_pipeline.sentinel2.description import Product
from sen12ts_pipeline.sentinel2.images import Image, Stored
from sen12ts_pipeline.sentinel2.product import read_product

SCL_CLASSES = 12
SCL_CLOUD = (8, 9, 10)
"""Classes that a product's cloud cover counts: cloud medium, cloud high, thin cirrus."""
SATURATED = 65_535

N = TypeVar("N", np.int16, np.uint8)

Span = tuple[int, int]
"""Rows (or columns) from the first number up to, not including, the second."""


@dataclass(frozen=True, slots=True)
class Layer:
    """Reflectance of one band over a grid.

    Attributes
    ----------
    values : int16 (rows, cols)
        Reflectance x 10,000, 0 to 10,000; -3000 where the stored number is 0.
    negative, saturated : int
        Stored numbers, of the image's own pixels under the grid, that are reflectances below 0 and became 0, and that
        say saturation (65535) and became 10,000.
    """

    values: Int16
    negative: int
    saturated: int


class OpenGranule:
    """A granule whose images are open; belongs to one thread. Made by `open_granule`.

    Grids are fastest from north to south (`north_to_south`): then every block of an image is decoded once, and no more
    than two rows of blocks of each image are in memory, about 350 MB for all bands of a real granule. GDAL's own cache
    comes on top (``GDAL_CACHEMAX``, a twentieth of the memory by default).

    Attributes
    ----------
    product : Product
        What the metadata say.
    """

    def __init__(self, product: Product, files: ProductFiles, images: ExitStack) -> None:
        self.product = product
        self._files, self._images = files, images
        self._open: dict[str, Image] = {}
        self._offsets_confirmed = not product.doubtful

    def scl(self, grid: Grid) -> UInt8:
        """Scene classification 0 to 11 of a grid, uint8 (rows, cols); BadProduct if an image is broken."""
        if warp.crosses(self.product, grid):
            window = warp.window_of(self.product, grid, S2_NATIVE_M["SCL"])
            return warp.nearest(self._scl(self._image("SCL").read(window.rows, window.cols)), window, grid)
        return self._nearest("SCL", grid, self._scl)

    def layer(self, band: str, grid: Grid) -> Layer:
        """One of the 12 bands over a grid of 10 m; BadProduct if an image is broken."""
        offset, counts = self._offset(band), [0, 0]
        if warp.crosses(self.product, grid):
            return self._warped(band, offset, grid)

        def convert(stored: Stored) -> Int16:
            counts[:] = _special(stored, offset)
            return reflectance(stored, offset)

        return Layer(self._nearest(band, grid, convert), counts[0], counts[1])

    def _warped(self, band: str, offset: int, grid: Grid) -> Layer:
        """A band over a grid of another zone; offset and range first: a saturated number is none to calculate with."""
        window = warp.window_of(self.product, grid, S2_NATIVE_M[band])
        stored = self._image(band).read(window.rows, window.cols)
        negative, saturated = _special(np.where(window.under(grid), stored, 0), offset)
        return Layer(warp.interpolated(reflectance(stored, offset), window, grid), negative, saturated)

    def at_20m(self, band: str, rows: Span, cols: Span) -> Int16:
        """A band, or SCL, on the granule's lattice of 20 m.

        A band of 10 m is the mean of four stored numbers, rounded, and has no data where one of them has none; one of
        60 m is repeated.

        Returns
        -------
        int16 (rows, cols)
            As `Layer.values`; SCL 0 to 11.
        """
        if band == "SCL":
            return self._scl(self._image(band).read(rows, cols)).astype(np.int16)
        resolution, offset = S2_NATIVE_M[band], self._offset(band)
        if resolution == 10:
            fine = self._image(band).read((2 * rows[0], 2 * rows[1]), (2 * cols[0], 2 * cols[1]))
            return reflectance(_halved(fine), offset)
        first, start = rows[0] * 20 // resolution, cols[0] * 20 // resolution
        window = self._image(band).read(
            (first, -(-rows[1] * 20 // resolution)), (start, -(-cols[1] * 20 // resolution))
        )
        row, col = (np.arange(*span) * 20 // resolution for span in (rows, cols))
        return reflectance(window, offset)[np.ix_(row - first, col - start)]

    @property
    def shape_20m(self) -> tuple[int, int]:
        """Rows and columns of the lattice of 20 m."""
        return self.product.sizes[20]

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

    def _offset(self, band: str) -> int:
        """Offset of a band; before the first one is used, the pixels of a copy must not contradict it."""
        if not self._offsets_confirmed:
            image = self._image(TELLING_BAND)
            strips = ((top, min(top + 512, image.shape[0])) for top in range(0, image.shape[0], 512))
            check_offset(self.product, np.concatenate([image.read(rows, (0, image.shape[1])) for rows in strips]))
            self._offsets_confirmed = True
        return self.product.offsets[band]

    def _scl(self, stored: Stored) -> UInt8:
        if stored.max() >= SCL_CLASSES:
            reason = f"scene classes must be 0 to {SCL_CLASSES - 1}; got {stored.max()}"
            raise BadProduct(self.product.granule.product, self.product.image("SCL"), reason)
        return stored.astype(np.uint8, copy=False)

    def _nearest(self, band: str, grid: Grid, convert: Callable[[Stored], npt.NDArray[N]]) -> npt.NDArray[N]:
        """Converted numbers of the image under a grid: converted before they are repeated, as most are."""
        resolution = S2_NATIVE_M[band]
        row, col = row_col(self.product, grid)
        rows, cols = source_index(row, grid.rows, resolution), source_index(col, grid.cols, resolution)
        window = convert(self._image(band).read((int(rows[0]), int(rows[-1]) + 1), (int(cols[0]), int(cols[-1]) + 1)))
        return window if resolution == PIXEL_M else window[np.ix_(rows - rows[0], cols - cols[0])]

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
                driver=self.product.driver,
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


def reflectance(stored: Stored, offset: int) -> Int16:
    """Reflectance x 10,000 of stored numbers: ``clip(stored + offset, 0, 10000)``, -3000 where the number is 0.

    A saturated number, 65535, becomes 10,000 whatever the offset.
    """
    shifted = stored.astype(np.int32)
    shifted += offset
    layer: Int16 = np.clip(shifted, *REFLECTANCE_RANGE, out=shifted).astype(np.int16)
    layer[stored == 0] = NODATA
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


def _special(stored: Stored, offset: int) -> tuple[int, int]:
    """How many numbers are negative reflectances, and how many saturated; few windows hold any, so extremes first."""
    negative = saturated = 0
    if stored.min() < -offset:
        negative = int(np.count_nonzero((stored > 0) & (stored < -offset)))
    if stored.max() == SATURATED:
        saturated = int(np.count_nonzero(stored == SATURATED))
    return negative, saturated


def _halved(fine: Stored) -> Stored:
    """Means of 2 x 2 numbers, halves rounded up; 0 where one of the four is 0. uint16 (rows / 2, cols / 2)."""
    four = [fine[r::2, c::2] for r in (0, 1) for c in (0, 1)]
    total = sum((part.astype(np.uint32) for part in four[1:]), four[0].astype(np.uint32))
    mean: Stored = ((total + 2) // 4).astype(np.uint16)
    mean[np.minimum.reduce(four) == 0] = 0
    return mean
