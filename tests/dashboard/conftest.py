"""The dashboard behind a real server, over a real small run and over a ledger of the paper's size."""

import contextlib
import socket
import threading
import time
from dataclasses import dataclass

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, HTTPException, Request

from sen12ts_pipeline.dashboard.access import Access
from sen12ts_pipeline.dashboard.app import create_app
from sen12ts_pipeline.dashboard.sources import Sources
from sen12ts_pipeline.state.folder import FolderStore
from sen12ts_pipeline.state.ledger import SqlLedger
from tests import worlds
from tests.dashboard import ledgers

ROOT = "/base/sen12ts"
VIEWER, OPERATOR = {"Authorization": "viewer"}, {"Authorization": "operator"}


def reader(request: Request):
    if "authorization" not in request.headers:
        raise HTTPException(401, "Not authenticated")


def writer(request: Request):
    if request.headers["authorization"] != "operator":
        raise HTTPException(403, "Forbidden")
    return "Olga"


@dataclass(frozen=True)
class Site:
    """A served dashboard: what it reads, and a client that is an operator."""

    app: FastAPI
    client: httpx.Client
    sources: Sources

    def get(self, path, **options):
        return self.client.get(f"{ROOT}{path}", **options)

    def post(self, path, json, **options):
        return self.client.post(f"{ROOT}{path}", json=json, **options)

    @property
    def address(self):
        return str(self.client.base_url).rstrip("/")


@contextlib.contextmanager
def served(sources, access=None):
    """A site mounted below a prefix, as Airflow does it."""
    app, outer = create_app(access or Access(reader, writer), sources), FastAPI()
    outer.mount(ROOT, app)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(outer, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=OPERATOR, timeout=60) as client:
                yield Site(app, client, sources)
        finally:
            server.should_exit = True
            thread.join()


def finished(place, tmp_path_factory):
    """Services over a new store in which the tiles of a place are finished."""
    store = tmp_path_factory.mktemp("finished")
    services = worlds.services_of(worlds.world(place, tmp_path_factory.getbasetemp()), store)
    worlds.run(services)
    return services


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A tile with two triplets."""
    return finished("tiny", tmp_path_factory)


@pytest.fixture(scope="session")
def tall(tmp_path_factory):
    """Two tiles, with pairs that were refused and pairs to spare."""
    return finished("tall", tmp_path_factory)


@pytest.fixture(scope="session")
def small(tall, tmp_path_factory):
    """Site over a real run."""
    area = worlds.area_of(worlds.world("tall", tmp_path_factory.getbasetemp()))
    with served(Sources(lambda: tall.ledger, lambda: tall.store, lambda: {area.name: area})) as site:
        yield site


@pytest.fixture(scope="session")
def large(tmp_path_factory):
    """Site over 250,000 triplets of 31,398 tiles, without their files."""
    folder = tmp_path_factory.mktemp("large")
    ledger = ledgers.fill(f"sqlite:///{folder}/ledger.sqlite", ledgers.now())
    areas, store = ledgers.areas(folder), FolderStore(folder / "store")
    with served(Sources(lambda: ledger, lambda: store, lambda: areas)) as site:
        yield site


@pytest.fixture
def fresh(tmp_path):
    """Site over an empty ledger, and the ledger."""
    ledger = SqlLedger.connect(f"sqlite:///{tmp_path}/ledger.sqlite")
    with served(Sources(lambda: ledger, lambda: FolderStore(tmp_path / "store"), dict)) as site:
        yield site
