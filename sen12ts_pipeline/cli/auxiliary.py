"""`fetch-aux`: what an area needs besides products, fetched before a run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

if TYPE_CHECKING:
    from sen12ts_pipeline.acquisition.auxiliary import Auxiliary
    from sen12ts_pipeline.settings.model import AoiSettings, Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="fetch-aux")(fetch_aux)


def fetch_aux(
    aoi: str = typer.Argument(help="Name of a configured area."),
    labels: bool = typer.Option(True, help="The label map, too, where the area names one that can be fetched."),
    orbits: bool = typer.Option(True, help="Orbit files, too, for which the area's catalogue is searched."),
) -> None:
    """Fetch elevations, geoid, label map and orbit files of an area, so that its runs find them here.

    What is here already is not fetched again; a run fetches what is missing by itself.
    """
    from sen12ts_pipeline import wiring
    from sen12ts_pipeline.settings.load import find_aoi, load_settings

    settings, area = load_settings(), find_aoi(aoi)
    with _shown(wiring.auxiliary(settings)) as fetching:
        for line in _lines(settings, area, fetching, labels=labels, orbits=orbits):
            typer.echo(line)


def _lines(settings: Settings, area: AoiSettings, fetching: Auxiliary, *, labels: bool, orbits: bool) -> Iterator[str]:
    """Fetch one thing after the other, and tell of each where it is."""
    from sen12ts_pipeline import wiring
    from sen12ts_pipeline.settings.boundary import read_boundary

    if area.dem.source != "file" or area.dem.path is not None:
        dem = wiring.dem_of(area, fetching)
        dem.check()
        yield f"elevation  {dem.path}"
        if dem.geoid:
            yield f"geoid      {dem.geoid}"
    else:
        yield "elevation  not set: dem.path, or dem.source: glo30"
    if labels and area.labels.path is None:
        for path in fetching.labels(area.labels.name, read_boundary(area)):
            yield f"labels     {path}"
    if orbits and area.catalogue.orbit_files == "archive":
        yield from _orbit_lines(settings, area, fetching)


def _orbit_lines(settings: Settings, area: AoiSettings, fetching: Auxiliary) -> Iterator[str]:
    from sen12ts_pipeline import wiring

    slices = wiring.slices_of_year(area, fetching, settings, os.environ)
    names = {one.orbit for one in slices if one.orbit}
    files = wiring.orbits_of(area, fetching)
    for name in sorted(names):
        files.read(name)
    without = sum(not one.orbit for one in slices)
    yield f"orbits     {len(names)} files for {len(slices) - without} slices; {without} slices have none yet"


@contextmanager
def _shown(fetching: Auxiliary) -> Iterator[Auxiliary]:
    """The same, with a line of progress for each file that comes; only where somebody looks."""
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        tasks: dict[str, TaskID] = {}

        def tell(name: str, done: int, size: int) -> None:
            if name not in tasks:
                tasks[name] = progress.add_task(name)
            progress.update(tasks[name], completed=done, total=size or None, visible=done != size)

        yield replace(fetching, cache=replace(fetching.cache, tell=tell))
