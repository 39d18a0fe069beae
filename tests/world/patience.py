"""How long the pipeline waits before it asks again, cut short for tests."""

from sen12ts_pipeline import passing
from sen12ts_pipeline.acquisition import asf_server


def hurry(monkeypatch):
    """Wait a thousandth of a second at first; waits that a server names are kept to."""
    for module in (passing, asf_server):
        monkeypatch.setattr(module, "FIRST_WAIT_S", 0.001)
