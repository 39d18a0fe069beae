"""Thresholds of the data set contract as one value; the defaults are the paper's."""

from __future__ import annotations

from dataclasses import dataclass

TRIPLET_BYTES = 256 * 256 * (19 * 4 + 14 * 2) + 256 * 256 * 2 // 4
"""Raw bytes of a triplet and of its share, a quarter, of the tile's label: 6.85 MB."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Thresholds of the contract.

    Attributes
    ----------
    max_cloud_percent : float
        Granules must stay below this cloud cover.
    max_gap_days : int
        Largest |s2date - s1date|, days.
    repeat_days : int
        Days between the passes of a series.
    repeat_tolerance_minutes : float
        Allowed deviation of the burst time from the repeat.
    series_length : int
        Backscatter dates of a series; one more pass is needed for the oldest interferogram.
    mix_platforms : bool
        Whether one series may mix Sentinel-1A to D.
    max_invalid_percent : float
        A mask must have less than this share of invalid pixels.
    cap_per_season : int
        Triplets a tile and season.
    budget_bytes : int
        Raw bytes of the AOI's year; a quarter is spent per season.
    search_days_before, search_days_after : int
        Window around a season in which passes are searched.
    """

    max_cloud_percent: float = 10.0
    max_gap_days: int = 3
    repeat_days: int = 12
    repeat_tolerance_minutes: float = 30.0
    series_length: int = 4
    mix_platforms: bool = False
    max_invalid_percent: float = 1.0
    cap_per_season: int = 4
    budget_bytes: int = 320_000_000_000
    search_days_before: int = 51
    search_days_after: int = 3

    def admits_invalid(self, invalid: int, pixels: int = 65536) -> bool:
        """Whether a mask with this many invalid pixels passes: strictly below the percentage (655 of 65,536)."""
        return invalid * 100 < self.max_invalid_percent * pixels

    @property
    def season_triplets(self) -> int:
        """Triplets that a season's quarter of the size budget holds."""
        return self.budget_bytes // 4 // TRIPLET_BYTES
