"""Cells of a grid of degrees that an area needs, with a margin around it."""

from __future__ import annotations

import math

import shapely
import shapely.affinity
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry


def cells_around(area: BaseGeometry, step: int, margin: float) -> list[tuple[int, int]]:
    """South-western corners (south, west) of the cells that lie within a margin of an area, in order.

    Parameters
    ----------
    area : geometry
        Longitude and latitude in degrees. Parts at both sides of 180 degrees are one area: what lies west of it counts
        on, from 180 to 360.
    step : int
        Size of the cells, degrees.
    margin : float
        Degrees of latitude, and as many kilometres east and west.
    """
    whole = _unwrapped(area)
    west, south, east, north = whole.bounds
    steepest = min(max(abs(south), abs(north)) + margin, 85.0)
    aside = margin / math.cos(math.radians(steepest))
    shapely.prepare(whole)
    found = []
    for lat in range(_floor(south - margin, step), math.ceil(north + margin), step):
        for lon in range(_floor(west - aside, step), math.ceil(east + aside), step):
            near = box(lon - aside, lat - margin, lon + step + aside, lat + step + margin)
            if -90 <= lat < 90 and whole.intersects(near):
                found.append((lat, lon))
    return found


def _floor(value: float, step: int) -> int:
    return math.floor(value / step) * step


def _unwrapped(area: BaseGeometry) -> BaseGeometry:
    west, _, east, _ = area.bounds
    if east - west <= 180.0:
        return area
    parts = [
        shapely.affinity.translate(part, 360.0) if part.bounds[2] <= 0.0 else part for part in shapely.get_parts(area)
    ]
    merged: BaseGeometry = shapely.union_all(parts)
    return merged
