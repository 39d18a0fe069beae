"""Judge a finished data set by the contract and by its own digests, from its files alone."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.dataset import index
from sen12ts_pipeline.dataset.geotiff import Raster, decode
from sen12ts_pipeline.dataset.triplet import FILES, histogram, invalid_pixels, paths_of
from sen12ts_pipeline.domain.lattice import CENTRAL_EASTING_M, TILE_M, TileId, zone_of
from sen12ts_pipeline.domain.layers import (
    BACKSCATTER_RANGE_DB,
    FRAME_LAYERS,
    FRAMES,
    LABEL_LAYERS,
    NODATA,
    REFLECTANCE_RANGE,
    S1_LAYERS,
    S1_MASK,
    S2_BANDS,
    S2_LAYERS,
    S2_MASK,
    S2_SCL,
)
from sen12ts_pipeline.domain.names import LabelName, TripletName, degrees_text
from sen12ts_pipeline.domain.rules import Rules
from sen12ts_pipeline.domain.seasons import season_of
from sen12ts_pipeline.errors import BadProduct, ConfigurationError
from sen12ts_pipeline.ports import CloudMasker
from sen12ts_pipeline.sentinel2.masks import SclMasker

FOLDERS = {"s1": ".tif", "s2": ".tif", "labels": ".tif", "metadata": ".json", "quicklooks": ".png"}
PI = float(np.float32(np.pi))
"""The float32 next to pi is a little larger than pi."""
S1_RANGES = (*((BACKSCATTER_RANGE_DB, BACKSCATTER_RANGE_DB, (0.0, 1.0), (-PI, PI)) * FRAMES), (0.0, 180.0), (0.0, 90.0))
FORMS = {
    "s1": ("float32", S1_LAYERS),
    "s2": ("int16", S2_LAYERS),
    "label": ("int16", LABEL_LAYERS),
}


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """What is wrong: the file below the AOI's folder, the rule it breaks, and what was found."""

    file: str
    rule: str
    found: str

    def __str__(self) -> str:
        return f"{self.file}: {self.rule}: {self.found}"


def verify(root: Path, *, rules: Rules | None = None, masker: CloudMasker | None = None) -> list[Finding]:
    """Check the folder of an AOI.

    Parameters
    ----------
    root : Path
        Folder ``STORE/<aoi>``.
    rules : Rules, optional
        Thresholds the data set was made with; the paper's by default.
    masker : CloudMasker, optional
        The masker of triplets whose metadata name none; ``scl`` by default. A mask that was made of whole granules
        cannot be made again from tiles: of it only pixels without data are checked.

    Returns
    -------
    list of Finding
        Sorted; empty if everything holds.

    Raises
    ------
    ConfigurationError
        When there is no such folder.
    """
    if not root.is_dir():
        raise ConfigurationError("verify", "root", "must be the folder of an AOI", str(root))
    check = _Check(root, rules or Rules(), masker or SclMasker())
    return sorted(set(check.all()))


