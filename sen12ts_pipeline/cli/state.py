"""`reconcile`, `gc`, `gaps`, `measure`: what the ledger should say, what of the store may go, what is missing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import typer

from sen12ts_pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from sen12ts_pipeline.state.keys import Entry

AOI = typer.Option("", "--aoi", help="Only this area; all that the store holds by default.", show_default=False)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(reconcile)
    app.command()(gc)
    app.command()(gaps)
    app.command()(measure)


def reconcile(
    aoi: str = AOI,
    dry_run: bool = typer.Option(False, "--dry-run", help="Only report; the ledger stays as it is."),
    digests: bool = typer.Option(False, "--digests", help="Read every file and compare its SHA-256, which takes long."),
) -> None:
    """Rebuild the ledger from the store and report every difference; exit status 1 when some are left.

    Finished triplets come from their metadata, candidates from the reports of finished partitions. Damage of the store,
    such as a missing file, is reported and not repaired. It may run beside the pipeline.
    """
    from sen12ts_pipeline import wiring
    from sen12ts_pipeline.settings.load import load_settings
    from sen12ts_pipeline.state.contents import areas
    from sen12ts_pipeline.state.reconcile import MENDED, Kind
    from sen12ts_pipeline.state.reconcile import reconcile as compare

    settings = load_settings()
    cap = settings.rules.cap_per_season
    store, ledger = wiring.store_of(settings), wiring.ledger(settings)
    _check(aoi, {*areas(store), *(partition.aoi for partition in ledger.partitions())})
    found = compare(store, ledger, cap=cap, aoi=aoi, write=not dry_run, digests=digests)
    for difference in found:
        typer.echo(str(difference))
    mended = sum(one.kind in MENDED for one in found)
    orphans = sum(one.kind is Kind.ORPHAN for one in found)
    left = len(found) - orphans - (0 if dry_run else mended)
    done = "to be mended in the ledger" if dry_run else "mended in the ledger"
    typer.echo(f"{len(found)} differences: {mended} {done}, {orphans} orphans, {len(found) - orphans - mended} faults")
    raise typer.Exit(1 if left else 0)


def gc(
    aoi: str = AOI,
    older_than_days: float = typer.Option(7.0, min=1.0, help="How long a file must have lain untouched, days."),
    artifacts: bool = typer.Option(
        False, "--artifacts", help="Artifacts in _work, too, if every partition of the store is finished."
    ),
    delete: bool = typer.Option(False, "--delete", help="Remove what is listed; without it nothing is removed."),
) -> None:
    """List what belongs to no triplet and no partition in work, and with --delete remove it.

    A file of a finished triplet never goes, nor one of a partition that is not finished or was finished lately.
    """
    from sen12ts_pipeline import wiring
    from sen12ts_pipeline.settings.load import load_settings
    from sen12ts_pipeline.state import sweep
    from sen12ts_pipeline.state.contents import areas

    store, now, age = wiring.store_of(load_settings()), datetime.now(UTC), timedelta(days=older_than_days)
    _check(aoi, set(areas(store)))
    planned = sweep.plan(store, now=now, age=age, aoi=aoi, artifacts=artifacts)
    for place, reason in planned.kept:
        typer.echo(f"stays   {place}: {reason}")
    if delete:
        _list("removed", sweep.remove(store, planned, now=now, age=age))
    else:
        _list("may go", (*planned.orphans, *planned.artifacts))


def gaps(
    aoi: str = typer.Argument(help="Name of the area: of its settings file."),
    year: int | None = typer.Option(None, min=2015, max=2100, help="Year; the area's own by default."),
    fill: bool = typer.Option(False, "--fill", help="Make what was not made, and try again what failed, here and now."),
) -> None:
    """What the four partitions of a year lack against their plan, and why; exit status 1 when more can be made.

    With --fill, partitions that were not run or stopped in the middle are run to their end, and of finished ones the
    failed candidates are tried again. What is finished stays as it is, and the size budget holds.
    """
    from sen12ts_pipeline import wiring
    from sen12ts_pipeline.domain.seasons import Partition, Season
    from sen12ts_pipeline.settings.load import find_aoi
    from sen12ts_pipeline.stages import gaps as stage
    from sen12ts_pipeline.stages import steps

    services, now = wiring.connect(aoi), datetime.now(UTC)
    partitions = [Partition(aoi, year or find_aoi(aoi).year, season) for season in Season]
    left = 0
    for partition in partitions:
        found = stage.of(partition, services, now)
        if fill and found.can_be_filled:
            if found.failed:
                stage.try_again(str(partition), services)
            for _, shards, work in steps.sequence(str(partition), services):
                for shard in shards():
                    work(shard)
            found = stage.of(partition, services, now)
        left += found.can_be_filled
        typer.echo(stage.text(found))
    raise typer.Exit(1 if left else 0)


def measure(aoi: str = AOI) -> None:
    """Measure finished triplets of which the ledger has no numbers yet; exit status 1 when some cannot be read.

    Needed once for triplets that an older version made, and after the ledger was rebuilt: the dashboard's page Quality
    shows the numbers. New triplets are measured when they are assembled.
    """
    from sen12ts_pipeline import wiring
    from sen12ts_pipeline.settings.load import load_settings
    from sen12ts_pipeline.stages import measured

    settings = load_settings()
    store, ledger = wiring.store_of(settings), wiring.ledger(settings)
    areas = sorted({partition.aoi for partition in ledger.partitions()})
    _check(aoi, set(areas))
    wanted = [record for name in ([aoi] if aoi else areas) for record in measured.unmeasured(ledger, name)]
    faults = measured.measure(wanted, store, ledger)
    for fault in faults:
        typer.echo(fault)
    typer.echo(f"{len(wanted) - len(faults)} triplets measured, {len(faults)} cannot be")
    raise typer.Exit(1 if faults else 0)


def _list(word: str, entries: tuple[Entry, ...] | list[Entry]) -> None:
    for entry in entries:
        typer.echo(f"{word:7s} {entry.key}")
    typer.echo(f"{word}: {len(entries)} objects, {sum(entry.size for entry in entries) / 1e9:.3f} GB")


def _check(aoi: str, known: set[str]) -> None:
    if aoi and aoi not in known:
        rule = f"must be an area of which something is there: {', '.join(sorted(known)) or 'there is none'}"
        raise ConfigurationError("--aoi", "aoi", rule, aoi)
