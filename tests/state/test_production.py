"""A partition made into a bucket, with its ledger in PostgreSQL, is the one that a folder and SQLite hold."""

import pytest

from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.state.artifacts import Artifacts
from sen12ts_pipeline.state.ledger import SqlLedger
from sen12ts_pipeline.state.reconcile import reconcile
from sen12ts_pipeline.state.s3 import S3Store
from sen12ts_pipeline.state.s3_server import S3Options
from tests import worlds
from tests.servers import BUCKET

FALL = Partition.parse("tiny/2023-fall")


@pytest.mark.parametrize("conditional_writes", [True, False])
def test_store_and_ledger_hold_the_same(
    store, s3_server, postgresql_server, tmp_path, tmp_path_factory, monkeypatch, conditional_writes
):
    for name, value in s3_server.items():
        monkeypatch.setenv(name, value)
    options = S3Options(addressing="path", conditional_writes=conditional_writes)
    bucket = S3Store(f"s3://{BUCKET}{tmp_path}", options)
    ledger = SqlLedger.connect(postgresql_server.new_database())
    ports = {"store": bucket, "artifacts": Artifacts(bucket), "ledger": ledger}
    world = worlds.world("tiny", tmp_path_factory.getbasetemp())
    worlds.run(worlds.services_of(world, tmp_path / "unused", changes=ports))
    assert {key: bucket.get(key) for key in bucket.keys("tiny/")} == {
        key: store.get(key) for key in store.keys("tiny/")
    }
    frames = list(store.keys("_work/frame/"))
    assert frames
    assert list(bucket.keys("_work/frame/")) == frames
    sqlite = SqlLedger.connect(f"sqlite:///{store.root}/_work/ledger.sqlite")
    assert ledger.triplets(FALL) == sqlite.triplets(FALL)
    assert ledger.candidates() == sqlite.candidates()
    assert reconcile(bucket, ledger, cap=4, digests=True) == []
