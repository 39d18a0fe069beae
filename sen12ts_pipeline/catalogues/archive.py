"""Catalogue of an archive of products: searched by what the products say of themselves."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, Protocol, TypeVar

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from sen12ts_pipeline.domain.granules import Granule
from sen12ts_pipeline.domain.lattice import to_geographic
from sen12ts_pipeline.domain.passes import Slice
from sen12ts_pipeline.domain.seasons import Interval
from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.ports import ProductFiles
from sen12ts_pipeline.sentinel1.manifest import outline, read_slice
from sen12ts_pipeline.sentinel2.product import read_granule

log = logging.getLogger(__name__)

T = TypeVar("T")

NAME_SLACK = timedelta(days=1)
"""How far the time in a product's name may lie from the one in its metadata; products rebuilt from bursts differ."""
EDGE_POINTS = 16
OUTLINE_SLACK = 0.2
"""Degrees by which bursts may reach over a slice's outline.

The outline is drawn through the corners of IW1 and IW3, and the first burst of a subswath may begin up to a second,
7 km, before that of another.
"""

_NAME_TIME = re.compile(r"_(\d{8}T\d{6})(?=_|$)")


class Shelf(Protocol):
    """Products that lie somewhere, by name."""

    def products(self) -> tuple[str, ...]:
        """Names of all products, sorted."""
        ...

    def open(self, product: str) -> ProductFiles:
        """Files of a product."""
        ...


class ArchiveCatalogue:
    """Implements `ports.Catalogue` over products that are all at hand; each one's metadata are read once.

    A broken product is not an answer and not an error: it is noted in `broken`, for the search to quarantine it.

    Parameters
    ----------
    shelf : Shelf
        For example an ``ArchiveSource``.

    Attributes
    ----------
    broken : dict of str to str
        Products met so far that cannot be used, and the reasons.
    """

    def __init__(self, shelf: Shelf) -> None:
        self.broken: dict[str, str] = {}
        self._slices = _Once(shelf, _read_slice, self.broken)
        self._granules = _Once(shelf, _read_granule, self.broken)
        self._shelf = shelf

    def granules(self, over: BaseGeometry, during: Interval) -> Iterator[Granule]:
        """Sentinel-2 L2A granules that meet an area (degrees) and whose datatake starts in the interval."""
        found = (self._granules.get(product) for product in self._named("S2", during))
        yield from sorted(f.of for f in found if f and f.of.datatake_start in during and f.area.intersects(over))

    def slices(self, over: BaseGeometry, during: Interval) -> Iterator[Slice]:
        """Sentinel-1 IW SLC products that may meet an area (degrees) and start in the interval."""
        found = (self._slices.get(product) for product in self._named("S1", during))
        near = (f.of for f in found if f and f.of.start in during and shapely.dwithin(f.area, over, OUTLINE_SLACK))
        yield from sorted(near)

    def _named(self, mission: str, during: Interval) -> Iterator[str]:
        """Products of a mission that may start in the interval, by their names."""
        for product in self._shelf.products():
            if product.startswith(mission) and _may_start(product, during):
                yield product


@dataclass(frozen=True, slots=True)
class _Found(Generic[T]):
    """A slice or granule, with the area that it covers."""

    of: T
    area: BaseGeometry


class _Once(Generic[T]):
    """Metadata of products, each read at most once; None for a broken one."""

    def __init__(self, shelf: Shelf, read: Callable[[ProductFiles], _Found[T]], broken: dict[str, str]) -> None:
        self._shelf, self._read, self._broken = shelf, read, broken
        self._known: dict[str, _Found[T] | None] = {}
        self._reading = threading.Lock()

    def get(self, product: str) -> _Found[T] | None:
        with self._reading:
            if product not in self._known:
                self._known[product] = self._try(product)
            return self._known[product]

    def _try(self, product: str) -> _Found[T] | None:
        try:
            return self._read(self._shelf.open(product))
        except BadProduct as error:
            self._broken[product] = f"{error.member}: {error.reason}" if error.member else error.reason
            log.warning("broken product", extra={"product": product, "reason": self._broken[product]})
            return None


def _read_slice(files: ProductFiles) -> _Found[Slice]:
    one = read_slice(files)
    return _Found(one, shapely.from_wkt(one.footprint))


def _read_granule(files: ProductFiles) -> _Found[Granule]:
    one = read_granule(files)
    try:
        return _Found(one, square(one))
    except ValueError as error:
        raise BadProduct(one.product, "", f"its square must lie on the globe: {error}") from error


def square(granule: Granule) -> BaseGeometry:
    """A granule's square in degrees, its edges as curved as they are there; cut at the antimeridian."""
    edge = np.linspace(0.0, granule.size_m, EDGE_POINTS, endpoint=False)
    zero, full = np.zeros_like(edge), np.full_like(edge, granule.size_m)
    east = granule.ulx_m + np.concatenate([edge, full, full - edge, zero])
    north = granule.uly_m - np.concatenate([zero, edge, full, full - edge])
    lon, lat = to_geographic(granule.epsg).transform(east, north)
    return outline(zip(lon.tolist(), lat.tolist(), strict=True))


def _may_start(product: str, during: Interval) -> bool:
    match = _NAME_TIME.search(product)
    if not match:
        return True
    try:
        named = datetime.strptime(match[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return True
    return during.start - NAME_SLACK <= named < during.end + NAME_SLACK
