"""Scatterers: one in every 5 m facet of the terrain, the same for all dates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.simulate import kernels
from sen12ts_pipeline.simulate.geodesy import Array, MapFrame
from sen12ts_pipeline.simulate.landcover import LandCover
from sen12ts_pipeline.simulate.orbit import Orbit
from sen12ts_pipeline.simulate.place import Place
from sen12ts_pipeline.simulate.relief import Relief
from sen12ts_pipeline.simulate.sight import Sight

FACET_M = 5.0

Complex64 = npt.NDArray[np.complex64]
Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scatterers:
    """Everything about the scatterers that no date changes; n = rows * cols, row 0 north.

    Attributes
    ----------
    position, area : float64 (n, 3)
        Earth-fixed place, and area vector of the facet.
    lit : bool (n,)
        False in shadow.
    field : intp (n,)
        Field of the land cover.
    easting, northing : float64 (cols,), (rows,)
        Centres of the facets.
    """

    position: Array
    area: Array
    lit: npt.NDArray[np.bool_]
    field: npt.NDArray[np.intp]
    easting: Array
    northing: Array

    @property
    def count(self) -> int:
        """How many."""
        return self.field.size


def scatter(place: Place, relief: Relief, cover: LandCover, orbit: Orbit, centre_s: float) -> Scatterers:
    """Lay scatterers over a place's tiles and margin; `orbit` decides what is in shadow."""
    grid, margin = place.grid, place.margin_m
    west, north = grid.west - margin, grid.north + margin
    cols = round((grid.east + margin - west) / FACET_M)
    rows = round((north - grid.south + margin) / FACET_M)
    edge_e, edge_n = west + FACET_M * np.arange(cols + 1), north - FACET_M * np.arange(rows + 1)
    half = place.extent_m + margin + 500.0
    frame = MapFrame.around(grid.epsg, grid.centre, half)
    nodes = frame.surface(edge_e, edge_n, relief.on_grid(edge_e, edge_n))
    rng = np.random.default_rng([place.seed, 60])
    across, down = rng.random((2, rows, cols), dtype=np.float32)
    position, area = kernels.facets(nodes, across, down)
    easting, northing = edge_e[:-1] + FACET_M / 2, edge_n[:-1] - FACET_M / 2
    hidden = Sight.of(relief, orbit, centre_s, half).shadow(relief, easting, northing)
    field = cover.fields(easting[None, :], northing[:, None]).ravel()
    return Scatterers(position, area, ~hidden.ravel(), field, easting, northing)


class Reflectivity:
    """Unit circular Gaussian reflectivity of the dates, a chain: each depends on the one before.

    The correlation between neighbours in the chain is the field's coherence; VV and VH are independent.
    """

    def __init__(self, place: Place, cover: LandCover, field: npt.NDArray[np.intp]) -> None:
        self._seed, self._cover, self._field = place.seed, cover, field
        self._date = 0
        self._value = self._draw(0)

    def _draw(self, date_index: int) -> Complex64:
        rng = np.random.default_rng([self._seed, 70, date_index])
        parts = rng.standard_normal((self._field.size, 4), dtype=np.float32)
        parts *= np.float32(np.sqrt(0.5))
        return parts.view(np.complex64)

    def at(self, date_index: int) -> Complex64:
        """Reflectivity (n, 2) of a date; dates are asked for in order."""
        while self._date < date_index:
            kept = self._cover.coherence[self._date].ravel()
            old = kept.astype(np.float32)[self._field]
            new = np.sqrt(1 - kept**2).astype(np.float32)[self._field]
            self._date += 1
            fresh = self._draw(self._date)
            fresh *= new[:, None]
            self._value *= old[:, None]
            self._value += fresh
        return self._value
