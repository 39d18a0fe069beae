"""The input of all tools: one simulated IW2 burst in its full width on two dates, its terrain, and the truth of a part.

Ground of known backscatter, coherence and phase fills 6 x 6 tiles in the middle of the swath; the rest of the burst
holds noise of a typical level, so that every tool has the samples of a whole burst to read and to compute with. The
terrain is hilly everywhere, for its relief decides how far a tile has to look around.
"""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.warp import Resampling, reproject
from shapely.geometry import Polygon, box

from sen12ts_pipeline.domain.lattice import PIXEL_M, TILE_M, Grid, TileId, to_geographic, to_map
from sen12ts_pipeline.simulate.acquisition import Acquisition
from sen12ts_pipeline.simulate.annotation import geolocation_grid
from sen12ts_pipeline.simulate.place import Place
from sen12ts_pipeline.simulate.radar import World, write_series
from sen12ts_pipeline.simulate.rasters import write_dem
from sen12ts_pipeline.simulate.truth import Truth

PLACE = Place(
    name="peers",
    longitude=-4.82,
    latitude=37.93,
    direction="D",
    first_pass=date(2023, 8, 1),
    passes=2,
    swath=2,
    tiles_across=6,
    tiles_down=6,
    bursts=1,
    seam_offset_s=1.38,
    base_height_m=700.0,
    rough=0.0,
    seed=2023,
)
"""`seam_offset_s` puts the tiles into the middle of the burst."""

ALONE = PLACE.tile(3, 3)

FILL_DN = 75.0
"""Standard deviation of the real and of the imaginary part outside the known ground: about -7 dB of beta nought."""

_EDGE_SAMPLES = 200
_GENERATION = 1


