"""What a stage may use: the ports, connected, and the settings that decide results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from shapely.geometry.base import BaseGeometry

from sen12ts_pipeline.dataset.classes import Table
from sen12ts_pipeline.domain.quotas import QUOTAS, Quota
from sen12ts_pipeline.domain.rules import Rules
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.ports import Catalogue, CloudMasker, LabelSource, Ledger, ObjectStore, SarEngine, Source
from sen12ts_pipeline.state.artifacts import Artifacts

T = TypeVar("T")
R = TypeVar("R")


class Watched(Protocol):
    """A source that notes which product is read, and refuses some."""

    touched: Callable[[str], object]
    refused: dict[str, str]


class Unwatched:
    """Implements `Watched` where nobody watches."""

    def __init__(self) -> None:
        self.touched: Callable[[str], object] = str
        self.refused: dict[str, str] = {}


@dataclass(frozen=True, slots=True, eq=False)
class Services:
    """Ports and decisions of one AOI.

    Attributes
    ----------
    aoi : str
        Name of the area.
    area : Polygon or MultiPolygon
        Boundary in degrees.
    rules : Rules
        Thresholds of the contract.
    tile_order, seed : str, int
        Order in which tiles use up the size budget.
    profile : str
        Layout of the files, ``cog`` or ``compat``.
    workers : int
        Threads inside a shard; results do not depend on it.
    label_name, label_year : str, int or None
        Name of the label source, and its year where that is known.
    label_classes : Table or str
        Class table of the labels, or its name; empty if none is known.
    other_label_year : bool
        Whether the labels' year may be another than the data set's.
    other_zones : bool
        Whether granules of neighbouring zones serve tiles that none of their own zone contains.
    origin : str
        Where products come from, for messages.
    broken : callable
        Products that the catalogue could not read, with reasons.
    notes : callable
        What the catalogue wants people to know: which archive answered, products that are offline.
    fetched : callable
        What the source wants people to know: where products came from that did not come from the first archive, and
        why.
    searched : str
        Setting that says where products are looked for.
    dry : bool
        Whether broken products are only left out, not remembered.
    provider, quota : str, Quota
        Who serves products that are not in a folder, and what it lets one ask for: for estimates.
    isolate : bool
        Whether a shard is done in a process of its own.
    watched : Watched
        The source as `isolated` watches it.
    """

    aoi: str
    area: BaseGeometry
    rules: Rules
    tile_order: str
    seed: int
    profile: str
    workers: int
    label_name: str
    label_year: int | None
    origin: str
    catalogue: Catalogue
    source: Source
    engine: SarEngine
    masker: CloudMasker
    labels: LabelSource
    store: ObjectStore
    artifacts: Artifacts
    ledger: Ledger
    broken: Callable[[], dict[str, str]]
    notes: Callable[[], list[str]] = list
    fetched: Callable[[], list[str]] = list
    searched: str = "catalogue.root"
    dry: bool = False
    label_classes: Table | str = ""
    other_label_year: bool = False
    other_zones: bool = False
    provider: str = "cdse"
    quota: Quota = QUOTAS["cdse"]
    isolate: bool = False
    watched: Watched = field(default_factory=Unwatched)

    def quarantine(self, error: BadProduct) -> str:
        """Remember a broken product; returns the finding for documents: product, file, reason, no path of a machine."""
        reason = f"{error.member}: {error.reason}" if error.member else error.reason
        if not self.dry:
            self.ledger.quarantine(error.product, reason)
        return f"{error.product}: {reason.replace(self.origin + '/', '')}"

    @contextmanager
    def noting(self, partition: Partition, stage: str) -> Iterator[None]:
        """Record in the ledger what the source wants people to know of the work that is done meanwhile."""
        before = frozenset(self.fetched())
        yield
        for note in self.fetched():
            if note not in before:
                self.ledger.record_event(partition, stage, note)

    def each(self, work: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Results of `work`, in the order of the items, on as many threads as `workers`; the first error ends it."""
        tasks = list(items)
        if self.workers == 1 or len(tasks) < 2:
            return [work(t) for t in tasks]
        with ThreadPoolExecutor(min(self.workers, len(tasks))) as pool:
            return list(pool.map(work, tasks))


def obtained(make: Callable[[], object], get: Callable[[], R]) -> R:
    """What `get` reads once `make` has made it where it was not there; each artifact that was damaged is made again.

    A damaged artifact is deleted when it is read: `get` raises KeyError.
    """
    damaged: set[object] = set()
    while True:
        make()
        try:
            return get()
        except KeyError as error:
            if error.args[0] in damaged:
                raise
            damaged.add(error.args[0])
