"""Answers that may be some seconds old, so that many open pages cost no more than one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class Recent:
    """Keeps values for a time; errors are not kept. Threads that ask for one value at once wait for one computation.

    Parameters
    ----------
    seconds : float
        Age at which a value is made anew.
    most : int
        Values that are kept.
    """

    def __init__(self, seconds: float, most: int = 256) -> None:
        self._seconds, self._most = seconds, most
        self._values: dict[Hashable, tuple[float, Any]] = {}
        self._locks: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of a key, from `make` unless it is there and young enough."""
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            at, value = self._values.get(key, (0.0, None))
            if not at or time.monotonic() - at >= self._seconds:
                value = make()
                self._keep(key, value)
            kept: T = value
            return kept

    def forget(self) -> None:
        """Make everything anew when it is asked for next."""
        with self._lock:
            self._values.clear()

    def _keep(self, key: Hashable, value: object) -> None:
        with self._lock:
            if len(self._values) >= self._most:
                oldest = min(self._values, key=lambda one: self._values[one][0])
                del self._values[oldest]
                self._locks.pop(oldest, None)
            self._values[key] = time.monotonic(), value