@dataclass(frozen=True, slots=True)
class Scene:
    """What a tool is given.

    Attributes
    ----------
    folder : Path
        Holds everything below.
    products, days : tuple of str
        Paths of the two SAFE folders inside it, the earlier one first, and their ISO dates.
    epsg : int
        Map system of the output.
    box : tuple of int
        West and north edge in metres, rows and columns of 10 m pixels around the whole burst.
    known : tuple of int
        The same of the ground whose truth is known.
    tiles : tuple of str
        Tiles that the burst touches.
    tile, tile_box : str, tuple of int
        The one that is made alone, in the middle of the known ground.
    """

    folder: Path
    products: tuple[str, ...]
    days: tuple[str, ...]
    epsg: int
    box: tuple[int, int, int, int]
    known: tuple[int, int, int, int]
    tiles: tuple[str, ...]
    tile: str
    tile_box: tuple[int, int, int, int]

    @property
    def dem(self) -> Path:
        """Ellipsoidal heights, 1 arc second, EPSG:4326."""
        return self.folder / "dem.tif"

    @property
    def map_dem(self) -> Path:
        """The same terrain on the 10 m pixels of `box`, for tools whose DEM is their output grid."""
        return self.folder / "map_dem.tif"

    @property
    def tile_dem(self) -> Path:
        """`map_dem` of `tile` alone."""
        return self.folder / "tile_dem.tif"

    @property
    def truth(self) -> Path:
        """Arrays of `write_truth`."""
        return self.folder / "truth.npz"

    def safe(self, index: int) -> Path:
        """SAFE folder of a date."""
        return self.folder / self.products[index]

    @classmethod
    def load(cls, folder: Path) -> Scene:
        """Read the description of a finished scene; FileNotFoundError when it is not finished."""
        values = json.loads((folder / "scene.json").read_text())
        del values["generation"]
        return cls(folder, **{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def prepare(folder: Path) -> Scene:
    """Make the scene, unless it is there; it appears under its name only when it is complete."""
    marker = folder / "scene.json"
    if marker.exists() and json.loads(marker.read_text())["generation"] == _GENERATION:
        return Scene.load(folder)
    part = folder.with_name(f"{folder.name}.part")
    for old in (part, folder):
        shutil.rmtree(old, ignore_errors=True)
    part.mkdir(parents=True)
    _make(part)
    part.rename(folder)
    return Scene.load(folder)


def _make(folder: Path) -> None:
    world = wide_world()
    outline = _outline(world)
    around = _box(outline)
    west, north, rows, cols = around
    whole = Grid(PLACE.grid.epsg, west, north, rows, cols)
    size = whole.east - whole.west, whole.north - whole.south
    world = dataclasses.replace(
        world, relief=dataclasses.replace(world.relief, origin=(whole.west, whole.north), size=size)
    )
    products = write_series(world, folder / "archive")
    for index, product in enumerate(products):
        _fill(product, world.passes[index], index)
    scene = Scene(
        folder=folder,
        products=tuple(str(p.relative_to(folder)) for p in products),
        days=tuple(p.day.isoformat() for p in world.passes),
        epsg=whole.epsg,
        box=around,
        known=_numbers(PLACE.grid),
        tiles=tuple(str(t) for t in _tiles(outline)),
        tile=str(ALONE),
        tile_box=_numbers(ALONE.grid),
    )
    write_dem(_covering(whole), world.relief, scene.dem)
    _to_map(scene.dem, whole, scene.map_dem)
    _to_map(scene.dem, ALONE.grid, scene.tile_dem)
    write_truth(world, scene.truth)
    described = {k: v for k, v in dataclasses.asdict(scene).items() if k != "folder"}
    (folder / "scene.json").write_text(json.dumps({"generation": _GENERATION, **described}, indent=1) + "\n")


def wide_world() -> World:
    """The place as passes see it whose products hold the whole width of the swath."""
    world = World.of(PLACE)
    return dataclasses.replace(world, passes=tuple(_widened(a) for a in world.passes))


def _widened(acquisition: Acquisition) -> Acquisition:
    swath = acquisition.imaged
    valid = _EDGE_SAMPLES, swath.design.samples - _EDGE_SAMPLES
    wide = dataclasses.replace(
        swath,
        slant_range_time_s=swath.design.slant_range_time_s,
        samples=swath.design.samples,
        bursts=tuple(dataclasses.replace(b, valid_samples=valid) for b in swath.bursts),
    )
    return dataclasses.replace(acquisition, swaths=(wide,))


def _fill(product: Path, acquisition: Acquisition, index: int) -> None:
    """Put noise where a measurement holds nothing; the manifest's checksums stay, as no tool here reads them."""
    swath = acquisition.imaged
    burst = swath.bursts[0]
    samples = slice(burst.valid_samples[0], burst.valid_samples[1] + 1)
    for number, path in enumerate(sorted((product / "measurement").glob("*.tiff"))):
        shape = (swath.lines, swath.samples, 2)
        offset = path.stat().st_size - 2 * math.prod(shape)
        values = np.memmap(path, "<i2", "r+", offset, shape)
        rng = np.random.default_rng([PLACE.seed, 90, index, number])
        for line in range(burst.valid_lines[0], burst.valid_lines[1] + 1):
            row = values[line, samples]
            empty = ~row.any(axis=1)
            row[empty] = np.rint(rng.normal(0.0, FILL_DN, (int(empty.sum()), 2)))
        values.flush()


def _outline(world: World) -> Polygon:
    """Footprint of the burst on the map, metres."""
    acquisition = world.passes[0]
    points = geolocation_grid(acquisition, acquisition.imaged, world.relief)
    rows = sorted({p.line for p in points})
    first, last = ([p for p in points if p.line == row] for row in (rows[0], rows[-1]))
    ring = [*first, *reversed(last)]
    east, north = to_map(PLACE.grid.epsg).transform([p.longitude for p in ring], [p.latitude for p in ring])
    return Polygon(zip(east, north, strict=True))


def _box(outline: Polygon) -> tuple[int, int, int, int]:
    """West, north, rows, columns of the 10 m pixels around an outline, edges on multiples of 20 m."""
    west, south, east, north = outline.bounds
    left, top = 20 * math.floor(west / 20), 20 * math.ceil(north / 20)
    return left, top, 2 * math.ceil((top - south) / 20), 2 * math.ceil((east - left) / 20)


def _numbers(grid: Grid) -> tuple[int, int, int, int]:
    return int(grid.west), int(grid.north), grid.rows, grid.cols


def _tiles(outline: Polygon) -> Iterator[TileId]:
    zone = PLACE.tiles[0].zone
    west, south, east, north = outline.bounds
    for row in range(math.floor(north / TILE_M), math.floor(south / TILE_M) - 1, -1):
        for column in range(math.floor((west - 5e5) / TILE_M), math.floor((east - 5e5) / TILE_M) + 1):
            tile = TileId(zone, column, row)
            grid = tile.grid
            if outline.intersects(box(grid.west, grid.south, grid.east, grid.north)):
                yield tile


def _covering(grid: Grid) -> Place:
    """A place whose tiles cover a grid: what `write_dem` takes for the extent."""
    longitude, latitude = to_geographic(grid.epsg).transform(grid.west + PIXEL_M, grid.north - PIXEL_M)
    across, down = (math.ceil(n * PIXEL_M / TILE_M) + 1 for n in (grid.cols, grid.rows))
    return dataclasses.replace(PLACE, longitude=longitude, latitude=latitude, tiles_across=across, tiles_down=down)


def _to_map(dem: Path, grid: Grid, path: Path) -> None:
    """Resample a DEM onto a map grid, cubic."""
    target = np.empty(grid.shape, np.float32)
    place = {"crs": f"EPSG:{grid.epsg}", "transform": Affine(*grid.transform)}
    with rasterio.open(dem) as source:
        reproject(
            rasterio.band(source, 1),
            target,
            dst_crs=place["crs"],
            dst_transform=place["transform"],
            resampling=Resampling.cubic,
        )
    profile = {"driver": "GTiff", "width": grid.cols, "height": grid.rows, "count": 1, "dtype": "float32", **place}
    with rasterio.open(path, "w", **profile, tiled=True) as file:
        file.write(target, 1)


def write_truth(world: World, path: Path) -> None:
    """Write what is true of the known ground, which is too gentle for shadow and layover.

    `gamma0`, `beta0` : float32 (rows, cols), linear, VV of the earlier date; `coherence`, `phase` : float32
    (rows / 2, cols / 2), at the centres of 20 m cells.
    """
    truth = Truth(PLACE)
    truth.world = world
    grid = PLACE.grid
    cells = Grid(grid.epsg, grid.west, grid.north, grid.rows // 2, grid.cols // 2, 2 * PIXEL_M)
    gamma0 = 10 ** (truth.gamma0_db(grid, 0, "vv") / 10)
    arrays = {
        "gamma0": gamma0,
        "beta0": gamma0 / truth.factor(grid),
        "coherence": truth.coherence(cells, 0),
        "phase": truth.phase(cells, 0),
    }
    np.savez(path, **{k: v.astype(np.float32) for k, v in arrays.items()})
