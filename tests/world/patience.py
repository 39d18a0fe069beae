"""How long the pipeline waits before it asks again, cut short for tests."""

import importlib
from contextlib import suppress

PLACES = ("sen12ts_pipeline.passing", "sen12ts_pipeline.catalogues.retry", "sen12ts_pipeline.acquisition.retry")


def hurry(monkeypatch):
    """Wait a thousandth of a second at first; waits that a server names are kept to."""
    found = 0
    for name in PLACES:
        with suppress(ModuleNotFoundError):
            module = importlib.import_module(name)
            if hasattr(module, "FIRST_WAIT_S"):
                monkeypatch.setattr(module, "FIRST_WAIT_S", 0.001)
                found += 1
    assert found, "waits are set elsewhere by now"
