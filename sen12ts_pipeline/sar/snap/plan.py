"""What graphs are to work on, decided from annotations before gpt starts: slices, subswaths, bursts, and the area."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import shapely

from sen12ts_pipeline.domain.bursts import BurstId
from sen12ts_pipeline.domain.lattice import CENTRAL_EASTING_M, Grid, to_geographic
from sen12ts_pipeline.domain.passes import Pass
from sen12ts_pipeline.errors import BadProduct, ConfigurationError, Rejected
from sen12ts_pipeline.sar.native import measurement
from sen12ts_pipeline.sar.native.scene import OpenPass
from sen12ts_pipeline.sar.snap.operators import Release
from sen12ts_pipeline.sentinel1.product import SliceFiles

BLOCK_M = 20_480.0
"""Edge of the blocks in which tiles are made together: eight tiles."""
MARGIN_M = 4_000.0
"""Ground beside a block that may throw shadow on it, lie over it, or reach it by the kernel."""

Part = Callable[[SliceFiles, Mapping[str, range]], Path]
"""Lays a product of some bursts of a slice on this machine: indices from 0 by subswath; the SAFE folder."""

_MANIFEST = "manifest.safe"
_IN_ZIP = re.compile(r"/vsizip/\{(.+)\}/[^{}]*")


@dataclass(frozen=True, slots=True)
class SwathPlan:
    """Bursts of one subswath of a product, or of slices put together.

    Attributes
    ----------
    subswath : str
        ``IW1`` to ``IW3``.
    first, last : int
        Bursts to split, counted from 1 in the order of time.
    first_line : datetime
        UTC zero-Doppler time of the first one's first line: the date that SNAP gives the product.
    """

    subswath: str
    first: int
    last: int
    first_line: datetime

    @property
    def bursts(self) -> int:
        """How many."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class PassPlan:
    """What is read of a pass.

    Attributes
    ----------
    products : tuple of Path
        Slices as gpt reads them, in order of time; more than one are put together first.
    orbit : str
        Name of the orbit file to apply; empty for the products' own state vectors.
    swaths : tuple of SwathPlan
        Neighbouring subswaths, from near to far.
    part : bool
        Whether products lack IW1 or IW2, which Split asks for unless it is told.
    """

    products: tuple[Path, ...]
    orbit: str
    swaths: tuple[SwathPlan, ...]
    part: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Region:
    """Map area that is made together, metres; edges are multiples of 10 m."""

    epsg: int
    west: float
    south: float
    east: float
    north: float

    @classmethod
    def around(cls, grid: Grid) -> Region:
        """The block in which a grid's centre lies, grown to hold the grid, with a margin.

        It does not depend on what else is made, so that a tile alone and a tile in company have the same bytes.
        """
        easting, northing = grid.centre
        west = CENTRAL_EASTING_M + BLOCK_M * math.floor((easting - CENTRAL_EASTING_M) / BLOCK_M)
        south = BLOCK_M * math.floor(northing / BLOCK_M)
        return cls(
            grid.epsg,
            min(west, grid.west) - MARGIN_M,
            min(south, grid.south) - MARGIN_M,
            max(west + BLOCK_M, grid.east) + MARGIN_M,
            max(south + BLOCK_M, grid.north) + MARGIN_M,
        )

    @property
    def wkt(self) -> str:
        """Outline in degrees (longitude, latitude), to a tenth of a metre."""
        ring = shapely.segmentize(shapely.box(self.west, self.south, self.east, self.north), 5_000.0)
        lon, lat = to_geographic(self.epsg).transform(*shapely.get_coordinates(ring).T)
        points = ", ".join(f"{x:.6f} {y:.6f}" for x, y in zip(lon, lat, strict=True))
        return f"POLYGON (({points}))"


def plan_pass(
    one: Pass, opened: OpenPass, bursts: Iterable[BurstId], polarisations: Sequence[str], part: Part | None = None
) -> PassPlan:
    """Slices and bursts that serve some tiles.

    Of slices that are not all on this machine parts are laid here, and bursts are counted in these.

    Parameters
    ----------
    one : Pass
        The pass.
    opened : OpenPass
        Its annotation.
    bursts : iterable of BurstId
        Bursts that serve the tiles.
    polarisations : sequence of str
        What will be read.
    part : callable, optional
        Lays parts of slices here.

    Raises
    ------
    BadProduct
        When the pass lacks a burst, or one between them; when the slices that hold them cannot be put together; when a
        slice lacks a polarisation, for which gpt would take another.
    ConfigurationError
        When a product is not on this machine, and parts of it cannot be laid here.
    """
    wanted = {name: _span(opened, found) for name, found in _by_subswath(bursts)}
    slices = _slices(opened)
    chosen = _fewest(slices, wanted)
    _check_together(chosen, polarisations)
    swaths = tuple(_swath(name, ids, chosen, opened) for name, ids in wanted.items())
    places = [_place(files) for files in chosen]
    here = tuple(place for place in places if place is not None)
    if len(here) == len(places):
        lacking = any(not {"IW1", "IW2"} <= _imaged(files) for files in chosen)
        return PassPlan(here, _orbit(one), swaths, lacking)
    if part is None:
        rule = "SNAP reads products of this machine only; fetch them, or use the native engine"
        product = next(files for files, place in zip(chosen, places, strict=True) if place is None).slice.product
        raise ConfigurationError("engine snap", "catalogue", rule, product)
    runs, swaths = _parts(chosen, swaths)
    laid = (part(files, of_slice) / _MANIFEST for files, of_slice in zip(chosen, runs, strict=True))
    return PassPlan(tuple(laid), _orbit(one), swaths, not {"IW1", "IW2"} <= wanted.keys())


