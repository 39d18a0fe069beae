"""Looks whether something needs a person, and tells it once."""

from __future__ import annotations

from collections.abc import Callable

from sen12ts_pipeline.dashboard.alerts import news, text
from sen12ts_pipeline.dashboard.overview import overview
from sen12ts_pipeline.dashboard.sources import Sources, connected


def look(tell: Callable[[str], None], sources: Sources | None = None) -> str:
    """Tell what is new and what is over since the last look; returns the message, empty if nothing was to be told.

    The ledger remembers what was told, after it was told: a message that cannot be sent is tried again at the next
    look, and one may come twice if the process dies in between.

    Parameters
    ----------
    tell : callable
        Sends a message; raises what prevents it.
    sources : Sources, optional
        The configured ones by default.
    """
    sources = sources or connected()
    ledger = sources.ledger()
    found = news(overview(sources).attention, ledger.told())
    message = text(found)
    if message:
        tell(message)
        ledger.record_told({one.key: one.wrong for one in found.new}, found.ended)
    return message
