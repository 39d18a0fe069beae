"""File names of the data set, both ways."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from sen12ts_pipeline.domain.lattice import TileId

LOOK = "R"
"""Every Sentinel-1 looks to the right."""

_DEGREES = r"-?\d{1,3}(?:\.\d{1,4})?"
_TRIPLET = re.compile(
    rf"lat_({_DEGREES})_lon_({_DEGREES})_s1date_(\d{{4}}-\d\d-\d\d)_s2date_(\d{{4}}-\d\d-\d\d)"
    r"_s1track_(\d+)_s1lookpass_([RL])([AD])",
    re.ASCII,
)
_LABEL = re.compile(rf"lat_({_DEGREES})_lon_({_DEGREES})_date_(\d{{4}})_lulc_label", re.ASCII)


def degrees_text(value: float) -> str:
    """Degrees rounded to 4 decimals as ``str(round(x, 4))`` prints them: ``36.1``, ``-119.5678``.

    The sign of ``-0.0`` stays: it tells apart two tiles that mirror each other at the meridian of Greenwich.
    """
    return str(round(float(value), 4))


@dataclass(frozen=True, slots=True, order=True)
class TripletName:
    """Identity of a triplet as its file name says it; latitude and longitude are the texts of the name."""

    latitude: str
    longitude: str
    s1date: date
    s2date: date
    track: int
    direction: str

    @classmethod
    def of(cls, tile: TileId, *, s1date: date, s2date: date, track: int, direction: str) -> TripletName:
        """Name of a tile's triplet; direction is ``A`` or ``D``."""
        lon, lat = tile.centre_lonlat
        return cls(degrees_text(lat), degrees_text(lon), s1date, s2date, track, direction)

    @classmethod
    def parse(cls, stem: str) -> TripletName:
        """Read a file name without its extension."""
        match = _TRIPLET.fullmatch(stem)
        if not match:
            raise ValueError(f"not the name of a triplet: {stem!r}")
        s1date, s2date = date.fromisoformat(match[3]), date.fromisoformat(match[4])
        return cls(match[1], match[2], s1date, s2date, int(match[5]), match[7])

    def __str__(self) -> str:
        return (
            f"lat_{self.latitude}_lon_{self.longitude}_s1date_{self.s1date.isoformat()}"
            f"_s2date_{self.s2date.isoformat()}_s1track_{self.track}_s1lookpass_{LOOK}{self.direction}"
        )


@dataclass(frozen=True, slots=True, order=True)
class LabelName:
    """Identity of a tile's label file."""

    latitude: str
    longitude: str
    year: int

    @classmethod
    def of(cls, tile: TileId, year: int) -> LabelName:
        """Name of a tile's label of a year."""
        lon, lat = tile.centre_lonlat
        return cls(degrees_text(lat), degrees_text(lon), year)

    @classmethod
    def parse(cls, stem: str) -> LabelName:
        """Read a file name without its extension."""
        match = _LABEL.fullmatch(stem)
        if not match:
            raise ValueError(f"not the name of a label: {stem!r}")
        return cls(match[1], match[2], int(match[3]))

    def __str__(self) -> str:
        return f"lat_{self.latitude}_lon_{self.longitude}_date_{self.year}_lulc_label"
