"""Whether every date of a track has the bursts that its other dates have."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sen12ts_pipeline.domain.bursts import BurstId, Track

USUAL_SHARE = 0.5
"""A burst is expected of a track when more than this share of the track's dates have it."""


@dataclass(frozen=True, slots=True, order=True)
class Shortfall:
    """Bursts that a pass lacks.

    Attributes
    ----------
    track : Track
        Relative orbit of the bursts.
    pass_id : str
        Identity of the pass.
    missing : tuple of BurstId
        Expected, and not there.
    within : bool
        Whether some of them lie between bursts that are there. A satellite does not pause: a product was not found.
        At an end the acquisition itself may have been shorter.
    """

    track: Track
    pass_id: str
    missing: tuple[BurstId, ...]
    within: bool


def shortfalls(
    passes: Mapping[str, Collection[BurstId]], wanted: Collection[BurstId] | None = None
) -> tuple[Shortfall, ...]:
    """Passes that lack bursts of their track, in the order of tracks and passes.

    Parameters
    ----------
    passes : mapping of str to collection of BurstId
        Bursts of each pass, by its identity.
    wanted : collection of BurstId, optional
        Those that matter, for example those that serve a tile; all by default. Slices are framed anew on each date, so
        that at the rim of an area the bursts found differ without anything being amiss.

    Returns
    -------
    tuple of Shortfall
        Empty when all is there. Of a track that only one date shows nothing can be expected.
    """
    chosen = None if wanted is None else frozenset(wanted)
    found: list[Shortfall] = []
    for track, dates in sorted(_by_track(passes, chosen).items()):
        times_seen = Counter(burst for bursts in dates.values() for burst in bursts)
        expected = {burst for burst, times in times_seen.items() if times > USUAL_SHARE * len(dates)}
        for pass_id, bursts in sorted(dates.items()):
            missing = tuple(sorted(expected - bursts))
            if missing:
                found.append(Shortfall(track, pass_id, missing, _within(missing, passes[pass_id])))
    return tuple(found)


def common_bursts(chain: Collection[str], passes: Mapping[str, Collection[BurstId]]) -> frozenset[BurstId]:
    """Bursts that every pass of a chain has: what a series may be planned on."""
    return frozenset.intersection(*(frozenset(passes[pass_id]) for pass_id in chain)) if chain else frozenset()


def _by_track(
    passes: Mapping[str, Collection[BurstId]], wanted: frozenset[BurstId] | None
) -> dict[Track, dict[str, frozenset[BurstId]]]:
    """Bursts that matter, by their track and by pass.

    The track is that of the burst's number: a pass near the equator has two. A pass that has but other bursts of a
    track is a date of it all the same.
    """
    tracks: dict[Track, dict[str, frozenset[BurstId]]] = defaultdict(dict)
    for pass_id, bursts in passes.items():
        parts: dict[Track, set[BurstId]] = defaultdict(set)
        for burst in bursts:
            parts[burst.track].update({burst} if wanted is None or burst in wanted else ())
        for track, part in parts.items():
            tracks[track][pass_id] = frozenset(part)
    return tracks


def _within(missing: Collection[BurstId], there: Collection[BurstId]) -> bool:
    return any(
        any(b.subswath == m.subswath and b.number < m.number for b in there)
        and any(b.subswath == m.subswath and b.number > m.number for b in there)
        for m in missing
    )
