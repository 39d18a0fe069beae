"""A busy server is asked again, later and later, but not for ever."""

import random
import time

import pytest

from sen12ts_pipeline import passing
from sen12ts_pipeline.errors import BadProduct, Retryable
from sen12ts_pipeline.passing import Passing, asked_wait_s, patiently, wait_named


@pytest.fixture
def waits(monkeypatch):
    found = []
    monkeypatch.setattr(passing.time, "sleep", found.append)
    return found


def answers(*them):
    """A question that is answered with each of these in turn."""
    left = list(them)

    def ask():
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return ask


def test_waits_are_drawn_from_all_of_a_span_that_doubles(waits):
    random.seed(0)
    for _ in range(400):
        assert patiently("x", answers(*[Passing("busy")] * 4, "there")) == "there"
    for attempt, longest in enumerate((2, 4, 8, 16)):
        drawn = waits[attempt::4]
        assert max(drawn) <= longest
        assert min(drawn) < 0.02 * longest
        assert max(drawn) > 0.98 * longest


def test_no_wait_of_our_own_is_longer_than_two_minutes(waits, monkeypatch):
    monkeypatch.setattr(passing, "TRIES", 30)
    assert patiently("x", answers(*[Passing("busy")] * 29, "there")) == "there"
    assert 30 < max(waits) <= 120


def test_the_server_s_own_wait_is_kept_to(waits):
    assert patiently("x", answers(Passing("busy", 7.0), Passing("busy", 300.0), "there")) == "there"
    assert waits == [7.0, 300.0]


def test_a_wait_of_more_than_five_minutes_is_left_to_the_scheduler_with_its_length(waits):
    with pytest.raises(Retryable, match="x: busy, once; try again in 301 s"):
        patiently("x", answers(Passing("busy", 300.5), "there"))
    assert not waits


def test_after_five_times_it_is_left_to_a_later_try(waits):
    with pytest.raises(Retryable, match="x: busy, 5 times; try again later"):
        patiently("x", answers(*[Passing("busy")] * 9))
    assert len(waits) == 4


def test_what_does_not_pass_is_not_asked_again(waits):
    with pytest.raises(BadProduct):
        patiently("x", answers(BadProduct("P", "", "gone"), "there"))
    assert not waits


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Thu, 01 Jan 1970 00:00:00 -0000", 0.0),
        ("soon", None),
        ("-3", None),
        ("inf", None),
        ("", None),
        (None, None),
    ],
    ids=str,
)
def test_the_wait_that_a_server_names_is_read(header, seconds):
    assert asked_wait_s(header) == seconds


def test_the_end_of_a_window_is_a_wait_too_and_retry_after_goes_before_it():
    assert wait_named({"x-ratelimit-reset": "17"}) == 17.0
    assert wait_named({"Retry-After": "3", "x-ratelimit-reset": "17"}) == 3.0
    assert wait_named({"x-ratelimit-reset": "later"}) is None
    assert wait_named({}) is None


def test_the_end_of_a_window_may_be_a_moment():
    assert wait_named({"x-ratelimit-reset": str(int(time.time()) + 100)}) == pytest.approx(99.5, abs=5)
    assert wait_named({"x-ratelimit-reset": str(int(time.time()) - 100)}) == 0.0
