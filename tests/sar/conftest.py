"""A real pass without samples, and simulated archives of two passes, each made once a session."""

import dataclasses

import pytest

from sen12ts_pipeline.acquisition.archive import ArchiveSource
from sen12ts_pipeline.domain.passes import passes_of
from sen12ts_pipeline.sar.native.scene import open_pass
from sen12ts_pipeline.sentinel1.manifest import read_slice
from sen12ts_pipeline.simulate.archive import simulate
from sen12ts_pipeline.simulate.place import places
from sen12ts_pipeline.simulate.truth import Truth
from tests.sar.worlds import World
from tests.sentinel1.shelf import Shelf, members_of, pass_of


@pytest.fixture(scope="session")
def morocco():
    """A descending pass of 2023 over Morocco, its annotation alone."""
    product = members_of("6814")
    return open_pass(pass_of(product), Shelf(product))


def _world(name, folder):
    simulate(dataclasses.replace(places()[name], passes=2, scenes=()), folder)
    source = ArchiveSource(folder / "archive")
    passes = passes_of(read_slice(source.open(p)) for p in source.products())
    return World(folder, source, passes, Truth.load(folder))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Two passes over one tile with a burst seam: descending, IW1."""
    return _world("tiny", tmp_path_factory.mktemp("sar") / "tiny")


@pytest.fixture(scope="session")
def southern(tmp_path_factory):
    """Two passes over one tile south of the equator: ascending, IW3, no burst identities in the products."""
    return _world("southern", tmp_path_factory.mktemp("sar") / "southern")
