"""Faults of servers that may pass: what they are, how long a server asks to be left alone, and asking it again."""

from __future__ import annotations

import email.utils
import logging
import math
import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.message import Message
from typing import TypeVar

from sen12ts_pipeline.errors import Retryable

log = logging.getLogger(__name__)

T = TypeVar("T")

PASSING_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers of a server that may be others a little later."""
TRIES = 5
FIRST_WAIT_S = 2.0
LONGEST_OWN_WAIT_S = 120.0
"""Longest wait that is chosen here."""
LONGEST_WAIT_S = 300.0
"""Longest wait that a server may ask of a task; the scheduler is the better place for a longer one."""
EPOCH_S = 1_000_000_000.0
"""A ``x-ratelimit-reset`` above this is a moment, in seconds since 1970, and not a number of seconds to wait."""


class Passing(Exception):
    """A fault of a server or connection that may be gone when the same is asked again.

    Parameters
    ----------
    fault : str
        What happened; without credentials.
    wait_s : float, optional
        Seconds after which the server wants to be asked again.
    """

    def __init__(self, fault: str, wait_s: float | None = None) -> None:
        super().__init__(fault)
        self.wait_s = wait_s


def patiently(question: object, ask: Callable[[], T]) -> T:
    """What `ask` returns, asked up to five times while it raises `Passing`.

    A wait that the server names is kept to; one above five minutes is left to the scheduler. Else the wait is drawn
    from all of 0 to 2, 4, 8, ... s, 120 s at most: exponential back-off with full jitter, by which those who were
    refused together come back spread out (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).

    Raises
    ------
    Retryable
        Naming the question and the last fault.
    """
    for attempt in range(1, TRIES + 1):
        try:
            return ask()
        except Passing as fault:
            if attempt == TRIES or (fault.wait_s or 0.0) > LONGEST_WAIT_S:
                raise Retryable(_given_up(question, fault, attempt)) from fault
            wait_s = _own_wait_s(attempt) if fault.wait_s is None else fault.wait_s
            seen = {"question": str(question), "fault": str(fault), "attempt": attempt, "wait_s": round(wait_s, 3)}
            log.info("asked again", extra=seen)
            time.sleep(wait_s)
    raise AssertionError("unreachable")


def _given_up(question: object, fault: Passing, attempts: int) -> str:
    times = "once" if attempts == 1 else f"{attempts} times"
    if fault.wait_s is None:
        return f"{question}: {fault}, {times}; try again later"
    return f"{question}: {fault}, {times}; try again in {math.ceil(fault.wait_s)} s"


def _own_wait_s(attempt: int) -> float:
    longest: float = min(FIRST_WAIT_S * 2 ** (attempt - 1), LONGEST_OWN_WAIT_S)
    return random.uniform(0.0, longest)  # noqa: S311 - no secret


def wait_named(headers: Message | Mapping[str, str]) -> float | None:
    """Seconds for which a refusal asks to be left alone, by ``Retry-After`` or ``x-ratelimit-reset``; None if by none.

    Parameters
    ----------
    headers : Message or mapping
        Of the answer; names are looked for as they are written here, so the mapping must not mind their case.
    """
    wait_s = asked_wait_s(headers.get("Retry-After"))
    if wait_s is not None:
        return wait_s
    reset = _number(headers.get("x-ratelimit-reset"))
    if reset is None:
        return None
    return max(reset - time.time(), 0.0) if reset > EPOCH_S else reset


def asked_wait_s(text: str | None) -> float | None:
    """Seconds that a ``Retry-After`` asks for, given as a number or a date (RFC 9110, section 10.2.3); None if none."""
    if text is None:
        return None
    seconds = _number(text)
    if seconds is not None:
        return seconds
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    known = moment if moment.tzinfo else moment.replace(tzinfo=UTC)  # "-0000" says UTC and no more
    return max((known - datetime.now(UTC)).total_seconds(), 0.0)


def _number(text: str | None) -> float | None:
    """A number of seconds; None if it is none."""
    try:
        value = float(text or "none")
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0.0 else None
