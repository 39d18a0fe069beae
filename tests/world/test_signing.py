"""Images of the Planetary Computer: addresses are signed when they are asked for, with one signature a machine."""

import multiprocessing
import time

import pytest

from sen12ts_pipeline.acquisition import tokens
from sen12ts_pipeline.acquisition.live import ITEM, LiveSource
from sen12ts_pipeline.acquisition.providers import SIGNATURES_URL, connect
from sen12ts_pipeline.acquisition.spool import Spool
from sen12ts_pipeline.catalogues import places
from sen12ts_pipeline.catalogues.registry import Addresses
from sen12ts_pipeline.errors import BadProduct, Retryable
from tests.world import faults
from tests.world.archive_world import MARK

ARCHIVE = "planetary_computer"
FORK = multiprocessing.get_context("fork")


@pytest.fixture
def opened(world, tmp_path, hasty):
    """Opens the granule anew: as another process, or another run."""
    granule = next(h for h in world.held if not h.is_slice)
    serves = connect(ARCHIVE, {}, folder=tmp_path / "tokens", urls={SIGNATURES_URL: world.signatures_url})

    def make():
        known = places.connect(ARCHIVE, Addresses(world.urls, {}), tmp_path / "places")
        spool = Spool(tmp_path / "spool")
        return LiveSource(known, serves, spool, Spool(tmp_path / "whole"), whole=False).open(granule.name)

    world.journal.exchanges.clear()
    world.signatures.forget()
    world.signatures.life_s = 3600
    return make


def asked(world):
    """Statuses of the answers to questions for signatures."""
    return [e.status for e in world.journal.of(ARCHIVE) if "/sas/" in e.request.path]


def refused(world):
    return [e.status for e in world.journal.of("blobs") if e.status == 403]


def fetched(files, name):
    with files.held(name) as path:
        return path


def test_one_signature_serves_all_images_and_all_that_come_later(world, opened, tmp_path):
    for name in ("SCL.tif", "B02.tif", "B03.tif"):
        assert fetched(opened(), name)
    assert asked(world) == [200]
    assert not refused(world)
    (kept,) = (tmp_path / "tokens").glob("token-*.json")
    assert kept.stat().st_mode & 0o077 == 0


def test_processes_ask_for_one_signature_together(world, opened):
    files, names = opened(), ["SCL.tif", "B02.tif", "B03.tif", "B04.tif"]
    children = [FORK.Process(target=fetched, args=(files, name)) for name in names]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0, 0, 0]
    assert asked(world) == [200]


def test_what_is_kept_and_told_holds_no_signature(world, opened, tmp_path, caplog):
    files = opened()
    fetched(files, "SCL.tif")
    world.faults.plan(faults.failing(500), host="blobs", times=100)
    with pytest.raises(Retryable) as told:
        fetched(files, "B02.tif")
    assert MARK not in str(told.value)
    assert MARK not in repr(files)
    assert MARK not in "".join(str(vars(record)) for record in caplog.records)
    assert MARK.encode() not in files.read(ITEM)
    shown = [p for p in tmp_path.rglob("*") if p.is_file() and MARK.encode() in p.read_bytes()]
    assert [p.parent.name for p in shown] == ["tokens"]


def test_a_signature_is_renewed_before_it_ends(world, opened, monkeypatch):
    fetched(opened(), "SCL.tif")
    monkeypatch.setattr(tokens, "REFRESHED_AT", 0.0)  # as if most of its life were over
    fetched(opened(), "B02.tif")
    assert set(asked(world)) == {200}
    assert len(asked(world)) > 1
    assert not refused(world)


@pytest.mark.parametrize("age_s", [0, 3000])
def test_one_that_is_refused_before_its_time_is_replaced(world, opened, monkeypatch, age_s):
    files = opened()
    fetched(files, "SCL.tif")
    world.signatures.forget()
    monkeypatch.setattr(tokens, "SHORTEST_LIFE_S", 20.0 if age_s == 0 else -1.0)
    assert fetched(files, "B02.tif")
    assert (asked(world), refused(world)) == ([200, 200], [403])


@pytest.mark.parametrize(
    "fault",
    [faults.failing(404), faults.busy(), faults.failing(503), faults.page(), faults.reset(), faults.truncated()],
)
def test_faults_of_the_service_pass(world, opened, fault):
    world.faults.plan(fault, host=ARCHIVE, path="/sas/", times=3)
    assert fetched(opened(), "SCL.tif")
    assert len(asked(world)) == 4


@pytest.mark.parametrize("status", [404, 429])
def test_a_service_that_gives_none_is_asked_again_later(world, opened, status):
    world.faults.plan(faults.failing(status), host=ARCHIVE, path="/sas/", times=100)
    with pytest.raises(Retryable, match=rf"/api/sas/v1/token/sentinel-2-l2a answered {status}"):
        fetched(opened(), "SCL.tif")
    assert len(asked(world)) == 5


def test_signatures_that_do_not_let_one_in_are_the_service_s_fault(world, opened):
    world.faults.plan(faults.forbidden(), host="blobs", times=1000)
    with pytest.raises(Retryable, match=r"did not accept a signature that .* had just given"):
        fetched(opened(), "SCL.tif")
    assert len(asked(world)) == 5


def test_a_signature_that_is_too_old_already_is_not_used(world, opened):
    world.signatures.life_s = -10
    with pytest.raises(Retryable, match="is too old already"):
        fetched(opened(), "SCL.tif")
    assert not world.journal.of("blobs")


def test_a_blob_that_is_not_there_is_a_bad_product(world, opened):
    world.faults.plan(faults.failing(404), host="blobs", times=1000)
    with pytest.raises(BadProduct, match=r"SCL\.tif: cannot be had from .* answer 404"):
        fetched(opened(), "SCL.tif")


def test_a_signature_ends_with_its_time(world, opened):
    world.signatures.life_s = 2.0
    files = opened()
    fetched(files, "SCL.tif")
    time.sleep(2.0)
    assert fetched(files, "B02.tif")
    assert len(asked(world)) == 2
    assert not refused(world)
