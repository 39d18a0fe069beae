"""Faults in the middle of an answer are faults that pass, whoever reads it: they are told by one class."""

import boto3
import pytest

from sen12ts_pipeline.acquisition import s3
from sen12ts_pipeline.acquisition.http import HttpFile
from sen12ts_pipeline.passing import Passing
from tests.world import faults
from tests.world.archive_world import KEY, SECRET

FAULTS = [faults.reset(), faults.truncated(), faults.failing(), faults.busy("3"), faults.limited("3"), faults.page()]


@pytest.fixture
def member(world):
    """A measurement file of the first product: its path in the product, and bytes of it."""
    held = world.held[0]
    name = next(n for n in held.files if n.startswith("measurement/"))
    with (held.folder / name).open("rb") as file:
        return held, name, file.read(100_000)


@pytest.fixture
def from_bucket(world, member, monkeypatch):
    """The file in the object store, and the name of the host."""
    s3._client.cache_clear()
    values = {"ENDPOINT_URL": world.url("eodata"), "DEFAULT_REGION": "default"}
    for name, value in (values | {"ACCESS_KEY_ID": KEY, "SECRET_ACCESS_KEY": SECRET}).items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    held, name, _ = member
    yield s3.S3File("eodata", f"{held.s3_path.removeprefix('/eodata/')}/{name}", held.name, name), "eodata"
    s3._client.cache_clear()


@pytest.fixture
def from_server(world):
    """A zip behind a redirection of ASF, and the name of the host that gives its bytes."""
    held = world.held[0]
    return HttpFile(f"{world.url('datapool')}/SLC/SA/{held.name}.zip", held.name, ""), "asf_store"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_of_the_object_store(world, from_bucket, member, fault):
    file, host = from_bucket
    version = file.version()
    world.faults.plan(fault, host=host)
    with pytest.raises(Passing) as met:
        file.fetch(0, 100_000, version)
    assert met.value.wait_s == (3.0 if "429" in fault.name else None)
    assert file.fetch(0, 100_000, version) == member[2]


@pytest.mark.parametrize("fault", [f for f in FAULTS if f.name != "html"], ids=lambda fault: fault.name)
def test_of_a_web_server(world, from_server, monkeypatch, fault):
    monkeypatch.setenv("SEN12TS_HTTP_TOKEN", world.datapool.token)
    file, host = from_server
    version = file.version()
    world.faults.plan(fault, host=host)
    with pytest.raises(Passing):
        file.fetch(0, 1000, version)
    assert file.fetch(0, 1000, version)[:4] == b"PK\x03\x04"


def test_a_token_is_not_shown_to_the_server_behind_a_redirection(world, from_server, monkeypatch):
    monkeypatch.setenv("SEN12TS_HTTP_TOKEN", world.datapool.token)
    file, host = from_server
    before = len(world.journal.of(host))
    assert file.version().size == world.datapool.zips(world.held[0]).stat().st_size
    (asked,) = world.journal.of(host)[before:]
    assert asked.status == 206
    assert "authorization" not in asked.request.headers
