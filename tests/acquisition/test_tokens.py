"""One token serves all processes of a machine, and neither it nor the password is ever shown."""

import json
import logging
import multiprocessing
import stat
import threading
import time

import pytest

from sen12ts_pipeline import passing
from sen12ts_pipeline.acquisition import http
from sen12ts_pipeline.acquisition.files import SpooledFile
from sen12ts_pipeline.acquisition.http import HttpFile
from sen12ts_pipeline.acquisition.provider import Bearer, Provider
from sen12ts_pipeline.domain.quotas import Quota
from sen12ts_pipeline.errors import ConfigurationError, Retryable
from sen12ts_pipeline.passing import Passing
from sen12ts_pipeline.state.quotas import Quotas
from tests.acquisition import identity
from tests.acquisition.identity import BODY, PASSWORD, Identity

FORK = multiprocessing.get_context("forkserver")
FORK.set_forkserver_preload(["tests.acquisition.identity", "tests.state.turning"])
PROCESSES = 40


class Clock:
    def __init__(self):
        self.now = time.time()

    def __call__(self):
        return self.now


@pytest.fixture(autouse=True)
def _hasty(monkeypatch):
    monkeypatch.setattr(passing, "FIRST_WAIT_S", 0.001)


@pytest.fixture
def server():
    with Identity() as one:
        yield one


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def access(server, clock, tmp_path):
    return server.access(tmp_path / "tokens", clock=clock)


@pytest.fixture
def file(server, access, spool):
    """A file that is given to who shows a good token."""
    provider = Provider("cdse", access, variables="THE_USER and THE_PASSWORD")
    return SpooledFile(HttpFile(f"{server.url}/file", "P", "m", provider), spool)


def answer(status, body=b"{}", headers=None):
    return lambda handler: handler.send(status, body, headers)


def token(access):
    return access.credentials().headers["Authorization"]


