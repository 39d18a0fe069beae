"""The tile lattice: 2560 m cells of each UTM zone, always in the zone's northern system.

West and south edges are ``500000 + 2560 * column`` and ``2560 * row``; rows are negative south of the equator, where
coordinates stay those of EPSG:326zz (negative northings). The lattice is that of the published SEN12TS files.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import shapely
from pyproj import Transformer
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from sen12ts_pipeline.errors import ConfigurationError

TILE_PIXELS = 256
PIXEL_M = 10.0
TILE_M = 2560.0
CENTRAL_EASTING_M = 500_000.0
SOUTHERN_FALSE_NORTHING_M = 10_000_000.0


@functools.lru_cache(maxsize=128)
def to_map(epsg: int) -> Transformer:
    """Transformer from (longitude, latitude) in degrees to the map system's (easting, northing) in metres."""
    return Transformer.from_crs(4326, epsg, always_xy=True)


@functools.lru_cache(maxsize=128)
def to_geographic(epsg: int) -> Transformer:
    """Transformer from the map system's (easting, northing) in metres to (longitude, latitude) in degrees."""
    return Transformer.from_crs(epsg, 4326, always_xy=True)


@functools.lru_cache(maxsize=128)
def between(epsg: int, other: int) -> Transformer:
    """Transformer from (easting, northing) of one map system to those of another, metres."""
    return Transformer.from_crs(epsg, other, always_xy=True)


@dataclass(frozen=True, slots=True, order=True)
class Grid:
    """A north-up map grid: row 0 is the northernmost; a pixel's centre lies half a pixel inside its edges."""

    epsg: int
    west: float
    north: float
    rows: int
    cols: int
    spacing_m: float = PIXEL_M

    @classmethod
    def parse(cls, text: str, multiple_m: float = PIXEL_M) -> Grid:
        """Read ``EPSG,WEST,NORTH,ROWS,COLS`` of 10 m pixels; refuse edges off the multiples of `multiple_m`.

        Raises
        ------
        ConfigurationError
            When the text has another form, or an edge is not such a multiple.
        """
        rule = "must be EPSG,WEST,NORTH,ROWS,COLS with whole, positive ROWS and COLS"
        parts = text.split(",")
        try:
            epsg, rows, cols = (int(parts[k]) for k in (0, 3, 4))
            west, north = float(parts[1]), float(parts[2])
        except (ValueError, IndexError):
            raise ConfigurationError("--grid", "grid", rule, text) from None
        if len(parts) != 5 or rows <= 0 or cols <= 0 or not math.isfinite(west + north):
            raise ConfigurationError("--grid", "grid", rule, text)
        for name, edge in (("WEST", west), ("NORTH", north), ("ROWS", rows * PIXEL_M), ("COLS", cols * PIXEL_M)):
            if edge % multiple_m:
                multiples = f"all edges must be multiples of {multiple_m:g} m"
                raise ConfigurationError("--grid", name, multiples, f"{edge:g} m")
        return cls(epsg, west, north, rows, cols)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols)."""
        return self.rows, self.cols

    @property
    def east(self) -> float:
        """Easting of the eastern edge, metres."""
        return self.west + self.cols * self.spacing_m

    @property
    def south(self) -> float:
        """Northing of the southern edge, metres."""
        return self.north - self.rows * self.spacing_m

    @property
    def centre(self) -> tuple[float, float]:
        """(easting, northing) of the centre, metres."""
        return (self.west + self.east) / 2, (self.south + self.north) / 2

    @property
    def transform(self) -> tuple[float, float, float, float, float, float]:
        """Affine coefficients a, b, c, d, e, f as rasterio's ``Affine(*transform)`` takes them."""
        return self.spacing_m, 0.0, self.west, 0.0, -self.spacing_m, self.north

    def bounds_in(self, epsg: int) -> tuple[float, float, float, float]:
        """West, south, east and north of the grid's outline in another map system, metres."""
        west, south, east, north = between(self.epsg, epsg).transform_bounds(
            self.west, self.south, self.east, self.north
        )
        return west, south, east, north

    def blocks(self, pixels: int = TILE_PIXELS) -> Iterator[tuple[slice, slice, Grid]]:
        """Cut the grid into blocks of at most `pixels` on a side, from the north-west: (row slice, col slice, grid)."""
        for r in range(0, self.rows, pixels):
            for c in range(0, self.cols, pixels):
                rows, cols = min(pixels, self.rows - r), min(pixels, self.cols - c)
                west, north = self.west + c * self.spacing_m, self.north - r * self.spacing_m
                yield slice(r, r + rows), slice(c, c + cols), Grid(self.epsg, west, north, rows, cols, self.spacing_m)


