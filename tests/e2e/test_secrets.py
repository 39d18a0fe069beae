"""Credentials are shown to the servers that they are meant for, and found nowhere else: in no file, log or error."""

import logging
import os
import sqlite3
import traceback
from contextlib import closing
from pathlib import Path

import pytest

from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.errors import Sen12tsError
from sen12ts_pipeline.settings.load import write_aoi
from tests import launchers, worlds
from tests.e2e.test_failing_archives import WAYS, let_in
from tests.world import archive_world, faults, patience
from tests.world.archive_world import MARK

pytestmark = pytest.mark.e2e

MEANT_FOR = {
    "identity": {"username", "password", "refresh_token"},
    "download": {"authorization"},
    "eodata": {"authorization"},
    "datapool": {"authorization"},
    "asf_store": {"signature"},
    "bursts": {"authorization"},
    "blobs": {"sig"},
}
"""Hosts that may be shown a credential, and in what."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return archive_world.place(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return tmp_path_factory.mktemp("archives")


@pytest.fixture
def world(place, work):
    with archive_world.ArchiveWorld(place, work) as running:
        yield running


@pytest.fixture
def everything(tmp_path, monkeypatch):
    """A folder in which all that a run writes comes to lie: store, spool, cache, home, temporary files."""
    for name, variable in {
        "spool": "SEN12TS_SPOOL",
        "cache": "XDG_CACHE_HOME",
        "home": "HOME",
        "tmp": "TMPDIR",
    }.items():
        (tmp_path / name).mkdir()
        monkeypatch.setenv(variable, str(tmp_path / name))
    return tmp_path


@pytest.fixture
def said(caplog):
    """All that is logged from now on, by anyone, at any level, with all fields of each record."""
    caplog.set_level(logging.DEBUG)
    for name in ("botocore", "boto3", "urllib3", "sen12ts_pipeline"):
        caplog.set_level(logging.DEBUG, logger=name)
    return lambda: "\n".join(f"{record.getMessage()} {vars(record)}" for record in ours(caplog.records))


def ours(records):
    """Records of this program; what libraries log at DEBUG is theirs, and is off unless somebody turns it on."""
    return [record for record in records if record.name.startswith("sen12ts_pipeline")]


def marked(text):
    """Whether a credential is in a text, in either case."""
    return MARK.encode() in (text.encode() if isinstance(text, str) else text).lower()


def kept(folder):
    """Files of a folder that hold a credential in their names or contents, but those that are there to keep one.

    A token may lie in a file that its owner alone may read.
    """
    found = []
    for path in sorted(p for p in folder.rglob("*") if not p.is_dir()):
        name = str(path.relative_to(folder))
        if marked(name) or (_holds(path) and not (path.name.startswith("token-") and _private(path))):
            found.append(name)
    return found


def _holds(path, step=2**24):
    before = b""
    with path.open("rb") as file:
        while piece := file.read(step):
            if marked(before + piece):
                return True
            before = piece[-len(MARK) :]
    return False


def _private(path):
    return path.stat().st_mode & 0o077 == 0


def run(world, place, way, store):
    services = worlds.services_of(
        place, store, area=world.area(**way.catalogue), acquisition={"mode": way.mode}, workers=2
    )
    worlds.run(services)
    return services


@pytest.mark.parametrize("name", ["ranges of zips", "whole products"])  # the first reads the object store as well
def test_nothing_but_a_request_to_the_right_server_holds_a_credential(
    name, world, place, everything, said, monkeypatch
):
    way = WAYS[name]
    patience.hurry(monkeypatch)
    let_in(world, monkeypatch, everything)
    services = run(world, place, way, everything / "store")
    assert len(services.ledger.triplets(Partition.parse(worlds.partition_of(services)))) == 2
    assert kept(everything) == []
    assert not marked(said())
    assert not marked("\n".join(services.notes()))
    shown = shown_to(world.journal)
    expected = {"eodata", "datapool", "asf_store"} if name == "ranges of zips" else {"download"}
    assert expected <= shown.keys()
    assert all(parts <= MEANT_FOR.get(host, set()) for host, parts in shown.items()), shown


def test_a_run_over_signed_addresses_keeps_no_signature(world, place, everything, said, monkeypatch):
    patience.hurry(monkeypatch)
    let_in(world, monkeypatch, everything)
    world.faults.plan(faults.forbidden(), host="blobs", times=1)
    how = {"providers": ["planetary_computer", "cdse"]}
    services = worlds.services_of(place, everything / "store", area=world.area(kind="cdse"), acquisition=how, workers=2)
    worlds.run(services)
    assert len(services.ledger.triplets(Partition.parse(worlds.partition_of(services)))) == 2
    assert kept(everything) == []
    assert not marked(said())
    shown = shown_to(world.journal)
    assert {"blobs", "eodata"} <= shown.keys()
    assert all(parts <= MEANT_FOR.get(host, set()) for host, parts in shown.items()), shown
    assert len(world.journal.of("planetary_computer", "/sas/")) == 2, "one signature, and one for the refused one"


@pytest.fixture
def airflow(world, everything):
    """Airflow's services with two areas of live archives; all that they write lies in the folder `everything`."""
    areas = {
        "live": world.area(kind="cdse"),
        "refused": world.area(kind="chain", chain=("asf", "cdse")),
    }
    boundary = areas["live"].boundary
    for name, area in areas.items():
        (everything / f"{name}.geojson").write_bytes(boundary.read_bytes())
        mine = area.model_copy(update={"name": name, "boundary": everything / f"{name}.geojson"})
        write_aoi(mine, everything / "config/aois")
    (everything / "config/pipeline.yaml").write_text("workers: 1\n")
    places = {"SEN12TS_SPOOL": "spool", "XDG_CACHE_HOME": "cache", "HOME": "home", "TMPDIR": "tmp", "STORE": "store"}
    environ = launchers.environment(everything / "state") | world.environ
    environ |= {name: str(everything / place) for name, place in places.items()}
    environ["SEN12TS_CONFIG"] = str(everything / "config/pipeline.yaml")
    with launchers.scheduler(environ, areas) as running:
        yield running