@dataclass(slots=True)
class _Check:
    root: Path
    rules: Rules
    masker: CloudMasker
    items: dict[TripletName, Mapping[str, Any]] = field(default_factory=dict)
    facts: dict[str, tuple[int, str]] = field(default_factory=dict)
    same: dict[tuple[object, ...], tuple[str, str]] = field(default_factory=dict)

    def all(self) -> Iterator[Finding]:
        """Every check; names first, as the rest builds on them."""
        names: dict[str, set[str]] = {}
        for folder, suffix in FOLDERS.items():
            names[folder] = set()
            yield from self._names(folder, suffix, names[folder])
        triplets = {TripletName.parse(stem) for stem in names["s1"] | names["s2"]}
        yield from self._presence(names, triplets)
        yield from self._cap(triplets)
        for name in sorted(triplets, key=str):
            yield from self._triplet(name)
        yield from self._index()

    def _names(self, folder: str, suffix: str, stems: set[str]) -> Iterator[Finding]:
        """Names of a folder that have the pattern; the others are findings."""
        parse = LabelName.parse if folder == "labels" else TripletName.parse
        for path in sorted((self.root / folder).glob("[!.]*")):
            try:
                if path.suffix != suffix or str(parse(path.stem)) != path.stem:
                    raise ValueError(f"not the name of a file of {folder}/: {path.name}")
                stems.add(path.stem)
            except ValueError as error:
                yield Finding(f"{folder}/{path.name}", "name", str(error))

    def _presence(self, names: Mapping[str, set[str]], triplets: Iterable[TripletName]) -> Iterator[Finding]:
        """Each triplet has all its files, and each file a triplet."""
        wanted: dict[str, set[str]] = {folder: set() for folder in FOLDERS}
        for name in triplets:
            for path in paths_of(name, name.s2date.year).values():
                folder, _, file = path.partition("/")
                wanted[folder].add(file.rpartition(".")[0])
        for folder, suffix in FOLDERS.items():
            optional = folder == "quicklooks"  # the metadata tell whether there is one
            for stem in set() if optional else wanted[folder] - names[folder]:
                yield Finding(f"{folder}/{stem}{suffix}", "present", "a triplet needs it; it is missing")
            for stem in names[folder] - wanted[folder]:
                yield Finding(f"{folder}/{stem}{suffix}", "present", "no triplet needs it")

    def _cap(self, triplets: Iterable[TripletName]) -> Iterator[Finding]:
        groups: dict[tuple[object, ...], list[TripletName]] = defaultdict(list)
        for name in triplets:
            groups[name.latitude, name.longitude, name.s2date.year, season_of(name.s2date)].append(name)
        for (*_, year, season), members in groups.items():
            if len(members) > self.rules.cap_per_season:
                found = f"{len(members)} triplets of a tile in {season} {year}, at most {self.rules.cap_per_season}"
                yield Finding(f"s1/{min(map(str, members))}.tif", "cap", found)

    def _triplet(self, name: TripletName) -> Iterator[Finding]:
        paths = paths_of(name, name.s2date.year)
        gap = abs((name.s2date - name.s1date).days)
        if gap > self.rules.max_gap_days:
            yield Finding(paths["s1"], "gap", f"{gap} days between the dates, at most {self.rules.max_gap_days}")
        rasters: dict[str, Raster] = {}
        for kind in ("s1", "s2", "label"):
            if (self.root / paths[kind]).is_file():
                yield from self._raster(kind, paths[kind], rasters)
        for kind, raster in rasters.items():
            yield from _grid(paths[kind], raster, name)
        if "s1" in rasters:
            yield from self._radar(paths["s1"], rasters["s1"].array)
            yield from self._constant(paths["s1"], name, rasters["s1"].array)
        if "s2" in rasters:
            yield from self._optical(paths["s2"], rasters["s2"].array, self._masker_of(paths["metadata"]))
        yield from self._metadata(name, paths, rasters)

    def _raster(self, kind: str, path: str, rasters: dict[str, Raster]) -> Iterator[Finding]:
        """Type, layers, nodata of a file; it joins `rasters` if its pixels can be judged."""
        dtype, layers = FORMS[kind]
        try:
            raster = decode((self.root / path).read_bytes(), name=path)
        except BadProduct as error:
            yield Finding(path, "readable", error.reason)
            return
        if raster.array.dtype != dtype or len(raster.array) != len(layers):
            found = f"{len(raster.array)} layers of {raster.array.dtype}; must be {len(layers)} of {dtype}"
            yield Finding(path, "layers", found)
            return
        if raster.layers != layers:
            yield Finding(path, "layers", f"called {raster.layers}; must be {layers}")
        if raster.nodata != NODATA:
            yield Finding(path, "nodata", f"{raster.nodata}; must be {NODATA} in every layer")
        if raster.grid.shape != (256, 256):
            yield Finding(path, "grid", f"{raster.grid.shape} pixels; must be 256 x 256")
            return
        rasters[kind] = raster

    def _radar(self, path: str, stack: npt.NDArray[np.float32]) -> Iterator[Finding]:
        if not np.isfinite(stack).all():
            yield Finding(path, "nan", f"{int((~np.isfinite(stack)).sum())} values are NaN or infinite")
        for k, limits in enumerate(S1_RANGES):
            yield from _range(path, S1_LAYERS[k], stack[k], limits)
        for k in (first + part for first in range(0, S1_MASK - 2, len(FRAME_LAYERS)) for part in (2, 3)):
            cells = stack[k].reshape(128, 2, 128, 2)
            if not (cells == cells[:, :1, :, :1]).all():
                yield Finding(path, "cells", f"{S1_LAYERS[k]} is not constant on cells of 20 m")
        yield from _mask(path, stack[S1_MASK], (stack[:S1_MASK] != NODATA).all(axis=0))
        yield from self._share(path, invalid_pixels(stack))

    def _masker_of(self, path: str) -> CloudMasker | None:
        """Masker that judges pixels as an item says; None where only the whole granule could be judged again."""
        try:
            said = json.loads((self.root / path).read_bytes())["properties"]["sen12ts:provenance"]["masker"]
            name, parameters = said["name"], said["parameters"]
            return SclMasker(parameters["invalid"]) if (name, parameters["dilation_m"]) == ("scl", 0) else None
        except (OSError, ValueError, KeyError, TypeError):
            return self.masker

    def _optical(self, path: str, stack: npt.NDArray[np.int16], masker: CloudMasker | None) -> Iterator[Finding]:
        for k, band in enumerate(S2_BANDS):
            yield from _range(path, band, stack[k], REFLECTANCE_RANGE)
        scl = stack[S2_SCL]
        if scl.min() < 0 or scl.max() > 11:
            yield Finding(path, "range", f"SCL from {scl.min()} to {scl.max()}; must be 0 to 11")
            return
        has_data = (stack[: len(S2_BANDS)] != NODATA).all(axis=0)
        yield from _mask(path, stack[S2_MASK], has_data)
        if masker is not None:
            wrong = int(((stack[S2_MASK] == 1) != (masker.valid({"SCL": scl}) & has_data)).sum())
            if wrong:
                yield Finding(path, "mask", f"{wrong} pixels differ from what the masker {masker.identity.name} says")
        yield from self._share(path, invalid_pixels(stack))

    def _share(self, path: str, invalid: int) -> Iterator[Finding]:
        if not self.rules.admits_invalid(invalid):
            limit = self.rules.max_invalid_percent
            yield Finding(path, "invalid", f"{invalid} of 65536 pixels; must be below {limit:g} %")

    def _constant(self, path: str, name: TripletName, stack: npt.NDArray[np.float32]) -> Iterator[Finding]:
        """Terrain layers are those of the tile and track; a series is that of the tile, track and date."""
        place = name.latitude, name.longitude, name.track, name.s2date.year
        for rule, layers, key in (
            ("terrain", stack[S1_MASK - 2 : S1_MASK], place),
            ("series", stack[: S1_MASK - 2], (*place[:3], name.s1date)),
        ):
            digest = hashlib.sha256(layers.tobytes()).hexdigest()
            first, known = self.same.setdefault((rule, *key), (path, digest))
            if known != digest:
                yield Finding(path, rule, f"differs from {first}, which has the same tile, track and date")

    def _metadata(
        self, name: TripletName, paths: Mapping[str, str], rasters: Mapping[str, Raster]
    ) -> Iterator[Finding]:
        path = paths["metadata"]
        if not (self.root / path).is_file():
            return
        try:
            item = json.loads((self.root / path).read_bytes())
            yield from self._item(path, item, name, rasters)
            self.items[name] = item
        except (ValueError, KeyError, TypeError) as error:
            yield Finding(path, "metadata", f"must be the STAC item of the triplet: {error!r}")

    def _item(
        self, path: str, item: Mapping[str, Any], name: TripletName, rasters: Mapping[str, Raster]
    ) -> Iterator[Finding]:
        """What an item says agrees with the name, the files and the pixels."""
        said = index.row(item)
        if item["id"] != str(name):
            yield Finding(path, "metadata", f"id is {item['id']}")
        facts: dict[str, Any] = {
            "s1date": name.s1date,
            "s2date": name.s2date,
            "track": name.track,
            "direction": name.direction,
            "year": name.s2date.year,
            "season": str(season_of(name.s2date)),
            **{f"{kind}_path": paths_of(name, name.s2date.year)[kind] for kind in FILES},
        }
        if "s1" in rasters:
            facts |= {"invalid_s1": invalid_pixels(rasters["s1"].array), "tile": str(_tile(rasters["s1"]))}
        if "s2" in rasters:
            facts["invalid_s2"] = invalid_pixels(rasters["s2"].array)
        if "label" in rasters:
            facts["label_histogram"] = histogram(rasters["label"].array[0])
        for key, fact in facts.items():
            if said[key] != fact:
                yield Finding(path, "metadata", f"{key} is {said[key]}; the files have {fact}")
        yield from self._digests(path, said)

    def _digests(self, path: str, said: Mapping[str, Any]) -> Iterator[Finding]:
        """Files have the sizes and digests that an item says."""
        for kind in (*FILES, "quicklook"):
            file = said[f"{kind}_path"]
            if file is None:
                continue
            if not (self.root / file).is_file():
                yield Finding(file, "present", f"{path} lists it; it is missing")
            elif self._facts(file) != (said[f"{kind}_bytes"], said[f"{kind}_sha256"]):
                yield Finding(file, "digest", f"size and SHA-256 {self._facts(file)} are not those of {path}")

    def _facts(self, path: str) -> tuple[int, str]:
        """Size and SHA-256 of a file; a label serves many triplets and is read once."""
        if path not in self.facts:
            body = (self.root / path).read_bytes()
            self.facts[path] = len(body), hashlib.sha256(body).hexdigest()
        return self.facts[path]

    def _index(self) -> Iterator[Finding]:
        """The parts together, and the merged index if there is one, say what the metadata say."""
        expected = {str(name): index.row(item) for name, item in self.items.items()}
        parts: dict[str, dict[str, Any]] = {}
        for path in sorted((self.root / "index").glob("[!.]*.parquet")):
            file = f"index/{path.name}"
            try:
                rows = {one["name"]: one for one in index.rows_of(path.read_bytes())}
            except ValueError as error:
                yield Finding(file, "index", str(error))
                continue
            for name in sorted(rows.keys() - expected.keys()):
                yield Finding(file, "index", f"{name} has no metadata")
            for name in sorted(rows.keys() & expected.keys()):
                wrong = [key for key, value in rows[name].items() if value != expected[name][key]]
                if wrong:
                    yield Finding(file, "index", f"{name} differs from its metadata in {', '.join(wrong)}")
            parts |= rows
        for name in sorted(expected.keys() - parts.keys() - self._withheld()):
            yield Finding("index", "index", f"{name} is in no part")

    def _withheld(self) -> set[str]:
        """Triplets that people keep out of the index."""
        try:
            return set(json.loads((self.root / index.WITHHELD_FILE).read_bytes()))
        except FileNotFoundError:
            return set()


