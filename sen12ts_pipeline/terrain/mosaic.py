"""Elevation tiles of one degree put together to one grid, as a GDAL VRT over files that are on disk.

Tiles hold posts at whole fractions of a degree, the first one in their north-western corner: GLO-30 keeps the posts of
its northern and western edges, SRTM those of all four. Rows have one spacing everywhere. The columns of GLO-30 are
spaced 1, 1.5, 2, 3, 5 or 10 arc seconds, wider towards the poles: rows of wider tiles are first interpolated to the
closest spacing of the mosaic, from their neighbours' posts too, so that the whole is one lattice without seams.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import numpy.typing as npt
import rasterio
from affine import Affine
from rasterio.windows import Window

from sen12ts_pipeline.terrain.bicubic import weights

Float64 = npt.NDArray[np.float64]

VOID = -32768
"""Value of posts without a height, as in SRTM."""
SEA_FILE = "sea.tif"
_STRIP_ROWS = 256
_WHOLE = 1e-3
"""By how much of a post a tile's corner may be off."""


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """One degree by one degree, named by its south-western corner; `west` goes on beyond 180 where an area does."""

    south: int
    west: int

    @property
    def name(self) -> str:
        """For example ``N34W119``."""
        west = (self.west + 180) % 360 - 180
        return f"{'S' if self.south < 0 else 'N'}{abs(self.south):02d}{'W' if west < 0 else 'E'}{abs(west):03d}"


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile's file and its lattice.

    Attributes
    ----------
    path : Path
        The file.
    columns, rows : int
        Posts of a degree, without those of an eastern and southern edge.
    shared : int
        1 if the file also holds the posts of those edges, else 0.
    dtype : str
        GDAL's name of the type of its heights.
    """

    path: Path
    columns: int
    rows: int
    shared: int
    dtype: str


def read_tile(path: Path, cell: Cell) -> Tile:
    """What a tile's file says of itself; ValueError if it is no tile of this cell."""
    try:
        with rasterio.open(path) as source:
            t, (height, width), kind = source.transform, source.shape, source.dtypes[0]
            geographic = source.crs is not None and source.crs.is_geographic
            # The last block comes last: a file that was cut short shows it here.
            source.read(1, window=Window(width - 1, height - 1, 1, 1))
    except rasterio.errors.RasterioError as error:
        raise ValueError(f"it is no raster that can be read ({error})") from None
    if not geographic or kind not in ("float32", "int16") or width < 2 or height < 2:
        raise ValueError(f"it must hold heights in degrees, float32 or int16; it is {width} x {height} {kind}")
    shared = round(height * -t.e) == 1 and round(1 / -t.e) == height - 1
    tile = Tile(path, width - shared, height - shared, int(shared), {"float32": "Float32", "int16": "Int16"}[kind])
    west, north = t.c + t.a / 2, t.f + t.e / 2
    off = (
        abs(((west - cell.west + 180) % 360 - 180) * tile.columns),
        abs((north - cell.south - 1) * tile.rows),
        abs(t.a * tile.columns - 1) * tile.columns,
        abs(-t.e * tile.rows - 1) * tile.rows,
    )
    if max(off) > _WHOLE or t.b or t.d:
        raise ValueError(f"it must hold the degree {cell.name}; it begins at {west:.6f}, {north:.6f}")
    return tile


def write_sea(path: Path) -> None:
    """One pixel of height 0, which a VRT spreads over cells without land."""
    profile = {"driver": "GTiff", "width": 1, "height": 1, "count": 1, "dtype": "float32", "crs": "EPSG:4326"}
    with rasterio.open(path, "w", transform=Affine(1, 0, 0, 0, -1, 1), **profile) as target:
        target.write(np.zeros((1, 1, 1), np.float32))


def write_widened(tile: Tile, west: Tile | None, east: Tile | None, columns: int, to: Path) -> None:
    """A tile with its rows interpolated to more columns, by cubic convolution (`bicubic`); void where a tap is.

    Parameters
    ----------
    tile : Tile
        Without shared edges.
    west, east : Tile or None
        Its neighbours; sea or unknown if None, and then its own outermost heights go on.
    columns : int
        Of a degree, at least the tile's own.
    to : Path
        The file, float32.
    """
    place = np.arange(columns) * (tile.columns / columns) + 1.0
    first = np.floor(place + 1e-9).astype(int)
    taps = weights(np.clip(place - first, 0.0, 1.0))
    with rasterio.open(tile.path) as source:
        corner = source.transform
    step_x, step_y = 1.0 / columns, 1.0 / tile.rows
    transform = Affine(step_x, 0, corner.c + corner.a / 2 - step_x / 2, 0, -step_y, corner.f)
    profile = {"driver": "GTiff", "width": columns, "height": tile.rows, "count": 1, "dtype": "float32"}
    profile |= {"crs": "EPSG:4326", "compress": "deflate", "predictor": 3, "zlevel": 1, "nodata": VOID}
    tiling = {"tiled": True, "blockxsize": _STRIP_ROWS, "blockysize": _STRIP_ROWS}
    with rasterio.open(to, "w", transform=transform, **profile, **tiling) as target:
        for top in range(0, tile.rows, _STRIP_ROWS):
            strip = top, min(_STRIP_ROWS, tile.rows - top)
            rows = _with_neighbours(tile, west, east, strip)
            wide = sum(tap * _tapped(rows, first + k - 1, tap) for k, tap in enumerate(taps))
            values = np.where(np.isfinite(wide), wide, VOID).astype(np.float32)
            target.write(values, 1, window=Window(0, top, columns, strip[1]))