def rows_of(database):
    """Number of rows and their text, by table."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: connection.execute(f'SELECT * FROM "{name}"').fetchall() for name in names}


def test_airflow_keeps_no_credential_in_its_database_and_logs(world, airflow, everything):
    world.faults.plan(faults.limited(), host="eodata", path="annotation/s1a-iw1-slc-vv", times=1)
    state, tasks = launchers.trigger(airflow, "live", {"year": 2023, "season": "fall"})
    assert state == "success", {(t["task_id"], t["state"]) for t in tasks}
    world.faults.plan(faults.expired(), host="datapool", times=10_000)
    state, tasks = launchers.trigger(airflow, "refused", {"year": 2023, "season": "fall"})
    assert state == "failed"
    shown = shown_to(world.journal)
    assert {"eodata", "datapool"} <= shown.keys(), "the tasks of the DAG were let in by their credentials"
    assert all(parts <= MEANT_FOR.get(host, set()) for host, parts in shown.items()), shown

    (database,) = (everything / "state").rglob("airflow.db")
    rows = rows_of(database)
    for table in ("xcom", "rendered_task_instance_fields", "task_instance", "serialized_dag"):
        assert rows[table], f"the run wrote to {table}"
    assert [table for table, found in rows.items() if any(marked(str(row)) for row in found)] == []
    logs = [path.read_text() for path in (everything / "state").rglob("*.log")]
    assert any("SEN12TS_EARTHDATA_TOKEN" in text for text in logs), "the log tells which login was refused"
    assert kept(everything) == []


def shown_to(journal):
    """Names of headers and fields that held a credential, by the host that was shown them."""
    shown = {}
    for exchange in journal.exchanges:
        asked = exchange.request
        fields = {k.lower(): v for k, v in asked.query.items()} | {k: values[0] for k, values in asked.form.items()}
        if held := {k for k, v in (asked.headers | fields).items() if marked(v)}:
            shown.setdefault(asked.host, set()).update(held)
    return shown


REFUSALS = {
    "object store": (faults.forbidden(), "eodata", ""),
    "ranges of zips": (faults.expired(), "datapool", ""),
    "signed address": (faults.forbidden(), "asf_store", ""),
    "whole products": (faults.expired(), "download", ""),
    "storm at the object store": (faults.limited(), "eodata", "measurement"),
    "storm behind a signed address": (faults.reset(), "asf_store", ""),
    "page in place of a product": (faults.page(), "download", ""),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_no_error_tells_a_credential(name, world, place, everything, said, monkeypatch):
    fault, host, path = REFUSALS[name]
    way = WAYS[{"eodata": "object store", "download": "whole products"}.get(host, "ranges of zips")]
    patience.hurry(monkeypatch)
    let_in(world, monkeypatch, everything)
    world.faults.plan(fault, host=host, path=path, times=10_000)
    world.faults.plan(fault, host="bursts", times=10_000)
    told = []
    try:
        services = run(world, place, way, everything / "store")
        told += services.ledger.quarantined().values()
    except Sen12tsError as error:
        told += [repr(error), *traceback.format_exception(error)]
    assert told, "a run that is refused says so"
    assert not any(marked(text) for text in told)
    assert not marked(said())
    assert kept(everything) == []


def test_the_search_for_credentials_finds_them(tmp_path):
    (tmp_path / f"name-{MARK}").touch()
    (tmp_path / "content").write_bytes(b"\0" * (2**24 - 5) + archive_world.KEY.encode())
    (tmp_path / "clean").write_bytes(b"nothing")
    with sqlite3.connect(tmp_path / "ledger.sqlite") as ledger:
        ledger.execute("CREATE TABLE t (c)")
        ledger.execute("INSERT INTO t VALUES (?)", (archive_world.PASSWORD,))
    ledger.close()
    descriptor = os.open(tmp_path / "token-1.json", os.O_CREAT | os.O_WRONLY, 0o600)
    os.write(descriptor, MARK.encode())
    os.close(descriptor)
    assert kept(tmp_path) == ["content", "ledger.sqlite", f"name-{MARK}"]
    Path(tmp_path / "token-1.json").chmod(0o640)
    assert "token-1.json" in kept(tmp_path)
