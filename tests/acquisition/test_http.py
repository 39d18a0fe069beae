"""A file on a web server, read by ranges: whatever the server does, the bytes are right or there is an error."""

import threading
import tracemalloc

import pytest

from sen12ts_pipeline import passing
from sen12ts_pipeline.acquisition import files, http
from sen12ts_pipeline.acquisition.files import SpooledFile
from sen12ts_pipeline.acquisition.http import HttpFile, inside
from sen12ts_pipeline.acquisition.provider import Anyone, Provider
from sen12ts_pipeline.errors import BadProduct, ConfigurationError, Retryable
from tests.acquisition.servers import Counting, WebServer

BODY = bytes(range(256)) * 40
SECRET = "not-to-be-shown"


@pytest.fixture
def file(web, spool):
    return SpooledFile(HttpFile(web.put("a/x y.bin", BODY), "P", "x y.bin"), spool)


@pytest.fixture
def token(monkeypatch):
    monkeypatch.setenv("SEN12TS_HTTP_TOKEN", SECRET)


def cut(handler):
    handler.answer(cut=100)


def hang_up(handler):
    handler.close_connection = True


def wait_a_second(handler):
    handler.send_response(429)
    handler.send_header("Retry-After", "0")
    handler.end_headers()


def fault_name(fault):
    return str(getattr(fault, "__name__", fault))


def other_bytes(handler):
    handler.headers.replace_header("Range", "bytes=7-20")
    handler.answer()


def test_just_the_bytes_asked_for_are_fetched(web, file):
    assert file.read(1000, 50) == BODY[1000:1050]
    assert web.fetched("x y.bin") == [(1000, 1050)]


def test_the_same_bytes_are_fetched_once(web, file, spool):
    for one in (file, file, SpooledFile(file.remote, spool)):
        assert one.read(1000, 50) == BODY[1000:1050]
    assert web.fetched("x y.bin") == [(1000, 1050)]


def test_past_the_end_there_are_fewer_bytes(file):
    assert file.read(len(BODY) - 5, 50) == BODY[-5:]
    assert file.read(len(BODY) + 5, 50) == b""


def test_an_empty_file_has_a_size(web, spool):
    empty = SpooledFile(HttpFile(web.put("empty", b""), "P", "empty"), spool)
    assert empty.version.size == 0
    assert empty.read(0, 10) == b""


def test_large_extents_are_put_together_of_pieces(web, file, monkeypatch):
    monkeypatch.setattr(files, "PIECE_BYTES", 1000)
    assert file.read(500, 5500) == BODY[500:6000]
    assert web.fetched("x y.bin") == [(500 + 1000 * k, min(1500 + 1000 * k, 6000)) for k in range(6)]


def test_a_long_answer_is_asked_for_by_few_at_a_time(web, file, monkeypatch):
    monkeypatch.setattr(files, "PIECE_BYTES", 200)
    at_once, most, lock = 0, 0, threading.Lock()

    def watched(handler):
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        handler.answer()
        with lock:
            at_once -= 1

    assert file.version.size == len(BODY)
    web.faults.extend([watched] * 60)
    file.read(0, len(BODY))
    assert 1 <= most <= files.PARALLEL


