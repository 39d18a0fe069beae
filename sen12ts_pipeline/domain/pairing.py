"""Pairings: a scene and a series whose newest frame lies near it, over one tile."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from sen12ts_pipeline.domain.bursts import Track
from sen12ts_pipeline.domain.granules import Scene
from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.domain.passes import Visit
from sen12ts_pipeline.domain.rules import Rules
from sen12ts_pipeline.domain.series import Series


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


def admits_cloud(scene: Scene, rules: Rules) -> bool:
    """Whether a scene passes rule 1: cloud cover strictly below the limit; unknown cover is to be measured."""
    return scene.cloud_percent is None or scene.cloud_percent < rules.max_cloud_percent


def admits_gap(s2date: date, newest: Visit, rules: Rules) -> bool:
    """Whether a scene and the newest pass of a series lie near enough (rule 2)."""
    return abs((s2date - newest.date).days) <= rules.max_gap_days


def best_scenes(tile: TileId, scenes: Iterable[Scene]) -> tuple[Scene, ...]:
    """One scene a date for a tile: of those that contain it the least cloudy, then by name.

    Two datatakes of one date do not both serve a tile: their triplets would have the same name.
    """
    chosen: dict[date, Scene] = {}
    order = sorted(scenes, key=lambda s: (101.0 if s.cloud_percent is None else s.cloud_percent, s.products))
    for scene in order:
        if scene.contains(tile):
            chosen.setdefault(scene.date, scene)
    return tuple(chosen[day] for day in sorted(chosen))
