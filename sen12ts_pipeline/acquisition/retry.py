"""Asking a server again when it is busy or a connection breaks."""

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


def patiently(place: str, ask: Callable[[], T]) -> T:
    """What `ask` returns, asked again up to five times while it raises `Passing`.

    Waits grow as 1, 2, 4, 8 s, each cut at random so that many who were refused together do not return together; a
    wait that the server names is kept to, up to a minute.

    Raises
    ------
    Retryable
        Naming the place and the last fault.
    """
    for attempt in range(1, TRIES + 1):
        try:
            return ask()
        except Passing as fault:
            if attempt == TRIES:
                raise Retryable(f"{place}: {fault}, {TRIES} times") from fault
            wait_s = fault.wait_s
            if wait_s is None:
                wait_s = FIRST_WAIT_S * 2 ** (attempt - 1) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
            log.info("asked again", extra={"place": place, "fault": str(fault), "attempt": attempt})
            time.sleep(min(wait_s, LONGEST_WAIT_S))
    raise AssertionError("unreachable")
