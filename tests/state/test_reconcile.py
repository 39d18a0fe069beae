"""A ledger that was lost, or says something else than the store, and a store that is damaged."""

import dataclasses
import json

import pytest

from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.ports import CandidateState
from sen12ts_pipeline.state.keys import Entry
from sen12ts_pipeline.state.ledger import SqlLedger
from sen12ts_pipeline.state.reconcile import Difference, Kind, reconcile, within_slots
from sen12ts_pipeline.state.s3 import S3Store
from sen12ts_pipeline.state.s3_server import S3Options
from tests.contracts.examples import a_triplet
from tests.servers import BUCKET

FALL = Partition.parse("tiny/2023-fall")


@pytest.fixture
def ledger(store):
    """The ledger that the run has written."""
    return SqlLedger.connect(f"sqlite:///{store.root}/_work/ledger.sqlite")


@pytest.fixture
def empty(tmp_path):
    """A ledger in which there is nothing."""
    return SqlLedger.connect(f"sqlite:///{tmp_path}/empty.sqlite")


@pytest.fixture
def metadata(store):
    """Keys of the two triplets' metadata."""
    return list(store.keys("tiny/metadata/"))


def compare(store, ledger, **options):
    return reconcile(store, ledger, **{"cap": 4} | options)


def kinds(differences):
    return sorted((one.place, one.kind) for one in differences)


def edit(store, key, **properties):
    item = json.loads(store.get(key))
    item["properties"] |= {f"sen12ts:{name}": value for name, value in properties.items()}
    store.replace(key, json.dumps(item).encode())


def test_after_a_run_ledger_and_store_agree(store, ledger):
    assert compare(store, ledger, digests=True) == []


def test_a_lost_ledger_is_rebuilt_as_it_was(store, ledger, empty, metadata):
    found = compare(store, empty)
    assert kinds(found) == sorted([(str(FALL), Kind.CANDIDATES), *((key, Kind.MISSING_ROW) for key in metadata)])
    assert empty.triplets(FALL) == ledger.triplets(FALL)
    assert len(empty.triplets(FALL)) == 2
    assert empty.candidates() == ledger.candidates()
    assert compare(store, empty) == []


def test_a_dry_run_changes_nothing(store, empty):
    assert len(compare(store, empty, write=False)) == 3
    assert (empty.triplets_of("tiny"), empty.candidates()) == ([], [])


def test_the_same_is_found_in_a_bucket(store, ledger, empty, s3_server, monkeypatch, tmp_path):
    for name, value in s3_server.items():
        monkeypatch.setenv(name, value)
    bucket = S3Store(f"s3://{BUCKET}{tmp_path}", S3Options(addressing="path"))
    for folder in ("metadata", "s1", "s2", "labels", "quicklooks"):
        for key in store.keys(f"tiny/{folder}/"):
            bucket.put_if_absent(key, store.get(key))
    for key in sorted(store.keys("tiny/partitions/"), key=lambda key: "report" in key):
        bucket.put_if_absent(key, store.get(key))
    assert compare(bucket, ledger, digests=True) == []
    assert kinds(compare(bucket, empty, write=False)) == kinds(compare(store, empty, write=False))
    assert len(compare(bucket, empty)) == 3
    assert empty.triplets(FALL) == ledger.triplets(FALL)


def test_a_row_without_metadata_goes_and_leaves_its_slot(store, ledger, metadata):
    gone = [one for one in ledger.triplets(FALL) if metadata[0] == f"tiny/metadata/{one.name}.json"]
    store.delete(metadata[0])
    assert (metadata[0], Kind.EXTRA_ROW) in kinds(compare(store, ledger))
    assert len(ledger.triplets(FALL)) == 1
    ledger.record_triplets([dataclasses.replace(gone[0], name="another")])


def test_a_row_that_differs_is_made_to_say_what_the_metadata_say(store, ledger):
    before = ledger.triplets(FALL)
    first, second = before
    swapped = [
        dataclasses.replace(first, slot=second.slot),
        dataclasses.replace(second, slot=first.slot, sizes={"s1": 1}),
    ]
    ledger.exchange_triplets(before, swapped)
    found = {one.place: one for one in compare(store, ledger)}
    assert {one.kind for one in found.values()} == {Kind.OTHER_ROW}
    assert found[f"tiny/metadata/{first.name}.json"].found == "slot"
    assert "size of s1, size of s2" in found[f"tiny/metadata/{second.name}.json"].found
    assert ledger.triplets(FALL) == before


def test_candidates_are_those_of_the_report(store, ledger):
    before = ledger.candidates()
    changed = dataclasses.replace(before[0], state=CandidateState.SELECTED, slot=None)
    ledger.replace_candidates(FALL, [changed, dataclasses.replace(before[1], track=1)])
    assert compare(store, ledger) == [Difference(str(FALL), Kind.CANDIDATES, "1 missing, 1 extra, 1 changed")]
    assert ledger.candidates() == before


