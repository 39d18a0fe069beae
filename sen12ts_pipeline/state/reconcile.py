"""Compare the ledger with the store, and make it say what the store says."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.ports import CandidateRecord, ObjectKey, TripletRecord
from sen12ts_pipeline.state.contents import Contents, areas, at_rest, candidates_of, contents
from sen12ts_pipeline.state.keys import ListedStore
from sen12ts_pipeline.state.ledger import SqlLedger


class Kind(StrEnum):
    """What a difference is; the value is for people."""

    MISSING_ROW = "not in the ledger"
    EXTRA_ROW = "in the ledger only"
    OTHER_ROW = "differs in the ledger"
    CANDIDATES = "candidates differ in the ledger"
    UNREADABLE = "unreadable metadata"
    MISSING_FILE = "missing file"
    OTHER_SIZE = "size differs from the metadata"
    OTHER_DIGEST = "digest differs from the metadata"
    NO_SLOT = "no slot is left for it"
    ORPHAN = "no metadata name it"


MENDED = frozenset({Kind.MISSING_ROW, Kind.EXTRA_ROW, Kind.OTHER_ROW, Kind.CANDIDATES})
"""Differences that are gone when the ledger was rebuilt."""


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """Something that ledger and store, or files and metadata of the store, do not agree on.

    Attributes
    ----------
    place : str
        Key of an object, or a partition.
    kind : Kind
        What it is.
    found : str
        What was found; may be empty.
    """

    place: str
    kind: Kind
    found: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.kind}{': ' if self.found else ''}{self.found}"


def reconcile(
    store: ListedStore, ledger: SqlLedger, *, cap: int, aoi: str = "", write: bool = True, digests: bool = False
) -> list[Difference]:
    """Every difference, sorted within an area; the ledger is rebuilt unless `write` is off.

    The ledger is read before the store. As metadata are there before their row, a row without metadata is one of a
    triplet that has gone, not of one that is just being finished: this may run beside the pipeline. Candidates are
    rebuilt for partitions at rest alone; broken products and events are in no file, and stay as they are.

    Parameters
    ----------
    store, ledger
        The two.
    cap : int
        Slots of a tile and season.
    aoi : str
        Area to look at; all of store and ledger if empty.
    write : bool
        Whether the ledger is changed.
    digests : bool
        Whether every file is read and its SHA-256 compared with the metadata.
    """
    known = {partition.aoi for partition in ledger.partitions()}
    names = [aoi] if aoi else sorted(known | set(areas(store)))
    return [found for name in names for found in _Area(store, ledger, name, cap, write, digests).differences()]


@dataclass(frozen=True, slots=True)
class _Area:
    store: ListedStore
    ledger: SqlLedger
    aoi: str
    cap: int
    write: bool
    digests: bool

    def differences(self) -> list[Difference]:
        rows = self.ledger.triplets_of(self.aoi)
        there = contents(self.store, self.aoi)
        found = [
            *(Difference(key, Kind.UNREADABLE, why) for key, why in there.unreadable.items()),
            *self._files(there),
            *(Difference(entry.key, Kind.ORPHAN) for entry in there.orphans if not there.unreadable),
            *self._triplets(rows, there),
            *self._candidates(),
        ]
        return sorted(found)

    def _files(self, there: Contents) -> Iterator[Difference]:
        """Files as their metadata say them."""
        for item in there.items.values():
            for kind, key in item.files.items():
                if key not in there.files:
                    yield Difference(key, Kind.MISSING_FILE, f"named by {item.record.name}.json")
                    continue
                size, said = there.files[key].size, item.record.sizes[kind]
                if size != said:
                    yield Difference(key, Kind.OTHER_SIZE, f"{size} bytes, {said} said")
                elif self.digests and not self._has_digest(key, item.record.digests[kind]):
                    yield Difference(key, Kind.OTHER_DIGEST, f"{item.record.digests[kind]} said")

    def _has_digest(self, key: ObjectKey, digest: str) -> bool:
        try:
            return hashlib.sha256(self.store.get(key)).hexdigest() == digest
        except KeyError:
            return False

    def _triplets(self, rows: list[TripletRecord], there: Contents) -> Iterator[Difference]:
        """Rows of triplets, which are exchanged for the store's where they differ."""
        wanted, crowded = within_slots([item.record for item in there.items.values()], self.cap)
        unreadable = {key.rpartition("/")[2].removesuffix(".json") for key in there.unreadable}
        before = {row.name: row for row in rows}
        after = {record.name: record for record in wanted}
        gone = [r for name, r in before.items() if after.get(name) != r and name not in unreadable]
        new = [record for name, record in after.items() if before.get(name) != record]
        if self.write and (gone or new):
            self.ledger.exchange_triplets(gone, new)
        for record in crowded:
            yield Difference(_metadata(record), Kind.NO_SLOT, f"slot {record.slot} of {record.tile}, {self.cap} in all")
        for record in new:
            row = before.get(record.name)
            yield Difference(_metadata(record), Kind.OTHER_ROW if row else Kind.MISSING_ROW, _changed(row, record))
        for row in gone:
            if row.name not in after:
                yield Difference(_metadata(row), Kind.EXTRA_ROW, f"slot {row.slot} of {row.tile}")

    def _candidates(self) -> Iterator[Difference]:
        """Candidates of partitions at rest."""
        for partition, rested in sorted(at_rest(self.store, self.aoi).items()):
            if rested is None:
                continue
            try:
                wanted = candidates_of(self.store, partition)
            except KeyError:
                yield Difference(f"{partition}", Kind.UNREADABLE, "its report")
                continue
            counts = _compared(self.ledger.candidates(partition=partition), wanted)
            if any(counts):
                if self.write:
                    self.ledger.replace_candidates(partition, wanted)
                missing, extra, other = counts
                yield Difference(f"{partition}", Kind.CANDIDATES, f"{missing} missing, {extra} extra, {other} changed")


def within_slots(records: Iterable[TripletRecord], cap: int) -> tuple[list[TripletRecord], list[TripletRecord]]:
    """Records that the ledger can hold, and those without a slot of their own: of two in one, the second name."""
    wanted: dict[tuple[Partition, object, int], TripletRecord] = {}
    crowded = []
    for record in sorted(records, key=lambda r: r.name):
        if (
            1 <= record.slot <= cap
            and wanted.setdefault((record.partition, record.tile, record.slot), record) is record
        ):
            continue
        crowded.append(record)
    return list(wanted.values()), crowded


def _metadata(record: TripletRecord) -> str:
    return f"{record.partition.aoi}/metadata/{record.name}.json"


def _changed(row: TripletRecord | None, record: TripletRecord) -> str:
    if row is None:
        return f"slot {record.slot} of {record.tile}"
    names = [name for name in ("partition", "tile", "slot") if getattr(row, name) != getattr(record, name)]
    for name in ("sizes", "digests"):
        one, other = getattr(row, name), getattr(record, name)
        names += [f"{name[:-1]} of {kind}" for kind in sorted({*one, *other}) if one.get(kind) != other.get(kind)]
    return ", ".join(names)


def _compared(rows: Iterable[CandidateRecord], wanted: Iterable[CandidateRecord]) -> tuple[int, int, int]:
    """Candidates that the ledger lacks, that only it has, and that differ in it."""
    before, after = ({(r.tile, r.scene_id, r.track, r.pass_id): r for r in records} for records in (rows, wanted))
    other = sum(before[key] != after[key] for key in before.keys() & after.keys())
    return len(after.keys() - before.keys()), len(before.keys() - after.keys()), other
