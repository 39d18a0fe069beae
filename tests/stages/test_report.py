"""What a finished partition says of itself, and what a plan does not leave behind."""

import hashlib
import json

import pytest

from sen12ts_pipeline.dataset.index import rows_of as index_rows
from sen12ts_pipeline.dataset.verify import verify
from sen12ts_pipeline.domain.names import LabelName
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.ports import CandidateState
from sen12ts_pipeline.stages import report
from sen12ts_pipeline.state.folder import FolderStore
from tests import worlds

PARTITION = Partition.parse("tall/2023-fall")


@pytest.fixture(scope="module")
def services(tall, finished):
    return worlds.services_of(tall, finished)


def test_every_candidate_is_in_the_report_with_its_end(services, finished):
    written = json.loads((finished / "tall/partitions/2023-fall/report.json").read_text())
    assert written["partition"] == str(PARTITION)
    assert written["tiles"] == 2
    assert {(c["state"], c["rule"]): c["candidates"] for c in written["counts"]} == {
        ("finished", ""): 8,
        ("refused", "granule_cloud"): 2,
        ("refused", "s2_invalid"): 1,
        ("spare", "cap"): 1,
    }
    rows = written["candidates"]
    assert len(rows) == 12
    assert all(r["rule"] and r["detail"] for r in rows if r["state"] != "finished")
    assert sorted(r["slot"] for r in rows if r["state"] == "finished") == [1, 1, 2, 2, 3, 3, 4, 4]
    spare = next(r for r in rows if r["state"] == "spare")
    assert (spare["s2date"], spare["detail"]) == ("2023-09-28", "place 5 in the order, 4 slots")
    assert [(r["tile"], r["s2date"]) for r in rows] == sorted((r["tile"], r["s2date"]) for r in rows)


def test_the_ledger_says_what_the_report_says(services):
    rows = report.rows_of(PARTITION, services)
    recorded = services.ledger.candidates(partition=PARTITION)
    key = ("tile", "s2date", "track", "state", "rule", "detail", "slot", "invalid_s1", "invalid_s2")
    assert {tuple(getattr(r, k) for k in key) for r in rows} == {tuple(getattr(r, k) for k in key) for r in recorded}
    names = {t.name for t in services.ledger.triplets(PARTITION)}
    assert names == {p.stem for p in (services.store.root / "tall/metadata").glob("*.json")}


def test_the_summary_counts_what_was_made_and_refused_and_says_where_things_are(services, finished):
    lines = report.summary_text(str(PARTITION), services).splitlines()
    assert lines[0] == "tall/2023-fall: 8 triplets of 2 tiles finished; 2 tiles, 12 candidates"
    assert lines[1:4] == [
        "       2 refused by granule_cloud   granule too cloudy (rule 1)",
        "       1 refused by cap             cap of the tile and season reached (rule 6)",
        "       1 refused by s2_invalid      too many pixels in cloud, cloud shadow or without optical data (rule 4)",
    ]
    assert str(finished / "tall/partitions/2023-fall/preview.png") in lines[-2]
    assert str(finished / "tall/partitions/2023-fall/report.json") in lines[-1]


def test_every_rule_of_a_refusal_is_explained():
    assert set(report.RULES) >= {"granule_cloud", "series_gap", "mixed_platforms", "missing_burst", "s1_invalid"}
    assert set(report.RULES) >= {"s2_invalid", "cap", "budget", "bad_product", "dem_void", "no_burst", "name_taken"}


def test_the_data_set_verifies(finished):
    assert verify(finished / "tall") == []


def test_the_index_has_a_row_for_every_triplet(finished):
    rows = index_rows((finished / "tall/index/2023-fall.parquet").read_bytes())
    assert {r["name"] for r in rows} == {p.stem for p in (finished / "tall/s1").glob("*.tif")}
    part, merged = (finished / f"tall/index/{name}.parquet" for name in ("2023-fall", "index"))
    assert part.read_bytes() == merged.read_bytes()


def test_a_plan_tells_what_a_run_would_do_and_writes_nothing(tall, tmp_path):
    services = worlds.services_of(tall, tmp_path / "store")
    lines = report.plan_text(str(PARTITION), services).splitlines()
    assert lines[0] == "tall/2023-fall: 2 tiles"
    assert lines[1].split() == ["Sentinel-2", "6", "granules,", "6", "scenes"]
    assert lines[2].split() == ["Sentinel-1", "6", "slices,", "6", "passes"]
    assert lines[-5].split()[:4] == ["candidates", "10", "to", "screen,"]
    assert lines[-4].split()[:4] == ["triplets", "at", "most", "8,"]
    assert list(FolderStore(tmp_path / "store").keys("")) in ([], ["_work/ledger.sqlite", "_work/ledger.sqlite.lock"])
    assert services.ledger.partitions() == ()


def test_a_plan_does_not_quarantine(tall, tmp_path):
    folder = worlds.copy(tall, tmp_path / "world")
    for path in worlds.products_of(folder, "S1")[0].glob("annotation/*iw1*vv*"):
        path.unlink()
    services = worlds.services_of(folder, tmp_path / "store")
    text = report.plan_text(str(PARTITION), services)
    assert " 5 passes" in text
    assert services.ledger.quarantined() == {}


def test_a_plan_of_a_begun_partition_is_the_frozen_one(tall, finished, tmp_path):
    folder = worlds.copy(tall, tmp_path / "world")
    for product in worlds.products_of(folder, "S2")[:3]:
        product.rename(product.with_suffix(".hidden"))
    frozen = worlds.services_of(folder, finished, area=worlds.area_of(folder))
    assert report.plan_text(str(PARTITION), frozen) == report.plan_text(
        str(PARTITION), worlds.services_of(tall, finished)
    )


def written_at(store):
    """When each artifact was written."""
    found = (
        p for kind in ("cloud", "terrain", "frame", "optical", "label") for p in (store / "_work" / kind).rglob("*")
    )
    return {p: p.stat().st_mtime_ns for p in found if p.is_file()}


def test_four_workers_make_the_same_bytes_and_a_second_run_makes_nothing(tall, finished, tmp_path):
    store = tmp_path / "store"
    worlds.run(worlds.services_of(tall, store, workers=4))
    made = worlds.files_of(store, "tall")
    assert made == worlds.files_of(finished, "tall")
    artifacts = written_at(store)

    services = worlds.services_of(tall, store, workers=4)
    worlds.run(services)
    assert worlds.files_of(store, "tall") == made
    assert written_at(store) == artifacts
    assert {r.state for r in services.ledger.candidates(partition=PARTITION)} == {
        CandidateState.FINISHED,
        CandidateState.REFUSED,
        CandidateState.SPARE,
    }


def test_a_twin_with_other_bytes_stays_and_is_told(tiny, tmp_path):
    store = tmp_path / "store"
    label = store / f"tiny/labels/{LabelName.of(worlds.TINY.tiles[0], 2023)}.tif"
    label.parent.mkdir(parents=True)
    label.write_bytes(b"twin")
    services = worlds.services_of(tiny, store)
    partition = Partition.parse(worlds.run(services, until="assemble"))
    assert label.read_bytes() == b"twin"
    twins = [e.message for e in services.ledger.events(partition) if "twin" in e.message]
    assert twins == [f"a twin with other bytes was not written: tiny/labels/{label.name}"] * 2
    for path in (store / "tiny/metadata").glob("*.json"):
        asset = json.loads(path.read_text())["assets"]["label"]
        assert (asset["file:size"], asset["file:checksum"]) == (4, "1220" + hashlib.sha256(b"twin").hexdigest())