def _grid(path: str, raster: Raster, name: TripletName) -> Iterator[Finding]:
    tile = _tile(raster)
    if tile is None or tile.grid != raster.grid:
        yield Finding(path, "grid", f"must be a cell of the lattice in EPSG:326zz; got {raster.grid}")
        return
    lon, lat = tile.centre_lonlat
    if (degrees_text(lat), degrees_text(lon)) != (name.latitude, name.longitude):
        yield Finding(path, "grid", f"its centre is {degrees_text(lat)}, {degrees_text(lon)}; its name says another")
    if zone_of(lon) != tile.zone:
        yield Finding(path, "grid", f"its centre lies in zone {zone_of(lon)}, not {tile.zone}")


def _tile(raster: Raster) -> TileId | None:
    """Tile whose west and south edges are those of a raster, rounded down; None outside EPSG:326zz."""
    if not 32601 <= raster.grid.epsg <= 32660:
        return None
    column, row = (raster.grid.west - CENTRAL_EASTING_M) // TILE_M, raster.grid.south // TILE_M
    return TileId(raster.grid.epsg - 32600, int(column), int(row))


def _range(
    path: str, layer: str, values: npt.NDArray[Any], limits: tuple[float, float] | tuple[int, int]
) -> Iterator[Finding]:
    wrong = values[(values != NODATA) & ~((values >= limits[0]) & (values <= limits[1]))]
    if wrong.size:
        found = f"{layer}: {wrong.size} values outside {limits[0]:g} to {limits[1]:g}, for example {wrong[0]}"
        yield Finding(path, "range", found)


def _mask(path: str, mask: npt.NDArray[Any], has_data: npt.NDArray[np.bool_]) -> Iterator[Finding]:
    if not np.isin(mask, (0, 1)).all():
        yield Finding(path, "mask", f"must be 0 or 1; has {np.unique(mask)[:5].tolist()}")
    wrong = int(((mask == 1) & ~has_data).sum())
    if wrong:
        yield Finding(path, "mask", f"{wrong} pixels are called valid where a layer has no data")
