"""Products that are given by path or address, without an area."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from shapely.geometry.base import BaseGeometry

from sen12ts_pipeline.acquisition.asf_bursts import AsfBursts
from sen12ts_pipeline.acquisition.asf_server import ADDRESS, DOORSTEP, BurstServer
from sen12ts_pipeline.acquisition.counted import Counted
from sen12ts_pipeline.acquisition.orbits import OrbitFolder
from sen12ts_pipeline.acquisition.paths import PathSource
from sen12ts_pipeline.acquisition.products import Location, is_url, open_product
from sen12ts_pipeline.acquisition.small_safe import bursts_over, write_small
from sen12ts_pipeline.acquisition.spool import Spool
from sen12ts_pipeline.domain.passes import Pass, Slice
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.ports import NO_ORBIT_FILES, OrbitFiles
from sen12ts_pipeline.sar.native.engine import NativeEngine
from sen12ts_pipeline.sar.native.memory import keep_freed_memory
from sen12ts_pipeline.sentinel1.manifest import MANIFEST, read_slice
from sen12ts_pipeline.sentinel1.subset import listed_bytes
from sen12ts_pipeline.terrain.dem import Dem
from sen12ts_pipeline.wiring.needed import needed


def science(
    dem: Path,
    vertical: str,
    geoid: Path | None,
    products: Sequence[Sequence[Location]],
    orbit_files: Path | None = None,
) -> tuple[NativeEngine, tuple[Pass, ...]]:
    """Native engine over products given by path or URL: one sequence of slices for each pass.

    Parameters
    ----------
    dem, vertical, geoid
        As `Dem` takes them.
    products : sequence of sequence of path or str
        Slices of each pass.
    orbit_files : Path, optional
        Folder of orbit files.

    Raises
    ------
    ConfigurationError
        When a file is not there, or a URL is of an unknown kind or does not let us read.
    BadProduct
        When a manifest is missing or malformed.
    """
    keep_freed_memory()
    heights = Dem(needed("--dem", "dem", dem), vertical, geoid)
    heights.check()
    given = [location for slices in products for location in slices]
    for location in given:
        if not is_url(location):
            needed("SAFE", "path", Path(location))
    shelf = PathSource(given)
    orbits = OrbitFolder(orbit_files) if orbit_files else NO_ORBIT_FILES
    passes = []
    for slices in products:
        parts = [_with_orbit(read_slice(shelf.at(location)), orbits) for location in slices]
        if len({(p.platform, p.datatake) for p in parts}) != 1:
            rule = "slices given together must be of one datatake"
            raise ConfigurationError("--slice", "datatake", rule, [p.product for p in parts])
        passes.append(Pass(tuple(sorted(parts))))
    return NativeEngine(shelf, heights, orbits), tuple(passes)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A small product.

    Attributes
    ----------
    path : Path
        The SAFE folder.
    bursts : mapping
        Indices from 0 of the bursts, by subswath.
    read_bytes, whole_bytes : int
        What was read of the slice, and how large all of it is.
    """

    path: Path
    bursts: Mapping[str, range]
    read_bytes: int
    whole_bytes: int


def fetch(
    location: Location,
    folder: Path,
    *,
    bursts: Mapping[str, range] | None = None,
    area: BaseGeometry | None = None,
    polarisations: Sequence[str] = (),
    asf: str = "",
    note: Callable[[int, int], None],
) -> Fetched:
    """Write a product with some bursts of a slice.

    Parameters
    ----------
    location : path or str
        SAFE folder or zip, as a path or URL; with `asf` the name of a product.
    folder : Path
        Where it comes to lie.
    bursts, area
        The bursts by subswath, or the area (degrees) that they are to meet.
    polarisations : sequence of str
        Those to take; all by default.
    asf : str
        Address of ASF's burst service, from which bursts come instead of from a product.
    note : callable
        Told of bytes done and of all there will be.

    Raises
    ------
    ConfigurationError
        When the slice has no such bursts.
    BadProduct, Retryable
        As `small_safe.write_small`.
    """
    if not asf and not is_url(location):
        needed("PRODUCT", "path", Path(location))
    server = BurstServer(asf, doorstep=DOORSTEP if asf == ADDRESS else "")
    whole = AsfBursts(str(location), Spool.from_environment(), server) if asf else open_product(location)
    files = Counted(whole)
    wanted = bursts if area is None else bursts_over(files, area)
    if not wanted:
        raise ConfigurationError("bursts", "area", f"must meet a burst of {files.product}", str(area)[:80])
    path = write_small(files, wanted, polarisations or read_slice(files).polarisations, folder, note=note)
    size = listed_bytes(files.read(MANIFEST), files.product, MANIFEST)
    return Fetched(path, wanted, files.asked_bytes, size)


def _with_orbit(one: Slice, orbits: OrbitFiles) -> Slice:
    return replace(one, orbit=orbits.name(one.platform, one.start, one.stop))
