"""The world of archives, made once for each module of tests."""

import pytest

from tests.world import archive_world, patience


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """All archives of the live place, nothing going wrong."""
    folder = archive_world.place(tmp_path_factory.getbasetemp())
    with archive_world.ArchiveWorld(folder, tmp_path_factory.mktemp("world")) as running:
        yield running


@pytest.fixture(autouse=True)
def _nothing_wrong(request):
    """Let no fault be left for the next test."""
    yield
    if "world" in request.fixturenames:
        request.getfixturevalue("world").faults.clear()


@pytest.fixture
def hasty(monkeypatch):
    """Whoever is refused asks again at once."""
    patience.hurry(monkeypatch)
