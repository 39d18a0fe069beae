"""Published land-cover maps as rasters: ESA WorldCover and the USDA Cropland Data Layer (CDL).

Their codes are known, so that a file of another kind is found out; so is the year that they describe.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np

from sen12ts_pipeline.domain.lattice import Grid
from sen12ts_pipeline.domain.layers import NODATA
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.labels.places import centres, transformer
from sen12ts_pipeline.labels.rasters import KEY, Raster, RasterLabels
from sen12ts_pipeline.ports import Label

WORLDCOVER_CODES = frozenset({0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 100})
WORLDCOVER_EDITIONS = {"v100": 2020, "v200": 2021}
WORLDCOVER_TILE_DEG = 3
CDL_BACKGROUND, CDL_CLOUDS, CDL_UNDEFINED = 0, 81, 88

T = TypeVar("T", int, str)

_WORLDCOVER_NAME = re.compile(r"WorldCover_10m_(20\d\d)_(v\d{3})(?:_([NS]\d\d[EW]\d{3}))?", re.IGNORECASE)
_CDL_NAME = re.compile(r"(?:^|[^0-9])((?:19|20)\d\d)_(?:10|30|56)m_cdls|cdl_?((?:19|20)\d\d)", re.IGNORECASE)


class WorldCoverLabels(RasterLabels):
    """ESA WorldCover: one edition, in one file or a folder of its tiles of 3 degrees; implements `ports.LabelSource`.

    Its 0, sea far from land, stays 0; where there is no file it is -3000. The editions v100 (2020) and v200 (2021) are
    made by different algorithms: a change from one to the other is no change on the ground, so they are never mixed.

    Raises
    ------
    ConfigurationError
        As `RasterLabels`, and when files of several editions lie together or one does not tell its edition.
    """

    silent = (0,)

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        editions = {one.path.name: _edition(one) for one in self.rasters}
        self.edition = _only("WorldCover edition", editions)
        self.year = WORLDCOVER_EDITIONS[self.edition]
        self._tiles = {tile for one in self.rasters for tile in _tiles(one)}

    def label(self, grid: Grid) -> Label:
        """As `RasterLabels.label`; notes tell the tiles of 3 degrees that are missing under it, usually open sea."""
        label = super().label(grid)
        _check_codes(label, WORLDCOVER_CODES, self, "WorldCover")
        missing = sorted(self._missing(grid, label))
        return Label(label.codes, {"missing_maps": missing} if missing else {})

    def _missing(self, grid: Grid, label: Label) -> set[str]:
        outside = label.codes == NODATA
        if not outside.any():
            return set()
        x, y = transformer("EPSG:4326", grid).transform(*centres(grid))
        corners = np.stack([x[outside], y[outside]]) // WORLDCOVER_TILE_DEG * WORLDCOVER_TILE_DEG
        return {worldcover_tile(*corner) for corner in np.unique(corners, axis=1).T.tolist()} - self._tiles


class CdlLabels(RasterLabels):
    """USDA Cropland Data Layer of one year; implements `ports.LabelSource`.

    The files have no nodata tag: outside the country they say 0, Background. 0, 81 (Clouds/No Data) and 88
    (Nonag/Undefined) stay as they are and are counted.

    Raises
    ------
    ConfigurationError
        As `RasterLabels`, and when files of several years lie together.
    """

    silent = (CDL_BACKGROUND, CDL_CLOUDS, CDL_UNDEFINED)

    def __init__(self, path: Path, codes: Iterable[int]) -> None:
        super().__init__(path)
        years = {f"{one.path.name} ({year})": year for one in self.rasters for year in sorted(_cdl_years(one))}
        self.year = _only("year of the CDL", years) if years else None
        self._known = frozenset(codes)

    def label(self, grid: Grid) -> Label:
        """As `RasterLabels.label`; ConfigurationError when a code is none of the CDL's."""
        label = super().label(grid)
        _check_codes(label, self._known, self, "CDL")
        return label


def worldcover_tile(longitude: float, latitude: float) -> str:
    """Name of the tile of 3 degrees whose south-western corner this is: ``N00E006``."""
    longitude = (longitude + 180) % 360 - 180
    ns, ew = "S" if latitude < 0 else "N", "W" if longitude < 0 else "E"
    return f"{ns}{abs(round(latitude)):02d}{ew}{abs(round(longitude)):03d}"


def _edition(raster: Raster) -> str:
    """Edition of a WorldCover file, by its tag ``product_version`` or its name; a VRT has those of its parts."""
    told = {named[2].lower() for name in _names(raster) if (named := _WORLDCOVER_NAME.search(name))}
    if tagged := re.match(r"V(\d)\.(\d)\.(\d)", raster.tags.get("product_version", "")):
        told.add("v" + "".join(tagged.groups()))
    if len(told) != 1 or not told <= set(WORLDCOVER_EDITIONS):
        editions = " or ".join(WORLDCOVER_EDITIONS)
        rule = f"must be of one WorldCover edition, {editions}, told by the tag product_version or the name"
        raise ConfigurationError("labels", KEY, f"{rule}, file {raster.path}", sorted(told))
    return told.pop()


def _tiles(raster: Raster) -> set[str]:
    named = {found[3].upper() for name in _names(raster) if (found := _WORLDCOVER_NAME.search(name)) and found[3]}
    return named | {tag for tag in (raster.tags.get("product_tile"),) if tag}


def _cdl_years(raster: Raster) -> set[int]:
    return {int(found[1] or found[2]) for name in _names(raster) if (found := _CDL_NAME.search(name))}


def _names(raster: Raster) -> set[str]:
    return {raster.path.name, *(part.name for part in raster.parts)}


def _only(what: str, told: Mapping[str, T]) -> T:
    values = sorted(set(told.values()), key=str)
    if len(values) > 1:
        by_value = "; ".join(f"{v}: {', '.join(sorted(n for n, w in told.items() if w == v))}" for v in values)
        raise ConfigurationError("labels", KEY, f"must hold files of one {what}: take the others away", by_value)
    return values[0]


def _check_codes(label: Label, known: frozenset[int], source: RasterLabels, kind: str) -> None:
    wrong = sorted(set(np.unique(label.codes).tolist()) - known - {NODATA})
    if wrong:
        rule = f"must hold codes of the {kind} class table, {source.path}"
        raise ConfigurationError("labels", KEY, rule, wrong)
