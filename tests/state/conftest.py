"""Servers, and a finished store of one tile."""

import shutil

import pytest

from sen12ts_pipeline.state.folder import FolderStore
from tests import worlds
from tests.servers import postgresql_server, s3_server

__all__ = ["postgresql_server", "s3_server"]


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """Folder of a store in which the tile of `tiny` is finished; not to be written to."""
    store = tmp_path_factory.mktemp("finished")
    worlds.run(worlds.services_of(worlds.world("tiny", tmp_path_factory.getbasetemp()), store))
    return store


@pytest.fixture
def store(finished, tmp_path):
    """A copy of the finished store."""
    shutil.copytree(finished, tmp_path / "store")
    return FolderStore(tmp_path / "store")
