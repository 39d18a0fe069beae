"""Archives of this machine, refused by which one asks again soon."""

import pytest

from sen12ts_pipeline import passing


@pytest.fixture(autouse=True)
def _hasty(monkeypatch):
    monkeypatch.setattr(passing, "FIRST_WAIT_S", 0.001)