def in_processes(url, tmp_path, password=PASSWORD):
    """What so many processes are told at once."""
    start = FORK.Barrier(PROCESSES)
    arguments = (url, tmp_path / "tokens", password, tmp_path / "told", start)
    workers = [FORK.Process(target=identity.show, args=arguments) for _ in range(PROCESSES)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    return (tmp_path / "told").read_text().splitlines()


def test_forty_processes_open_one_session(server, tmp_path):
    told = in_processes(f"{server.url}/token", tmp_path)
    assert told == ["Bearer access-1"] * PROCESSES
    assert server.grants == ["password"]


def test_a_wrong_password_is_tried_once_by_forty_processes(server, tmp_path):
    told = in_processes(f"{server.url}/token", tmp_path, "wrong")
    assert len(told) == PROCESSES
    assert all(line.startswith("ConfigurationError: environment: ") for line in told)
    assert server.denied == 1


def test_a_password_that_was_put_right_is_tried(server, tmp_path):
    with pytest.raises(ConfigurationError, match="without a second factor; got 'answer 401: Invalid user credentials'"):
        server.access(tmp_path, "wrong").credentials()
    with pytest.raises(ConfigurationError, match=r"to an earlier try; to have it tried again, remove .*token-.*\.json"):
        server.access(tmp_path, "wrong").credentials()
    assert server.denied == 1
    assert token(server.access(tmp_path)) == "Bearer access-1"


def test_threads_share_a_token(server, access):
    found = []
    threads = [threading.Thread(target=lambda: found.append(token(access))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["Bearer access-1"] * 16
    assert server.grants == ["password"]


def test_a_token_is_refreshed_when_four_fifths_of_its_life_are_over(server, access, clock):
    assert token(access) == "Bearer access-1"
    clock.now += 479
    assert token(access) == "Bearer access-1"
    clock.now += 2
    assert token(access) == "Bearer access-2"
    assert server.grants == ["password", "refresh_token"]


def test_the_password_is_shown_again_when_the_refresh_token_is_over_too(server, access, clock):
    token(access)
    clock.now += 3601
    assert token(access) == "Bearer access-2"
    assert server.grants == ["password", "password"]
    assert server.denied == 0


def test_the_password_is_shown_again_when_the_refresh_token_ended_before_its_time(server, access, clock):
    token(access)
    server.forget()
    clock.now += 500
    assert token(access) == "Bearer access-2"
    assert server.grants == ["password", "password"]


def test_the_file_of_the_token_is_its_owner_s_alone_and_holds_no_password(access, tmp_path):
    token(access)
    kept = [path for path in (tmp_path / "tokens").iterdir() if path.suffix == ".json"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in kept] == [0o600]
    assert stat.S_IMODE((tmp_path / "tokens").stat().st_mode) == 0o700
    assert PASSWORD not in kept[0].read_text()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"token": {"access": "x"}}', '{"token": 7}'], ids=repr)
def test_a_damaged_file_is_replaced(server, access, tmp_path, content):
    token(access)
    (kept,) = (tmp_path / "tokens").glob("token-*.json")
    kept.write_text(content)
    assert token(server.access(tmp_path / "tokens")) == "Bearer access-2"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_of_tokens_is_asked_again(server, file, status):
    server.faults.extend([answer(status)] * (passing.TRIES - 1))
    assert file.read(5, 10) == BODY[5:15]
    assert server.grants == ["password"]


def test_a_server_of_tokens_that_stays_busy_is_left_to_a_later_try_and_has_refused_no_password(server, access, file):
    server.faults.extend([answer(503)] * passing.TRIES)
    with pytest.raises(Retryable, match="/token answered 503"):
        file.read(5, 10)
    assert token(access) == "Bearer access-1"


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"access_token": "x", "expires_in": "soon"}'], ids=repr)
def test_an_answer_that_is_no_token_is_asked_for_again(server, access, body):
    server.faults.append(answer(200, body))
    with pytest.raises(Passing):
        access.credentials()
    assert token(access) == "Bearer access-1"


def test_a_password_is_not_sent_on_to_another_server(server, access):
    server.faults.append(answer(302, headers={"Location": "http://127.0.0.1:9/"}))
    with pytest.raises(ConfigurationError, match="answer 302"):
        access.credentials()
    assert token(access) == "Bearer access-1"


def test_a_token_that_ended_while_it_was_in_use_is_renewed_and_nobody_notices(server, access, clock, file):
    assert file.read(0, 10) == BODY[:10]
    server.good.clear()
    clock.now += 100
    assert file.read(20, 10) == BODY[20:30]
    assert server.grants == ["password", "refresh_token"]
    assert server.shown[-2:] == ["access-1", "access-2"]


def test_a_token_that_another_process_renewed_is_taken(server, access, clock, tmp_path):
    old = access.credentials()
    other = server.access(tmp_path / "tokens", clock=clock)
    server.good.clear()
    clock.now += 100
    assert other.refused(old)
    assert access.refused(old)
    assert (token(access), token(other)) == ("Bearer access-2", "Bearer access-2")
    assert server.grants == ["password", "refresh_token"]


def test_a_new_token_that_is_refused_is_not_renewed_for_every_file(server, file):
    server.file_faults.extend([answer(401)] * 9)
    for _ in range(3):
        with pytest.raises(
            ConfigurationError, match="THE_USER and THE_PASSWORD: must be of a user who may read"
        ) as error:
            file.read(0, 10)
        assert "access-1" not in str(error.value)
    assert server.grants == ["password"]
    assert len(server.shown) == 3


def test_a_renewed_token_that_is_refused_too_is_a_wrong_setting(server, clock, file):
    assert file.read(0, 10) == BODY[:10]
    clock.now += 100
    server.file_faults.extend([answer(403)] * 2)
    with pytest.raises(ConfigurationError, match="answer 403"):
        file.read(20, 10)
    assert server.shown[-2:] == ["access-1", "access-2"]


def test_a_storm_of_too_many_sessions_is_waited_out_without_a_new_session(server, file, monkeypatch, tmp_path):
    slept = []
    monkeypatch.setattr(passing.time, "sleep", slept.append)
    assert file.version.size == len(BODY)
    full = json.dumps({"code": "DAT-ZIP-100", "message": "Max session number exceeded"}).encode()
    server.file_faults.extend([answer(429, full)] * (passing.TRIES - 1))
    assert file.read(0, 10) == BODY[:10]
    assert slept == [http.SESSIONS_WAIT_S] * (passing.TRIES - 1)
    assert server.grants == ["password"]


def test_a_storm_stops_all_workers_of_the_provider_by_one_answer(server, access, spool, tmp_path):
    now = Clock()

    def sleep(seconds):
        now.now += seconds

    quotas = Quotas(f"sqlite:///{tmp_path / 'l'}", {"cdse": Quota(4, 2000)}, clock=now, sleep=sleep)
    files = [
        HttpFile(f"{server.url}/file", "P", "m", Provider("cdse", access, gate=quotas.gate("cdse"))) for _ in range(3)
    ]
    version = files[0].version()
    server.file_faults.append(answer(429, headers={"x-ratelimit-reset": "31"}))
    began = now.now
    with pytest.raises(Passing, match="429") as caught:
        files[0].fetch(0, 5, version)
    assert caught.value.wait_s == 31.0
    for one in files[1:]:
        assert one.fetch(0, 5, version) == BODY[:5]
    assert now.now - began >= 31
    (state,) = quotas.states()
    quotas.close()
    assert (state.requests, state.connections, state.volume_bytes) == (4, 0, 5 + 5)


def test_nothing_secret_is_in_a_message_a_log_or_a_picture(server, tmp_path, caplog, spool):
    caplog.set_level(logging.DEBUG)
    access = server.access(tmp_path / "tokens")
    provider = Provider("cdse", access)
    one = HttpFile(f"{server.url}/file?sig={PASSWORD}", "P", "m", provider)
    server.file_faults.append(answer(403))
    with pytest.raises(ConfigurationError) as error:
        one.version()
    server.faults.append(answer(400, json.dumps({"error": f"no {PASSWORD}"}).encode()))
    with pytest.raises(ConfigurationError) as denied:
        server.access(tmp_path / "others", password=PASSWORD).credentials()
    told = [repr(access), repr(provider), repr(one), repr(access._token), repr(Bearer(PASSWORD)), caplog.text]
    told += [str(vars(record)) for record in caplog.records] + [str(error.value), str(denied.value)]
    for text in told:
        assert PASSWORD not in text
        assert "access-1" not in text
        assert "refresh-1" not in text


def test_a_folder_that_cannot_be_made_is_a_wrong_setting(server, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="SEN12TS_TOKENS: must be a folder that can be written"):
        server.access(tmp_path / "file" / "tokens").credentials()
    assert server.grants == []


def test_a_token_that_is_given_is_shown_and_not_renewed(server, spool):
    server.good.add("given")
    file = SpooledFile(HttpFile(f"{server.url}/file", "P", "m", Provider("asf", Bearer("given"))), spool)
    assert file.read(3, 4) == BODY[3:7]
    server.good.clear()
    with pytest.raises(ConfigurationError, match="answer 401"):
        file.read(30, 4)
    assert set(server.shown) == {"given"}
    assert len(server.shown) == 3
