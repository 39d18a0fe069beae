"""What holds for all tests: warnings are errors, and only this machine can be reached."""

import os

import pytest
import pytest_socket

NEEDS = {
    "needs_snap": "SEN12TS_GPT",
    "needs_pyrosar": "SEN12TS_PYROSAR",
    "needs_production": "SEN12TS_PRODUCTION",
    "needs_browser": "SEN12TS_CHROMEDRIVER",
}
"""Variable that names what a marked test needs."""
EXPLAINED = {"needs_production": "docs/operations.md", "needs_browser": "make test-dashboard"}


@pytest.fixture(autouse=True)
def _loopback_only():
    """Refuse connections to other machines; the servers of some tests listen on this one."""
    pytest_socket.socket_allow_hosts(["127.0.0.1", "::1"], allow_unix_socket=True)
    yield
    pytest_socket._remove_restrictions()


@pytest.fixture(autouse=True)
def _own_spool(tmp_path_factory, monkeypatch):
    """Keep what is unpacked or fetched out of the user's cache."""
    monkeypatch.setenv("SEN12TS_SPOOL", str(tmp_path_factory.getbasetemp() / "spool"))


def pytest_runtest_setup(item):
    """Skip, and say so, what needs a program that nobody named; one that is named and broken is a failure."""
    for marker, variable in NEEDS.items():
        if item.get_closest_marker(marker) and not os.environ.get(variable):
            pytest.skip(f"{marker}: {variable} is not set ({EXPLAINED.get(marker, 'docs/snap.md')})")
