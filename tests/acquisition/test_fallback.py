"""A slice that its archive cannot give comes burst by burst from the service; what is broken or wrong is an error."""

import shutil

import pytest

from sen12ts_pipeline import passing
from sen12ts_pipeline.acquisition import asf_server
from sen12ts_pipeline.acquisition.asf_bursts import AsfBursts
from sen12ts_pipeline.acquisition.asf_server import BurstServer
from sen12ts_pipeline.acquisition.live import ChainSource, LiveSource
from sen12ts_pipeline.acquisition.products import FolderProduct
from sen12ts_pipeline.acquisition.provider import Bearer, Provider
from sen12ts_pipeline.acquisition.spool import Spool, read_extent
from sen12ts_pipeline.errors import BadProduct, Retryable
from sen12ts_pipeline.ports import Place
from tests import worlds
from tests.acquisition.burst_service import BurstService
from tests.acquisition.test_live import Told

ALWAYS = [503] * 1000


@pytest.fixture(scope="module")
def safe(tmp_path_factory):
    """A slice."""
    return worlds.products_of(worlds.world("tiny", tmp_path_factory.getbasetemp()), "S1")[0]


@pytest.fixture
def service(safe, tmp_path, monkeypatch):
    for module in (asf_server, passing):
        monkeypatch.setattr(module, "FIRST_WAIT_S", 0.001)
    with BurstService([safe], tmp_path) as running:
        yield running


@pytest.fixture
def chain(safe, web, service, spool, tmp_path):
    """Makes a chain of one archive, which has the slice in a folder of the web server, and of the burst service."""

    def make(*, listed=True, token=""):
        url = f"{web.url}/{safe.name}"
        if listed:
            shutil.copytree(safe, web.folder / safe.name)
        places = Told(places=[Place(safe.stem, "here", url=url)] if listed else [])
        archive = LiveSource(places, Provider("here"), spool, Spool(tmp_path / "whole"), whole=False)
        provider = Provider("asf", Bearer(token)) if token else Provider("asf")
        server = BurstServer(service.address, provider=provider)
        return ChainSource([archive], lambda product: AsfBursts(product, spool, server))

    return make


def measurement_of(files):
    return next(m for m in files.members() if m.startswith("measurement/"))


def test_an_archive_that_answers_is_the_only_one_that_is_asked(chain, safe, service):
    source = chain()
    assert source.open(safe.stem).read("manifest.safe") == (safe / "manifest.safe").read_bytes()
    assert (source.notes, dict(service.asked)) == ([], {})


def test_what_no_archive_lists_comes_from_the_service(chain, safe):
    source = chain(listed=False)
    files = source.open(safe.stem)
    assert files.members() == FolderProduct(safe).members()
    assert source.notes == [f"{safe.stem} comes from ASF's burst service: must be at here; it is not listed"]


def test_what_is_listed_and_not_there_comes_from_the_service(chain, safe, web):
    source = chain()
    shutil.rmtree(web.folder / safe.name)
    assert measurement_of(source.open(safe.stem))
    assert "manifest.safe" in source.notes[0]
    assert "answer 404" in source.notes[0]


def test_an_archive_that_falls_silent_midway_is_left_with_the_same_bytes(chain, safe, web, spool):
    source = chain()
    files = source.open(safe.stem)
    member = measurement_of(files)
    web.faults.extend(ALWAYS)
    wanted = FolderProduct(safe)
    start, length = 5_000_000, 40_000
    assert read_extent(lambda: files.extent(member, start, length), length) == read_extent(
        lambda: wanted.extent(member, start, length), length
    )
    asked = len(web.faults)
    annotation = next(m for m in files.members() if m.startswith("annotation/s1"))
    assert files.read(annotation)
    with files.held(annotation) as path:
        assert path
    assert len(web.faults) == asked, "a silent archive is not asked again"
    assert source.notes == [f"{safe.stem} comes from ASF's burst service: {source.notes[0].partition(': ')[2]}"]
    assert "answered 503" in source.notes[0]


def test_a_broken_file_is_an_error_of_the_archive(chain, safe, web, service):
    files = chain().open(safe.stem)
    member = next(m for m in files.members() if m.startswith("annotation/s1"))
    (web.folder / safe.name / member).write_bytes(b"<?xml version='1.0'?><product/>")
    with pytest.raises(BadProduct, match="must be whole"):
        files.read(member)
    with pytest.raises(BadProduct, match="missing"):
        files.read("annotation/none.xml")
    assert not service.asked


def test_a_slice_that_neither_has_is_bad_and_both_say_so(chain, safe, service):
    service.folders = []
    with pytest.raises(BadProduct, match=r"must be at here; it is not listed; nor .* burst service: .* answer 404"):
        chain(listed=False).open(safe.stem)


def test_a_silent_archive_is_tried_again_later_where_the_service_does_not_help(chain, safe, web, service):
    service.token = "another"
    source = chain(token="wrong")
    web.faults.extend(ALWAYS)
    with pytest.raises(Retryable, match=r"answered 503.*; nor .* burst service: .*SEN12TS_EARTHDATA_TOKEN") as told:
        source.open(safe.stem).members()
    assert "wrong" not in str(told.value)
    assert source.notes == []
