"""A configured area for the tests of connecting."""

import pytest

from sen12ts_pipeline.settings.load import write_aoi
from tests import worlds


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Archive of one tile and two candidates."""
    return worlds.world("tiny", tmp_path_factory.getbasetemp())


@pytest.fixture
def environ(tiny, tmp_path, monkeypatch):
    """Environment in which the area tiny is configured, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    write_aoi(worlds.area_of(tiny, budget_gb=1.0), tmp_path / "aois")
    return {"SEN12TS_AOIS": str(tmp_path / "aois"), "SEN12TS__STORE": str(tmp_path / "store")}
