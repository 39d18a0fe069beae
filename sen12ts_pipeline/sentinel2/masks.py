"""Cloud masks of scenes; maskers that need nothing but the scene classification, and the vote of several maskers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sen12ts_pipeline.domain.lattice import Grid
from sen12ts_pipeline.domain.layers import NODATA, SCL_INVALID
from sen12ts_pipeline.ports import Bool, CloudMasker, EngineIdentity, Int16
from sen12ts_pipeline.sentinel2 import warp
from sen12ts_pipeline.sentinel2.bands import row_col, source_index
from sen12ts_pipeline.sentinel2.description import Product
from sen12ts_pipeline.sentinel2.scene import Mask, OpenScene

SCL_NODATA = 0
MASK_M = 20
STRIP = 512
"""Rows of 20 m that are masked at once, over the whole width: 1024 rows of 10 m, a row of blocks of real images."""


class SclMasker:
    """Takes some scene classes as invalid; implements `ports.CloudMasker`.

    Parameters
    ----------
    invalid : iterable of int
        Scene classes, 0 to 255; by default no data, cloud shadow, cloud medium, cloud high, thin cirrus.
    dilation_m : int
        A pixel is invalid too if the centre of an invalid one lies at most this far away. No data do not grow.
    """

    bands = ("SCL",)

    def __init__(self, invalid: Iterable[int] = SCL_INVALID, dilation_m: int = 0) -> None:
        self._invalid = tuple(sorted(set(invalid)))
        self._dilation_m = dilation_m
        self._cloud: Bool = np.zeros(256, bool)
        self._cloud[[c for c in self._invalid if c != SCL_NODATA]] = True

    def __repr__(self) -> str:
        return f"SclMasker({self._invalid}, {self._dilation_m})"

    @property
    def identity(self) -> EngineIdentity:
        """Name, version and parameters: part of every recipe."""
        return EngineIdentity("scl", "1", {"invalid": list(self._invalid), "dilation_m": self._dilation_m})

    @property
    def context(self) -> int:
        """Pixels by which clouds grow."""
        return dilation_pixels(self._dilation_m)

    def valid(self, bands: Mapping[str, Int16]) -> Bool:
        """True for valid pixels of a scene classification, same shape."""
        scl = bands["SCL"]
        valid = ~dilated(self._cloud[scl], self._dilation_m)
        return valid & (scl != SCL_NODATA) if SCL_NODATA in self._invalid else valid


class Consensus:
    """Takes as invalid what enough of its members do; implements `ports.CloudMasker`.

    Parameters
    ----------
    members : sequence of CloudMasker
        At least two.
    votes : int
        How many of them must call a pixel invalid: 1 for the strictest mask, all of them for the most lenient.
    """

    def __init__(self, members: Sequence[CloudMasker], votes: int) -> None:
        if not 1 <= votes <= len(members) or len(members) < 2:
            raise ValueError(f"votes must be 1 to the number of members, two or more; got {votes} of {len(members)}")
        self._members, self._votes = tuple(members), votes

    @property
    def identity(self) -> EngineIdentity:
        """Votes, and the identities of the members."""
        members = [member.identity.as_json() for member in self._members]
        return EngineIdentity("consensus", "1", {"votes": self._votes, "members": members})

    @property
    def bands(self) -> tuple[str, ...]:
        """Bands of all members."""
        return tuple(dict.fromkeys(band for member in self._members for band in member.bands))

    @property
    def context(self) -> int:
        """Context of the member that needs most."""
        return max(member.context for member in self._members)

    def valid(self, bands: Mapping[str, Int16]) -> Bool:
        """True where fewer members than needed see cloud or shadow."""
        against = sum((~member.valid(bands)).astype(np.uint8) for member in self._members)
        valid: Bool = np.asarray(against < self._votes)
        return valid


@dataclass(frozen=True, slots=True, eq=False)
class SceneMask:
    """Valid pixels of a whole granule.

    Attributes
    ----------
    product : Product
        Tells where the granule lies.
    pixels : bool (rows, cols)
        On the granule's lattice of 20 m.
    """

    product: Product
    pixels: Bool

    def __call__(self, grid: Grid) -> Bool:
        """Valid pixels of a grid of 10 m, (rows, cols); of one of another zone by the nearest pixel."""
        if warp.crosses(self.product, grid):
            window = warp.window_of(self.product, grid, MASK_M)
            part = self.pixels[slice(*window.rows), slice(*window.cols)]
            return warp.nearest(part.astype(np.uint8), window, grid).astype(bool)
        row, col = row_col(self.product, grid)
        rows, cols = source_index(row, grid.rows, MASK_M), source_index(col, grid.cols, MASK_M)
        valid: Bool = self.pixels[np.ix_(rows, cols)]
        return valid


def by_pixel(masker: CloudMasker) -> bool:
    """Whether a masker judges each pixel by its scene class alone, so that tiles need no mask of the whole granule."""
    return masker.context == 0 and masker.bands == ("SCL",)


def pixel_mask(scene: OpenScene, masker: CloudMasker) -> Mask:
    """Mask of a scene by a masker for which `by_pixel` holds: read with each tile."""

    def mask(grid: Grid) -> Bool:
        return masker.valid({"SCL": scene.scl(grid).astype(np.int16)})

    return mask


def valid_pixels(scene: OpenScene, masker: CloudMasker) -> Bool:
    """Valid pixels of a whole granule by any masker, in strips that overlap by the masker's context.

    Returns
    -------
    bool (rows, cols)
        On the granule's lattice of 20 m.

    Raises
    ------
    BadProduct
        When an image is broken.
    """
    rows, cols = scene.shape_20m
    valid: Bool = np.empty((rows, cols), bool)
    for top in range(0, rows, STRIP):
        bottom = min(top + STRIP, rows)
        first, last = max(0, top - masker.context), min(rows, bottom + masker.context)
        strip = masker.valid(scene.at_20m(masker.bands, (first, last), (0, cols)))
        valid[top:bottom] = strip[top - first : bottom - first]
    return valid


def has_data(bands: Mapping[str, Int16], names: Iterable[str]) -> Bool:
    """True where every one of the named bands has data."""
    known: Bool = np.logical_and.reduce([bands[name] != NODATA for name in names])
    return known


def dilation_pixels(distance_m: int) -> int:
    """Whole pixels of 20 m within a distance."""
    return distance_m // MASK_M


def dilated(marked: Bool, distance_m: int) -> Bool:
    """Pixels of 20 m whose centre lies at most a distance from the centre of a marked one."""
    radius = distance_m / MASK_M
    grown: Bool = marked.copy()
    for step in range(int(radius) + 1 if radius >= 1 else 0):
        wide = _widened(marked, int(math.sqrt(radius**2 - step**2)))
        grown[step:] |= wide[: len(wide) - step]
        grown[: len(grown) - step] |= wide[step:]
    return grown


def _widened(marked: Bool, half: int) -> Bool:
    """Pixels with a marked one at most so many columns away."""
    counts = np.zeros((marked.shape[0], marked.shape[1] + 2 * half + 1), np.int32)
    np.cumsum(np.pad(marked, ((0, 0), (half, half))), axis=1, out=counts[:, 1:])
    return counts[:, 2 * half + 1 :] > counts[:, : marked.shape[1]]
