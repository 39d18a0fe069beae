"""The sampling lattice of a grid: 10 m in northing, 5 m in easting, with the halo of the interferogram's kernel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.domain.lattice import Grid

Float64 = npt.NDArray[np.float64]

EASTING_STEP_M = 5.0
NORTHING_STEP_M = 10.0
HALO_ROWS = 5
HALO_COLS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Lattice:
    """Sample centres, symmetric in each 10 m pixel.

    Attributes
    ----------
    easting : float64 (2 * cols + 20,)
        Ascending.
    northing : float64 (rows + 10,)
        Descending.
    """

    easting: Float64
    northing: Float64

    @classmethod
    def of(cls, grid: Grid) -> Lattice:
        """Lattice of a grid of 10 m pixels."""
        col = np.arange(-HALO_COLS, 2 * grid.cols + HALO_COLS, dtype=float)
        row = np.arange(-HALO_ROWS, grid.rows + HALO_ROWS, dtype=float)
        return cls(
            grid.west + EASTING_STEP_M * (col + 0.5),
            grid.north - NORTHING_STEP_M * (row + 0.5),
        )

    @property
    def shape(self) -> tuple[int, int]:
        """(rows + 10, 2 * cols + 20)."""
        return len(self.northing), len(self.easting)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """West, south, east, north of the sample centres."""
        return (
            float(self.easting[0]),
            float(self.northing[-1]),
            float(self.easting[-1]),
            float(self.northing[0]),
        )
