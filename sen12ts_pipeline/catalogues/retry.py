"""Asking an archive again when it is busy, or its answer is broken."""

from __future__ import annotations

import email.utils
import logging
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from sen12ts_pipeline.errors import Retryable

log = logging.getLogger(__name__)

T = TypeVar("T")

TRIES = 5
FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
PASSING_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers that may be others a little later."""


class Passing(Exception):
    """A fault that may be gone when the same is asked again.

    Parameters
    ----------
    fault : str
        What happened; without credentials.
    wait_s : float, optional
        Seconds after which the archive wants to be asked again.
    """

    def __init__(self, fault: str, wait_s: float | None = None) -> None:
        super().__init__(fault)
        self.wait_s = wait_s


def patiently(question: object, ask: Callable[[], T]) -> T:
    """What `ask` returns, asked up to five times while it raises `Passing`.

    Waits double from one second, shortened at random so that many who were refused at once do not come back at once.
    A wait that the archive names is kept to; one above a minute is left to the scheduler.

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
                times = "once" if attempt == 1 else f"{attempt} times"
                raise Retryable(f"{question}: {fault}, {times}; try again later") from fault
            log.info("asked again", extra={"question": str(question), "fault": str(fault), "attempt": attempt})
            time.sleep(_wait_s(attempt) if fault.wait_s is None else fault.wait_s)
    raise AssertionError("unreachable")


def _wait_s(attempt: int) -> float:
    longest: float = min(FIRST_WAIT_S * 2 ** (attempt - 1), LONGEST_WAIT_S)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - no secret


def asked_wait_s(text: str | None) -> float | None:
    """Seconds that a ``Retry-After`` asks for, given as a number or a date (RFC 9110, section 10.2.3); None if none."""
    if text is None:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    return max((moment - datetime.now(UTC)).total_seconds(), 0.0)
