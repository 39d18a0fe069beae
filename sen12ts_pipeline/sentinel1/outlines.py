"""Where bursts lie on the ground, by the geolocation grid of their annotation: to some kilometres in mountains."""

from __future__ import annotations

from shapely.geometry.base import BaseGeometry

from sen12ts_pipeline.sentinel1.annotation import GridPoints, Swath
from sen12ts_pipeline.sentinel1.manifest import outline

MARGIN_DEG = 0.05
"""Beside an outline: a burst overlaps the next one, whose first line ends the outline, and mountains are displaced."""


def bursts_over(swath: Swath, grid: GridPoints, area: BaseGeometry) -> range:
    """Indices of the bursts of a swath that meet an area, and of those between; empty where none does.

    Parameters
    ----------
    swath : Swath
        Annotation.
    grid : GridPoints
        Its geolocation grid.
    area : geometry
        In degrees (longitude, latitude).
    """
    met = [burst.index for burst in swath.bursts if _outline(swath, grid, burst.index).intersects(area)]
    return range(met[0], met[-1] + 1) if met else range(0)


def _outline(swath: Swath, grid: GridPoints, index: int) -> BaseGeometry:
    """Area between the grid's rows around a burst, with a margin."""
    first, last = index * swath.lines_per_burst, (index + 1) * swath.lines_per_burst
    top = grid.line == grid.line[grid.line <= first].max(initial=grid.line.min())
    bottom = grid.line == grid.line[grid.line >= last].min(initial=grid.line.max())
    there = list(zip(grid.longitude[top].tolist(), grid.latitude[top].tolist(), strict=True))
    back = list(zip(grid.longitude[bottom].tolist(), grid.latitude[bottom].tolist(), strict=True))
    wide: BaseGeometry = outline([*there, *reversed(back)]).buffer(MARGIN_DEG)
    return wide
