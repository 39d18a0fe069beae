"""Workers of the tests of quotas, each a process: kept apart, so that it starts in no time."""

import os
import time

from sen12ts_pipeline.errors import Retryable
from sen12ts_pipeline.state.quotas import Quotas


def note(log, event):
    """Append an event; the kernel keeps those of many processes apart and in order."""
    place = os.open(log, os.O_APPEND | os.O_WRONLY | os.O_CREAT)
    os.write(place, event)
    os.close(place)


def work(url, quotas, turns, log, start):
    """Take turns, as fast as may be, and note when each begins and ends."""
    start.wait(120)
    gate = Quotas(url, quotas).gate("p")
    for _ in range(turns):
        with gate.turn():
            note(log, b"+")
            time.sleep(0.002)
            note(log, b"-")


class Stop(Exception):
    """Who would have to wait stops."""


def stop(_):
    raise Stop


def take(url, quotas, now, size, log, start):
    """Take turns of a size until there are no more, at a time that does not go on."""
    start.wait(120)
    gate = Quotas(url, quotas, clock=lambda: now, sleep=stop).gate("p")
    try:
        while True:
            with gate.turn() as turn:
                turn.received(size)
                note(log, b"+")
    except (Stop, Retryable):
        pass


def hang(url, quotas, lease_s, log):
    """Hold a turn for ever."""
    with Quotas(url, quotas, lease_s=lease_s).gate("p").turn():
        note(log, b"+")
        time.sleep(600)
