"""A small archive, and the launchers over it."""

import pytest

from tests import launchers, worlds
from tests.servers import postgresql_server

__all__ = ["postgresql_server"]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    return worlds.world("tiny", tmp_path_factory.getbasetemp())


@pytest.fixture
def variables(tiny, tmp_path):
    """Variables of make run for the small archive."""
    return {
        "ARCHIVE": str(tiny / "archive"),
        "AOI": str(tiny / "aoi" / "tiny.geojson"),
        "YEAR": "2023",
        "SEASON": "fall",
        "DEM": str(tiny / "dem" / "dem.tif"),
        "DEM_VERTICAL": "ellipsoidal",
        "LABELS": str(tiny / "labels" / "labels.tif"),
        "STORE": str(tmp_path / "store"),
    }


@pytest.fixture
def start(tmp_path_factory):
    """Start a launcher; what a test leaves running is ended."""
    environ = launchers.environment(tmp_path_factory.getbasetemp() / "state")
    started = []

    def call(module, variables):
        started.append(launchers.start(module, {**environ, **variables}))
        return started[-1]

    yield call
    for process in started:
        process.terminate()
        process.communicate(timeout=60)


@pytest.fixture
def run(start):
    """Call make run's launcher; its exit status and what it said."""

    def call(variables):
        process = start("run", variables)
        said, _ = process.communicate(timeout=400)
        return process.returncode, said

    return call
