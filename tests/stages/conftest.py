import pytest

from tests import worlds
from tests.stages.watching import watched_run


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Archive of one tile and two candidates."""
    return worlds.world("tiny", tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def tall(tmp_path_factory):
    """Archive of two tiles with five optical dates, one of them clouded over the southern tile."""
    return worlds.world("tall", tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def first_run(tall, tmp_path_factory):
    """Store in which everything of `tall` is finished, and what was read for it."""
    store = tmp_path_factory.mktemp("finished")
    _, watch = watched_run(worlds.services_of(tall, store))
    return store, watch


@pytest.fixture(scope="session")
def finished(first_run):
    """Store in which everything of `tall` is finished, by one worker; not to be written to."""
    return first_run[0]
