"""The way back in: triplets of a finished data set as arrays."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.dataset.geotiff import Raster, decode
from sen12ts_pipeline.dataset.triplet import paths_of
from sen12ts_pipeline.domain.lattice import Grid
from sen12ts_pipeline.domain.names import TripletName
from sen12ts_pipeline.domain.seasons import Season, season_of
from sen12ts_pipeline.errors import BadProduct, ConfigurationError
from sen12ts_pipeline.ports import Bool, Float32, Int16


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
        valid: Bool = (self.s1[-1] == 1) & (self.s2[-1] == 1)
        return valid


class Dataset(Sequence[Sample]):
    """Triplets of one AOI's folder, in the order of their names.

    Parameters
    ----------
    root : Path
        Folder ``STORE/<aoi>``. Triplets are complete when their metadata are there; others are not seen.
    seasons : collection of Season, optional
        Only these.
    years : collection of int, optional
        Only triplets whose optical date lies in one of them.

    Examples
    --------
    >>> summer = Dataset(Path("store/iowa"), seasons={Season.SUMMER})  # doctest: +SKIP
    >>> summer[0].s1.shape  # doctest: +SKIP
    (19, 256, 256)
    """

    def __init__(
        self, root: Path, *, seasons: Collection[Season] | None = None, years: Collection[int] | None = None
    ) -> None:
        self.root = Path(root)
        if not self.root.is_dir():
            raise ConfigurationError("dataset", "root", "must be the folder of an AOI", str(root))
        found = (TripletName.parse(path.stem) for path in (self.root / "metadata").glob("*.json"))
        self.names: tuple[TripletName, ...] = tuple(
            name for name in sorted(found, key=str) if _wanted(name.s2date, seasons, years)
        )

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[Sample]:
        return (self.read(name) for name in self.names)

    def __getitem__(self, index: Any) -> Any:  # noqa: ANN401 - an int gives a Sample, a slice a list of them
        if isinstance(index, slice):
            return [self.read(name) for name in self.names[index]]
        return self.read(self.names[index])

    def read(self, name: TripletName) -> Sample:
        """Arrays of a triplet; BadProduct if one of its files cannot be read or lies elsewhere."""
        paths = paths_of(name, name.s2date.year)
        s1, s2, label = (self._raster(paths[kind]) for kind in ("s1", "s2", "label"))
        if not s1.grid == s2.grid == label.grid:
            raise BadProduct(str(name), "", f"its files must have one grid; got {s1.grid}, {s2.grid}, {label.grid}")
        return Sample(name, s1.grid, s1.array, s2.array, label.array[0])

    def metadata(self, name: TripletName) -> dict[str, Any]:
        """STAC item of a triplet, its provenance included."""
        item: dict[str, Any] = json.loads((self.root / paths_of(name, name.s2date.year)["metadata"]).read_bytes())
        return item

    def _raster(self, path: str) -> Raster:
        try:
            return decode((self.root / path).read_bytes(), name=path)
        except OSError as error:
            raise BadProduct(path, "", f"must be a readable file: {error.strerror}") from error


def reflectance(sample: Sample) -> Float32:
    """Reflectance 0 to 1 of the 12 bands, NaN without data; float32 (12, 256, 256)."""
    bands: npt.NDArray[np.int16] = sample.s2[:12]
    scaled: Float32 = np.where(bands < 0, np.float32(np.nan), bands.astype(np.float32) / np.float32(10_000))
    return scaled


def _wanted(s2date: date, seasons: Collection[Season] | None, years: Collection[int] | None) -> bool:
    return (seasons is None or season_of(s2date) in seasons) and (years is None or s2date.year in years)
