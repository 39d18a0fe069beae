"""Connects the ports: the only module that names adapters."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from shapely.geometry.base import BaseGeometry

from sen12ts_pipeline.acquisition.archive import ArchiveSource
from sen12ts_pipeline.acquisition.asf_bursts import AsfBursts
from sen12ts_pipeline.acquisition.asf_server import ADDRESS, DOORSTEP, BurstServer
from sen12ts_pipeline.acquisition.counted import Counted
from sen12ts_pipeline.acquisition.orbits import OrbitFolder
from sen12ts_pipeline.acquisition.paths import PathSource
from sen12ts_pipeline.acquisition.products import Location, is_url, open_product
from sen12ts_pipeline.acquisition.small_safe import bursts_over, write_small
from sen12ts_pipeline.acquisition.spool import Spool
from sen12ts_pipeline.catalogues import registry
from sen12ts_pipeline.catalogues.archive import ArchiveCatalogue
from sen12ts_pipeline.catalogues.chain import Link
from sen12ts_pipeline.catalogues.orbits import WithOrbits
from sen12ts_pipeline.domain.passes import Pass, Slice
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.errors import ConfigurationError, Sen12tsError
from sen12ts_pipeline.labels.rasters import RasterLabels
from sen12ts_pipeline.ports import NO_ORBIT_FILES, OrbitFiles, SarEngine
from sen12ts_pipeline.sar.native.engine import NativeEngine, Options
from sen12ts_pipeline.sar.native.memory import keep_freed_memory
from sen12ts_pipeline.sentinel1.manifest import MANIFEST, read_slice
from sen12ts_pipeline.sentinel1.subset import listed_bytes
from sen12ts_pipeline.sentinel2.masks import SclMasker
from sen12ts_pipeline.settings.boundary import read_boundary
from sen12ts_pipeline.settings.load import find_aoi, load_settings
from sen12ts_pipeline.settings.model import AoiSettings, CatalogueSettings, Settings
from sen12ts_pipeline.stages.services import Services
from sen12ts_pipeline.state.artifacts import Artifacts
from sen12ts_pipeline.state.folder import FolderStore
from sen12ts_pipeline.state.ledger import FAILED, SqlLedger
from sen12ts_pipeline.state.s3 import S3Store
from sen12ts_pipeline.state.s3_server import S3Options
from sen12ts_pipeline.state.stores import open_store
from sen12ts_pipeline.terrain.dem import Dem

log = logging.getLogger(__name__)


def connect(aoi: str, environ: Mapping[str, str] | None = None) -> Services:
    """Services of a configured area, connected once per process and environment.

    Parameters
    ----------
    aoi : str
        Name of the area: of its settings file.
    environ : mapping, optional
        The environment; the process's own by default.

    Raises
    ------
    ConfigurationError
        When a setting is wrong or a file that it names is not there.
    """
    values = os.environ if environ is None else environ
    relevant = tuple(sorted((k, v) for k, v in values.items() if k.startswith("SEN12TS")))
    return _connect(aoi, relevant)


@functools.lru_cache(maxsize=4)
def _connect(aoi: str, environ: tuple[tuple[str, str], ...]) -> Services:
    values = dict(environ)
    return assemble(load_settings(environ=values), find_aoi(aoi, values), values)


def assemble(settings: Settings, aoi: AoiSettings, environ: Mapping[str, str] = os.environ) -> Services:
    """Services of settings that are already read; users of live archives are named in the environment."""
    keep_freed_memory()
    source = f"area {aoi.name}"
    root = _needed(source, "catalogue.root", aoi.catalogue.root)
    archive = ArchiveSource(root)
    found = _catalogue(aoi.catalogue, archive, environ)
    orbits = OrbitFolder(aoi.catalogue.orbits) if aoi.catalogue.orbits else NO_ORBIT_FILES
    dem = Dem(_needed(source, "dem.path", aoi.dem.path), aoi.dem.vertical, aoi.dem.geoid)
    dem.check()
    labels = RasterLabels(_needed(source, "labels.path", aoi.labels.path))
    store = store_of(settings)
    artifacts = Artifacts(store)
    rules = settings.rules.to_rules(aoi.budget_gb)
    native = NativeEngine(archive, dem, orbits, Options(**settings.radar.model_dump()), artifacts.remember)
    return Services(
        aoi=aoi.name,
        area=read_boundary(aoi),
        rules=rules,
        tile_order=settings.tile_order,
        seed=settings.seed,
        profile=settings.profile,
        workers=settings.workers,
        label_name=aoi.labels.name,
        label_year=aoi.labels.year,
        origin=str(root),
        searched="catalogue.root" if aoi.catalogue.kind == "archive" else "catalogue.kind",
        catalogue=WithOrbits(found, orbits),
        source=archive,
        engine=_snap(settings, native) if settings.engine == "snap" else native,
        masker=SclMasker(),
        labels=labels,
        store=store,
        artifacts=artifacts,
        ledger=SqlLedger.connect(settings.ledger_url, cap=rules.cap_per_season),
        broken=lambda: dict(found.broken),
        notes=lambda: list(getattr(found, "notes", ())),
    )


def _catalogue(
    chosen: CatalogueSettings, archive: ArchiveSource, environ: Mapping[str, str]
) -> ArchiveCatalogue | Link:
    if chosen.kind == "archive":
        return ArchiveCatalogue(archive)
    return registry.connect(chosen.kind, chain=chosen.chain, at=registry.Addresses(chosen.urls, environ))


def _snap(settings: Settings, native: NativeEngine) -> SarEngine:
    """SNAP's operators behind the native geometry; its modules are read only where they are used."""
    from sen12ts_pipeline.sar.snap.engine import SnapEngine, SnapOptions
    from sen12ts_pipeline.sar.snap.gpt import Gpt
    from sen12ts_pipeline.sar.snap.installation import find_gpt
    from sen12ts_pipeline.sar.snap.operators import Release

    s = settings.snap
    program = Gpt(find_gpt(s.gpt), s.memory_gb, s.cache_gb, s.threads, 60 * s.time_limit_minutes, s.userdir)
    options = SnapOptions(Release.parse(s.release), s.quantity, s.esd)
    lay = functools.partial(write_small, context=False)
    return SnapEngine(native, program, s.scratch or _scratch(settings), options, keep_gb=s.keep_gb, lay=lay)


