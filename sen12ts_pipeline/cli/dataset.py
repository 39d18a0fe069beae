"""`run`, `plan`, `why` and `verify`: a data set without Airflow, and questions about it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import typer

from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.domain.names import LabelName, TripletName
from sen12ts_pipeline.domain.seasons import Partition, Season
from sen12ts_pipeline.errors import ConfigurationError

AOI = typer.Argument(help="Name of an area in config/aois, for example iowa.", show_default=False)
YEAR = typer.Option(
    None, "--year", min=2015, max=2100, help="Year; the area's own by default.", show_default=False
)  # fmt: skip
SEASON = typer.Option(..., "--season", help="winter, spring, summer or fall.", show_default=False)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (run, plan, why, verify):
        app.command()(command)


def run(
    aoi: str = AOI,
    year: int | None = YEAR,
    season: Season = SEASON,
    refresh: bool = typer.Option(False, "--refresh", help="Search again and fill free slots with what is new."),
) -> None:
    """Make a partition with the stages that the DAG runs, without Airflow, and print its summary."""
    from sen12ts_pipeline.stages import report, steps

    partition, services = _connect(aoi, year, season)
    for name, shards, work in steps.sequence(partition, services, refresh=refresh):
        _progress(name, shards(), work)
    typer.echo(report.summary_text(partition, services))


def plan(aoi: str = AOI, year: int | None = YEAR, season: Season = SEASON) -> None:
    """What a run would do and cost: tiles, candidates, passes, bytes, requests, days, hours. Nothing is written.

    Of products that are not in a folder none is opened: until a run has planned, bursts are estimated from outlines.
    """
    from sen12ts_pipeline import wiring
    from sen12ts_pipeline.settings.load import find_aoi
    from sen12ts_pipeline.stages import report

    partition = str(Partition(aoi, year or find_aoi(aoi).year, season))
    typer.echo(report.plan_text(partition, wiring.preview(aoi)))


def why(
    tile: str = typer.Argument(help="Tile ZZ_COLUMN_ROW, or the name of one of its files.", show_default=False),
    aoi: str = typer.Option("", "--aoi", help="Only this area's candidates."),
) -> None:
    """Every candidate of a tile and what became of it."""
    from rich.console import Console
    from rich.table import Table

    from sen12ts_pipeline import wiring

    wanted = _tile(tile)
    rows = [r for r in wiring.ledger().candidates(tile=wanted) if not aoi or r.partition.aoi == aoi]
    if not rows:
        raise ConfigurationError("TILE", "tile", "must be a tile of which a partition was screened", str(wanted))
    table = Table(title=f"tile {wanted}: {len(rows)} candidates")
    for column in (
        "partition",
        "s2date",
        "s1date",
        "track",
        "state",
        "slot",
        "rule",
        "invalid S1",
        "invalid S2",
        "detail",
    ):
        table.add_column(column, overflow="fold")
    for r in rows:
        shown = ["" if v is None else str(v) for v in (r.slot, r.rule, r.invalid_s1, r.invalid_s2, r.detail)]
        place = (str(r.partition), str(r.s2date), str(r.s1date), f"{r.track}{r.direction}", r.state.value)
        table.add_row(*place, *shown)
    Console(width=160).print(table)


def verify(
    folder: Path = typer.Argument(help="A finished data set: STORE/<aoi>.", show_default=False),
) -> None:
    """Check a data set against the contract and its own digests; exit status 1 when something is wrong."""
    from sen12ts_pipeline.dataset.verify import verify as check
    from sen12ts_pipeline.settings.load import load_settings

    if not any((folder / name).is_dir() for name in ("s1", "metadata", "partitions")):
        raise ConfigurationError("FOLDER", "folder", "must be the folder of a data set, STORE/<aoi>", str(folder))
    findings = check(folder, rules=load_settings().rules.to_rules())
    for finding in findings:
        typer.echo(str(finding))
    names = len(list((folder / "s1").glob("*.tif")))
    typer.echo(f"{folder}: {names} triplets, {len(findings)} findings")
    raise typer.Exit(1 if findings else 0)


def _connect(aoi: str, year: int | None, season: Season):  # type: ignore[no-untyped-def]  # noqa: ANN202
    from sen12ts_pipeline import wiring
    from sen12ts_pipeline.settings.load import find_aoi

    return str(Partition(aoi, year or find_aoi(aoi).year, season)), wiring.connect(aoi)


def _progress(name: str, shards: list[str], work: Callable[[str], object]) -> None:
    from rich.console import Console
    from rich.progress import track

    console, started = Console(stderr=True), time.monotonic()
    for shard in track(shards, f"{name:15s}", console=console, transient=True, disable=not console.is_terminal):
        work(shard)
    console.print(f"{name:15s} {len(shards):4d} shards {time.monotonic() - started:7.1f} s", highlight=False)


def _tile(text: str) -> TileId:
    try:
        return TileId.parse(text)
    except ValueError:
        pass
    stem = re.sub(r"\.(tif|json|png)$", "", Path(text).name)
    for parse in (TripletName.parse, LabelName.parse):
        try:
            name = parse(stem)
        except ValueError:
            continue
        return TileId.at(float(name.longitude), float(name.latitude))
    rule = "must be ZZ_COLUMN_ROW, for example 31_-40_1803, or the name of a triplet's file"
    raise ConfigurationError("TILE", "tile", rule, text)
