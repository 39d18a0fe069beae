"""Freed memory is kept for the next arrays: fresh pages would cost a quarter of the engine's time."""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's ``mallopt``."""

_LARGEST_BLOCK = 64 * 2**20
_KEPT = 256 * 2**20


def keep_freed_memory() -> None:
    """Ask the C library to keep up to 256 MiB of freed memory of this process; only glibc takes such wishes.

    The arrays of a tile are megabytes, and glibc would take each from the system and give it back: thousands of page
    faults a tile.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(_MMAP_THRESHOLD, _LARGEST_BLOCK)
    mallopt(_TRIM_THRESHOLD, _KEPT)
