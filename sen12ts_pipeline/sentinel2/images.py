"""Images of a product: windows of stored numbers, each block decoded once while it is needed."""

from __future__ import annotations

import logging
from collections import OrderedDict
from contextlib import ExitStack
from types import TracebackType

import numpy as np
import numpy.typing as npt
import rasterio
from affine import Affine
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.ports import ProductFiles
from sen12ts_pipeline.quiet import ignored

log = logging.getLogger(__name__)

KINDS = {"JP2OpenJPEG": "a JPEG 2000 image", "GTiff": "a GeoTIFF image"}

Stored = npt.NDArray[np.uint16] | npt.NDArray[np.uint8]


class Image:
    """One image of a product, open for reading; belongs to one thread.

    Blocks are read one at a time and kept for two rows of blocks, so that windows that come from north to south find
    what they share. A window over several blocks must never be read at once: GDAL then reports no error for a block
    that is damaged or missing, and leaves whatever the memory held.

    Parameters
    ----------
    files : ProductFiles
        Files of the product.
    member : str
        The image.
    shape : (int, int)
        Rows and columns that the metadata give.
    corner_m : (float, float)
        Upper left corner that the metadata give, in the granule's map system.
    resolution_m : int
        Size of a pixel.
    dtype : str
        ``uint16`` or ``uint8``.
    driver : str
        GDAL's driver: a key of `KINDS`.

    Raises
    ------
    BadProduct
        When the image cannot be opened, is another than the metadata say, or lacks its end.
    """

    def __init__(
        self,
        files: ProductFiles,
        member: str,
        *,
        shape: tuple[int, int],
        corner_m: tuple[float, float],
        resolution_m: int,
        dtype: str,
        driver: str = "JP2OpenJPEG",
    ) -> None:
        self.product, self.member, self.shape = files.product, member, shape
        self._corner_m, self._resolution_m = corner_m, resolution_m
        self._driver, self._held = driver, ExitStack()
        try:
            self._dataset = self._open(self._held.enter_context(files.held(member)))
            self._held.callback(self._dataset.close)
            self._check(dtype)
            self._block_shape: tuple[int, int] = self._dataset.block_shapes[0]
            self._blocks: OrderedDict[tuple[int, int], Stored] = OrderedDict()
            self._kept = 2 * -(-shape[1] // self._block_shape[1])
            self._block((shape[0] - 1) // self._block_shape[0], (shape[1] - 1) // self._block_shape[1])
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Image:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back."""
        self._held.close()

    def read(self, rows: tuple[int, int], cols: tuple[int, int]) -> Stored:
        """Stored numbers of the rows and columns from the first number up to, not including, the second.

        Raises
        ------
        BadProduct
            When a block cannot be decoded.
        """
        (top, bottom), (left, right) = rows, cols
        if not (0 <= top < bottom <= self.shape[0] and 0 <= left < right <= self.shape[1]):
            raise ValueError(f"rows {rows}, columns {cols} are outside an image of {self.shape}")
        height, width = self._block_shape
        window: Stored = np.empty((bottom - top, right - left), self._dataset.dtypes[0])
        for r in range(top // height, (bottom - 1) // height + 1):
            for c in range(left // width, (right - 1) // width + 1):
                block = self._block(r, c)
                first, start = max(top, r * height), max(left, c * width)
                last, end = min(bottom, r * height + block.shape[0]), min(right, c * width + block.shape[1])
                part = block[first - r * height : last - r * height, start - c * width : end - c * width]
                window[first - top : last - top, start - left : end - left] = part
        return window

    def _open(self, path: str) -> DatasetReader:
        with ignored(NotGeoreferencedWarning):  # the metadata's grid is what counts
            try:
                found: DatasetReader = rasterio.open(path, driver=self._driver, sharing=False)
                return found
            except RasterioError as error:
                raise self._bad(f"must be {KINDS[self._driver]}", error) from error

    def _check(self, dtype: str) -> None:
        found = self._dataset
        if (found.count, found.height, found.width, found.dtypes[0]) != (1, *self.shape, dtype):
            expected = f"1 layer of {self.shape[0]} x {self.shape[1]} {dtype}"
            got = f"{found.count} of {found.height} x {found.width} {found.dtypes[0]}"
            raise BadProduct(self.product, self.member, f"must have {expected}, as the metadata say; got {got}")
        west, north = self._corner_m
        expected_grid = Affine(self._resolution_m, 0, west, 0, -self._resolution_m, north)
        if not found.transform.is_identity and not found.transform.almost_equals(expected_grid, 1e-6):
            rule = f"must lie on the metadata's grid {tuple(expected_grid)[:6]}; got {tuple(found.transform)[:6]}"
            raise BadProduct(self.product, self.member, rule)

    def _block(self, row: int, col: int) -> Stored:
        key = row, col
        if key in self._blocks:
            self._blocks.move_to_end(key)
            return self._blocks[key]
        top, left = row * self._block_shape[0], col * self._block_shape[1]
        height, width = min(self._block_shape[0], self.shape[0] - top), min(self._block_shape[1], self.shape[1] - left)
        try:
            block: Stored = self._dataset.read(1, window=Window(left, top, width, height))
        except RasterioError as error:
            rule = f"must be complete; rows {top} to {top + height - 1}, columns {left} to {left + width - 1} are not"
            raise self._bad(rule, error) from error
        while len(self._blocks) >= self._kept:
            self._blocks.popitem(last=False)
        self._blocks[key] = block
        return block

    def _bad(self, rule: str, error: Exception) -> BadProduct:
        found = getattr(error.__cause__, "errmsg", None) or error.__cause__ or error
        return BadProduct(self.product, self.member, f"{rule}: {found}")
