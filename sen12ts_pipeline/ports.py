"""What the pipeline asks of the outside, as small protocols, and the values that cross them.

An adapter for each lives in a folder of its own; `wiring` alone knows which one is in use.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, NewType, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from shapely.geometry.base import BaseGeometry

from sen12ts_pipeline.domain.bursts import BurstId, Track
from sen12ts_pipeline.domain.granules import Granule, Scene
from sen12ts_pipeline.domain.lattice import Grid, TileId
from sen12ts_pipeline.domain.passes import Pass, Slice
from sen12ts_pipeline.domain.seasons import Interval, Partition, Season
from sen12ts_pipeline.errors import BadProduct

Float32 = npt.NDArray[np.float32]
Int16 = npt.NDArray[np.int16]
UInt8 = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]

ObjectKey = NewType("ObjectKey", str)


class Catalogue(Protocol):
    """Finds products. An incomplete answer is an error, never a shorter list."""

    def granules(self, over: BaseGeometry, during: Interval) -> Iterator[Granule]:
        """Sentinel-2 L2A granules that meet an area (degrees) and whose datatake starts in the interval."""
        ...

    def slices(self, over: BaseGeometry, during: Interval) -> Iterator[Slice]:
        """Sentinel-1 IW SLC products that meet an area (degrees) and start in the interval."""
        ...


class ProductFiles(Protocol):
    """Files of one product, wherever it lies."""

    @property
    def product(self) -> str:
        """Name without ``.SAFE``."""
        ...

    def members(self) -> tuple[str, ...]:
        """Paths of the files inside the product, with ``/``, sorted."""
        ...

    def read(self, member: str) -> bytes:
        """Whole content of a small file; BadProduct if it is missing or unreadable."""
        ...

    def held(self, member: str) -> AbstractContextManager[str]:
        """Path under which GDAL opens the whole file, while the context lasts.

        It is the file itself, its place in a zip of this machine, or a file to which all of it was fetched and that
        stays meanwhile. BadProduct if the member is missing or wrong, Retryable if a server does not give it now.
        """
        ...

    def extent(self, member: str, start: int, length: int) -> tuple[Path, int]:
        """A file of this machine that holds these bytes of a member, and the place in it at which they begin.

        It is the member itself, the zip that holds it, or a file to which they were fetched or unpacked; that one may
        be removed before it is opened, and is then to be asked for again. It holds fewer bytes where the member ends
        before. BadProduct if the member is missing or damaged, Retryable if a server does not give it now.
        """
        ...


class Source(Protocol):
    """Opens products by name."""

    def open(self, product: str) -> ProductFiles:
        """Files of a product; BadProduct if it is not there any more."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where an archive keeps a product. What is empty is not there.

    Attributes
    ----------
    product : str
        Name without ``.SAFE``.
    archive : str
        Name of the archive.
    url : str
        Address of its SAFE folder or zip, of which parts can be had.
    zip_url, zip_bytes, zip_md5 : str, int, str
        Address of all of it as one zip, about how large that is, and its checksum.
    item, hrefs : str, mapping
        For copies as single images: the STAC item, JSON, and addresses of the images by names such as ``B02.tif``.
    """

    product: str
    archive: str
    url: str = ""
    zip_url: str = ""
    zip_bytes: int = 0
    zip_md5: str = ""
    item: str = ""
    hrefs: Mapping[str, str] = field(default_factory=dict, hash=False)


class Places(Protocol):
    """Tells where an archive keeps products."""

    @property
    def archive(self) -> str:
        """Name of the archive."""
        ...

    def serves(self, product: str) -> bool:
        """Whether the archive has products of this kind at all."""
        ...

    def place(self, product: str, *, anew: bool = False) -> Place:
        """The place of a product; `anew` forgets what was known.

        Raises
        ------
        BadProduct
            When the archive does not have it, or not as something that can be read.
        Retryable
            When the archive does not answer.
        """
        ...


class Turn(Protocol):
    """One request to a provider, from its first byte to the last of its answer."""

    def received(self, size: int) -> None:
        """Note bytes of the answer as they come: who notes none for minutes may lose the turn, which is `Passing`."""
        ...


class Gate(Protocol):
    """The door of one provider. All workers queue at it, so that together they stay within the provider's quota.

    A `passing.Passing` that leaves a turn tells the gate of a fault, and of the wait that the server named.
    """

    def turn(self) -> AbstractContextManager[Turn]:
        """Wait until the quota admits one more request, and hold a connection meanwhile.

        Raises
        ------
        Retryable
            When the quota admits none for so long that the task had better be tried again later.
        """
        ...


class _Uncounted:
    """A turn of which nothing is noted."""

    def received(self, size: int) -> None:
        """Nothing is noted."""


class OpenGate:
    """Implements `Gate` where there is no quota."""

    def turn(self) -> AbstractContextManager[Turn]:
        """A request at once."""
        return nullcontext(_Uncounted())


OPEN_GATE = OpenGate()


class OrbitFiles(Protocol):
    """Precise and restituted orbits of the Sentinel-1 satellites."""

    def name(self, platform: str, start: datetime, stop: datetime) -> str:
        """Name of the best orbit file for a slice of ``S1A`` to ``S1D``; empty if there is none."""
        ...

    def read(self, name: str) -> bytes:
        """Content of an orbit file; BadProduct, with its name as the product, if it is not there or unreadable."""
        ...


class NoOrbitFiles:
    """Implements `OrbitFiles` where there are none: every pass keeps its annotated orbit."""

    def name(self, platform: str, start: datetime, stop: datetime) -> str:  # noqa: ARG002 - of the protocol
        """Nothing."""
        return ""

    def read(self, name: str) -> bytes:
        """BadProduct: the store was begun with orbit files that are not configured any more."""
        raise BadProduct(name, "", "must be an orbit file of the configured folder; none is configured")


NO_ORBIT_FILES = NoOrbitFiles()


@dataclass(frozen=True, slots=True)
class EngineIdentity:
    """What decides an engine's bytes besides its inputs."""

    name: str
    version: str
    parameters: Mapping[str, Any] = field(hash=False)

    def as_json(self) -> dict[str, Any]:
        """The identity as recipes and provenance carry it."""
        return {"name": self.name, "version": self.version, "parameters": dict(self.parameters)}


