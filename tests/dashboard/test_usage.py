"""The page of quotas, disks, queues and stages, against what the ledger, the disk and the quotas hold."""

import os
import shutil
from collections import Counter

import pytest

from sen12ts_pipeline import wiring
from sen12ts_pipeline.dashboard.folders import folder
from sen12ts_pipeline.dashboard.sources import Sources, connected
from sen12ts_pipeline.domain.seasons import Partition, Season
from sen12ts_pipeline.settings.model import Settings
from sen12ts_pipeline.state.folder import FolderStore
from sen12ts_pipeline.state.ledger import SqlLedger
from tests.dashboard import ledgers
from tests.dashboard.conftest import served

FALL = Partition.parse("tall/2023-fall")


def test_a_folder_is_counted_with_what_lies_below_it_and_links_are_not(tmp_path):
    (tmp_path / "one/two").mkdir(parents=True)
    (tmp_path / "one/two/a").write_bytes(b"x" * 1000)
    (tmp_path / "b").write_bytes(b"x" * 234)
    (tmp_path / "link").symlink_to(tmp_path / "one")
    found, disk = folder("cache", tmp_path, limit_bytes=5000), shutil.disk_usage(tmp_path)
    link = os.lstat(tmp_path / "link").st_size
    assert (found.bytes, found.limit_bytes, found.disk_bytes) == (1234 + link, 5000, disk.total)
    assert found.disk_used == pytest.approx(disk.total - disk.free, rel=0.1)
    assert folder("cache", tmp_path / "not there") is None
    assert folder("store", tmp_path, count=False).bytes is None


def test_triplets_of_a_real_run_take_what_their_files_take(small, tall):
    [area] = small.get("/api/resources").json()["areas"]
    kinds = ("s1", "s2", "labels", "quicklooks")
    files = [path for kind in kinds for path in (tall.store.root / "tall" / kind).iterdir()]
    labels = Counter(record.tile for record in tall.ledger.triplets(FALL))
    shared = sum(n - 1 for n in labels.values())
    assert area["triplets"] == len(tall.ledger.triplets(FALL))
    each = sum(path.stat().st_size for path in files)
    assert each <= area["bytes"] <= each + shared * max(p.stat().st_size for p in files if p.parent.name == "labels")


def test_stages_are_summed_up_from_their_tasks(tmp_path):
    ledger = SqlLedger.connect(f"sqlite:///{tmp_path}/ledger.sqlite")
    tasks = [("radar", 100.0, 5), ("radar", 300.0, 3), ("optical", 40.0, 9), ("labels", 1.5, 1)]
    for stage, seconds, gigabytes in tasks:
        ledger.record_timing(FALL, stage, seconds, gigabytes * 10**9)
    with served(Sources(lambda: ledger, lambda: FolderStore(tmp_path / "store"), dict)) as site:
        radar, *others = site.get("/api/resources").json()["stages"]
        page = site.get("/resources").text
    assert [one["stage"] for one in others] == ["optical", "labels"], "the slowest first"
    assert (radar["tasks"], radar["mean_s"], radar["longest_s"]) == (2, 200.0, 300.0)
    assert (radar["total_s"], radar["peak_bytes"]) == (400.0, 5 * 10**9)
    assert "5 GB" in page


def test_quotas_are_those_that_the_workers_keep_and_disks_those_of_the_settings(tmp_path, monkeypatch):
    monkeypatch.setenv("SEN12TS__STORE", str(tmp_path / "store"))
    monkeypatch.setenv("SEN12TS_SPOOL", str(tmp_path / "spool"))
    monkeypatch.setenv("SEN12TS_CACHE", str(tmp_path / "not there"))
    monkeypatch.setenv("SEN12TS_CONFIG", str(tmp_path / "pipeline.yaml"))
    (tmp_path / "pipeline.yaml").write_text("quotas: {cdse: {gb_per_30_days: 1}}\nalerts: {quota_percent: 50}\n")
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool/part").write_bytes(b"x" * 5000)
    with (
        wiring.quotas_of(Settings(store=tmp_path / "store", quotas={"cdse": {"gb_per_30_days": 1}}))
        .gate("cdse")
        .turn() as turn
    ):
        turn.received(600_000_000)
    sources = connected()
    with served(sources) as site:
        found = site.get("/api/resources").json()
        page, overview = site.get("/resources").text, site.get("/api/overview").json()
    cdse = next(one for one in found["providers"] if one["provider"] == "cdse")
    assert (cdse["volume_bytes"], cdse["requests"], cdse["connections"]) == (600_000_000, 1, 0)
    assert cdse["quota"]["bytes_per_30_days"] == 10**9
    assert {one["name"]: one["bytes"] for one in found["folders"]} == {"store": None, "cache of products": 5000}
    assert "600 MB of 1 GB" in page
    assert [one["key"] for one in overview["attention"] if one["key"].startswith("quota")] == ["quota: cdse"]


def test_what_waits_and_what_stages_took_is_that_of_a_large_ledger(large):
    found = large.get("/api/resources").json()
    assert [(one["aoi"], one["season"], one["waiting"]) for one in found["queue"]] == [
        ("iowa", "fall", ledgers.WAITING)
    ]
    expected = {stage: 6 * tasks for stage, _, _, tasks in ledgers.STAGES}
    assert {one["stage"]: one["tasks"] for one in found["stages"]} == expected
    assert sum(one["bytes"] for one in found["areas"]) == ledgers.TRIPLETS * 4_010_000
    assert {one["season"] for one in found["queue"]} <= {str(season) for season in Season}
