"""Asking an archive again when it is busy, or its answer is broken."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from sen12ts_pipeline.errors import Retryable
from sen12ts_pipeline.passing import Passing

log = logging.getLogger(__name__)

T = TypeVar("T")

TRIES = 5
FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0


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
