"""Faults do what they are named after, to the questions they are planned for, as often as planned."""

import http.client
import json
import time
import urllib.error
import urllib.request

import pytest

from tests.world import faults
from tests.world.faults import Faults
from tests.world.web import Host, Journal, as_json, in_file

BODY = bytes(range(256)) * 40


@pytest.fixture
def host(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(BODY)

    def service(request):
        if request.path == "/list":
            return as_json({"value": [1, 2, 3]})
        return in_file(request, path)

    with Host("files", service, Journal(), Faults()) as running:
        yield running


def got(host, path="/file", **headers):
    """Status, headers and body, or the error that reading met."""
    request = urllib.request.Request(host.url + path, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def plan(host, fault, **where):
    host.faults.plan(fault, host="files", **where)


def test_a_good_answer_has_all_or_the_range_asked_for(host):
    assert got(host)[2] == BODY
    assert got(host, Range="bytes=10-19")[2] == BODY[10:20]
    assert got(host, Range="bytes=-5")[2] == BODY[-5:]
    assert got(host, Range=f"bytes={len(BODY)}-")[0] == 416


def test_a_storm_names_when_to_come_back(host):
    plan(host, faults.busy("7"), times=2)
    plan(host, faults.limited("0.5"))
    answers = [got(host) for _ in range(4)]
    assert [a[0] for a in answers] == [429, 429, 429, 200]
    assert [a[1]["Retry-After"] for a in answers] == ["7", "7", None, None]
    assert answers[2][1]["x-ratelimit-reset"] == "0.5"


@pytest.mark.parametrize("fault", [faults.reset(), faults.truncated()], ids=lambda f: f.name)
def test_a_body_that_ends_early(host, fault):
    plan(host, fault)
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        got(host)
    assert got(host)[2] == BODY
    assert [x.fault for x in host.journal.exchanges] == [fault.name, ""]


def test_a_body_with_one_byte_changed(host):
    plan(host, faults.altered())
    wrong = got(host)[2]
    assert len(wrong) == len(BODY)
    assert sum(a != b for a, b in zip(wrong, BODY, strict=True)) == 1


def test_a_page_in_place_of_data(host):
    plan(host, faults.page())
    status, headers, body = got(host)
    assert (status, headers["Content-Type"], body[:6]) == (200, "text/html", b"<html>")


def test_a_range_that_is_not_regarded(host):
    plan(host, faults.whole())
    assert got(host, Range="bytes=10-19")[::2] == (200, BODY)


def test_a_body_that_trickles(host):
    plan(host, faults.trickling(0.005))
    before = time.monotonic()
    assert got(host)[2] == BODY
    assert time.monotonic() - before > 0.005 * len(BODY) // 1000


@pytest.mark.parametrize(
    ("fault", "status"),
    [(faults.failing(), 503), (faults.failing(500), 500), (faults.expired(), 401), (faults.forbidden(), 403)],
    ids=lambda value: str(getattr(value, "name", value)),
)
def test_refusals(host, fault, status):
    plan(host, fault)
    assert got(host)[0] == status


def test_lists_with_entries_twice_or_lost(host):
    plan(host, faults.repeated())
    plan(host, faults.lost())
    assert [json.loads(got(host, "/list")[2])["value"] for _ in range(3)] == [[1, 1, 2], [1, 2], [1, 2, 3]]


def test_faults_are_met_by_the_questions_they_are_planned_for(host):
    plan(host, faults.failing(), path="list", times=1)
    assert [got(host)[0], got(host, "/list")[0], got(host, "/list")[0]] == [200, 503, 200]
    plan(host, faults.failing(), path="nobody asks", times=2)
    assert host.faults.happened == {"503": 1}
    assert host.faults.left == [("503", "files", "nobody asks")]


def test_some_questions_are_spared(host):
    plan(host, faults.failing(), times=2, after=1, between=2)
    assert [got(host)[0] for _ in range(6)] == [200, 503, 200, 200, 503, 200]


def test_one_question_meets_so_many_and_no_more(host):
    host.faults.most = 2
    plan(host, faults.failing(), times=3)
    assert [got(host, Range="bytes=0-9")[0] for _ in range(3)] == [503, 503, 206]
    assert [got(host, Range="bytes=10-19")[0] for _ in range(2)] == [503, 206]
