"""Airflow on a SQLite file: who writes waits for its turn, and nobody waits for the disk."""

import asyncio
import contextlib
import importlib
import runpy
import sqlite3

import pytest
from sqlalchemy import Engine, event

from deploy.local.environment import SQLITE_SETTINGS

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def turns(dags):
    return importlib.import_module("sen12ts_sqlite").Turns


def serve(turns, *requests):
    """What an app that takes a while sees of requests (type and method) that come at one time."""
    seen = []

    async def app(scope, _receive, _send):
        seen.append(f"{scope['method']} begins")
        await asyncio.sleep(0.02)
        if scope.get("fails"):
            raise RuntimeError
        seen.append(f"{scope['method']} ends")

    async def run():
        turn = turns(app)
        await asyncio.gather(*(turn(request, None, None) for request in requests), return_exceptions=True)

    asyncio.run(run())
    return seen


def request(method, **more):
    return {"type": "http", "method": method, **more}


def test_a_request_that_writes_begins_when_the_one_before_has_ended(turns):
    seen = serve(turns, request("POST"), request("PATCH"), request("PUT"), request("DELETE"))
    assert seen == [f"{method} {step}" for method in ("POST", "PATCH", "PUT", "DELETE") for step in ("begins", "ends")]


def test_requests_that_read_wait_for_nobody(turns):
    assert serve(turns, request("POST"), request("GET"), request("HEAD"))[:3] == [
        "POST begins",
        "GET begins",
        "HEAD begins",
    ]


def test_a_request_that_fails_gives_its_turn_back(turns):
    assert serve(turns, request("POST", fails=True), request("PUT")) == ["POST begins", "PUT begins", "PUT ends"]


def test_expired_tokens_are_deleted_before_the_first_request(turns, monkeypatch):
    from airflow.models.revoked_token import RevokedToken

    asked = []
    monkeypatch.setattr(RevokedToken, "is_revoked", asked.append)
    assert serve(turns, {"type": "lifespan", "method": "start"}) == ["start begins", "start ends"]
    assert asked == [""]


@pytest.mark.parametrize(
    ("database", "middlewares"), [("sqlite:////tmp/airflow.db", ["turns"]), ("postgresql://airflow@db/airflow", [])]
)
def test_other_databases_need_no_turns(dags, monkeypatch, database, middlewares):
    plugin = importlib.import_module("sen12ts_sqlite")
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", database)
    found = importlib.reload(plugin).SqlitePlugin.fastapi_root_middlewares
    assert [middleware["name"] for middleware in found] == middlewares
    monkeypatch.undo()
    importlib.reload(plugin)


@pytest.fixture
def arguments():
    """How Airflow connects; what its settings do to all engines of a process ends with the test."""
    settings = runpy.run_path(str(SQLITE_SETTINGS / "airflow_local_settings.py"))
    yield settings["CONNECT_ARGUMENTS"]
    event.remove(Engine, "savepoint", settings["begin_before_savepoint"])


def test_a_transaction_takes_the_right_to_write_first_and_ends_without_waiting_for_the_disk(tmp_path, arguments):
    with contextlib.closing(sqlite3.connect(tmp_path / "airflow.db", **arguments)) as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (1,), "NORMAL"
        connection.execute("CREATE TABLE t (c)")
        connection.execute("DELETE FROM t")
        other = sqlite3.connect(tmp_path / "airflow.db", timeout=0)
        with contextlib.closing(other), pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
