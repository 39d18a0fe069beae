"""A finished triplet: what is said of it, and where its files lie in the data set."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.domain.granules import Scene
from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.domain.names import LabelName, TripletName
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.domain.series import Series

FILES = ("s1", "s2", "label", "quicklook")
"""What a triplet has besides its metadata, which is written last."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """Size in bytes and SHA-256 of a file."""

    size: int
    sha256: str

    @classmethod
    def of(cls, body: bytes) -> FileFacts:
        """Facts of a file's content."""
        return cls(len(body), hashlib.sha256(body).hexdigest())


@dataclass(frozen=True, slots=True)
class Triplet:
    """A finished triplet.

    Attributes
    ----------
    partition : Partition
        AOI, year and season.
    slot : int
        1 to 4: its place in the cap.
    tile : TileId
        Where it lies.
    name : TripletName
        Name of its files.
    scene : Scene
        Optics.
    series : Series
        Radar, newest first; five visits.
    invalid_s1, invalid_s2 : int
        Pixels that are 0 in each mask.
    histogram : mapping of int to int
        Pixels of each label code, nodata included under -3000.
    files : mapping of str to FileFacts
        ``s1``, ``s2``, ``label`` and ``quicklook``.
    provenance : mapping
        JSON values: products, bursts, orbits, DEM, engine, parameters. No time of making, host or path.
    class_table : str
        Class table of the label (`classes.TABLES`); empty if none.
    """

    partition: Partition
    slot: int
    tile: TileId
    name: TripletName
    scene: Scene
    series: Series
    invalid_s1: int
    invalid_s2: int
    histogram: Mapping[int, int] = field(hash=False)
    files: Mapping[str, FileFacts] = field(hash=False)
    provenance: Mapping[str, Any] = field(hash=False)
    class_table: str = ""

    def __post_init__(self) -> None:
        if set(self.files) != set(FILES):
            raise ValueError(f"a triplet has the files {', '.join(FILES)}; got {', '.join(sorted(self.files))}")

    @property
    def paths(self) -> dict[str, str]:
        """Paths of the files below the AOI's folder."""
        return paths_of(self.name, self.partition.year)


def paths_of(name: TripletName, year: int) -> dict[str, str]:
    """Paths of a triplet's files below the AOI's folder, metadata included."""
    label = LabelName(name.latitude, name.longitude, year)
    return {
        "s1": f"s1/{name}.tif",
        "s2": f"s2/{name}.tif",
        "label": f"labels/{label}.tif",
        "quicklook": f"quicklooks/{name}.png",
        "metadata": f"metadata/{name}.json",
    }


def histogram(label: npt.NDArray[np.int16]) -> dict[int, int]:
    """Pixels of each code of a label, nodata included, by code."""
    codes, counts = np.unique(label, return_counts=True)
    return dict(zip(codes.tolist(), counts.tolist(), strict=True))


def invalid_pixels(stack: npt.NDArray[np.float32] | npt.NDArray[np.int16]) -> int:
    """Pixels that the mask of a radar or optical stack, its last layer, does not hold valid."""
    return int(np.count_nonzero(stack[-1] != 1))
