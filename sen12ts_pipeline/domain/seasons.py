"""Seasons, partitions and the half-open intervals that belong to them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum


class Season(StrEnum):
    """Meteorological season; winter is January, February and December of one calendar year."""

    WINTER = "winter"
    SPRING = "spring"
    SUMMER = "summer"
    FALL = "fall"


_FIRST_MONTH = {Season.SPRING: 3, Season.SUMMER: 6, Season.FALL: 9, Season.WINTER: 12}


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """Half-open interval of UTC time, ``start <= t < end``."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError("an interval needs aware times")
        if not self.start < self.end:
            raise ValueError(f"an interval must not be empty: {self.start} to {self.end}")

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end


def _midnight(year: int, month: int, day: int = 1) -> datetime:
    return datetime(year, month, day, tzinfo=UTC)


def season_of(scene: date) -> Season:
    """Season of a Sentinel-2 date; 29 February is winter."""
    return {0: Season.WINTER, 1: Season.SPRING, 2: Season.SUMMER, 3: Season.FALL}[scene.month % 12 // 3]


def intervals(year: int, season: Season) -> tuple[Interval, ...]:
    """Half-open intervals of a season of a calendar year, in order of time; winter has two."""
    if season is Season.WINTER:
        return (
            Interval(_midnight(year, 1), _midnight(year, 3)),
            Interval(_midnight(year, 12), _midnight(year + 1, 1)),
        )
    month = _FIRST_MONTH[season]
    return (Interval(_midnight(year, month), _midnight(year, month + 3)),)


def pass_search(year: int, season: Season, *, days_before: int = 51, days_after: int = 3) -> tuple[Interval, ...]:
    """Intervals in which a season's Sentinel-1 passes lie, across the borders of seasons and years."""
    before, after = timedelta(days=days_before), timedelta(days=days_after)
    return tuple(Interval(i.start - before, i.end + after) for i in intervals(year, season))


def label_date(year: int, season: Season) -> date:
    """First day of the season's label: 1 March, 1 June, 1 September; winter 1 December of its own year."""
    return date(year, _FIRST_MONTH[season], 1)


def due(year: int, season: Season, *, days_after: int = 3, orbit_days: int = 20) -> datetime:
    """Moment from which a partition can be made: its last interval is over and its precise orbits are out."""
    return intervals(year, season)[-1].end + timedelta(days=days_after + orbit_days)


_PARTITION_TEXT = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]*)/(\d{4})-(winter|spring|summer|fall)", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Partition:
    """AOI and season of a year: the unit of a run, a backfill, a report."""

    aoi: str
    year: int
    season: Season

    def __str__(self) -> str:
        return f"{self.aoi}/{self.year}-{self.season}"

    @property
    def name(self) -> str:
        """Year and season, as in the names of files: ``2023-fall``."""
        return f"{self.year}-{self.season}"

    @classmethod
    def parse(cls, text: str) -> Partition:
        """Read ``<aoi>/<year>-<season>``."""
        match = _PARTITION_TEXT.fullmatch(text)
        if not match:
            raise ValueError(f"a partition is written <aoi>/<year>-<season>; got {text!r}")
        return cls(match[1], int(match[2]), Season(match[3]))

    @classmethod
    def of_label(cls, aoi: str, label: date) -> Partition:
        """Partition of a run's logical date."""
        return cls(aoi, label.year, season_of(label))
