"""A busy server is asked again, later and later, but not for ever."""

import pytest

from sen12ts_pipeline.acquisition import retry
from sen12ts_pipeline.acquisition.retry import patiently
from sen12ts_pipeline.errors import BadProduct, Retryable
from sen12ts_pipeline.passing import Passing


@pytest.fixture
def waits(monkeypatch):
    found = []
    monkeypatch.setattr(retry.time, "sleep", found.append)
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


def test_waits_grow_and_no_two_clients_wait_alike(waits):
    for _ in range(2):
        assert patiently("x", answers(*[Passing("busy")] * 4, "there")) == "there"
    for wait, longest in zip(waits, [1, 2, 4, 8] * 2, strict=True):
        assert longest / 2 <= wait <= longest
    assert waits[:4] != waits[4:]


def test_the_server_s_own_wait_is_kept_to_for_up_to_a_minute(waits):
    assert patiently("x", answers(Passing("busy", 7.0), Passing("busy", 600.0), "there")) == "there"
    assert waits == [7.0, 60.0]


def test_after_five_times_it_is_left_to_a_later_try(waits):
    with pytest.raises(Retryable, match="x: busy, 5 times"):
        patiently("x", answers(*[Passing("busy")] * 9))
    assert len(waits) == 4


def test_what_does_not_pass_is_not_asked_again(waits):
    with pytest.raises(BadProduct):
        patiently("x", answers(BadProduct("P", "", "gone"), "there"))
    assert not waits
