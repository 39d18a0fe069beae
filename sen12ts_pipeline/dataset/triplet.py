"""A finished triplet: what is said of it, and where its files lie in the data set."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.dataset.classes import Table
from sen12ts_pipeline.domain.granules import Scene
from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.domain.names import LabelName, TripletName
from sen12ts_pipeline.domain.pairing import Candidate
from sen12ts_pipeline.domain.seasons import Partition

FILES = ("s1", "s2", "label")
"""The three files of a triplet; a quick-look may lie beside them, and the metadata are written last."""


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
    candidate : Candidate
        Tile, scene and series it was made of.
    scene : Scene
        The candidate's scene.
    invalid_s1, invalid_s2 : int
        Pixels that are 0 in each mask.
    histogram : mapping of int to int
        Pixels of each label code, nodata included under -3000.
    files : mapping of str to FileFacts
        ``s1``, ``s2``, ``label``, and ``quicklook`` if there is one.
    provenance : mapping
        JSON values: products, bursts, orbits, DEM, engine, parameters. No time of making, host or path.
    class_table : Table or str
        Class table of the label, or its name (`classes.TABLES`); empty if none.
    label_year : int or None
        Year that the label's map describes, where it is not the partition's.
    """

    partition: Partition
    slot: int
    candidate: Candidate
    scene: Scene
    invalid_s1: int
    invalid_s2: int
    histogram: Mapping[int, int] = field(hash=False)
    files: Mapping[str, FileFacts] = field(hash=False)
    provenance: Mapping[str, Any] = field(hash=False)
    class_table: Table | str = field(default="", hash=False)
    label_year: int | None = None

    def __post_init__(self) -> None:
        if not set(FILES) <= set(self.files) <= {*FILES, "quicklook"}:
            raise ValueError(f"a triplet has the files {', '.join(FILES)}; got {', '.join(sorted(self.files))}")
        if self.scene.id != self.candidate.scene_id:
            raise ValueError(f"the scene must be {self.candidate.scene_id}; got {self.scene.id}")

    @property
    def tile(self) -> TileId:
        """Where it lies."""
        return self.candidate.tile

    @property
    def name(self) -> TripletName:
        """Name of its files."""
        return name_of(self.candidate)

    @property
    def paths(self) -> dict[str, str]:
        """Paths of the files below the AOI's folder."""
        return paths_of(self.name, self.partition.year)


def name_of(candidate: Candidate) -> TripletName:
    """Name of a candidate's files."""
    return TripletName.of(
        candidate.tile,
        s1date=candidate.series.newest.date,
        s2date=candidate.s2date,
        track=candidate.track,
        direction=candidate.direction,
    )


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
