"""What of a store may go: files that belong to no triplet, and artifacts that no partition can ask for any more.

Nothing is told by age alone. A file goes only when every partition whose run might still adopt it is at rest, and has
been for the whole age limit: a run that is taken up again finds the file, calls it the same, and writes the metadata
that make it a triplet's. A partition that was left in the middle of its work keeps everything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.state.contents import areas, at_rest, contents, partitions_of
from sen12ts_pipeline.state.keys import Entry, ListedStore

LEAST_AGE = timedelta(days=1)

_ARTIFACT = re.compile(r"_work/[a-z_]+/[0-9a-f]{2}/[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Sweep:
    """What may go and what may not.

    Attributes
    ----------
    orphans : tuple of Entry
        Files that no metadata name, and no run will adopt.
    artifacts : tuple of Entry
        Artifacts of a store in which nothing is in work.
    kept : tuple of (str, str)
        What was looked at and stays: an object, area or partition, and why.
    """

    orphans: tuple[Entry, ...]
    artifacts: tuple[Entry, ...]
    kept: tuple[tuple[str, str], ...]


def plan(
    store: ListedStore, *, now: datetime, age: timedelta = timedelta(days=7), aoi: str = "", artifacts: bool = False
) -> Sweep:
    """What may go; nothing is removed.

    Parameters
    ----------
    store : ListedStore
        The store.
    now : datetime
        Time of asking, UTC.
    age : timedelta
        How long a file must have lain, and its partitions have been at rest; at least a day.
    aoi : str
        Area to look at; all if empty.
    artifacts : bool
        Whether artifacts are looked at, too: they go if every partition of the whole store is at rest. Whatever comes
        later, such as the next season, makes those anew that it would have shared.
    """
    if age < LEAST_AGE:
        raise ValueError(f"age must be at least {LEAST_AGE}; got {age}")
    before = now - age
    orphans: list[Entry] = []
    kept: list[tuple[str, str]] = []
    for name in [aoi] if aoi else areas(store):
        found, left = _orphans(store, name, before)
        orphans += found
        kept += left
    old: list[Entry] = []
    if artifacts:
        old, left = _artifacts(store, before)
        kept += left
    return Sweep(tuple(orphans), tuple(old), tuple(kept))


def remove(store: ListedStore, sweep: Sweep, *, now: datetime, age: timedelta = timedelta(days=7)) -> list[Entry]:
    """Remove what a plan names and still holds, and what killed writers left; returns the objects that went.

    Each area is looked at once more just before its files go.
    """
    gone: list[Entry] = []
    for name in sorted({entry.key.partition("/")[0] for entry in sweep.orphans}):
        planned = {entry for entry in sweep.orphans if entry.key.startswith(f"{name}/")}
        gone += [entry for entry in _orphans(store, name, now - age)[0] if entry in planned]
        _delete(store, (entry for entry in gone if entry.key.startswith(f"{name}/")))
    if sweep.artifacts and not _in_work(_rests(store), now - age):
        gone += sweep.artifacts
        _delete(store, sweep.artifacts)
    store.remove_unfinished(now - age)
    return gone


def _delete(store: ListedStore, entries: Iterable[Entry]) -> None:
    for entry in entries:
        store.delete(entry.key)


def _orphans(store: ListedStore, aoi: str, before: datetime) -> tuple[list[Entry], list[tuple[str, str]]]:
    """Orphans of an area that may go, and what stays with the reason."""
    rests = at_rest(store, aoi)
    there = contents(store, aoi)
    if there.unreadable:
        return [], [(aoi, f"{len(there.unreadable)} metadata files are unreadable and may name files")]
    going, kept = [], []
    for entry in there.orphans:
        reason = _reason_to_stay(entry, rests, before)
        if reason:
            kept.append((str(entry.key), reason))
        else:
            going.append(entry)
    return going, kept


def _reason_to_stay(entry: Entry, rests: Mapping[Partition, datetime | None], before: datetime) -> str:
    """Why an orphan stays; empty if it may go."""
    if entry.written >= before:
        return "it is young"
    owners = partitions_of(entry.key)
    if not owners:
        return "it has not the name of a triplet's file"
    known = {one: rests[one] for one in owners if one in rests}
    if not known:
        return "its partition is not known"
    return _in_work(known, before)


def _in_work(rests: Mapping[Partition, datetime | None], before: datetime) -> str:
    """The first partition that is not at rest, or not for long enough; empty if all are."""
    for partition, rested in sorted(rests.items(), key=lambda pair: pair[0]):
        if rested is None:
            return f"{partition} is not finished"
        if rested >= before:
            return f"{partition} has just been finished"
    return ""


def _rests(store: ListedStore) -> dict[Partition, datetime | None]:
    return {partition: rested for name in areas(store) for partition, rested in at_rest(store, name).items()}


def _artifacts(store: ListedStore, before: datetime) -> tuple[list[Entry], list[tuple[str, str]]]:
    """Artifacts that may go: all old ones of a store at rest. Whose an artifact is its name does not tell."""
    reason = _in_work(_rests(store), before)
    if reason:
        return [], [("artifacts", reason)]
    return [e for e in store.entries("_work/") if e.written < before and _ARTIFACT.fullmatch(e.key)], []