@dataclass(frozen=True, slots=True)
class Terrain:
    """What geometry says of one grid and track; the same for every date.

    Attributes
    ----------
    grid : Grid
        Rows and columns of 10 m.
    bursts : tuple of BurstId
        Bursts that serve the grid with its kernel halo; `choice` counts in this order.
    choice : uint8 (rows + 10, 2 * cols + 20)
        Index of the burst that serves each sample of the 10 m x 5 m lattice, 255 where none does.
    incidence, slope : float32 (rows, cols)
        Degrees; NaN where the DEM has no data.
    factor : float32 (rows, cols)
        gamma0 = factor * beta0; NaN where the projected area is below the limit.
    shadow, layover : bool (rows, cols)
        True where a pixel lies in it.
    notes : mapping
        JSON values for provenance: reference pass, voids in the halo, reach.
    """

    grid: Grid
    bursts: tuple[BurstId, ...]
    choice: UInt8
    incidence: Float32
    slope: Float32
    factor: Float32
    shadow: Bool
    layover: Bool
    notes: Mapping[str, Any]

    @property
    def valid(self) -> Bool:
        """False in shadow, in layover, and where no date can ever have data."""
        served: Bool = (self.choice_at_pixels != 255).all(axis=-1)
        return ~self.shadow & ~self.layover & np.isfinite(self.factor) & np.isfinite(self.incidence) & served

    @property
    def choice_at_pixels(self) -> UInt8:
        """Choice of the two lattice samples of each pixel, (rows, cols, 2)."""
        rows, cols = self.grid.shape
        return self.choice[5:-5, 10:-10].reshape(rows, cols, 2)


@dataclass(frozen=True, slots=True)
class Frame:
    """What the radar says of one grid, track and date; the pair is (date - 12 d, date).

    Attributes
    ----------
    grid : Grid
        Rows and columns of 10 m.
    pass_id, earlier_pass_id : str
        The date's pass and the one 12 days before.
    vh, vv : float32 (rows, cols)
        gamma0 in dB, -40 to 30; NaN without data.
    coherence, phase : float32 (rows / 2, cols / 2)
        On 20 m cells; 0 to 1 and -pi to pi; NaN without data.
    notes : mapping
        JSON values for provenance: perpendicular baseline, effective looks, floor counts.
    """

    grid: Grid
    pass_id: str
    earlier_pass_id: str
    vh: Float32
    vv: Float32
    coherence: Float32
    phase: Float32
    notes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sighting:
    """One tile as one pass sees it.

    Attributes
    ----------
    time : datetime
        UTC zero-Doppler time at the tile's centre.
    burst : BurstId or None
        The burst that serves the centre; None where the pass has no valid samples there.
    """

    time: datetime
    burst: BurstId | None


