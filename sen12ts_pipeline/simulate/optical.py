"""What a Sentinel-2 granule holds: stored numbers and scene classes, exactly known for every native pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.domain.lattice import PIXEL_M, SOUTHERN_FALSE_NORTHING_M, Grid
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.simulate.geodesy import Array
from sen12ts_pipeline.simulate.landcover import REFLECTANCE, SCENE_CLASS, LandCover
from sen12ts_pipeline.simulate.place import OpticalScene, Patch, Place

Int16 = npt.NDArray[np.int16]
UInt8 = npt.NDArray[np.uint8]
UInt16 = npt.NDArray[np.uint16]

BANDS = {
    "B01": 60, "B02": 10, "B03": 10, "B04": 10, "B05": 20, "B06": 20, "B07": 20, "B08": 10, "B8A": 20, "B09": 60,
    "B11": 20, "B12": 20,
}  # fmt: skip
"""Bands of the stack in their order, with the native pixel in metres."""

NODATA = -3000
OFFSET = 1000
CLOUD_CLASSES = (8, 9, 10)
INVALID_CLASSES = (0, 3, 8, 9, 10)
CLOUD_REFLECTANCE, DARK_STORED, BRIGHT_REFLECTANCE = 6200, 940, 10_700

_SCENE_PATCHES = {"medium": 8, "cloud": 9, "cirrus": 10, "shadow": 3}
_GROUND_PATCHES = {"nodata": 1, "dark": 2, "bright": 3}
_TEXTURE = 128
_LOCAL_HOURS = 10.6
_KEEP_CLEAR_M = 120.0


@dataclass(frozen=True, slots=True)
class Frame:
    """Square of a granule: map system of its own, upper left corner, pixels of 10 m."""

    epsg: int
    ulx_m: float
    uly_m: float
    pixels: int

    @classmethod
    def of(cls, place: Place) -> Frame:
        """Square on the 60 m lattice around a place's tiles; southern ones in the zone's southern system."""
        grid = place.grid
        size = place.granule_pixels * PIXEL_M
        east, north = grid.centre
        west = math.floor((east - size / 2) / 60.0) * 60.0
        top = math.ceil((north + size / 2) / 60.0) * 60.0
        if place.latitude >= 0:
            return cls(grid.epsg, west, top, place.granule_pixels)
        return cls(grid.epsg + 100, west, top + SOUTHERN_FALSE_NORTHING_M, place.granule_pixels)

    @property
    def north_m(self) -> float:
        """Upper edge in the zone's northern system."""
        return self.uly_m - (SOUTHERN_FALSE_NORTHING_M if self.epsg >= 32700 else 0.0)

    def size(self, resolution: int) -> int:
        """Rows and columns at a resolution in metres."""
        return self.pixels * 10 // resolution

    def centres(self, resolution: int) -> tuple[Array, Array]:
        """Eastings (cols,) and northings (rows,) of pixel centres, northern system."""
        steps = (np.arange(self.size(resolution)) + 0.5) * resolution
        return self.ulx_m + steps, self.north_m - steps


