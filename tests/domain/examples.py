"""Builders of domain values for tests: everything that a test does not speak of has a plausible default."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from sen12ts_pipeline.domain.bursts import Track
from sen12ts_pipeline.domain.granules import Granule, Scene
from sen12ts_pipeline.domain.lattice import TileId, zone_of
from sen12ts_pipeline.domain.pairing import Candidate
from sen12ts_pipeline.domain.passes import Slice, Visit
from sen12ts_pipeline.domain.selection import Screened
from sen12ts_pipeline.domain.series import Series

ETHIOPIAN_TILE = TileId(37, -65, 432)
"""Tile of a published file: upper left corner (333600, 1108480) in EPSG:32637."""

NOON = datetime(2020, 6, 15, 12, tzinfo=UTC)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def a_slice(start: datetime = NOON, **changes: Any) -> Slice:
    values: dict[str, Any] = {
        "start": start,
        "stop": start + timedelta(seconds=27),
        "platform": "S1A",
        "datatake": 0x3C421,
        "relative_orbit": 52,
        "direction": "D",
        "polarisations": ("VH", "VV"),
        "processed": start + timedelta(hours=3),
        "ipf": (3, 31),
        "footprint": "POLYGON EMPTY",
    } | changes
    values.setdefault("product", f"{values['platform']}_IW_SLC__1SDV_{start:%Y%m%dT%H%M%S}_{values['datatake']:06X}")
    return Slice(**values)


def a_visit(time: datetime = NOON, platform: str = "S1A") -> Visit:
    return Visit(time, f"{platform}_{time:%Y%m%dT%H%M%S}", platform)


def a_series(newest: datetime = NOON, platform: str = "S1A") -> Series:
    return Series(tuple(a_visit(newest - timedelta(days=12 * step), platform) for step in range(5)))


def a_granule(datatake_start: datetime = NOON, **changes: Any) -> Granule:
    """Of zone 37 north unless told otherwise; it contains `ETHIOPIAN_TILE`."""
    values: dict[str, Any] = {
        "datatake_start": datatake_start,
        "mgrs": "37PCN",
        "mission": "S2A",
        "relative_orbit": 92,
        "baseline": (5, 0),
        "discriminator": "20230101T000000",
        "datastrip": "DS_1",
        "cloud_percent": 5.0,
        "epsg": 32637,
        "ulx_m": 300_000.0,
        "uly_m": 1_200_000.0,
        "size_m": 109_800.0,
    } | changes
    values.setdefault(
        "product",
        f"{values['mission']}_MSIL2A_{datatake_start:%Y%m%dT%H%M%S}_N{values['baseline'][0]:02d}{values['baseline'][1]:02d}"
        f"_R{values['relative_orbit']:03d}_T{values['mgrs']}_{values['discriminator']}",
    )
    return Granule(**values)


def a_scene(datatake_start: datetime = NOON, **changes: Any) -> Scene:
    return Scene((a_granule(datatake_start, **changes),))


def a_screened(
    s2date: date,
    *,
    s1: datetime,
    invalid_s1: int = 0,
    invalid_s2: int = 0,
    track: int = 52,
    platform: str = "S1A",
    scene: str = "S2A",
) -> Screened:
    candidate = Candidate(ETHIOPIAN_TILE, f"{scene}_{s2date:%Y%m%d}", s2date, Track(track), "D", a_series(s1, platform))
    return Screened(candidate, invalid_s1, invalid_s2)


@st.composite
def tiles(draw: st.DrawFn) -> TileId:
    """Tiles of all zones and both hemispheres, each in the zone of its own centre."""
    tile = TileId.at(draw(st.floats(-180, 179.999)), draw(st.floats(-79, 83)))
    assume(zone_of(tile.centre_lonlat[0]) == tile.zone)
    return tile
