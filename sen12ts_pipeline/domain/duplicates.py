"""Which of the products that an archive has of the same data are needed."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta

from sen12ts_pipeline.domain.granules import Granule
from sen12ts_pipeline.domain.passes import Slice

WORTH = timedelta(seconds=3)
"""A slice is kept if it adds at least this time, a burst; neighbours overlap by up to two bursts."""

_SENSED = re.compile(r"_S(\d{8}T\d{6})(?:_|$)")


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


def needed_granules(granules: Iterable[Granule]) -> tuple[Granule, ...]:
    """Granules without those that were made again at the same baseline, in order of time.

    Two products of one tile, datatake and baseline are halves of it when their datastrips were sensed from different
    times on, and the same data processed twice when from the same; of these the latest is kept. A datastrip's identity
    also holds the time of processing, and so does not tell by itself. Of products whose datastrip is not known each is
    kept.
    """
    newest: dict[object, Granule] = {}
    for one in sorted(set(granules), key=lambda g: (g.discriminator, g.product)):
        sensed = _SENSED.search(one.datastrip)
        data = sensed[1] if sensed else one.product
        newest[one.mission, one.datatake_start, one.relative_orbit, one.mgrs, one.baseline, data] = one
    return tuple(sorted(newest.values(), key=lambda g: (g.datatake_start, g.mgrs, g.product)))
