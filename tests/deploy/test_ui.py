"""make ui: all services come up, and none is left when it ends."""

import signal
import socket
import time

import psutil
import pytest

from deploy.local import ui
from tests import launchers, servers

pytestmark = pytest.mark.e2e


@pytest.fixture
def free_port():
    return servers.free_ports(1)[0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_end_and_leaves_nothing(start, tmp_path, free_port, number):
    process = start("ui", {"STORE": str(tmp_path / "store"), "PORT": str(free_port)})
    password = launchers.read_until(process, r"^  password  (\S+)$")[1]
    health = launchers.ask(free_port, "/api/v2/monitor/health")
    assert {name: part["status"] for name, part in health.items()} == dict.fromkeys(
        ["metadatabase", "scheduler", "triggerer", "dag_processor"], "healthy"
    )
    token = launchers.ask(free_port, "/auth/token", body={"username": ui.USER, "password": password})["access_token"]
    pools = {pool["name"]: pool["slots"] for pool in launchers.ask(free_port, "/api/v2/pools", token)["pools"]}
    assert pools.items() >= ui.SLOTS.items()
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) >= len(ui.SERVICES)
    listening = {
        c.laddr.ip
        for child in [process, *family]
        for c in psutil.Process(child.pid).net_connections()
        if c.status == "LISTEN"
    }
    assert listening == {"127.0.0.1"}, "nothing can be reached from other machines"

    began = time.monotonic()
    process.send_signal(number)
    assert process.wait(timeout=30) == 0
    assert time.monotonic() - began < 20
    assert [child for child in family if child.is_running() and child.status() != psutil.STATUS_ZOMBIE] == []
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", free_port))


def test_a_port_that_is_taken_is_said(start, tmp_path, free_port):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port))
        taken.listen()
        process = start("ui", {"STORE": str(tmp_path / "store"), "PORT": str(free_port)})
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert said == f"make ui: PORT: {free_port} is in use by another program; give another PORT\n"


def test_without_a_port_the_next_free_one_is_taken(monkeypatch, capsys):
    taken = {8080, 8081}
    monkeypatch.setattr(ui, "_is_free", lambda port: port not in taken)
    assert ui.find_port("") == 8082
    assert "8080 is in use" in capsys.readouterr().out
    for wrong in ("x", "80", "70000", "-1"):
        with pytest.raises(ui.Failed, match="PORT: must be a number"):
            ui.find_port(wrong)
