"""What a data set costs before it is made: bytes, requests, days at a provider's quota, processor hours, disk.

Every constant is a measured mean; where it was measured stands beside it. Bytes are those of real products of IW SLC
with two polarisations and of Sentinel-2 L2A, whole granules.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

from sen12ts_pipeline.domain.quotas import DAYS, Quota
from sen12ts_pipeline.domain.rules import TRIPLET_BYTES

BURST_BYTES = 298e6
"""VV and VH of a burst: mean over IW1 to IW3 of six products of 2018 to 2025, 272 to 326 MB (their annotations)."""
SLICE_METADATA_BYTES = 18.3e6
"""All files of a slice but its samples (manifest of an S1A product of June 2020)."""
SLICE_BYTES = 7.8e9
"""A whole slice, as its SAFE folder or as a zip that is stored (the same manifest)."""
SLICE_ZIP_BYTES = 4.5e9
"""A whole slice as a compressed zip: 4.19 and 4.72 GB (S1B 2021, S1A 2023)."""
GRANULE_BYTES = 651e6
"""The 12 bands of a granule at their own resolution: four full granules of 2020, 622 to 704 MB."""
SCL_BYTES = 2e6
"""Scene classification of a granule: 0.2 to 2.2 MB."""
GRANULE_PRODUCT_BYTES = 1.05e9
"""A whole granule product as a zip: 0.84 to 1.17 GB (four of 2020)."""
PIECE_BYTES = 8 * 2**20
"""Most that one request asks for."""
SLICE_FILES, MEASUREMENT_FILES, GRANULE_FILES = 25, 6, 13
"""Small files of a slice; its files of samples, whose heads are read too; bands and classification of a granule."""
AZIMUTH_KM, RANGE_KM = 20.0, 85.0
"""Size of a burst on the ground."""

FRAME_CPU_S = 0.0576 / 4
"""Backscatter, coherence and phase of a tile and date: `radar_cpu_s_per_tile` of docs/benchmarks.md has four."""
TERRAIN_CPU_S = 0.0364
"""Geometry of a tile and track: `terrain_cpu_s_per_tile` of docs/benchmarks.md."""
TRIPLET_CPU_S = 0.385
"""Optical stack, files, quicklook, index and, 0.035 s, measures of a triplet: eight simulated triplets, one thread."""
FRAME_DISK_BYTES, TERRAIN_DISK_BYTES, OPTICAL_DISK_BYTES = 0.66e6, 1.06e6, 1.84e6
"""Artifacts that a store keeps of a tile and date, of a tile and track, of a triplet: the same run."""

S_PER_DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Needs:
    """What is to be fetched and made; each product, burst and frame counted once, however many triplets it serves.

    Attributes
    ----------
    tiles : int
        Tiles that may get a triplet.
    triplets : int
        Finished at most.
    frames : int
        Dates of a tile and track with their pairs.
    terrains : int
        Tiles and tracks.
    slices : int
        Sentinel-1 products of which anything is read.
    bursts : int
        Bursts, each date of one counted.
    screened, granules : int
        Sentinel-2 products of which the classification, and of which all bands are read.
    """

    tiles: int = 0
    triplets: int = 0
    frames: int = 0
    terrains: int = 0
    slices: int = 0
    bursts: int = 0
    screened: int = 0
    granules: int = 0

    def times(self, count: int) -> Needs:
        """The same, so many times."""
        return Needs(*(getattr(self, f.name) * count for f in fields(Needs)))


@dataclass(frozen=True, slots=True)
class Fetching:
    """Bytes and requests of one way to get the products."""

    size: float
    requests: int

    def days(self, quota: Quota) -> float:
        """Days at a provider's quota: by its bandwidth, its requests, and its volume.

        A volume V of 30 days that is used up as fast as may be is free again 30 days after it was begun: B bytes need
        the time of the last ``B - k V`` after ``k = ceil(B / V) - 1`` windows.
        """
        speed = quota.connections * quota.bytes_per_s
        by_requests = self.requests / quota.requests_per_minute / 60 / 24
        by_speed, volume = self.size / speed / S_PER_DAY, quota.bytes_per_30_days
        if not volume or self.size <= volume:
            return max(by_speed, by_requests)
        windows = math.ceil(self.size / volume) - 1
        rest = (self.size - windows * volume) / speed / S_PER_DAY
        return max(by_speed, by_requests, windows * DAYS + rest)


def by_parts(needs: Needs) -> Fetching:
    """Bursts by ranges of bytes with the small files of their slices; bands and classification of granules."""
    slices = needs.slices * SLICE_METADATA_BYTES
    bursts = needs.bursts * BURST_BYTES
    optical = needs.granules * GRANULE_BYTES + needs.screened * SCL_BYTES
    files = needs.slices * (SLICE_FILES + MEASUREMENT_FILES) + needs.screened + needs.granules * GRANULE_FILES
    pieces = needs.bursts * 2 * _pieces(BURST_BYTES / 2) + needs.granules * _pieces(GRANULE_BYTES)
    return Fetching(slices + bursts + optical, files + pieces)


def by_products(needs: Needs, slice_bytes: float = SLICE_BYTES) -> Fetching:
    """Every product whole, one request each; what is screened must be there whole, too."""
    optical = max(needs.granules, needs.screened)
    return Fetching(needs.slices * slice_bytes + optical * GRANULE_PRODUCT_BYTES, needs.slices + optical)


def cpu_hours(needs: Needs) -> float:
    """Processor hours of everything that is made, on the machine of docs/benchmarks.md."""
    radar = needs.frames * FRAME_CPU_S + needs.terrains * TERRAIN_CPU_S
    return (radar + needs.triplets * TRIPLET_CPU_S) / 3600


def store_bytes(needs: Needs) -> float:
    """What the store holds at the end: triplets in raw bytes, an upper bound, and the artifacts they were made of."""
    artifacts = needs.frames * FRAME_DISK_BYTES + needs.terrains * TERRAIN_DISK_BYTES
    return needs.triplets * (TRIPLET_BYTES + OPTICAL_DISK_BYTES) + artifacts


def disk_peak_bytes(needs: Needs, spool_bytes: float) -> float:
    """Store, and a spool that is full or holds all that was fetched."""
    return store_bytes(needs) + min(spool_bytes, by_parts(needs).size)


def bursts_of_rectangle(width_km: float, height_km: float) -> float:
    """Bursts that a pass has over a rectangle along its track, on average over where it lies.

    A lattice of cells a x b is met by a rectangle w x h in ``(w + a) (h + b) / (a b)`` of them.
    """
    return (height_km + AZIMUTH_KM) * (width_km + RANGE_KM) / (AZIMUTH_KM * RANGE_KM)


def square_area(triplets: int, *, per_tile: int, tracks: int, dates: int, scene_dates: int, tried_dates: int) -> Needs:
    """Needs of a square area and year whose tiles lie side by side.

    Parameters
    ----------
    triplets : int
        Of the area.
    per_tile : int
        Of each tile in the year.
    tracks, dates : int
        Tracks, and dates of each of which frames are made; four more dates only serve the first series.
    scene_dates, tried_dates : int
        Dates of Sentinel-2 whose bands are read, and whose classification is.
    """
    tiles = math.ceil(triplets / per_tile)
    side_km = 2.56 * math.sqrt(tiles)
    passes = tracks * (dates + 4)
    granules = ((side_km + 100.0) / 100.0) ** 2  # granules lie 100 km apart
    return Needs(
        tiles=tiles,
        triplets=triplets,
        frames=tiles * min(tracks * dates, 4 * per_tile),
        terrains=tiles * tracks,
        slices=round(passes * (side_km / 170.0 + 1.0)),  # a slice is 170 km long
        bursts=round(passes * bursts_of_rectangle(side_km, side_km)),
        screened=round(tried_dates * granules),
        granules=round(scene_dates * granules),
    )


def paper() -> Needs:
    """The published data set: six areas of 2020, 246,400 triplets, by the mean area.

    16 triplets a tile, the cap of four seasons; two tracks, 31 dates each; bands of 16 dates and classification of 40.
    """
    area = square_area(246_400 // 6, per_tile=16, tracks=2, dates=31, scene_dates=16, tried_dates=40)
    return replace(area.times(6), triplets=246_400)


def _pieces(size: float) -> int:
    return math.ceil(size / PIECE_BYTES)
