"""Which of the slices that an archive has of the same data are needed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta

from sen12ts_pipeline.domain.passes import Slice

WORTH = timedelta(seconds=3)
"""A slice is kept if it adds at least this time, a burst; neighbours overlap by up to two bursts."""


def needed_slices(slices: Iterable[Slice]) -> tuple[Slice, ...]:
    """Slices without those whose data newer ones hold, in order of time.

    Data are cut into slices anew when they are processed again, or sent out in a hurry and again later; the same bursts
    are then in products whose times differ. Within a datatake slices are taken from the newest processing to the
    oldest, and each one that adds a burst's time to those taken before is kept.
    """
    datatakes: dict[tuple[str, int, tuple[str, ...]], list[Slice]] = defaultdict(list)
    for one in sorted(set(slices)):
        datatakes[one.platform, one.datatake, one.polarisations].append(one)
    kept: list[Slice] = []
    for parts in datatakes.values():
        taken: list[Slice] = []
        for one in sorted(parts, key=lambda s: (s.ipf, s.processed, s.product), reverse=True):
            if _added(one, taken) >= WORTH:
                taken.append(one)
        kept.extend(taken)
    return tuple(sorted(kept))


def _added(one: Slice, taken: list[Slice]) -> timedelta:
    """Time of a slice that none of those taken covers."""
    added, start = timedelta(0), one.start
    for other in sorted(taken):
        if other.start > start:
            added += max(min(other.start, one.stop) - start, timedelta(0))
        start = max(start, other.stop)
    return added + max(one.stop - start, timedelta(0))
