from __future__ import annotations

from pathlib import Path

import pytest

from sen12ts_pipeline.simulate.archive import simulate
from sen12ts_pipeline.simulate.place import places
from sen12ts_pipeline.simulate.truth import Truth


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of the smallest place."""
    out = tmp_path_factory.mktemp("tiny")
    simulate(places()["tiny"], out)
    return out


@pytest.fixture(scope="session")
def tiny_truth(tiny: Path) -> Truth:
    return Truth.load(tiny)
