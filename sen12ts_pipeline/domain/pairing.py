"""Pairings: a scene and a series whose newest frame lies near it, over one tile."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date

from sen12ts_pipeline.domain.bursts import BurstId, Track
from sen12ts_pipeline.domain.granules import Scene
from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.domain.passes import Visit
from sen12ts_pipeline.domain.rules import Rules
from sen12ts_pipeline.domain.series import Series, series_ending
from sen12ts_pipeline.errors import Rejected


@dataclass(frozen=True, slots=True, order=True)
class Candidate:
    """A pairing over one tile: everything that may become one triplet."""

    tile: TileId
    scene_id: str
    s2date: date
    track: Track
    direction: str
    series: Series

    @property
    def id(self) -> str:
        """Tile, scene, track and newest pass as one text."""
        return f"{self.tile} {self.scene_id} {self.track} {self.series.newest.pass_id}"

    @property
    def days(self) -> int:
        """|s2date - s1date| in days."""
        return abs((self.s2date - self.series.newest.date).days)


@dataclass(frozen=True, slots=True, order=True)
class TrackVisits:
    """All passes of one track over one tile, and the burst that serves its centre."""

    track: Track
    direction: str
    burst: BurstId
    visits: tuple[Visit, ...]


@dataclass(frozen=True, slots=True, order=True)
class Refusal:
    """A scene and a visit near it that cannot become a triplet, and the rule that says so."""

    tile: TileId
    scene_id: str
    s2date: date
    track: Track
    direction: str
    visit: Visit
    rule: str
    detail: str
    invalid_s1: int | None = None
    invalid_s2: int | None = None

    @classmethod
    def of(
        cls, one: Candidate, rule: str, detail: str, invalid_s1: int | None = None, invalid_s2: int | None = None
    ) -> Refusal:
        """Refusal of a candidate."""
        newest = one.series.newest
        return cls(
            one.tile, one.scene_id, one.s2date, one.track, one.direction, newest, rule, detail, invalid_s1, invalid_s2
        )


def pair(
    tile: TileId, scenes: Iterable[Scene], tracks: Iterable[TrackVisits], rules: Rules
) -> tuple[list[Candidate], list[Refusal]]:
    """Candidates of a tile, and what rules 1 and 3 refuse.

    Parameters
    ----------
    tile : TileId
        The tile.
    scenes : iterable of Scene
        One a date and datatake (`best_scenes`).
    tracks : iterable of TrackVisits
        Passes over the tile, by track.
    rules : Rules
        Thresholds.
    """
    candidates: list[Candidate] = []
    refusals: list[Refusal] = []
    known = [(track, _series(track, rules)) for track in tracks]
    for scene in scenes:
        s2date, scene_id, clear = scene.date, scene.id, admits_cloud(scene, rules)
        for track, series in known:
            head = tile, scene_id, s2date, track.track, track.direction
            for visit in (v for v in track.visits if admits_gap(s2date, v, rules)):
                found = series(visit)
                if not clear:
                    detail = f"{scene.cloud_percent:.4g} % cloud, limit below {rules.max_cloud_percent:g} %"
                    refusals.append(Refusal(*head, visit, "granule_cloud", detail))
                elif isinstance(found, Rejected):
                    refusals.append(Refusal(*head, visit, found.rule, found.detail))
                else:
                    candidates.append(Candidate(*head, found))
    return candidates, refusals


def _series(track: TrackVisits, rules: Rules) -> Callable[[Visit], Series | Rejected]:
    """Series ending at a visit of a track, each made once however many scenes lie near it."""

    @functools.cache
    def ending(visit: Visit) -> Series | Rejected:
        try:
            return series_ending(visit, track.visits, rules)
        except Rejected as refused:
            return refused

    return ending


def admits_cloud(scene: Scene, rules: Rules) -> bool:
    """Whether a scene passes rule 1: cloud cover strictly below the limit; unknown cover is to be measured."""
    return scene.cloud_percent is None or scene.cloud_percent < rules.max_cloud_percent


def admits_gap(s2date: date, newest: Visit, rules: Rules) -> bool:
    """Whether a scene and the newest pass of a series lie near enough (rule 2)."""
    return abs((s2date - newest.date).days) <= rules.max_gap_days


def best_scenes(tile: TileId, scenes: Iterable[Scene]) -> tuple[Scene, ...]:
    """One scene a date for a tile: of those of its zone that contain it the least cloudy, then by name.

    Two datatakes of one date do not both serve a tile: their triplets would have the same name.
    """
    return _best(scene for scene in scenes if scene.contains(tile))


def best_scenes_across(tile: TileId, scenes: Iterable[Scene]) -> tuple[Scene, ...]:
    """As `best_scenes`, of the neighbouring zones' scenes, which are to be warped."""
    return _best(scene for scene in scenes if scene.contains_across(tile))


def _best(scenes: Iterable[Scene]) -> tuple[Scene, ...]:
    chosen: dict[date, Scene] = {}
    order = sorted(scenes, key=lambda s: (101.0 if s.cloud_percent is None else s.cloud_percent, s.products))
    for scene in order:
        chosen.setdefault(scene.date, scene)
    return tuple(chosen[day] for day in sorted(chosen))
