"""Documents of a partition: what was found, planned and chosen; each is written once and then only read."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import TypeAdapter

from sen12ts_pipeline.domain.bursts import BurstId
from sen12ts_pipeline.domain.granules import Granule, Scene
from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.domain.pairing import Refusal, TrackVisits
from sen12ts_pipeline.domain.passes import Pass, Slice
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.domain.selection import Screened
from sen12ts_pipeline.ports import ObjectKey, ObjectStore, Put

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Inventory:
    """Products that the search found for a partition; later runs use these identities."""

    granules: tuple[Granule, ...]
    slices: tuple[Slice, ...]


@dataclass(frozen=True, slots=True)
class PlannedPass:
    """A pass and the bursts that it has."""

    flight: Pass
    bursts: tuple[BurstId, ...]


@dataclass(frozen=True, slots=True)
class PlannedTile:
    """What a tile can be made of.

    Attributes
    ----------
    tile : TileId
        The tile.
    scenes : tuple of str
        Identities of its scenes, one a datatake.
    tracks : tuple of TrackVisits
        Passes by track.
    references : tuple of str
        Identity of the reference pass of each of `tracks`.
    """

    tile: TileId
    scenes: tuple[str, ...]
    tracks: tuple[TrackVisits, ...]
    references: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Plan:
    """Scenes, passes and tiles of a partition; the list of tiles is frozen with it.

    Attributes
    ----------
    scenes, passes : tuple
        Of the inventory, without broken products.
    references : tuple of Pass
        Reference passes as they were frozen; a pass of the same identity in `passes` may have other products.
    tiles : tuple of PlannedTile
        Every tile of the area.
    inventory : str
        Digest of the inventory that it was made of.
    """

    scenes: tuple[Scene, ...]
    passes: tuple[PlannedPass, ...]
    references: tuple[Pass, ...]
    tiles: tuple[PlannedTile, ...]
    inventory: str = ""

    def scene(self, scene_id: str) -> Scene:
        """Scene of an identity."""
        return self.scenes_by_id[scene_id]

    def flight(self, pass_id: str) -> Pass:
        """Pass of an identity, for its samples."""
        return self._flights[pass_id]

    def reference(self, pass_id: str) -> Pass:
        """Reference pass of an identity, for geometry."""
        return self._references[pass_id]

    def tile(self, tile: TileId) -> PlannedTile:
        """What a tile can be made of."""
        return self._tiles[tile]

    @functools.cached_property
    def scenes_by_id(self) -> dict[str, Scene]:
        """Scenes by identity."""
        return {s.id: s for s in self.scenes}

    @functools.cached_property
    def bursts(self) -> dict[str, frozenset[BurstId]]:
        """Bursts of each pass, by its identity."""
        return {p.flight.id: frozenset(p.bursts) for p in self.passes}

    @functools.cached_property
    def _flights(self) -> dict[str, Pass]:
        return {p.flight.id: p.flight for p in self.passes}

    @functools.cached_property
    def _references(self) -> dict[str, Pass]:
        return {p.id: p for p in self.references}

    @functools.cached_property
    def _tiles(self) -> dict[TileId, PlannedTile]:
        return {t.tile: t for t in self.tiles}


@dataclass(frozen=True, slots=True)
class ChosenTile:
    """A tile's candidates in the order in which they are made.

    Attributes
    ----------
    tile : TileId
        The tile.
    candidates : tuple of Screened
        Those that passed the screen; the first `slots` are meant to fill the cap, the rest are spares.
    slots : int
        Slots that are to be filled.
    pinned : int
        Of the candidates, how many were finished by an earlier run and keep their slots 1, 2, ...
    """

    tile: TileId
    candidates: tuple[Screened, ...]
    slots: int
    pinned: int = 0

    def only_finished(self) -> ChosenTile:
        """The tile without what is not finished yet."""
        return ChosenTile(self.tile, self.candidates[: self.pinned], self.pinned, self.pinned)


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """What the screen let pass, every refusal so far, and the digest of the plan that it was made of."""

    tiles: tuple[ChosenTile, ...]
    refusals: tuple[Refusal, ...]
    over_budget: tuple[TileId, ...]
    plan: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a candidate when it was made.

    Attributes
    ----------
    screened : Screened
        The candidate.
    slot : int or None
        Slot that it fills; None when it failed.
    name : str
        Name of its files; empty when it failed.
    rule, detail : str
        Why it failed.
    sizes, digests : dict
        Bytes and SHA-256 of its files, by ``s1``, ``s2``, ``label``.
    """

    screened: Screened
    slot: int | None
    name: str
    rule: str
    detail: str
    sizes: dict[str, int]
    digests: dict[str, str]


@dataclass(frozen=True, slots=True)
class Assembled:
    """Outcomes of a shard's tiles, tile by tile in the order of their making, and the digest of their selection."""

    outcomes: tuple[Outcome, ...]
    selection: str = ""


class Document(Generic[T]):
    """Reads and writes one kind of document."""

    def __init__(self, kind: type[T], name: str) -> None:
        self._kind, self._name = kind, name

    @functools.cached_property
    def _adapter(self) -> TypeAdapter[T]:
        return TypeAdapter(self._kind)

    def key(self, partition: Partition) -> ObjectKey:
        """Where the document of a partition lies."""
        return ObjectKey(f"{partition.aoi}/partitions/{partition.name}/{self._name}.json")

    def read(self, store: ObjectStore, partition: Partition) -> T:
        """The document; KeyError if it was not written yet."""
        return self._parse(store.get(self.key(partition)))

    def find(self, store: ObjectStore, partition: Partition) -> T | None:
        """The document, None if it was not written yet."""
        try:
            return self.read(store, partition)
        except KeyError:
            return None

    def digest(self, store: ObjectStore, partition: Partition) -> str:
        """First 16 hexadecimal digits of the SHA-256 of the document; empty if it was not written yet."""
        try:
            return hashlib.sha256(store.get(self.key(partition))).hexdigest()[:16]
        except KeyError:
            return ""

    def freeze(self, store: ObjectStore, partition: Partition, value: T) -> T:
        """Write the document unless it is there, and return the one that holds: the first."""
        put = store.put_if_absent(self.key(partition), self._adapter.dump_json(value, indent=1))
        return self.read(store, partition) if put is Put.DIFFERENT else value

    def replace(self, store: ObjectStore, partition: Partition, value: T) -> None:
        """Write the document, whatever is there."""
        store.replace(self.key(partition), self._adapter.dump_json(value, indent=1))

    @functools.lru_cache(maxsize=8)  # noqa: B019 - documents are constants of this module
    def _parse(self, body: bytes) -> T:
        value: T = self._adapter.validate_json(body)
        return value


class _YearDocument(Document[T]):
    """A document of an AOI's year, shared by its partitions."""

    def key(self, partition: Partition) -> ObjectKey:
        return ObjectKey(f"{partition.aoi}/partitions/{partition.year}/{self._name}.json")


@functools.cache
def assembled(shard: str) -> Document[Assembled]:
    """Document of one shard of the assembly."""
    return Document(Assembled, f"assembled/{int(shard):05d}")


@functools.cache
def reference(orbit: int) -> Document[Pass]:
    """Document of the reference pass of a relative orbit: the source of all geometry that the year's dates share."""
    return _YearDocument(Pass, f"references/{orbit:03d}")


INVENTORY = Document(Inventory, "inventory")
PLAN = Document(Plan, "plan")
SELECTION = Document(Selection, "selection")
