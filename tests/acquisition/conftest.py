"""A spool of each test's own, and servers on this machine."""

import pytest

from sen12ts_pipeline import passing
from sen12ts_pipeline.acquisition.spool import Spool
from tests.acquisition.servers import WebServer


@pytest.fixture(autouse=True)
def spool(tmp_path, monkeypatch):
    """The spool that products take by default."""
    monkeypatch.setenv("SEN12TS_SPOOL", str(tmp_path / "spool"))
    return Spool.from_environment()


@pytest.fixture
def web(tmp_path, monkeypatch):
    """A web server over the folder `web`; whoever is refused by it asks again soon."""
    monkeypatch.setattr(passing, "FIRST_WAIT_S", 0.001)
    (tmp_path / "web").mkdir()
    with WebServer(tmp_path / "web") as server:
        yield server
