"""The way back in: triplets of finished data sets as arrays.

    >>> from sen12ts_pipeline.dataset import open_dataset
    >>> summer = open_dataset("data/store").select(seasons={"summer"}, splits={"train"})  # doctest: +SKIP
    >>> summer[0].s1.shape  # doctest: +SKIP
    (19, 256, 256)

Reads what this program makes, in either profile, in a folder or a bucket, and the files of the published SEN12TS.
"""

from __future__ import annotations

import datetime
import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.dataset import index
from sen12ts_pipeline.dataset.geotiff import Raster, decode
from sen12ts_pipeline.dataset.places import Place
from sen12ts_pipeline.dataset.triplet import paths_of
from sen12ts_pipeline.domain.lattice import Grid, TileId
from sen12ts_pipeline.domain.layers import NODATA, S1_LAYERS, S1_MASK, S2_BANDS, S2_LAYERS, S2_MASK
from sen12ts_pipeline.domain.names import TripletName
from sen12ts_pipeline.domain.seasons import Season, season_of
from sen12ts_pipeline.domain.splits import Split, split_of
from sen12ts_pipeline.errors import BadProduct, ConfigurationError
from sen12ts_pipeline.ports import Bool, Float32, Int16

if TYPE_CHECKING:
    import xarray

INDEX = "index/index.parquet"
_FOLDERS = ("s1", "s2", "labels")


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Arrays of a triplet, as stored.

    Attributes
    ----------
    name : TripletName
        Place, dates, track and direction.
    grid : Grid
        Where the pixels lie.
    s1 : float32 (19, 256, 256)
        Radar stack, -3000 without data.
    s2 : int16 (14, 256, 256)
        Optical stack, -3000 without data.
    label : int16 (256, 256)
        Codes of the source, -3000 where it says nothing.
    """

    name: TripletName
    grid: Grid
    s1: Float32
    s2: Int16
    label: Int16

    @property
    def season(self) -> Season:
        """Season of the optical date."""
        return season_of(self.name.s2date)

    @property
    def valid(self) -> Bool:
        """Pixels that both masks hold valid, (256, 256)."""
        valid: Bool = (self.s1[S1_MASK] == 1) & (self.s2[S2_MASK] == 1)
        return valid

    def to_xarray(self) -> xarray.Dataset:
        """The stacks with named layers and the coordinates of pixel centres; needs xarray."""
        import xarray

        half, (rows, cols) = self.grid.spacing_m / 2, self.grid.shape
        place = {
            "y": self.grid.north - half - self.grid.spacing_m * np.arange(rows),
            "x": self.grid.west + half + self.grid.spacing_m * np.arange(cols),
        }
        return xarray.Dataset(
            {
                "s1": (("s1_layer", "y", "x"), self.s1, {"_FillValue": NODATA}),
                "s2": (("s2_layer", "y", "x"), self.s2, {"_FillValue": NODATA}),
                "label": (("y", "x"), self.label, {"_FillValue": NODATA}),
            },
            coords={"s1_layer": list(S1_LAYERS), "s2_layer": list(S2_LAYERS), **place},
            attrs={"name": str(self.name), "crs": f"EPSG:{self.grid.epsg}"},
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """A triplet as the index tells it, before anything of it is read.

    Attributes
    ----------
    aoi : str
        Area of interest.
    name : TripletName
        Place, dates, track and direction.
    classes : mapping of int to int, or None
        Pixels of each label code; None where there is no index to tell.
    split : Split or None
        Part that the tile is for, as the index tells it; None where there is none.
    """

    aoi: str
    name: TripletName
    classes: Mapping[int, int] | None = field(default=None, hash=False)
    split: Split | None = None

    @property
    def season(self) -> Season:
        """Season of the optical date."""
        return season_of(self.name.s2date)

    @property
    def part(self) -> Split:
        """Part that the tile is for: as the index tells, else as the name does."""
        return self.split or split_of(TileId.at(float(self.name.longitude), float(self.name.latitude)))

    @property
    def place(self) -> tuple[str, str, str]:
        """Area, latitude and longitude: the same for all triplets of a tile."""
        return self.aoi, self.name.latitude, self.name.longitude


Dates = tuple[datetime.date | str, datetime.date | str]
"""First and last date, both included; texts are ``YYYY-MM-DD``."""


class Dataset(Sequence[Sample]):
    """Triplets of one or several areas, in the order of area and name; made by `open_dataset`.

    Nothing but the index is read before a triplet is asked for; may be used by many threads, and be handed to other
    processes.
    """

    def __init__(self, places: Mapping[str, Place], entries: Iterable[Entry]) -> None:
        self._places = dict(places)
        self.entries: tuple[Entry, ...] = tuple(entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Sample]:
        return (self.read(entry) for entry in self.entries)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Dataset: ...
    def __getitem__(self, index: int | slice) -> Sample | Dataset:
        if isinstance(index, slice):
            return Dataset(self._places, self.entries[index])
        return self.read(self.entries[index])

    def __repr__(self) -> str:
        return f"Dataset of {len(self)} triplets: {', '.join(sorted({e.aoi for e in self.entries}))}"

    @property
    def aois(self) -> tuple[str, ...]:
        """Areas of the triplets."""
        return tuple(sorted({entry.aoi for entry in self.entries}))

    def select(
        self,
        *,
        aois: Collection[str] | None = None,
        seasons: Collection[str] | None = None,
        years: Collection[int] | None = None,
        tracks: Collection[int] | None = None,
        directions: Collection[str] | None = None,
        s1dates: Dates | None = None,
        s2dates: Dates | None = None,
        classes: Collection[int] | None = None,
        splits: Collection[str] | None = None,
        per_tile: tuple[int, int] | None = None,
    ) -> Dataset:
        """Triplets for which all that is given holds.

        Parameters
        ----------
        aois, seasons, years, tracks, directions : collection, optional
            Areas; ``winter`` to ``fall``; years of the optical date; relative orbits; ``A`` or ``D``.
        s1dates, s2dates : (first, last), optional
            Both included.
        classes : collection of int, optional
            At least one pixel of the label has one of these codes.
        splits : collection of str, optional
            ``train``, ``validation``, ``test``, ``border``.
        per_tile : (least, most), optional
            Number of triplets that the tile has among those for which everything else holds.

        Raises
        ------
        ConfigurationError
            When classes are asked for and there is no index that tells them, or a season or split is misspelt.
        """
        seasons = None if seasons is None else {_member(Season, s, "seasons") for s in seasons}
        splits = None if splits is None else {_member(Split, s, "splits") for s in splits}
        wanted = [
            entry
            for entry in self.entries
            if (aois is None or entry.aoi in aois)
            and (seasons is None or entry.season in seasons)
            and (years is None or entry.name.s2date.year in years)
            and (tracks is None or entry.name.track in tracks)
            and (directions is None or entry.name.direction in directions)
            and _within(entry.name.s1date, s1dates)
            and _within(entry.name.s2date, s2dates)
            and (classes is None or not _classes(entry).keys().isdisjoint(classes))
            and (splits is None or entry.part in splits)
        ]
        if per_tile is not None:
            count = Counter(entry.place for entry in wanted)
            wanted = [entry for entry in wanted if per_tile[0] <= count[entry.place] <= per_tile[1]]
        return Dataset(self._places, wanted)

    def tiles(self) -> dict[tuple[str, str, str], Dataset]:
        """Triplets of each tile, by `Entry.place`, in the order of their optical and radar dates."""
        found: dict[tuple[str, str, str], list[Entry]] = {}
        for entry in self.entries:
            found.setdefault(entry.place, []).append(entry)
        return {
            place: Dataset(self._places, sorted(entries, key=lambda e: (e.name.s2date, e.name.s1date, e.name.track)))
            for place, entries in found.items()
        }

    def read(self, entry: Entry) -> Sample:
        """Arrays of a triplet; BadProduct if one of its files is missing or broken, or lies elsewhere."""
        s1, s2, label = (self._raster(entry, kind) for kind in ("s1", "s2", "label"))
        if not s1.grid == s2.grid == label.grid:
            rule = f"its files must have one grid; got {s1.grid}, {s2.grid}, {label.grid}"
            raise BadProduct(str(entry.name), "", rule)
        for raster, layers, kind in ((s1, S1_LAYERS, "s1"), (s2, S2_LAYERS, "s2")):
            if len(raster.array) != len(layers):
                raise BadProduct(_path(entry, kind), "", f"must have {len(layers)} layers; has {len(raster.array)}")
        return Sample(entry.name, s1.grid, s1.array, s2.array, label.array[0])

    def label(self, entry: Entry) -> Int16:
        """Label of a triplet alone, int16 (256, 256); errors as `read`."""
        label: Int16 = self._raster(entry, "label").array[0]
        return label

    def metadata(self, entry: Entry) -> dict[str, Any]:
        """STAC item of a triplet, its provenance included; BadProduct where there is none, as in the published set."""
        item: dict[str, Any] = json.loads(self.body(entry, "metadata"))
        return item

    def body(self, entry: Entry, kind: str) -> bytes:
        """A file of a triplet as it is: ``s1``, ``s2``, ``label``, ``quicklook`` or ``metadata``; errors as above."""
        path = _path(entry, kind)
        try:
            return self._places[entry.aoi].read(path)
        except FileNotFoundError as error:
            raise BadProduct(path, "", f"must be a readable file of {self._places[entry.aoi].text}") from error

    def _raster(self, entry: Entry, kind: str) -> Raster:
        return decode(self.body(entry, kind), name=_path(entry, kind))


def open_dataset(place: str | Path) -> Dataset:
    """Triplets of a store, or of one area of it.

    Parameters
    ----------
    place : str or Path
        ``STORE`` or ``STORE/<aoi>``, a folder or ``s3://bucket/prefix``; of this program, or the published SEN12TS.
        With an index there (``index/index.parquet``) that tells what there is; else the names of the files do.

    Raises
    ------
    ConfigurationError
        When no data set is there.
    """
    root = Place.of(place)
    inside = root.folders()
    areas = {_last(root): root} if "s1" in inside else {name: root / name for name in inside}
    found = {aoi: entries for aoi, at in areas.items() if (entries := _entries(aoi, at)) is not None}
    if not found:
        rule = "must be STORE or STORE/<aoi>, with folders s1, s2 and labels"
        raise ConfigurationError("dataset", "place", rule, root.text)
    return Dataset({aoi: areas[aoi] for aoi in found}, (entry for aoi in sorted(found) for entry in found[aoi]))


def _entries(aoi: str, at: Place) -> list[Entry] | None:
    """Triplets of an area in the order of their names; None if no data set lies there."""
    try:
        rows = index.rows_of(at.read(INDEX))
    except FileNotFoundError:
        folders = at.folders()
        if "s1" not in folders:
            return None
        own = "metadata" in folders
        stems = at.stems("metadata", ".json") if own else at.stems("s1", ".tif")
        return [Entry(aoi, TripletName.parse(stem)) for stem in stems]
    except ValueError as error:
        raise BadProduct(f"{at.text}/{INDEX}", "", str(error)) from error
    entries = [Entry(aoi, TripletName.parse(r["name"]), r["label_histogram"], Split(r["split"])) for r in rows]
    return sorted(entries, key=lambda entry: str(entry.name))


def reflectance(sample: Sample) -> Float32:
    """Reflectance 0 to 1 of the 12 bands, NaN without data; float32 (12, 256, 256)."""
    bands: npt.NDArray[np.int16] = sample.s2[: len(S2_BANDS)]
    scaled: Float32 = np.where(bands < 0, np.float32(np.nan), bands.astype(np.float32) / np.float32(10_000))
    return scaled


def _path(entry: Entry, kind: str) -> str:
    return paths_of(entry.name, entry.name.s2date.year)[kind]


def _last(root: Place) -> str:
    return Path(root.text).absolute().name if "://" not in root.text else root.text.rpartition("/")[2]


def _classes(entry: Entry) -> Mapping[int, int]:
    if entry.classes is None:
        rule = f"need an index that tells the classes of each triplet, {INDEX}"
        raise ConfigurationError("select", "classes", rule, f"{entry.aoi} has none")
    return entry.classes


def _member(kind: type[Season] | type[Split], text: str, key: str) -> Any:  # noqa: ANN401 - a member of the kind
    try:
        return kind(text)
    except ValueError:
        raise ConfigurationError("select", key, f"must be of {', '.join(kind)}", text) from None


def _within(day: datetime.date, span: Dates | None) -> bool:
    return span is None or str(span[0]) <= day.isoformat() <= str(span[1])
