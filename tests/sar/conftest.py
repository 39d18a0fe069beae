"""A real pass without samples, and simulated archives, each made once a session."""

import dataclasses

import pytest

from sen12ts_pipeline.sar.native.scene import open_pass
from sen12ts_pipeline.simulate.archive import simulate
from sen12ts_pipeline.simulate.place import places
from tests import worlds
from tests.sar.world import World
from tests.sentinel1.shelf import Shelf, members_of, pass_of


@pytest.fixture(scope="session")
def morocco():
    """A descending pass of 2023 over Morocco, its annotation alone."""
    product = members_of("6814")
    return open_pass(pass_of(product), Shelf(product))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Passes over one tile with a burst seam: descending, IW1."""
    return World.of(worlds.world("tiny", tmp_path_factory.getbasetemp()))


@pytest.fixture(scope="session")
def southern(tmp_path_factory):
    """Passes over one tile south of the equator: ascending, IW3, no burst identities in the products."""
    folder = tmp_path_factory.mktemp("southern")
    simulate(dataclasses.replace(places()["southern"], passes=3, scenes=()), folder)
    return World.of(folder)