def check_platform(one: Pass, release: Release) -> None:
    """Refuse a satellite that a release does not know; Rejected, rule ``snap_platform``."""
    if one.platform == "S1D" and release.number < (14, 0, 0):
        raise Rejected("snap_platform", one.id, f"SNAP {release} does not know Sentinel-1D, 14.0 does")


def check_readable(opened: OpenPass, bursts: Iterable[BurstId], polarisations: Sequence[str]) -> None:
    """Read calibration, noise and the last sample of bursts: over broken files gpt goes on, and leaves zeros.

    Raises
    ------
    BadProduct
        Naming the file that is missing, truncated or malformed.
    """
    for placed in map(opened.require, bursts):
        swath = placed.swath
        last = measurement.Part(swath.lines_per_burst - 1, swath.samples - 1, 1, 1)
        for polarisation in polarisations:
            placed.files.calibration(swath.subswath, polarisation)
            placed.files.noise(swath.subswath, polarisation)
            measurement.read_part(placed, polarisation, last)


def _by_subswath(bursts: Iterable[BurstId]) -> Iterator[tuple[str, list[BurstId]]]:
    found = sorted(set(bursts), key=lambda b: (b.subswath, b.number))
    for name in sorted({b.subswath for b in found}):
        yield name, [b for b in found if b.subswath == name]


def _span(opened: OpenPass, bursts: Sequence[BurstId]) -> list[BurstId]:
    """Bursts from the first in time to the last, without a gap."""
    placed = sorted((opened.require(b) for b in bursts), key=lambda p: p.burst.start_s)
    span, last = [placed[0].burst.id], placed[-1].burst.id
    while span[-1] != last:
        span.append(opened.require(span[-1].after).burst.id)
    return span


def _slices(opened: OpenPass) -> list[SliceFiles]:
    found = {placed.files.slice: placed.files for placed in opened.bursts.values()}
    return [found[part] for part in sorted(found)]


def _fewest(slices: Sequence[SliceFiles], wanted: dict[str, list[BurstId]]) -> list[SliceFiles]:
    """The newest slice that holds every burst, else the consecutive ones that hold them together."""
    needed = {burst for ids in wanted.values() for burst in ids}
    held = [{b.id for name in wanted for b in files.swath(name, "VV").bursts} for files in slices]
    alone = [files for files, ids in zip(slices, held, strict=True) if needed <= ids]
    if alone:
        return [max(alone, key=lambda files: files.slice.processed)]
    part = [k for k, ids in enumerate(held) if needed & ids]
    return list(slices[part[0] : part[-1] + 1])


def _check_together(slices: Sequence[SliceFiles], polarisations: Sequence[str]) -> None:
    for files in slices:
        if not set(polarisations) <= set(files.slice.polarisations):
            needed, found = (" and ".join(p) for p in (polarisations, files.slice.polarisations))
            raise BadProduct(files.slice.product, "", f"must have {needed}, has {found}")
        if files.slice.ipf != slices[0].slice.ipf:
            versions = " and ".join(".".join(map(str, f.slice.ipf)) for f in (slices[0], files))
            reason = f"slices to put together must be of one processor version; {slices[0].slice.product}: {versions}"
            raise BadProduct(files.slice.product, "", reason)


def _swath(name: str, ids: Sequence[BurstId], slices: Sequence[SliceFiles], opened: OpenPass) -> SwathPlan:
    listed = [burst for files in slices for burst in files.swath(name, "VV").bursts]
    first = next(k for k, burst in enumerate(listed) if burst.id == ids[0])
    part = listed[first : first + len(ids)]
    if [burst.id for burst in part] != list(ids):
        found = ", ".join(str(burst.id) for burst in part)
        reason = f"slices put together must hold bursts {ids[0]} to {ids[-1]} once each and in order; hold {found}"
        raise BadProduct(slices[0].slice.product, "", reason)
    first_line = opened.epoch + timedelta(seconds=part[0].start_s)
    return SwathPlan(name, first + 1, first + len(ids), first_line)


def _imaged(files: SliceFiles) -> set[str]:
    """Subswaths of which a product has bursts; a part of a slice may annotate others."""
    return {name for name in files.subswaths("VV") if files.swath(name, "VV").bursts}


def _parts(
    slices: Sequence[SliceFiles], swaths: Sequence[SwathPlan]
) -> tuple[list[dict[str, range]], tuple[SwathPlan, ...]]:
    """Bursts to take of every slice, indices from 0 by subswath, and the plans counted in them.

    Every slice keeps a burst of each subswath, and those in between: slices that are put together must meet.
    """
    runs: list[dict[str, range]] = [{} for _ in slices]
    plans = []
    for swath in swaths:
        counts = [len(files.swath(swath.subswath, "VV").bursts) for files in slices]
        low = min(swath.first - 1, counts[0] - 1)
        high = max(swath.last, sum(counts) - counts[-1] + 1)
        before = 0
        for run, count in zip(runs, counts, strict=True):
            run[swath.subswath] = range(max(low - before, 0), min(high - before, count))
            before += count
        plans.append(replace(swath, first=swath.first - low, last=swath.last - low))
    return runs, tuple(plans)


def _place(files: SliceFiles) -> Path | None:
    """Folder or zip of a product, as gpt reads it; None if it is not on this machine."""
    with files.files.held(_MANIFEST) as path:
        inside = _IN_ZIP.fullmatch(path)
        place = Path(inside[1]) if inside else Path(path)
    return place if inside or place.name == _MANIFEST else None  # else a file of the spool


def _orbit(one: Pass) -> str:
    """The orbit file to apply; BadProduct when slices name several, for SNAP applies one."""
    if len(one.orbits) > 1:
        raise BadProduct(one.products[0], "", f"slices of a pass must share an orbit file; they name {one.orbits}")
    return one.orbits[0] if one.orbits else ""
