"""How much providers of products let one user ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

DAYS = 30
"""Length of the window in which volume is counted."""


@dataclass(frozen=True, slots=True)
class Quota:
    """What all workers of a user may ask of a provider together.

    Attributes
    ----------
    connections : int
        Requests at one time.
    requests_per_minute : int
        Requests that begin in any 60 s.
    bytes_per_30_days : int or None
        Volume of any 30 days; None where there is no limit.
    bytes_per_s : float
        What one connection carries at best; for estimates only.
    faults : int
        So many faults in a row, of whichever workers, and all of them pause.
    pause_s : float
        For how long.
    """

    connections: int
    requests_per_minute: int
    bytes_per_30_days: int | None = None
    bytes_per_s: float = 20e6
    faults: int = 10
    pause_s: float = 600.0

    def __post_init__(self) -> None:
        if min(self.connections, self.requests_per_minute, self.faults) < 1 or self.bytes_per_30_days == 0:
            raise ValueError(f"a quota admits at least one request at a time: {self}")


QUOTAS: Mapping[str, Quota] = {
    "cdse": Quota(connections=4, requests_per_minute=2000, bytes_per_30_days=12 * 10**12),
    "asf": Quota(connections=8, requests_per_minute=600),
    "earth_search": Quota(connections=8, requests_per_minute=600),
    "planetary_computer": Quota(connections=8, requests_per_minute=600),
    "aws": Quota(connections=16, requests_per_minute=6000),
}
"""Quotas by provider.

The Copernicus Data Space's are those of its general users (documentation.dataspace.copernicus.eu, Quotas and
Limitations): 4 connections of 20 MB/s, 2000 requests a minute, 12 TB in 30 days. The others publish none; these are
modest, and their bandwidth is assumed to be the same.
"""
