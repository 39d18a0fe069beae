"""`backscatter` and `interferogram`: one grid of radar layers from SAFE products, without a data set around it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import typer

from sen12ts_pipeline.domain.lattice import PIXEL_M, Grid
from sen12ts_pipeline.errors import ConfigurationError, Rejected

Layer = npt.NDArray[Any]

SAFE = typer.Argument(
    help="IW SLC product: a SAFE folder or its zip, as a path or an https:// or s3:// URL.", show_default=False
)
MORE = typer.Option(
    [], "--slice", help="Another slice of the same pass, for a grid across slices; may be repeated.", show_default=False
)
DEM = typer.Option(..., "--dem", help="Elevation raster in any map system.", show_default=False)
VERTICAL = typer.Option(
    ..., "--dem-vertical", help="What its heights count from: ellipsoidal, egm96 or egm2008.", show_default=False
)
GEOID = typer.Option(None, "--geoid", help="Geoid grid; needed for egm2008.", show_default=False)
ORBITS = typer.Option(
    None, "--orbits", help="Folder of orbit files (.EOF, .EOF.zip) that replace the annotated orbits.",
    show_default=False,
)  # fmt: skip
GRID = typer.Option(
    ..., "--grid", help="EPSG,WEST,NORTH,ROWS,COLS of 10 m pixels, for example 32611,584480,4195840,256,256.",
    show_default=False,
)  # fmt: skip
OUT = typer.Option(..., "--out", help="GeoTIFF to write.", show_default=False)

BACKSCATTER_BANDS = ("gamma0_vh", "gamma0_vv", "local_incidence_angle", "slope", "valid")
INTERFEROGRAM_BANDS = ("coherence", "phase")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(backscatter)
    app.command()(interferogram)


def backscatter(
    safe: str = SAFE,
    dem: Path = DEM,
    dem_vertical: str = VERTICAL,
    grid: str = GRID,
    out: Path = OUT,
    geoid: Path | None = GEOID,
    orbits: Path | None = ORBITS,
    slices: list[str] = MORE,
    spacing: float = typer.Option(10.0, "--spacing", help="Pixel size in metres; only 10 is made."),
) -> None:
    """Terrain-flattened gamma nought (dB), local incidence angle and slope (degrees), valid mask (1/0) of a grid."""
    from sen12ts_pipeline import wiring

    if spacing != PIXEL_M:
        raise ConfigurationError("--spacing", "spacing", "must be 10 metres", spacing)
    wanted = _grid(grid)
    engine, (one,) = wiring.science(dem, dem_vertical, geoid, [(safe, *slices)], orbits)
    layers = np.full((len(BACKSCATTER_BANDS), *wanted.shape), np.nan, np.float32)
    layers[-1] = 0

    def one_block(block: Grid) -> list[Layer]:
        terrain = engine.terrain(block, one)
        gamma0 = engine.backscatter(terrain, one)
        known = np.isfinite(gamma0["VH"]) & np.isfinite(gamma0["VV"])
        return [gamma0["VH"], gamma0["VV"], terrain.incidence, terrain.slope, terrain.valid & known]

    _fill(layers, wanted, "backscatter", one_block)
    _write(out, wanted, layers, BACKSCATTER_BANDS)


def interferogram(
    reference_safe: str = typer.Argument(
        help="The earlier product: a SAFE folder or its zip, as a path or URL.", show_default=False
    ),
    secondary_safe: str = typer.Argument(help="The later product of the same track.", show_default=False),
    dem: Path = DEM,
    dem_vertical: str = VERTICAL,
    grid: str = GRID,
    out: Path = OUT,
    geoid: Path | None = GEOID,
    orbits: Path | None = ORBITS,
    reference_slices: list[str] = typer.Option(
        [], "--reference-slice", help="Another slice of the earlier pass; may be repeated.", show_default=False
    ),
    secondary_slices: list[str] = typer.Option(
        [], "--secondary-slice", help="Another slice of the later pass; may be repeated.", show_default=False
    ),
    pol: str = typer.Option("VV", "--pol", help="Polarisation: VV or VH."),
) -> None:
    """Coherence and phase, angle(secondary * conj(reference)), without flat earth and topography; 80 m Gaussian."""
    from sen12ts_pipeline import wiring

    wanted = _grid(grid, multiple_m=20.0)
    if pol not in ("VV", "VH"):
        raise ConfigurationError("--pol", "pol", "must be VV or VH", pol)
    passes = [(reference_safe, *reference_slices), (secondary_safe, *secondary_slices)]
    engine, (earlier, later) = wiring.science(dem, dem_vertical, geoid, passes, orbits)
    if earlier.start >= later.start:
        rule = "the reference must be the earlier product; swap the two"
        raise ConfigurationError("REFERENCE_SAFE", "start", rule, f"{earlier.start} after {later.start}")
    layers = np.full((len(INTERFEROGRAM_BANDS), *wanted.shape), np.nan, np.float32)

    def one_block(block: Grid) -> list[Layer]:
        cells = engine.interferogram(block, earlier, later, pol)
        return [c.repeat(2, 0).repeat(2, 1) for c in cells]

    _fill(layers, wanted, "interferogram", one_block)
    _write(out, wanted, layers, INTERFEROGRAM_BANDS)


def _fill(layers: Layer, wanted: Grid, label: str, make: Callable[[Grid], list[Layer]]) -> None:
    """Make a grid block by block; a block that the product or the DEM does not reach stays without data."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True, highlight=False)
    blocks = list(wanted.blocks())
    refused: list[Rejected] = []
    for rows, cols, block in track(blocks, label, console=console, transient=True, disable=not console.is_terminal):
        try:
            layers[:, rows, cols] = make(block)
        except Rejected as error:
            refused.append(error)
            console.print(f"no data: {error}", soft_wrap=True, markup=False)
    if len(refused) == len(blocks):
        raise refused[0]


def _write(out: Path, grid: Grid, layers: Layer, bands: tuple[str, ...]) -> None:
    """Write a GeoTIFF, in memory, then beside its place, then rename it; nodata is NaN."""
    from affine import Affine
    from rasterio.io import MemoryFile

    profile = {"driver": "GTiff", "count": len(bands), "width": grid.cols, "height": grid.rows, "dtype": "float32"}
    profile |= {"crs": f"EPSG:{grid.epsg}", "transform": Affine(*grid.transform), "nodata": float("nan")}
    with MemoryFile() as memory:
        with memory.open(**profile, compress="deflate", predictor=3, tiled=True) as target:
            target.write(layers)
            target.descriptions = bands
        _replace(out, memory.read())
    typer.echo(f"{out}: {grid.rows} x {grid.cols} pixels, {', '.join(bands)}")


def _replace(out: Path, body: bytes) -> None:
    part = out.with_name(f".{out.name}.part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(body)
        part.replace(out)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        rule = f"must be a file that can be written: {error.strerror}"
        raise ConfigurationError("--out", "out", rule, str(out)) from error


def _grid(text: str, multiple_m: float = PIXEL_M) -> Grid:
    """Grid of the command line, in a map system of metres."""
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    wanted = Grid.parse(text, multiple_m)
    rule = "EPSG must be a projected map system in metres"
    try:
        system = CRS.from_epsg(wanted.epsg)
    except CRSError:
        raise ConfigurationError("--grid", "EPSG", rule, wanted.epsg) from None
    if not system.is_projected or any(axis.unit_name != "metre" for axis in system.axis_info):
        raise ConfigurationError("--grid", "EPSG", rule, f"{wanted.epsg}, {system.name}")
    return wanted
