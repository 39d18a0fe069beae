"""Faults of servers that may pass: what they are, and how long a server asks to be left alone.

Who asks servers decides how often to ask again, and when to leave it to the scheduler.
"""

from __future__ import annotations

import email.utils
from datetime import UTC, datetime

PASSING_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers of a server that may be others a little later."""


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