@dataclass(frozen=True, slots=True)
class Granule:
    """One granule of a place.

    Attributes
    ----------
    scene : OpticalScene
        What was asked for.
    frame : Frame
        Where it lies.
    classes : uint8 (rows, cols)
        Scene classification, 20 m.
    ground : uint8 (rows, cols)
        60 m: 0 usual, 1 without data, 2 below the range of reflectance, 3 above it.
    cover : LandCover
        What lies below.
    texture : int16 (128, 128)
        Differences between neighbouring pixels.
    """

    scene: OpticalScene
    frame: Frame
    classes: UInt8
    ground: UInt8
    cover: LandCover
    texture: Int16

    @classmethod
    def of(cls, place: Place, cover: LandCover, index: int) -> Granule:
        """The granule of a place's scene."""
        scene, frame = place.scenes[index], Frame.of(place)
        east, north = frame.centres(20)
        classes = np.asarray(SCENE_CLASS, np.uint8)[cover.kinds(east[None, :], north[:, None])]
        ground = np.zeros((frame.size(60), frame.size(60)), np.uint8)
        for patch in scene.patches:
            if patch.kind in _SCENE_PATCHES:
                classes[_block(place, frame, patch, 20)] = _SCENE_PATCHES[patch.kind]
            else:
                ground[_block(place, frame, patch, 60)] = _GROUND_PATCHES[patch.kind]
        classes[np.kron(ground == 1, np.ones((3, 3), bool))] = 0
        _cloud_around(place, frame, scene, classes)
        rng = np.random.default_rng([place.seed, 90, index])
        texture = rng.integers(-40, 41, (_TEXTURE, _TEXTURE)).astype(np.int16)
        return cls(scene, frame, classes, ground, cover, texture)

    @property
    def offset(self) -> int:
        """What was added to reflectance x 10,000 in the stored numbers."""
        return OFFSET if int(self.scene.baseline) >= 400 else 0

    @property
    def cloud_percent(self) -> float:
        """Share of the cloud classes among the pixels with data, percent."""
        return self.class_percent(*CLOUD_CLASSES)

    def class_percent(self, *codes: int) -> float:
        """Share of scene classes among the pixels with data, percent."""
        return 100.0 * float(np.isin(self.classes, codes).sum()) / float((self.classes != 0).sum())

    @property
    def nodata_percent(self) -> float:
        """Share of pixels without data, percent."""
        return 100.0 * float((self.classes == 0).mean())

    def stored(self, band: str) -> UInt16:
        """Numbers of a band at its native resolution, as the image file holds them."""
        resolution = BANDS[band]
        east, north = self.frame.centres(resolution)
        kinds = self.cover.kinds(east[None, :], north[:, None])
        value = np.asarray(REFLECTANCE[band])[kinds]
        row = (np.floor(north / resolution)).astype(np.intp) % _TEXTURE
        col = (np.floor(east / resolution)).astype(np.intp) % _TEXTURE
        value = value + self.texture[row[:, None], col[None, :]] * value // 1000
        classes, ground = self._classes_at(resolution), np.kron(self.ground, self._repeat(60 // resolution))
        value = np.where(np.isin(classes, CLOUD_CLASSES), CLOUD_REFLECTANCE + value // 8, value)
        value = np.where(classes == 3, value // 2, value)
        value = np.where(ground == 3, BRIGHT_REFLECTANCE, value)
        value = np.maximum(value, 1 - self.offset) + self.offset
        value = np.where(ground == 2, DARK_STORED, value)
        return np.where(ground == 1, 0, value).astype(np.uint16)

    @staticmethod
    def _repeat(times: int) -> UInt8:
        return np.ones((times, times), np.uint8)

    def _classes_at(self, resolution: int) -> UInt8:
        """Scene class at the centre of every pixel of a resolution."""
        if resolution == 60:
            return self.classes[1::3, 1::3]
        return np.kron(self.classes, self._repeat(20 // resolution))

    def stack(self, grid: Grid) -> Int16:
        """The 14 layers of the data set over a grid inside the granule, int16 (14, rows, cols)."""
        step = grid.spacing_m
        east = grid.west + (np.arange(grid.cols) + 0.5) * step
        north = grid.north - (np.arange(grid.rows) + 0.5) * step
        layers = np.empty((14, *grid.shape), np.int16)
        for k, band in enumerate(BANDS):
            stored = self._nearest(self.stored(band), BANDS[band], east, north).astype(np.int32)
            layers[k] = np.where(stored == 0, NODATA, np.clip(stored - self.offset, 0, 10_000))
        layers[12] = self._nearest(self.classes, 20, east, north)
        layers[13] = ~np.isin(layers[12], INVALID_CLASSES) & (layers[:12] != NODATA).all(axis=0)
        return layers

    def _nearest(
        self,
        values: npt.NDArray[np.generic],
        resolution: int,
        east: Array,
        north: Array,
    ) -> npt.NDArray[np.generic]:
        row = np.floor((self.frame.north_m - north) / resolution).astype(np.intp)
        col = np.floor((east - self.frame.ulx_m) / resolution).astype(np.intp)
        if min(row.min(), col.min()) < 0 or max(row.max(), col.max()) >= values.shape[0]:
            raise ValueError("the grid reaches beyond the granule")
        return values[row[:, None], col[None, :]]


def _block(place: Place, frame: Frame, patch: Patch, resolution: int) -> tuple[npt.NDArray[np.intp], ...]:
    """Rows and columns of a patch's pixels: a block filled row by row, inside its tile."""
    tile = place.tile(patch.column, patch.row).grid
    first_row = math.ceil((frame.north_m - tile.north) / resolution) + patch.offset
    first_col = math.ceil((tile.west - frame.ulx_m) / resolution) + patch.offset
    width = math.ceil(math.sqrt(patch.pixels))
    end_m = (patch.offset + width + 1) * resolution
    if end_m > tile.rows * tile.spacing_m:
        raise ConfigurationError(f"place {place.name}", "patches", "must lie inside the tile", patch)
    number = np.arange(patch.pixels)
    return first_row + number // width, first_col + number % width


def _cloud_around(place: Place, frame: Frame, scene: OpticalScene, classes: UInt8) -> None:
    """Put clouds outside the tiles until the granule has its cloud cover."""
    wanted = round(scene.cloud_percent / 100 * int((classes != 0).sum()))
    missing = wanted - int(np.isin(classes, CLOUD_CLASSES).sum())
    grid = place.grid
    east, north = frame.centres(20)
    clear_e = (east > grid.west - _KEEP_CLEAR_M) & (east < grid.east + _KEEP_CLEAR_M)
    clear_n = (north > grid.south - _KEEP_CLEAR_M) & (north < grid.north + _KEEP_CLEAR_M)
    free = np.flatnonzero(~(clear_n[:, None] & clear_e[None, :]))
    if not 0 <= missing <= free.size:
        room = f"must fit: patches make {wanted - missing} of {wanted} pixels, {free.size} lie outside the tiles"
        raise ConfigurationError(f"place {place.name}", "scenes.cloud_percent", room, scene.cloud_percent)
    classes.ravel()[free[:missing]] = 9


def sensed(place: Place, index: int) -> datetime:
    """Datatake start of a scene: the local mean time of the orbit on its day, UTC, some seconds apart by scene."""
    day = place.scenes[index].day
    seconds = round(((_LOCAL_HOURS - place.longitude / 15.0) % 24.0) * 3600.0) + 7 * index
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=seconds)


_BANDS_OF_LATITUDE = "CDEFGHJKLMNPQRSTUVWX"
_COLUMNS = ("ABCDEFGH", "JKLMNPQR", "STUVWXYZ")
_ROWS = "ABCDEFGHJKLMNPQRSTUV"


def mgrs(place: Place) -> str:
    """Name of the 100 km square that holds the place's middle, without the leading T: ``30SUH``."""
    zone = place.grid.epsg % 100
    east, north = place.grid.centre
    letter = _BANDS_OF_LATITUDE[min(int((place.latitude + 80) // 8), 19)]
    column = _COLUMNS[(zone - 1) % 3][int(east // 100_000) - 1]
    row = _ROWS[(int(north // 100_000) + (0 if zone % 2 else 5)) % 20]
    return f"{zone:02d}{letter}{column}{row}"
