"""What holds for all tests: warnings are errors, and only this machine can be reached."""

import pytest
import pytest_socket


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
