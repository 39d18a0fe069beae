"""Warnings of libraries that mean nothing here."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_turn = threading.Lock()


@contextmanager
def ignored(category: type[Warning]) -> Iterator[None]:
    """Ignore warnings of a category; one thread at a time, because Python keeps its filters for all of them.

    A library's function that changes the filters itself must be called in here too where threads call it: what it puts
    back at its end are the filters of its beginning, whatever another thread has set since.
    """
    with _turn, warnings.catch_warnings():
        warnings.simplefilter("ignore", category)
        yield
