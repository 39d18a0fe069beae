"""`fetch`: a product with just some bursts of a slice."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from sen12ts_pipeline.acquisition.asf_server import ADDRESS
from sen12ts_pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

_RUN = re.compile(r"(\d+)(?:-(\d+))?")
_MB = 1_000_000


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(fetch)


def fetch(
    product: str = typer.Argument(
        help="IW SLC product: a SAFE folder or its zip, as a path or an https:// or s3:// URL; with --asf its name.",
        show_default=False,
    ),
    out: Path = typer.Argument(help="Folder in which the small product comes to lie.", show_default=False),
    subswaths: list[str] = typer.Option(
        [], "--subswath", help="IW1, IW2 or IW3; may be repeated, each with its --bursts.", show_default=False
    ),
    runs: list[str] = typer.Option(
        [], "--bursts", help="Bursts of the subswath, from 1 in the order of time: 4, or 3-5.", show_default=False
    ),
    tiles: list[str] = typer.Option(
        [], "--tile", help="Instead: bursts that meet this tile, ZZ_COLUMN_ROW; may be repeated.", show_default=False
    ),
    aoi: Path | None = typer.Option(
        None, "--aoi", help="Instead: bursts that meet the polygons of this GeoJSON file.", show_default=False
    ),
    polarisations: list[str] = typer.Option(
        [], "--polarisation", help="VV or VH; may be repeated. All that the product has by default.", show_default=False
    ),
    asf: bool = typer.Option(False, "--asf", help="Take the bursts from ASF's burst service."),
    asf_address: str = typer.Option(ADDRESS, "--asf-address", help="Address of that service."),
) -> None:
    """Write a SAFE folder with just some bursts, which every reader of products takes; what is there is not fetched."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

    from sen12ts_pipeline import wiring

    by_place = bool(tiles or aoi)
    if by_place == bool(subswaths or runs) or len(subswaths) != len(runs):
        rule = "must be given in pairs, --subswath IW2 --bursts 3-5, or not at all with --tile or --aoi"
        raise ConfigurationError("command line", "--bursts", rule, f"{subswaths} {runs}")
    bursts = {_subswath(name): _run(text) for name, text in zip(subswaths, runs, strict=True)}
    if len(bursts) < len(subswaths):
        raise ConfigurationError("command line", "--subswath", "must be given once each", subswaths)
    console = Console(stderr=True)
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("bursts", total=None)

        def note(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        made = wiring.fetch(
            product,
            out,
            bursts=None if by_place else bursts,
            area=_area(tiles, aoi) if by_place else None,
            polarisations=[text.upper() for text in polarisations],
            asf=asf_address if asf else "",
            note=note,
        )
    held = ", ".join(f"{name} bursts {kept.start + 1} to {kept.stop}" for name, kept in sorted(made.bursts.items()))
    share = 100.0 * made.read_bytes / made.whole_bytes if made.whole_bytes else 100.0
    typer.echo(f"{made.path}: {held}")
    typer.echo(f"read {made.read_bytes / _MB:.1f} MB of {made.whole_bytes / _MB:.1f} MB ({share:.1f} %)")


def _subswath(text: str) -> str:
    if text.upper() not in ("IW1", "IW2", "IW3"):
        raise ConfigurationError("command line", "--subswath", "must be IW1, IW2 or IW3", text)
    return text.upper()


def _run(text: str) -> range:
    match = _RUN.fullmatch(text.strip())
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 1 <= first <= last:
        raise ConfigurationError("command line", "--bursts", "must be a number from 1, or two as in 3-5", text)
    return range(first - 1, last)


def _area(tiles: list[str], aoi: Path | None) -> BaseGeometry:
    """Union of tiles and polygons, degrees."""
    import shapely
    from shapely.geometry import Polygon

    from sen12ts_pipeline.domain.lattice import TileId, to_geographic
    from sen12ts_pipeline.settings.boundary import read_boundary
    from sen12ts_pipeline.settings.load import adhoc_aoi

    parts = [read_boundary(adhoc_aoi(aoi, year=2020, labels={"name": "none"}))] if aoi else []
    for text in tiles:
        try:
            tile = TileId.parse(text)
        except ValueError as error:
            raise ConfigurationError("command line", "--tile", str(error), text) from None
        ring = shapely.box(tile.grid.west, tile.grid.south, tile.grid.east, tile.grid.north)
        lon, lat = to_geographic(tile.epsg).transform(*shapely.get_coordinates(ring).T)
        parts.append(Polygon(list(zip(lon.tolist(), lat.tolist(), strict=True))))
    area: BaseGeometry = shapely.union_all(parts)
    return area
