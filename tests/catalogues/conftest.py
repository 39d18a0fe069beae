"""Archives of this machine, refused by which one asks again soon."""

import pytest

from sen12ts_pipeline.catalogues import retry


@pytest.fixture(autouse=True)
def _hasty(monkeypatch):
    monkeypatch.setattr(retry, "FIRST_WAIT_S", 0.001)
