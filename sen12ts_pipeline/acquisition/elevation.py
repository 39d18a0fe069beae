"""Elevation models of an area, fetched by tiles of one degree: Copernicus GLO-30 and SRTMGL1.

Facts: readme of the bucket ``copernicus-dem-30m`` (names, spacings, tiles that do not exist), user guide of SRTMGL1.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from shapely.geometry.base import BaseGeometry

from sen12ts_pipeline.acquisition.areas import cells_around
from sen12ts_pipeline.acquisition.cache import Absent, Cache, digest_of
from sen12ts_pipeline.errors import BadProduct, ConfigurationError
from sen12ts_pipeline.terrain.mosaic import SEA_FILE, Cell, Tile, read_tile, vrt, write_sea, write_widened

GLO30_URL = "https://copernicus-dem-30m.s3.amazonaws.com"
SRTMGL1_URL = "https://data.lpdaac.earthdatacloud.nasa.gov/lp-prod-protected/SRTMGL1.003"
MARGIN_DEG = 0.6
"""Around an area: 66 km, more than the farthest ground that layover and shadow are looked for on, and its taps."""
PARALLEL = 4

UNPUBLISHED = frozenset((south, west) for south in range(38, 42) for west in range(43, 51))
"""Cells of GLO-30 in which tiles of land are not published (Armenia and Azerbaijan): nothing is known there."""

_LISTED = re.compile(r"Copernicus_DSM_COG_10_([NS]\d{2})_00_([EW]\d{3})_00_DEM", re.ASCII)
_VERSION = "mosaic 1"
_SEA, _VOID = "sea", "void"


@dataclass(frozen=True, slots=True)
class Elevation:
    """An elevation model that lies here.

    Attributes
    ----------
    path : Path
        A VRT.
    sha256 : str
        Digest of its tiles and of how they are put together; the same on every machine.
    vertical : str
        What its heights count from.
    """

    path: Path
    sha256: str
    vertical: str


def glo30(area: BaseGeometry, cache: Cache, url: str = GLO30_URL, margin_deg: float = MARGIN_DEG) -> Elevation:
    """Copernicus GLO-30 of an area and its surroundings; heights of the surface above EGM2008.

    Cells without a tile are sea, of height 0, as the list of all tiles says; where tiles are known not to be published
    they are void.

    Parameters
    ----------
    area : geometry
        Longitude and latitude in degrees.
    cache : Cache
        Where tiles are kept.
    url : str
        Of the bucket or a mirror with its layout.
    margin_deg : float
        Degrees around the area.

    Raises
    ------
    ConfigurationError
        When no tile lies in the area, or the server does not let one in.
    BadProduct, Retryable
        As `Cache.fetched`.
    """
    url = url.rstrip("/")
    listed = _listed(cache.fetched(f"{url}/tileList.txt", "tileList.txt", _check_list))

    def find(cell: Cell) -> Path | str:
        if cell.name not in listed:
            return _VOID if (cell.south, cell.west) in UNPUBLISHED else _SEA
        name = f"Copernicus_DSM_COG_10_{cell.name[:3]}_00_{cell.name[3:]}_00_DEM"
        return cache.fetched(f"{url}/{name}/{name}.tif", f"{name}.tif", _is_tile(cell))

    return _mosaic("glo30", "egm2008", _cells(area, margin_deg), find, cache)


def srtmgl1(area: BaseGeometry, cache: Cache, url: str = SRTMGL1_URL, margin_deg: float = MARGIN_DEG) -> Elevation:
    """SRTMGL1 of an area and its surroundings, 60 N to 56 S; heights above EGM96, voids where it has them.

    There is no list of its tiles: a cell of which the server says that it is not there (404) is sea, of height 0.
    Parameters and errors as `glo30`; the cache's provider must let one in with an Earthdata login.
    """
    url = url.rstrip("/")

    def find(cell: Cell) -> Path | str:
        def unpack(part: Path) -> None:
            name = f"{cell.name}.SRTMGL1.hgt.zip"
            packed = cache.fetched(f"{url}/{cell.name}.SRTMGL1.hgt/{name}", name, _is_zip_of(".hgt"))
            unpack_member(packed, ".hgt", part)
            _forget(packed)

        if not -56 <= cell.south < 60:
            return _VOID
        if (cache.folder / f"{cell.name}.absent").exists():
            return _SEA
        try:
            return cache.kept(f"{cell.name}.hgt", unpack)
        except Absent:
            cache.put(f"{cell.name}.absent", b"")
            return _SEA

    return _mosaic("srtmgl1", "egm96", _cells(area, margin_deg), find, cache)


def _cells(area: BaseGeometry, margin_deg: float) -> list[Cell]:
    return [Cell(*corner) for corner in cells_around(area, 1, margin_deg)]


def _mosaic(
    source: str, vertical: str, cells: Iterable[Cell], find: Callable[[Cell], Path | str], cache: Cache
) -> Elevation:
    """Fetch the tiles of cells, several at a time, and put them together."""
    wanted = list(cells)
    with ThreadPoolExecutor(PARALLEL, "elevation") as pool:
        found = dict(zip(wanted, pool.map(find, wanted), strict=True))
    tiles = {cell: _opened(what, cell) for cell, what in found.items() if isinstance(what, Path)}
    if not tiles:
        rule = f"must have a tile of {source} in the area or around it"
        raise ConfigurationError("dem", "dem.source", rule, ", ".join(cell.name for cell in wanted[:4]))
    digest = _identity(source, found)
    cache.kept(SEA_FILE, write_sea)
    together: dict[Cell, Tile | None] = {cell: None for cell, what in found.items() if what == _SEA}
    together |= _on_one_lattice(tiles, cache)
    path = cache.folder / f"{source}-{digest[:16]}.vrt"
    body = vrt(together, cache.folder).encode()
    if not path.exists() or path.read_bytes() != body:
        cache.put(path.name, body)
    return Elevation(path, digest, vertical)


def _identity(source: str, found: Mapping[Cell, Path | str]) -> str:
    lines = [f"{_VERSION} {source}"]
    lines += [
        f"{cell.name} {what if isinstance(what, str) else digest_of(what)}" for cell, what in sorted(found.items())
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _on_one_lattice(tiles: Mapping[Cell, Tile], cache: Cache) -> dict[Cell, Tile]:
    """Tiles with the columns of the one that has most."""
    columns = max(tile.columns for tile in tiles.values())
    return {
        cell: tile if tile.columns == columns else _widened(cell, tiles, columns, cache) for cell, tile in tiles.items()
    }


def _widened(cell: Cell, tiles: Mapping[Cell, Tile], columns: int, cache: Cache) -> Tile:
    tile, west, east = (tiles.get(replace(cell, west=cell.west + step)) for step in (0, -1, 1))
    assert tile is not None  # noqa: S101 - the cell is one of them
    made_of = " ".join(digest_of(t.path) if t else "-" for t in (tile, west, east))
    name = f"{cell.name}_{columns}_{hashlib.sha256(made_of.encode()).hexdigest()[:16]}.tif"
    path = cache.kept(f"widened/{name}", lambda part: write_widened(tile, west, east, columns, part))
    return _opened(path, cell)


def _opened(path: Path, cell: Cell) -> Tile:
    try:
        return read_tile(path, cell)
    except ValueError as error:
        raise BadProduct(path.name, "", f"{path} is broken: {error}; remove it, and it is fetched again") from None


def _is_tile(cell: Cell) -> Callable[[Path], None]:
    def check(path: Path) -> None:
        read_tile(path, cell)

    return check


def _check_list(path: Path) -> None:
    if not _listed(path):
        raise ValueError("it must name tiles such as Copernicus_DSM_COG_10_N00_00_E006_00_DEM; it names none")


def _listed(path: Path) -> frozenset[str]:
    return frozenset("".join(match.groups()) for match in _LISTED.finditer(path.read_text("utf-8", "replace")))


def _is_zip_of(ending: str) -> Callable[[Path], None]:
    def check(path: Path) -> None:
        member_of(path, ending)

    return check


def member_of(path: Path, ending: str) -> str:
    """Name of the one member of a zip with an ending; ValueError if it is no zip, is damaged or has not just one."""
    try:
        with zipfile.ZipFile(path) as container:
            names = [name for name in container.namelist() if name.lower().endswith(ending)]
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise ValueError(f"it is no zip that can be read ({error})") from None
    if len(names) != 1:
        raise ValueError(f"it must be a zip with one {ending} file; it holds {len(names)}")
    return names[0]


def unpack_member(path: Path, ending: str, to: Path) -> None:
    """Write the one member with an ending, its checksum compared; BadProduct if it is damaged, and the zip is gone."""
    try:
        with (
            zipfile.ZipFile(path) as container,
            container.open(member_of(path, ending)) as packed,
            to.open("wb") as out,
        ):
            while chunk := packed.read(2**20):
                out.write(chunk)
    except (zipfile.BadZipFile, ValueError, EOFError) as error:
        _forget(path)
        raise BadProduct(path.name, "", f"cannot be unpacked: {error}") from None


def _forget(path: Path) -> None:
    for one in (path, path.with_name(f"{path.name}.sha256")):
        one.unlink(missing_ok=True)