def _with_neighbours(tile: Tile, west: Tile | None, east: Tile | None, strip: tuple[int, int]) -> Float64:
    """Rows (first, count) of a tile, with one column before and three after it."""
    middle = _heights(tile, (0, tile.columns), strip)
    before = _beside(west, tile, tile.columns - 1, strip, middle[:, :1], 1)
    after = _beside(east, tile, 0, strip, middle[:, -1:], 3)
    return np.concatenate([before, middle, after], axis=1)


def _tapped(rows: Float64, at: npt.NDArray[np.int64], tap: Float64) -> Float64:
    """Heights under a tap; those that weigh nothing are 0, so that a void beside a post does not make it void."""
    return np.where(tap == 0.0, 0.0, rows[:, at])


def _heights(tile: Tile, columns: tuple[int, int], strip: tuple[int, int]) -> Float64:
    with rasterio.open(tile.path) as source:
        values = np.asarray(source.read(1, window=Window(columns[0], strip[0], columns[1], strip[1])), dtype=float)
        if source.nodata is not None:
            values[values == source.nodata] = np.nan
    return values


def _beside(
    neighbour: Tile | None, tile: Tile, first: int, strip: tuple[int, int], own: Float64, count: int
) -> Float64:
    """Columns next to a tile: of a neighbour with the same spacing, else its own outermost one again."""
    if neighbour is None or (neighbour.columns, neighbour.rows) != (tile.columns, tile.rows):
        return np.repeat(own, count, axis=1)
    return _heights(neighbour, (first, count), strip)


def vrt(tiles: Mapping[Cell, Tile | None], folder: Path) -> str:
    """The mosaic as text of a VRT that lies in a folder; names of files are relative to it.

    Parameters
    ----------
    tiles : mapping
        Cells and their tiles, all with the same spacing; None for the sea, whose height is 0. Cells that are not named
        are void.
    folder : Path
        Holds `SEA_FILE`.

    Raises
    ------
    ValueError
        When no cell has a tile, or tiles are spaced differently.
    """
    known = [tile for tile in tiles.values() if tile is not None]
    if len({(t.columns, t.rows, t.shared, t.dtype) for t in known}) != 1:
        raise ValueError("tiles of a mosaic must have one lattice, and there must be one at least")
    like = known[0]
    west, east = min(c.west for c in tiles), max(c.west for c in tiles) + 1
    south, north = min(c.south for c in tiles), max(c.south for c in tiles) + 1
    width, height = (east - west) * like.columns + like.shared, (north - south) * like.rows + like.shared
    sources = []
    for cell, tile in sorted(tiles.items(), key=lambda item: (item[1] is not None, item[0])):  # land lies over the sea
        at = (cell.west - west) * like.columns, (north - cell.south - 1) * like.rows
        sources.append(_source(tile, like, at, folder))
    step_x, step_y = 1 / like.columns, 1 / like.rows
    corner = f"{west - step_x / 2!r}, {step_x!r}, 0.0, {north + step_y / 2!r}, 0.0, {-step_y!r}"
    return (
        f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}">\n<SRS>EPSG:4326</SRS>\n'
        f"<GeoTransform>{corner}</GeoTransform>\n"
        f'<VRTRasterBand dataType="{like.dtype}" band="1">\n<NoDataValue>{VOID}</NoDataValue>\n'
        + "".join(sources)
        + "</VRTRasterBand>\n</VRTDataset>\n"
    )


def _source(tile: Tile | None, like: Tile, at: tuple[int, int], folder: Path) -> str:
    wide, high = like.columns + like.shared, like.rows + like.shared
    name = escape(SEA_FILE if tile is None else str(tile.path.relative_to(folder)))
    size = (1, 1) if tile is None else (wide, high)
    return (
        f'<ComplexSource><SourceFilename relativeToVRT="1">{name}</SourceFilename>'
        f'<SourceBand>1</SourceBand><SrcRect xOff="0" yOff="0" xSize="{size[0]}" ySize="{size[1]}"/>'
        f'<DstRect xOff="{at[0]}" yOff="{at[1]}" xSize="{wide}" ySize="{high}"/>'
        f"<NODATA>{VOID}</NODATA></ComplexSource>\n"
    )
