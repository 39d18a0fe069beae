"""The lattice of a grid laid on the ground: the same for every date, so it is surveyed once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.domain.lattice import Grid
from sen12ts_pipeline.errors import Rejected
from sen12ts_pipeline.sar.native import geometry
from sen12ts_pipeline.sar.native.lattice import Lattice
from sen12ts_pipeline.terrain.dem import Dem

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """Sample centres with their heights.

    Attributes
    ----------
    lattice : Lattice
        Eastings and northings.
    heights : float64 (rows + 10, 2 * cols + 20)
        Metres above the ellipsoid; NaN where the DEM is void.
    ground : geometry.Ground
        Nodes of the box around it.
    """

    lattice: Lattice
    heights: Float64
    ground: geometry.Ground

    @classmethod
    def of(cls, grid: Grid, dem: Dem) -> Surface:
        """Surface of a grid of 10 m pixels; Rejected, rule ``dem_void``, where the DEM has no height at all."""
        lattice = Lattice.of(grid)
        heights = dem.window(grid.epsg, lattice.box).lattice(lattice.easting, lattice.northing)
        if not np.isfinite(heights).any():
            where = f"EPSG:{grid.epsg} {grid.west:.0f} {grid.north:.0f}"
            raise Rejected("dem_void", where, f"{dem.path.name} has no height in the grid")
        box = geometry.Box.around(grid.epsg, lattice.easting, lattice.northing, heights)
        return cls(lattice, heights, geometry.survey(box))


def centre_height(grid: Grid, dem: Dem) -> float:
    """Height above the ellipsoid at a grid's centre, metres; 0 where the DEM is void."""
    easting, northing = grid.centre
    window = dem.window(grid.epsg, (easting - 5, northing - 5, easting + 5, northing + 5))
    return float(np.nan_to_num(window.lattice(np.array([easting]), np.array([northing]))[0, 0]))
