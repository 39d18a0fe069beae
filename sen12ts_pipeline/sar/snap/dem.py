"""The elevation model as SNAP must be given it, so that every operator sees the heights that the native geometry sees.

SNAP takes a sample of an external model to lie on its pixel's north-western corner (FileElevationModel, Resampling:
half a pixel to the north-west), adds the undulation of EGM96 to it, in some operators whatever they are told
(FileElevationTile), and takes what has no height, or lies outside of the file, for the sea. So heights are written
above EGM96, half a pixel to the south-east, without a gap, and farther than any burst of the job reaches.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.errors import Rejected
from sen12ts_pipeline.sar.native import geometry
from sen12ts_pipeline.sar.native.scene import PlacedBurst
from sen12ts_pipeline.sar.snap.chain import DEM_NODATA
from sen12ts_pipeline.sentinel1.annotation import SPEED_OF_LIGHT_M_S
from sen12ts_pipeline.terrain.dem import Dem
from sen12ts_pipeline.terrain.geoid import load_geoid

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

STEPS_PER_DEGREE = 3600
"""One second of arc; samples lie at its multiples, so that models of two jobs agree where both reach."""
MARGIN_DEGREES = 0.1
_RASTER = 180
"""Samples to multiples of which areas reach, so that passes whose bursts lie some metres apart have the same one."""
_BLOCK = 360
_HEIGHTS_M = (-500.0, 6500.0)
_FILLED_OVER = 100


@dataclass(frozen=True, slots=True)
class DemArea:
    """Samples of an elevation model, by their numbers from longitude and latitude 0; ends are not included."""

    west: int
    south: int
    east: int
    north: int

    @classmethod
    def around(cls, bursts: Iterable[PlacedBurst]) -> DemArea:
        """All ground that bursts can image, from below the sea to the highest peaks, with a margin.

        Raises
        ------
        Rejected
            Rule ``antimeridian``: SNAP takes no model across 180 degrees.
        """
        corners = [_outline(placed) for placed in bursts]
        lon, lat = (np.concatenate(c) for c in zip(*corners, strict=True))
        west, south, east, north = lon.min(), lat.min(), lon.max(), lat.max()
        if east - west > 180.0 or west - MARGIN_DEGREES < -180.0 or east + MARGIN_DEGREES > 180.0:
            raise Rejected(
                "antimeridian", f"{west:.2f}..{east:.2f}", "SNAP takes no elevation model across 180 degrees"
            )
        low = (_RASTER * math.floor((x - MARGIN_DEGREES) * STEPS_PER_DEGREE / _RASTER) for x in (west, south))
        high = (_RASTER * math.ceil((x + MARGIN_DEGREES) * STEPS_PER_DEGREE / _RASTER) + 1 for x in (east, north))
        return cls(*low, *high)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.north - self.south, self.east - self.west

    @property
    def longitude(self) -> Float64:
        """Of the samples, degrees, ascending."""
        return np.arange(self.west, self.east) / STEPS_PER_DEGREE

    @property
    def latitude(self) -> Float64:
        """Of the samples, degrees, descending."""
        return np.arange(self.north - 1, self.south - 1, -1) / STEPS_PER_DEGREE

    @property
    def transform(self) -> tuple[float, float, float, float, float, float]:
        """Of the file: the first sample's place is that of its pixel's corner, not of its centre."""
        step = 1 / STEPS_PER_DEGREE
        return step, 0.0, self.west * step, 0.0, -step, (self.north - 1) * step


def prepare(dem: Dem, area: DemArea, path: Path) -> Path:
    """Write the elevation model of a job as SNAP must be given it.

    Parameters
    ----------
    dem : Dem
        Heights.
    area : DemArea
        What is written.
    path : Path
        GeoTIFF to write: EPSG:4326, float32, metres above EGM96, without a gap.
    """
    import rasterio
    from affine import Affine

    heights = orthometric(dem, area)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=area.shape[1],
        height=area.shape[0],
        count=1,
        dtype="float32",
        crs="EPSG:4326",
        transform=Affine(*area.transform),
        nodata=DEM_NODATA,
    ) as target:
        target.write(heights, 1)
    return path


def orthometric(dem: Dem, area: DemArea) -> Float32:
    """Heights above EGM96 (rows, cols), metres.

    Gaps are filled from their edges up to 100 samples away; what is farther from any height lies at sea level.
    """
    from rasterio.fill import fillnodata

    out = np.empty(area.shape, np.float32)
    for rows in _blocks(area.shape[0]):
        for cols in _blocks(area.shape[1]):
            out[rows, cols] = _above_egm96(dem, area.longitude[cols], area.latitude[rows])
    known = np.isfinite(out)
    filled = fillnodata(np.where(known, out, 0.0).astype(np.float32), known, max_search_distance=_FILLED_OVER)
    return np.asarray(filled, np.float32)


def _above_egm96(dem: Dem, longitude: Float64, latitude: Float64) -> Float64:
    """Heights (rows, cols) over latitudes and longitudes, NaN where the model has none."""
    step = 1 / STEPS_PER_DEGREE
    west, east = float(longitude[0]) - step, float(longitude[-1]) + step
    south, north = float(latitude[-1]) - step, float(latitude[0]) + step
    heights = dem.window(4326, (west, south, east, north)).lattice(longitude, latitude)
    geoid = load_geoid("egm96", None)
    if geoid is None:
        raise ValueError("the package brings a grid of EGM96")
    return np.asarray(heights - geoid.undulation(*np.meshgrid(longitude, latitude)))


def _blocks(length: int) -> list[slice]:
    return [slice(first, min(first + _BLOCK, length)) for first in range(0, length, _BLOCK)]


def _outline(placed: PlacedBurst) -> tuple[Float64, Float64]:
    """Longitudes and latitudes of the corners of a burst's image, for low and for high ground."""
    swath, burst = placed.swath, placed.burst
    ranges = swath.range_start_s + np.array([0.0, swath.samples]) / swath.range_rate_hz
    grid = np.meshgrid([burst.start_s, placed.stop_s], ranges * SPEED_OF_LIGHT_M_S / 2, _HEIGHTS_M)
    time, distance, height = (axis.ravel() for axis in grid)
    orbit = swath.orbit.local(swath.middle_s(burst))
    return geometry.longitude_latitude(geometry.locate(orbit, time, distance, height))