@dataclass(frozen=True, slots=True)
class FrameJob:
    """Frames of some grids of one track: one chain of passes, each 12 days after the one before.

    Attributes
    ----------
    terrains : tuple of Terrain
        Of the grids to make.
    chain : tuple of Pass
        In order of time; the first only serves the interferogram of the second.
    """

    terrains: tuple[Terrain, ...]
    chain: tuple[Pass, ...]


@runtime_checkable
class SarEngine(Protocol):
    """Makes the radar layers."""

    @property
    def identity(self) -> EngineIdentity:
        """Name, version and parameters: part of every recipe."""
        ...

    def sightings(self, one: Pass, tiles: Sequence[TileId]) -> dict[TileId, Sighting]:
        """When a pass flies by each of the tiles that its orbit reaches, and with which burst. BadProduct."""
        ...

    def bursts(self, one: Pass) -> frozenset[BurstId]:
        """Bursts that a pass has. BadProduct."""
        ...

    def terrain(self, grid: Grid, reference: Pass) -> Terrain:
        """Terrain layers of a grid from orbit and DEM; no SLC sample is read. BadProduct, Rejected."""
        ...

    def check_pair(self, grid: Grid, bursts: tuple[BurstId, ...], earlier: Pass, later: Pass) -> None:
        """Refuse two passes whose interferogram would be worth nothing; no SLC sample is read. BadProduct, Rejected."""
        ...

    def frames(self, job: FrameJob) -> Iterator[Frame | Exception]:
        """Frames of every grid and pass of the chain but the first.

        What fails for one grid or pass comes as a BadProduct or Rejected in the place of its frame.
        """
        ...


class CloudMasker(Protocol):
    """Tells cloud and cloud shadow in a whole granule at 20 m: a shadow needs its cloud, which lies in another tile."""

    @property
    def identity(self) -> EngineIdentity:
        """Name, version and parameters, with the digest of weights: part of every recipe of a mask."""
        ...

    @property
    def bands(self) -> tuple[str, ...]:
        """Bands that it reads, and no others are fetched for it; ``SCL`` is the scene classification."""
        ...

    @property
    def context(self) -> int:
        """Pixels of 20 m on each side of a pixel that decide about it; 0 if each pixel is judged by itself."""
        ...

    def valid(self, bands: Mapping[str, Int16]) -> Bool:
        """True where there is neither cloud nor cloud shadow, and data in all bands that it reads.

        Parameters
        ----------
        bands : mapping of str to int16 (rows, cols)
            `bands` on the lattice of 20 m: reflectance x 10,000, 0 to 10,000, -3000 without data; SCL 0 to 11.
            Pixels nearer than `context` to an edge that is not the granule's are not asked for.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Label:
    """Land cover of a grid.

    Attributes
    ----------
    codes : int16 (rows, cols)
        The source's own codes, -3000 where it says nothing.
    notes : mapping of str to int or list of str
        What people should know of it, without places and times: features that were mended or got no pixel, maps that
        are missing. Zeros and empty lists are left out.
    """

    codes: Int16
    notes: Mapping[str, int | list[str]]


@runtime_checkable
class LabelSource(Protocol):
    """Land cover of a grid."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """``name`` and ``sha256`` of the source; the digest is part of the label's recipe."""
        ...

    @property
    def year(self) -> int | None:
        """Year that the source says it describes; None if it does not say."""
        ...

    @property
    def silent(self) -> tuple[int, ...]:
        """Codes by which the source says that it knows nothing; they stay as they are and count as unlabelled."""
        ...

    def label(self, grid: Grid) -> Label:
        """Land cover at the centres of a grid's pixels; ConfigurationError when the source cannot be used."""
        ...


class Put(StrEnum):
    """What became of a write."""

    WRITTEN = "written"
    SAME = "same"
    DIFFERENT = "different"


