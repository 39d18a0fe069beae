"""`simulate`: an archive with known truth, from physical parameters alone."""

from __future__ import annotations

from pathlib import Path

import typer

from sen12ts_pipeline.errors import ConfigurationError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(simulate)


def simulate(
    out: Path = typer.Argument(help="Folder to fill.", show_default=False),
    place: str = typer.Option("demo", "--place", help="Which place; an unknown name lists them."),
) -> None:
    """Write Sentinel-1 and Sentinel-2 products, DEM and labels of a place whose truth is known."""
    from rich.console import Console

    from sen12ts_pipeline.simulate.archive import simulate as write
    from sen12ts_pipeline.simulate.place import places

    known = places()
    if place not in known:
        raise ConfigurationError("--place", "place", f"must be one of {', '.join(sorted(known))}", place)
    console = Console(stderr=True)
    write(known[place], out, progress=lambda text: console.print(text, highlight=False, markup=False))
    typer.echo(f"{out}: archive, dem, labels, aoi and truth.json of place {place}")
