"""What a store says of an area by itself: its items, the files that they name, its reports, and what is in work."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.domain.names import LabelName, TripletName
from sen12ts_pipeline.domain.seasons import Partition, Season, season_of
from sen12ts_pipeline.ports import CandidateRecord, CandidateState, ObjectKey, TripletRecord
from sen12ts_pipeline.state.keys import Entry, ListedStore

FILE_FOLDERS = ("s1", "s2", "labels", "quicklooks")
"""Folders of an area whose files belong to triplets."""
READERS = 16
"""Items that are read at one time."""

_MULTIHASH_SHA256 = "1220"
_DAMAGE = (ValueError, KeyError, TypeError, AttributeError)
_PARTITION_NAME = re.compile(r"\d{4}-(?:winter|spring|summer|fall)")


@dataclass(frozen=True, slots=True)
class Item:
    """A finished triplet as its metadata say it.

    Attributes
    ----------
    record : TripletRecord
        Its row in the ledger.
    files : mapping
        Key of each file by its kind.
    """

    record: TripletRecord
    files: Mapping[str, ObjectKey]


@dataclass(frozen=True, slots=True)
class Contents:
    """Items and files of an area.

    Attributes
    ----------
    items : mapping
        Items by the key of their metadata.
    unreadable : mapping
        Metadata that cannot be read, with what is wrong.
    files : mapping
        What lies in the folders of files, by key.
    """

    items: Mapping[ObjectKey, Item]
    unreadable: Mapping[ObjectKey, str]
    files: Mapping[ObjectKey, Entry]

    @property
    def orphans(self) -> list[Entry]:
        """Files that no item names; they say nothing while an item is unreadable, which may name them."""
        named = {key for item in self.items.values() for key in item.files.values()}
        return [entry for key, entry in sorted(self.files.items()) if key not in named]


def areas(store: ListedStore) -> list[str]:
    """Areas that a store holds anything of."""
    return [name for name in store.folders() if not name.startswith("_")]


def contents(store: ListedStore, aoi: str) -> Contents:
    """Items and files of an area; files are listed first, so that an item never lacks one that came with it."""
    files = {entry.key: entry for folder in FILE_FOLDERS for entry in store.entries(f"{aoi}/{folder}/")}
    items: dict[ObjectKey, Item] = {}
    unreadable: dict[ObjectKey, str] = {}
    for key, found in _read(store, list(store.keys(f"{aoi}/metadata/"))):
        if isinstance(found, Item):
            items[key] = found
        else:
            unreadable[key] = found
    return Contents(items, unreadable, files)


def _read(store: ListedStore, keys: list[ObjectKey]) -> Iterator[tuple[ObjectKey, Item | str]]:
    def one(key: ObjectKey) -> tuple[ObjectKey, Item | str]:
        try:
            return key, item_of(key, store.get(key))
        except _DAMAGE as error:
            return key, f"{type(error).__name__}: {error}"

    with ThreadPoolExecutor(READERS) as pool:
        yield from pool.map(one, keys)


def item_of(key: ObjectKey, body: bytes) -> Item:
    """Item in a metadata file; ValueError, KeyError or TypeError if it is none, or lies under another's name."""
    document = json.loads(body)
    own = {name.removeprefix("sen12ts:"): value for name, value in document["properties"].items()}
    partition, name = Partition.parse(own["partition"]), str(document["id"])
    if key != f"{partition.aoi}/metadata/{name}.json":
        raise ValueError(f"says that it is {name} of {partition}")
    assets: dict[str, Any] = dict(sorted(document["assets"].items()))
    folder = posixpath.dirname(key)
    record = TripletRecord(
        partition=partition,
        tile=TileId.parse(own["tile"]),
        slot=int(own["slot"]),
        name=name,
        sizes={kind: int(asset["file:size"]) for kind, asset in assets.items()},
        digests={kind: asset["file:checksum"].removeprefix(_MULTIHASH_SHA256) for kind, asset in assets.items()},
    )
    files = {kind: ObjectKey(posixpath.normpath(f"{folder}/{asset['href']}")) for kind, asset in assets.items()}
    return Item(record, files)


def candidates_of(store: ListedStore, partition: Partition) -> list[CandidateRecord]:
    """Candidates of a partition as its report has them; KeyError if there is no report or it is damaged."""
    key = report_key(partition)
    try:
        return [_candidate(partition, row) for row in json.loads(store.get(key))["candidates"]]
    except (ValueError, TypeError) as error:
        raise KeyError(key) from error


def report_key(partition: Partition) -> ObjectKey:
    """Where the report of a partition lies."""
    return ObjectKey(f"{partition.aoi}/partitions/{partition.name}/report.json")


def _candidate(partition: Partition, row: Mapping[str, Any]) -> CandidateRecord:
    return CandidateRecord(
        partition=partition,
        tile=TileId.parse(row["tile"]),
        scene_id=row["scene"],
        s2date=date.fromisoformat(row["s2date"]),
        track=row["track"],
        direction=row["direction"],
        s1date=date.fromisoformat(row["s1date"]),
        pass_id=row["pass"],
        state=CandidateState(row["state"]),
        rule=row["rule"],
        detail=row["detail"],
        invalid_s1=row["invalid_s1"],
        invalid_s2=row["invalid_s2"],
        slot=row["slot"],
    )


def at_rest(store: ListedStore, aoi: str) -> dict[Partition, datetime | None]:
    """When each partition of an area came to rest; None for one that is in work, or was left in the middle of it.

    A run writes the report last: a partition is at rest while its report is the newest of its documents.
    """
    written: dict[Partition, list[Entry]] = {}
    prefix = f"{aoi}/partitions/"
    for entry in store.entries(prefix):
        name, _, rest = entry.key.removeprefix(prefix).partition("/")
        if rest and _PARTITION_NAME.fullmatch(name):
            written.setdefault(Partition.parse(f"{aoi}/{name}"), []).append(entry)
    return {partition: _rest(partition, entries) for partition, entries in written.items()}


def _rest(partition: Partition, entries: Iterable[Entry]) -> datetime | None:
    newest = max(entry.written for entry in entries)
    report = [entry.written for entry in entries if entry.key == report_key(partition)]
    return newest if report == [newest] else None


def partitions_of(key: ObjectKey) -> list[Partition]:
    """Partitions whose runs may write a file: one for a triplet's, the year's four for a label, none for another."""
    aoi, folder, file = key.split("/", 2)
    stem = file.rpartition(".")[0]
    try:
        if folder == "labels":
            year = LabelName.parse(stem).year
            return [Partition(aoi, year, season) for season in Season]
        s2date = TripletName.parse(stem).s2date
        return [Partition(aoi, s2date.year, season_of(s2date))]
    except ValueError:
        return []