class ObjectStore(Protocol):
    """Named blobs; a write is atomic, and the first writer wins."""

    def put_if_absent(self, key: ObjectKey, body: bytes) -> Put:
        """Write unless the key is there; DIFFERENT, and nothing written, if it holds other bytes."""
        ...

    def replace(self, key: ObjectKey, body: bytes) -> None:
        """Write whatever is there: only for what is derived from other objects."""
        ...

    def get(self, key: ObjectKey) -> bytes:
        """Content; KeyError if absent."""
        ...

    def exists(self, key: ObjectKey) -> bool:
        """Whether the key is there."""
        ...

    def keys(self, prefix: str) -> Iterator[ObjectKey]:
        """Keys that begin with a prefix ending in ``/``, sorted."""
        ...

    def delete(self, key: ObjectKey) -> None:
        """Remove a key; nothing happens if it is absent."""
        ...

    def location(self, key: ObjectKey) -> str:
        """Where a person finds the object: a path or URL."""
        ...


class CandidateState(StrEnum):
    """What became of a candidate."""

    REFUSED = "refused"
    SPARE = "spare"
    SELECTED = "selected"
    FAILED = "failed"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class CandidateRecord:
    """A candidate's row in the ledger and in the partition's report."""

    partition: Partition
    tile: TileId
    scene_id: str
    s2date: date
    track: int
    direction: str
    s1date: date
    pass_id: str
    state: CandidateState
    rule: str
    detail: str
    invalid_s1: int | None
    invalid_s2: int | None
    slot: int | None


@dataclass(frozen=True, slots=True)
class TripletRecord:
    """A finished triplet's row in the ledger."""

    partition: Partition
    tile: TileId
    slot: int
    name: str
    sizes: Mapping[str, int]
    digests: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class QualityRecord:
    """What was measured of a triplet.

    Attributes
    ----------
    tile : TileId or None
        None where only the name counts.
    numbers : mapping
        By the names of `domain.quality`; what could not be measured has none.
    """

    partition: Partition
    tile: TileId | None
    name: str
    numbers: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a person decided on a triplet: that it is withheld from the index, or may be in it again."""

    at: datetime
    aoi: str
    name: str
    withheld: bool
    person: str
    reason: str


class Ledger(Protocol):
    """What happened, for people and for the cap; rebuilt from the store when lost."""

    def record_candidates(self, records: Iterable[CandidateRecord]) -> None:
        """Insert or update candidates by partition, tile, scene, track and pass."""
        ...

    def candidates(self, *, partition: Partition | None = None, tile: TileId | None = None) -> list[CandidateRecord]:
        """Candidates of a partition, of a tile, or of both, in a fixed order."""
        ...

    def record_triplets(self, records: Iterable[TripletRecord]) -> None:
        """Insert triplets, all or none; a second one for a tile, season and slot with another name is an error."""
        ...

    def triplets(self, partition: Partition) -> list[TripletRecord]:
        """Finished triplets of a partition, by tile and slot."""
        ...

    def record_quality(self, record: QualityRecord) -> None:
        """Keep what was measured of a triplet; what was kept first stays."""
        ...

    def quarantine(self, product: str, reason: str) -> None:
        """Remember that a product is broken."""
        ...

    def quarantined(self) -> dict[str, str]:
        """Broken products and their reasons."""
        ...

    def withheld(self, aoi: str = "") -> list[Verdict]:
        """Triplets of an area, or of all, that people withhold from the index, each with the verdict that holds."""
        ...

    def record_event(self, partition: Partition, stage: str, message: str, **figures: float) -> None:
        """Note an event with the time of now."""
        ...


__all__ = [
    "Bool",
    "CandidateRecord",
    "CandidateState",
    "Catalogue",
    "CloudMasker",
    "EngineIdentity",
    "Float32",
    "Frame",
    "FrameJob",
    "Gate",
    "Granule",
    "Int16",
    "Label",
    "LabelSource",
    "Ledger",
    "ObjectKey",
    "ObjectStore",
    "Place",
    "Places",
    "ProductFiles",
    "Put",
    "QualityRecord",
    "SarEngine",
    "Scene",
    "Season",
    "Sighting",
    "Slice",
    "Source",
    "Terrain",
    "Track",
    "TripletRecord",
    "Turn",
    "UInt8",
]
