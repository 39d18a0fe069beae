"""`card` and `export`: a finished data set made ready for those who use it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from sen12ts_pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from sen12ts_pipeline.dataset.reader import Dataset

AOI = typer.Option([], "--aoi", help="Only this area; may be given several times. All by default.", show_default=False)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(card)
    app.command()(export)


def card(
    aoi: list[str] = AOI,
    title: str = typer.Option("SEN12TS triplets", "--title", help="Title of the data set."),
    licence: str = typer.Option("CC-BY-4.0", "--licence", help="SPDX identifier of the licence that you give it."),
    author: str = typer.Option("the maker of this data set", "--author", help="Who made it, for the citation."),
    statistics: bool = typer.Option(
        False, "--statistics", help="Read every triplet of the part train and keep means and deviations of its layers."
    ),
) -> None:
    """Write the data set card, figures, checksums, licence and citation beside the configured store's data set."""
    from sen12ts_pipeline import wiring
    from sen12ts_pipeline.dataset.reader import open_dataset
    from sen12ts_pipeline.settings.load import load_settings
    from sen12ts_pipeline.stages import card as stage
    from sen12ts_pipeline.state.contents import areas

    settings = load_settings()
    store = wiring.store_of(settings)
    wanted = aoi or areas(store)
    if statistics:
        data = open_dataset(settings.store).select(aois=set(wanted))
        for name in data.aois:
            chosen = data.select(aois={name})
            with _progress(f"statistics of {name}", len(chosen.select(splits={"train"}))) as advance:
                stage.keep_statistics(store, name, chosen, workers=settings.workers, progress=advance)
    place = stage.write(store, wanted, outline=_configured, title=title, licence=licence, author=author)
    typer.echo(place)


def export(
    folder: Path = typer.Argument(help="Folder for the shards.", show_default=False),
    place: str = typer.Option(
        "", "--from", help="Store or area to read; the configured store by default.", show_default=False
    ),
    aoi: list[str] = AOI,
    per_shard: int = typer.Option(256, "--per-shard", min=1, help="Triplets of a shard."),
) -> None:
    """Pack a data set into tar shards, one after the other readable, as WebDataset takes them: train, validation, test.

    Interrupted, it goes on where it was.
    """
    from sen12ts_pipeline.dataset.export import export as pack
    from sen12ts_pipeline.dataset.reader import open_dataset
    from sen12ts_pipeline.settings.load import load_settings

    data: Dataset = open_dataset(place or load_settings().store)
    if aoi:
        data = data.select(aois=set(aoi))
    if not len(data):
        raise ConfigurationError("export", "aoi", "must be areas with finished triplets", ", ".join(aoi))
    with _progress("export", len(data)) as advance:
        shards = pack(data, folder, per_shard=per_shard, progress=advance)
    size = sum(shard.stat().st_size for shard in shards)
    typer.echo(f"{len(data)} triplets in {len(shards)} shards, {size / 1e9:.2f} GB, in {folder}")


def _configured(aoi: str) -> tuple[BaseGeometry | None, str]:
    """Boundary and label source of an area; nothing where its settings are not at hand."""
    from sen12ts_pipeline.settings.boundary import read_boundary
    from sen12ts_pipeline.settings.load import find_aoi

    try:
        settings = find_aoi(aoi, os.environ)
        return read_boundary(settings), settings.labels.name
    except ConfigurationError:
        return None, ""


@contextmanager
def _progress(name: str, total: int) -> Iterator[Callable[[], object]]:
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(name, total=total)
        yield lambda: progress.advance(task)