def test_candidates_of_a_partition_in_work_are_left_alone(store, ledger):
    ledger.replace_candidates(FALL, [])
    (store.root / "tiny/partitions/2023-fall/selection.json").touch()
    assert compare(store, ledger) == []
    assert ledger.candidates() == []


def test_a_file_that_is_missing_or_changed_is_told_and_not_repaired(store, ledger):
    s1, other_s1 = store.keys("tiny/s1/")
    s2 = next(store.keys("tiny/s2/"))
    store.delete(s1)
    store.replace(s2, store.get(s2)[:-1])
    store.replace(other_s1, bytes(len(store.get(other_s1))))
    damage = [(s1, Kind.MISSING_FILE), (s2, Kind.OTHER_SIZE)]
    assert kinds(compare(store, ledger)) == sorted(damage)
    assert kinds(compare(store, ledger, digests=True)) == sorted([*damage, (other_s1, Kind.OTHER_DIGEST)])


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"properties": {"sen12ts:partition": 7}}', b"\xff"])
def test_metadata_that_cannot_be_read_are_told_and_cost_no_row(store, ledger, metadata, body):
    before = ledger.triplets(FALL)
    store.replace(metadata[0], body)
    found = compare(store, ledger)
    assert kinds(found) == [(metadata[0], Kind.UNREADABLE)]
    assert ledger.triplets(FALL) == before


def test_metadata_under_another_name_are_no_triplet_s(store, ledger, metadata):
    store.put_if_absent("tiny/metadata/copy.json", store.get(metadata[0]))
    assert kinds(compare(store, ledger)) == [("tiny/metadata/copy.json", Kind.UNREADABLE)]


def test_files_that_no_metadata_name_are_orphans(store, ledger):
    store.put_if_absent("tiny/quicklooks/other.png", b"x")
    assert compare(store, ledger) == [Difference("tiny/quicklooks/other.png", Kind.ORPHAN)]


def test_two_triplets_of_one_slot_are_told_and_the_first_name_keeps_it(store, empty, metadata):
    for key in metadata:
        edit(store, key, slot=1)
    found = compare(store, empty)
    assert (metadata[1], Kind.NO_SLOT) in kinds(found)
    assert [one.name for one in empty.triplets(FALL)] == [metadata[0].rpartition("/")[2].removesuffix(".json")]


def test_a_slot_beyond_the_cap_is_told(store, ledger, metadata):
    edit(store, metadata[0], slot=5)
    found = compare(store, ledger)
    assert (metadata[0], Kind.NO_SLOT) in kinds(found)
    assert len(ledger.triplets(FALL)) == 1


def test_an_area_that_only_the_ledger_knows_is_looked_at_too(store, ledger):
    ledger.record_triplets([a_triplet()])
    assert compare(store, ledger, aoi="tiny") == []
    assert kinds(compare(store, ledger)) == [("nevada/metadata/lat_37.9_lon_-116.1_a.json", Kind.EXTRA_ROW)]
    assert ledger.triplets_of("nevada") == []


class Finishing:
    """A store in which a triplet is finished, and recorded, while its metadata are listed."""

    def __init__(self, store, finish, when):
        self._store, self._finish, self._when = store, finish, when

    def __getattr__(self, name):
        return getattr(self._store, name)

    def keys(self, prefix):
        if self._when == "before":
            self._finish()
        found = list(self._store.keys(prefix))
        self._finish()
        return found


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_triplet_that_is_finished_meanwhile_stays_recorded(store, ledger, metadata, when):
    body, rows = store.get(metadata[0]), ledger.triplets(FALL)
    store.delete(metadata[0])
    compare(store, ledger)
    assert len(ledger.triplets(FALL)) == 1

    def finish():
        store.put_if_absent(metadata[0], body)
        for one in rows:
            ledger.record_triplets([one])

    compare(Finishing(store, finish, when), ledger)
    assert ledger.triplets(FALL) == rows


def test_of_many_records_those_within_the_cap_are_kept_one_a_slot():
    records = [a_triplet(slot, name) for slot, name in ((0, "a"), (1, "c"), (1, "b"), (2, "d"), (5, "e"))]
    wanted, crowded = within_slots(records, 4)
    assert [one.name for one in wanted] == ["b", "d"]
    assert [one.name for one in crowded] == ["a", "c", "e"]


def test_entries_are_ordered_by_key(store):
    entries = store.entries("tiny/")
    assert [entry.key for entry in entries] == list(store.keys("tiny/"))
    assert all(isinstance(entry, Entry) and entry.size == len(store.get(entry.key)) for entry in entries)