_TILE_TEXT = re.compile(r"(\d{2})_(0|-?[1-9]\d*)_(0|-?[1-9]\d*)", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class TileId:
    """One cell of the lattice: UTM zone 1 to 60, column and row counted from easting 500,000 m and the equator."""

    zone: int
    column: int
    row: int

    def __post_init__(self) -> None:
        if not 1 <= self.zone <= 60:
            raise ValueError(f"UTM zone must be 1 to 60, got {self.zone}")

    def __str__(self) -> str:
        return f"{self.zone:02d}_{self.column}_{self.row}"

    @classmethod
    def parse(cls, text: str) -> TileId:
        """Read the text form ``ZZ_COLUMN_ROW``."""
        match = _TILE_TEXT.fullmatch(text)
        if not match:
            raise ValueError(f"a tile is written ZZ_COLUMN_ROW, for example 31_-40_1803; got {text!r}")
        return cls(*(int(x) for x in match.groups()))

    @classmethod
    def at(cls, longitude: float, latitude: float) -> TileId:
        """Tile of the zone of a point that contains this point."""
        zone = zone_of(longitude)
        easting, northing = to_map(32600 + zone).transform(longitude, latitude)
        return cls(zone, math.floor((easting - CENTRAL_EASTING_M) / TILE_M), math.floor(northing / TILE_M))

    @property
    def epsg(self) -> int:
        """EPSG code of the zone's northern system."""
        return 32600 + self.zone

    @property
    def grid(self) -> Grid:
        """The tile's 256 x 256 grid of 10 m pixels."""
        west = CENTRAL_EASTING_M + TILE_M * self.column
        return Grid(self.epsg, west, TILE_M * (self.row + 1), TILE_PIXELS, TILE_PIXELS)

    @property
    def centre_lonlat(self) -> tuple[float, float]:
        """(longitude, latitude) of the centre in degrees, WGS 84."""
        lon, lat = to_geographic(self.epsg).transform(*self.grid.centre)
        return float(lon), float(lat)


def zone_of(longitude: float) -> int:
    """UTM zone of a longitude in degrees; the special zones of Norway and Svalbard are not used."""
    return math.floor((longitude + 180.0) / 6.0) % 60 + 1


def tiles_of(area: BaseGeometry) -> tuple[TileId, ...]:
    """Tiles whose centre lies inside an area, in the order of their identities.

    Parameters
    ----------
    area : Polygon or MultiPolygon
        In degrees (longitude, latitude), not across the antimeridian.
    """
    found: list[TileId] = []
    west, _, east, _ = area.bounds
    for zone in range(zone_of(west), zone_of(min(east, 179.999999)) + 1):
        found.extend(_tiles_in_zone(area, zone))
    return tuple(sorted(found))


def _tiles_in_zone(area: BaseGeometry, zone: int) -> list[TileId]:
    part = area.intersection(box(zone * 6 - 186, -80, zone * 6 - 180, 84))
    if part.is_empty:
        return []
    outline = shapely.segmentize(part, 0.05)
    easting, northing = to_map(32600 + zone).transform(*shapely.get_coordinates(outline).T)
    columns = np.arange(_cell(easting.min() - CENTRAL_EASTING_M) - 1, _cell(easting.max() - CENTRAL_EASTING_M) + 2)
    rows = np.arange(_cell(northing.min()) - 1, _cell(northing.max()) + 2)
    column, row = (a.ravel() for a in np.meshgrid(columns, rows))
    centre = CENTRAL_EASTING_M + TILE_M * (column + 0.5), TILE_M * (row + 0.5)
    lon, lat = to_geographic(32600 + zone).transform(*centre)
    inside = shapely.contains_xy(area, lon, lat) & (np.floor((lon + 180.0) / 6.0) + 1 == zone)
    return [TileId(zone, int(c), int(r)) for c, r in zip(column[inside], row[inside], strict=True)]


def _cell(metres: float) -> int:
    return math.floor(metres / TILE_M)
