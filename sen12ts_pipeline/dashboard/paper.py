"""What the paper's data set has, to compare with: Conlon and Rustowicz, SEN12TS, 2022, table 2."""

from __future__ import annotations

from dataclasses import dataclass

YEAR = 2020


@dataclass(frozen=True, slots=True)
class Published:
    """Tiles and triplets of an area of the paper; its tiles sum up to 31,398, as the abstract says."""

    tiles: int
    triplets: int


AREAS = {
    "california": Published(3_151, 47_660),
    "iowa": Published(5_292, 47_902),
    "catalonia": Published(4_127, 47_280),
    "ethiopia": Published(5_828, 47_670),
    "uganda": Published(7_173, 47_676),
    "sumatra": Published(5_827, 8_212),
}
