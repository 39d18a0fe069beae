"""Where the pixels of a grid lie in the map system of a source, the same on every machine."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt
from pyproj import Transformer
from pyproj.aoi import AreaOfInterest
from pyproj.network import set_network_enabled  # type: ignore[attr-defined]
from pyproj.transformer import TransformerGroup

from sen12ts_pipeline.domain.lattice import Grid, to_geographic
from sen12ts_pipeline.quiet import ignored

Float64 = npt.NDArray[np.float64]


def without_network() -> None:
    """Keep PROJ from fetching datum grids: one that only some machines have would move labels there."""
    set_network_enabled(active=False)


def centres(grid: Grid) -> tuple[Float64, Float64]:
    """(easting, northing) of the pixels' centres, metres, each (rows, cols)."""
    east = grid.west + grid.spacing_m * (np.arange(grid.cols) + 0.5)
    north = grid.north - grid.spacing_m * (np.arange(grid.rows) + 0.5)
    easting, northing = np.meshgrid(east, north)
    return easting, northing


def transformer(crs: str, grid: Grid) -> Transformer:
    """Transformer from a grid's system to another, given as WKT or ``EPSG:...``, by the datum shift of the region."""
    lon, lat = to_geographic(grid.epsg).transform(*grid.centre)
    return _transformer(crs, grid.epsg, (round(float(lon)), round(float(lat))))


@functools.lru_cache(maxsize=256)
def _transformer(crs: str, epsg: int, area: tuple[int, int]) -> Transformer:
    lon, lat = area
    near = AreaOfInterest(max(lon - 1, -180), max(lat - 1, -90), min(lon + 1, 180), min(lat + 1, 90))
    with ignored(UserWarning):  # that a better one would need a grid
        group = TransformerGroup(epsg, crs, always_xy=True, area_of_interest=near)  # type: ignore[arg-type]
    for one in group.transformers:
        if "grids=" not in one.definition:
            return one
    return Transformer.from_crs(epsg, crs, always_xy=True)