def test_memory_does_not_grow_with_what_is_fetched(web, spool, monkeypatch):
    monkeypatch.setattr(files, "PIECE_BYTES", 2**20)
    url = web.put("large", b"")
    with (web.folder / "large").open("r+b") as body:
        body.truncate(2**30)
    file = SpooledFile(HttpFile(url, "P", "large"), spool)
    tracemalloc.start()
    try:
        path, _ = file.extent(2**29, 200 * 2**20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert path.stat().st_size == 200 * 2**20
    assert peak < 2 * files.PARALLEL * files.PIECE_BYTES + 2**22  # the server's memory is counted too


@pytest.mark.parametrize("fault", [503, 500, 429, 408, cut, hang_up, wait_a_second, other_bytes], ids=fault_name)
def test_a_fault_that_passes_is_not_noticed(web, file, fault):
    assert file.version.size == len(BODY)
    web.faults.extend([fault] * (passing.TRIES - 1))
    assert file.read(1000, 500) == BODY[1000:1500]
    assert not web.faults


@pytest.mark.parametrize("fault", [503, hang_up], ids=fault_name)
def test_the_question_for_the_size_is_repeated_too(web, file, fault):
    web.faults.extend([fault] * (passing.TRIES - 1))
    assert file.version.size == len(BODY)


@pytest.mark.parametrize("fault", [503, cut, hang_up], ids=fault_name)
def test_a_fault_that_stays_is_left_to_a_later_try(web, file, spool, fault):
    assert file.version.size == len(BODY)
    web.faults.extend([fault] * passing.TRIES)
    with pytest.raises(Retryable, match=rf"{web.url}/a/x%20y.bin: .*, 5 times"):
        file.read(1000, 500)
    assert not list(spool.folder.iterdir())
    assert file.read(1000, 500) == BODY[1000:1500]


def test_a_server_that_is_not_there_is_left_to_a_later_try(web, spool):
    with WebServer(web.folder) as gone:
        url = gone.url
    with pytest.raises(Retryable, match="broke off"):
        SpooledFile(HttpFile(f"{url}/x", "P", "x"), spool).read(0, 1)


def test_a_silent_server_is_asked_again(web, file, monkeypatch):
    monkeypatch.setattr(http, "TIMEOUT_S", 0.2)
    ended = threading.Event()

    def silent(handler):
        ended.wait(10)
        hang_up(handler)

    web.faults.append(silent)
    assert file.read(0, 10) == BODY[:10]
    ended.set()


@pytest.mark.parametrize("status", [404, 410, 400])
def test_a_file_that_is_not_there_is_bad(web, file, status):
    web.faults.append(status)
    with pytest.raises(BadProduct, match=f"cannot be had from .*: answer {status}") as caught:
        file.read(0, 10)
    assert (caught.value.product, caught.value.member) == ("P", "x y.bin")


def test_a_server_without_ranges_is_refused(web, file):
    web.faults.append(lambda handler: handler.answer(status=200))
    with pytest.raises(BadProduct, match=r"must answer .* range \(206\), not with all; it answered 200"):
        file.read(0, 10)


def test_a_file_that_changed_is_not_read_on(web, file, spool):
    assert file.read(0, 10) == BODY[:10]
    web.put("a/x y.bin", BODY[::-1])
    assert file.read(0, 10) == BODY[:10]
    with pytest.raises(Retryable, match="has changed while it was read"):
        file.read(100, 10)
    later = SpooledFile(file.remote, spool)
    assert later.read(0, 10) == BODY[::-1][:10]


def test_a_file_that_shrank_is_not_read_on(web, file):
    assert file.version.size == len(BODY)
    web.put("a/x y.bin", b"short")
    with pytest.raises(Retryable, match="has changed while it was read"):
        file.read(100, 10)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_names_the_token_s_variable_and_not_the_token(web, file, token, status):
    web.faults.append(status)
    with pytest.raises(ConfigurationError, match="SEN12TS_HTTP_TOKEN: must be a bearer token that may read") as caught:
        file.read(0, 10)
    assert SECRET not in str(caught.value)


def test_the_token_is_sent(web, file, token):
    file.read(0, 10)
    assert {a.token for a in web.asked} == {f"Bearer {SECRET}"}


def test_without_a_token_none_is_sent(web, file, monkeypatch):
    monkeypatch.delenv("SEN12TS_HTTP_TOKEN", raising=False)
    file.read(0, 10)
    assert {a.token for a in web.asked} == {None}


def to(url):
    def redirect(handler):
        handler.send_response(302)
        handler.send_header("Location", url)
        handler.end_headers()

    return redirect


def test_a_redirection_within_the_server_keeps_the_token(web, file, token):
    web.faults.extend([to(file.remote.place), None, to(file.remote.place)])
    assert file.read(3, 10) == BODY[3:13]
    assert {a.token for a in web.asked} == {f"Bearer {SECRET}"}


def test_a_redirection_to_another_server_loses_the_token_and_nothing_else(web, file, token):
    with WebServer(web.folder) as other:
        target = file.remote.place.replace(web.url, other.url)
        web.faults.extend([to(target)] * 2)
        assert file.read(3, 10) == BODY[3:13]
    assert [(a.start, a.length, a.token) for a in other.asked] == [(0, 1, None), (3, 10, None)]


def test_a_signature_in_the_query_is_sent_and_not_shown(web, spool):
    url = web.put("x", BODY) + f"?sig={SECRET}"
    file = SpooledFile(HttpFile(url, "P", "x"), spool)
    assert file.read(0, 10) == BODY[:10]
    assert web.asked[0].path == f"x?sig={SECRET}"
    web.faults.append(404)
    with pytest.raises(BadProduct) as caught:
        file.read(20, 10)
    assert SECRET not in str(caught.value)


def test_members_are_found_below_the_folder_s_url():
    assert inside("https://h/a.SAFE/", "b/c d.xml") == "https://h/a.SAFE/b/c%20d.xml"
    assert inside("https://h/a.SAFE?sig=1", "b.xml") == "https://h/a.SAFE/b.xml?sig=1"


def test_every_request_has_its_turn_and_bytes_are_noted_as_they_come(web, spool, monkeypatch):
    monkeypatch.setattr(http, "NOTED_BYTES", 1000)
    gate = Counting()
    file = SpooledFile(HttpFile(web.put("x", BODY), "P", "x", Provider("asf", gate=gate)), spool)
    assert file.read(0, 2500) == BODY[:2500]
    assert (gate.turns, gate.most, gate.notes) == (2, 1, [1000, 1000, 500])


def test_a_fault_leaves_its_turn_so_that_the_gate_sees_it_and_none_is_held_while_one_waits(web, spool):
    gate = Counting()
    file = SpooledFile(HttpFile(web.put("x", BODY), "P", "x", Provider("asf", gate=gate)), spool)
    web.faults.extend([503, 404])
    with pytest.raises(BadProduct):
        file.read(0, 10)
    assert [type(fault).__name__ for fault in gate.left] == ["Passing", "BadProduct"]
    assert (gate.turns, gate.most) == (2, 1)


def test_a_token_of_the_environment_is_for_no_provider_that_has_a_name_and_an_access_of_its_own(web, spool, token):
    file = SpooledFile(HttpFile(web.put("x", BODY), "P", "x", Provider("aws", Anyone())), spool)
    file.read(0, 10)
    assert {a.token for a in web.asked} == {None}