def store_of(settings: Settings) -> FolderStore | S3Store:
    """The store that settings name."""
    return open_store(settings.store, S3Options(**settings.s3.model_dump()))


def ledger(settings: Settings | None = None) -> SqlLedger:
    """The ledger of the configured store."""
    settings = settings or load_settings()
    return SqlLedger.connect(settings.ledger_url, cap=settings.rules.cap_per_season)


@contextmanager
def failures_noted(partition: str, stage: str) -> Iterator[None]:
    """Note in the ledger whatever error ends a stage, for those who watch; what prevents the note is only logged."""
    try:
        yield
    except Exception as error:
        try:
            ledger().record_event(Partition.parse(partition), stage, f"{FAILED}{type(error).__name__}: {error}"[:2000])
        except (Sen12tsError, ValueError):
            log.warning("a failure could not be noted in the ledger", extra={"partition": partition, "stage": stage})
        raise


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
    heights = Dem(_needed("--dem", "dem", dem), vertical, geoid)
    heights.check()
    given = [location for slices in products for location in slices]
    for location in given:
        if not is_url(location):
            _needed("SAFE", "path", Path(location))
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
        _needed("PRODUCT", "path", Path(location))
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


def _scratch(settings: Settings) -> Path:
    if isinstance(settings.store, str):
        raise ConfigurationError("settings", "snap.scratch", "must be set for a store in a bucket", None)
    return settings.store / "_work" / "snap"


def _needed(source: str, key: str, path: Path | None) -> Path:
    if path is None:
        raise ConfigurationError(source, key, "must be set, in the area's file or the environment", None)
    if not path.exists():
        raise ConfigurationError(source, key, "must be an existing file or folder", str(path))
    return path
