"""Optical stacks of a scene: one granule, its split datastrips put together, under a cloud mask."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.domain.lattice import Grid
from sen12ts_pipeline.domain.layers import NODATA, S2_BANDS, S2_LAYERS, S2_MASK, S2_SCL
from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.ports import Bool, Int16, ProductFiles, UInt8
from sen12ts_pipeline.sentinel2 import warp
from sen12ts_pipeline.sentinel2.bands import OpenGranule, Span, open_granule

Mask = Callable[[Grid], Bool]
"""True for the pixels of a grid that are neither cloud nor cloud shadow, (rows, cols)."""


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """Optical layers of a grid.

    Attributes
    ----------
    layers : int16 (14, rows, cols)
        Reflectance x 10,000 of 12 bands, 0 to 10,000, -3000 where the stored number is 0; scene classification 0 to 11;
        mask, 1 valid, 0 cloud, cloud shadow or any band without data.
    negative, saturated : dict of str to int
        By band, stored numbers below reflectance 0, clipped to 0, and saturated ones; bands without any are left out.
        Of split datastrips, the numbers of all parts.
    warped_from : int or None
        Map system of the granule where it is of another zone than the grid, as EPSG code.
    """

    layers: Int16
    negative: dict[str, int]
    saturated: dict[str, int]
    warped_from: int | None = None

    @property
    def notes(self) -> dict[str, Any]:
        """The counts, and whether the layers are warped, as JSON, for provenance."""
        counts = {"negative": self.negative, "saturated": self.saturated}
        if self.warped_from is None:
            return counts
        return {**counts, "warped": {"from": f"EPSG:{self.warped_from}", **warp.HOW}}


class OpenScene:
    """Open granules of a scene, best first; belongs to one thread. Made by `open_scene`.

    In each layer a pixel comes from the first part in which the scene classification is not 0 and that layer has data;
    failing that from the first part in which that layer has data.

    Raises
    ------
    BadProduct
        When the parts lie on different grids.
    """

    def __init__(self, parts: Sequence[OpenGranule]) -> None:
        self.parts = tuple(parts)
        squares = [_square(part) for part in self.parts]
        for part, square in zip(self.parts[1:], squares[1:], strict=True):
            if square != squares[0]:
                first = self.parts[0].product.granule.product
                reason = f"must lie on the grid of its other half {first}, {squares[0]}; got {square}"
                raise BadProduct(part.product.granule.product, "", reason)

    @property
    def shape_20m(self) -> tuple[int, int]:
        """Rows and columns of the lattice of 20 m."""
        return self.parts[0].shape_20m

    def scl(self, grid: Grid) -> UInt8:
        """Scene classification of a grid: of each pixel the first that is not 0; uint8 (rows, cols)."""
        scls = [part.scl(grid) for part in self.parts]
        return scls[0] if len(scls) == 1 else _first_class(scls)

    def stack(self, grid: Grid, mask: Mask) -> Stack:
        """The 14 optical layers of a grid.

        Parameters
        ----------
        grid : Grid
            10 m pixels inside the granule, in the northern system of its zone or, to be warped, of a neighbouring one.
        mask : callable
            Tells cloud and cloud shadow of the grid.

        Raises
        ------
        BadProduct
            When an image is broken.
        """
        layers: Int16 = np.empty((len(S2_LAYERS), *grid.shape), np.int16)
        scls = [part.scl(grid) for part in self.parts]
        negative, saturated = dict.fromkeys(S2_BANDS, 0), dict.fromkeys(S2_BANDS, 0)
        for k, band in enumerate(S2_BANDS):
            found = [part.layer(band, grid) for part in self.parts]
            layers[k] = _first_known([one.values for one in found], scls)
            negative[band] = sum(one.negative for one in found)
            saturated[band] = sum(one.saturated for one in found)
        layers[S2_SCL] = scls[0] if len(scls) == 1 else _first_class(scls)
        layers[S2_MASK] = mask(grid)
        layers[S2_MASK] &= (layers[: len(S2_BANDS)] != NODATA).all(axis=0)
        product = self.parts[0].product
        warped_from = product.granule.epsg if warp.crosses(product, grid) else None
        return Stack(layers, _without_zeros(negative), _without_zeros(saturated), warped_from)

    def at_20m(self, bands: Sequence[str], rows: Span, cols: Span) -> dict[str, Int16]:
        """Bands, or SCL, on the granule's lattice of 20 m, as `OpenGranule.at_20m`; parts put together as in stacks."""
        found = {band: [part.at_20m(band, rows, cols) for part in self.parts] for band in bands}
        if len(self.parts) == 1:
            return {band: one[0] for band, one in found.items()}
        scls = found.get("SCL") or [part.at_20m("SCL", rows, cols) for part in self.parts]
        return {b: _first_class(one) if b == "SCL" else _first_known(one, scls) for b, one in found.items()}

    def cloud_percent(self) -> float:
        """Highest measured cloud cover of the parts, percent; a part without any data counts as all cloud."""
        measured = [part.cloud_percent() for part in self.parts]
        return max(100.0 if m is None else m for m in measured)


@contextmanager
def open_scene(products: Sequence[ProductFiles]) -> Iterator[OpenScene]:
    """Open the products of a scene, best first; BadProduct when one is broken."""
    with ExitStack() as stack:
        yield OpenScene([stack.enter_context(open_granule(files)) for files in products])


def _square(part: OpenGranule) -> tuple[int, float, float, float]:
    granule = part.product.granule
    return granule.epsg, granule.ulx_m, granule.uly_m, granule.size_m


def _first_class(scls: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    return np.select([scl != 0 for scl in scls], list(scls), scls[0].dtype.type(0))


def _first_known(values: Sequence[Int16], scls: Sequence[npt.NDArray[Any]]) -> Int16:
    if len(values) == 1:
        return values[0]
    has_data = [one != NODATA for one in values]
    usable = [data & (scl != 0) for data, scl in zip(has_data, scls, strict=True)] + has_data
    merged: Int16 = np.select(usable, list(values) * 2, np.int16(NODATA))
    return merged


def _without_zeros(counts: dict[str, int]) -> dict[str, int]:
    return {band: count for band, count in counts.items() if count}
