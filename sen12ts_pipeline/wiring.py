"""Connects the ports: the only module that names adapters."""

from __future__ import annotations

import functools
import logging
import os
import re
import resource
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from shapely.geometry.base import BaseGeometry

from sen12ts_pipeline.acquisition import providers
from sen12ts_pipeline.acquisition.archive import ArchiveSource
from sen12ts_pipeline.acquisition.asf_bursts import AsfBursts
from sen12ts_pipeline.acquisition.asf_server import ADDRESS, DOORSTEP, BurstServer
from sen12ts_pipeline.acquisition.auxiliary import Auxiliary
from sen12ts_pipeline.acquisition.cache import Cache, cache_folder
from sen12ts_pipeline.acquisition.counted import Counted
from sen12ts_pipeline.acquisition.homes import CACHE_VARIABLE
from sen12ts_pipeline.acquisition.live import ChainSource, LiveSource
from sen12ts_pipeline.acquisition.orbits import OrbitFolder
from sen12ts_pipeline.acquisition.paths import PathSource
from sen12ts_pipeline.acquisition.products import Location, is_url, open_product
from sen12ts_pipeline.acquisition.provider import Provider
from sen12ts_pipeline.acquisition.small_safe import bursts_over, write_small
from sen12ts_pipeline.acquisition.spool import BYTES_PER_GB, Spool
from sen12ts_pipeline.acquisition.watched import WatchedSource
from sen12ts_pipeline.catalogues import places, registry
from sen12ts_pipeline.catalogues.archive import ArchiveCatalogue
from sen12ts_pipeline.catalogues.chain import Link
from sen12ts_pipeline.catalogues.orbits import WithOrbits
from sen12ts_pipeline.dataset.classes import LandClass, Table, named, read_classes, table_from, table_of
from sen12ts_pipeline.domain.passes import Pass, Slice
from sen12ts_pipeline.domain.quotas import QUOTAS, Quota
from sen12ts_pipeline.domain.seasons import Partition, Season, pass_search
from sen12ts_pipeline.errors import ConfigurationError, Sen12tsError
from sen12ts_pipeline.labels.maps import CdlLabels, WorldCoverLabels
from sen12ts_pipeline.labels.names import Codes
from sen12ts_pipeline.labels.rasters import RasterLabels
from sen12ts_pipeline.labels.vectors import CROP_COLUMN, ParcelLabels, VectorLabels
from sen12ts_pipeline.ports import NO_ORBIT_FILES, CloudMasker, LabelSource, OrbitFiles, ProductFiles, SarEngine
from sen12ts_pipeline.sar.native.engine import NativeEngine, Options
from sen12ts_pipeline.sar.native.memory import keep_freed_memory
from sen12ts_pipeline.sentinel1.manifest import MANIFEST, read_slice
from sen12ts_pipeline.sentinel1.subset import listed_bytes
from sen12ts_pipeline.sentinel2.masks import Consensus, SclMasker
from sen12ts_pipeline.settings.boundary import read_boundary
from sen12ts_pipeline.settings.load import find_aoi, load_settings
from sen12ts_pipeline.settings.model import AoiSettings, CatalogueSettings, CloudSettings, LabelSettings, Settings
from sen12ts_pipeline.stages.isolated import crashing
from sen12ts_pipeline.stages.services import Services
from sen12ts_pipeline.state.artifacts import Artifacts
from sen12ts_pipeline.state.folder import FolderStore
from sen12ts_pipeline.state.ledger import FAILED, SqlLedger
from sen12ts_pipeline.state.quotas import Quotas
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
    relevant = tuple(sorted((k, v) for k, v in values.items() if k.startswith("SEN12TS") or k == CACHE_VARIABLE))
    return _connect(aoi, relevant)


@functools.lru_cache(maxsize=4)
def _connect(aoi: str, environ: tuple[tuple[str, str], ...]) -> Services:
    values = dict(environ)
    return assemble(load_settings(environ=values), find_aoi(aoi, values), values)


def preview(aoi: str, environ: Mapping[str, str] = os.environ) -> Services:
    """Services of a configured area that are enough to plan with: nothing is fetched for them.

    Elevations, orbit files and labels that would be fetched are not there, unless the area was begun in the store.
    """
    settings, area = load_settings(environ=environ), find_aoi(aoi, environ)
    if not (area.dem.is_fetched or area.labels.is_fetched) or any(
        True for _ in store_of(settings).keys(f"{aoi}/partitions/")
    ):
        return connect(aoi, environ)
    return assemble(settings, area, environ, fetch=False)


class _Unfetched:
    """Stands for what is fetched when an area is begun."""

    def __init__(self, what: str, year: int | None = None) -> None:
        self.year, self._what = year, what

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - there is none
        raise ConfigurationError("plan", self._what, "must be fetched first, by a run", name)


def assemble(
    settings: Settings, aoi: AoiSettings, environ: Mapping[str, str] = os.environ, *, fetch: bool = True
) -> Services:
    """Services of settings that are already read; users of live archives are named in the environment.

    With `fetch` false nothing is fetched: elevations and labels that lie elsewhere are not there, nor orbit files.
    """
    keep_freed_memory()
    products = _products(settings, aoi, environ)
    found = _catalogue(aoi.catalogue, products, settings, environ)
    fetching = auxiliary(settings, environ)
    orbits = orbits_of(aoi, fetching) if fetch else NO_ORBIT_FILES
    dem: Any = _Unfetched("dem")
    if fetch or not aoi.dem.is_fetched:
        dem = dem_of(aoi, fetching)
        dem.check()
    own = read_classes(aoi.labels.classes) if aoi.labels.classes else ()
    classes = _classes(aoi.labels, own)
    labels: Any = _Unfetched("labels", aoi.labels.year or _year_in(aoi.labels.name))
    if fetch or not aoi.labels.is_fetched:
        labels = _labels(aoi.labels, _label_place(aoi, fetching), own, classes)
    store, serves = store_of(settings), _first_provider(settings, aoi)
    artifacts = Artifacts(store)
    rules = settings.rules.to_rules(aoi.budget_gb)
    book = SqlLedger.connect(settings.ledger_url, cap=rules.cap_per_season)
    shelf = WatchedSource(products, lambda: crashing(book))
    native = NativeEngine(shelf, dem, orbits, Options(**settings.radar.model_dump()), artifacts.remember)
    return Services(
        aoi=aoi.name,
        area=read_boundary(aoi),
        rules=rules,
        tile_order=settings.tile_order,
        seed=settings.seed,
        profile=settings.profile,
        workers=settings.workers,
        label_name=aoi.labels.name,
        label_year=_label_year(aoi, labels),
        label_classes=classes,
        other_label_year=aoi.labels.allow_other_year,
        other_zones=aoi.optical.other_zones,
        origin=str(aoi.catalogue.root or aoi.catalogue.kind),
        searched="catalogue.root" if aoi.catalogue.kind == "archive" else "catalogue.kind",
        catalogue=WithOrbits(found, orbits),
        source=shelf,
        engine=_snap(settings, native) if settings.engine == "snap" else native,
        masker=_masker(aoi.masker or settings.masker, settings.clouds),
        labels=labels,
        store=store,
        artifacts=artifacts,
        ledger=book,
        broken=lambda: dict(found.broken),
        notes=lambda: list(getattr(found, "notes", ())),
        fetched=lambda: list(getattr(products, "notes", ())),
        provider=serves,
        quota=settings.quota_of(serves),
        isolate=settings.isolate,
        watched=shelf,
    )


def _products(settings: Settings, aoi: AoiSettings, environ: Mapping[str, str]) -> ArchiveSource | ChainSource:
    """Where products are read from: a folder, where one is set, else the archives that are searched."""
    chosen, how = aoi.catalogue, settings.acquisition
    spool = Spool.from_environment({**os.environ, **environ}, folder=how.cache, size_gb=how.cache_gb)
    if chosen.root is not None or chosen.kind == "archive":
        return ArchiveSource(_needed(f"area {aoi.name}", "catalogue.root", chosen.root), spool)
    downloads = Spool(spool.folder / "products", round(how.products_gb * BYTES_PER_GB))
    at, sources = registry.Addresses(chosen.urls, environ, quotas_of(settings).gate), []
    for archive in _providers(settings, aoi):
        known = places.connect(archive, at, spool.folder / "places")
        serves = provider(archive, settings, environ, chosen.urls)
        sources.append(LiveSource(known, serves, spool, downloads, whole=how.mode == "product"))
    return ChainSource(sources, _bursts(settings, chosen, spool, environ))


def _bursts(
    settings: Settings, chosen: CatalogueSettings, spool: Spool, environ: Mapping[str, str]
) -> Callable[[str], ProductFiles] | None:
    """What opens slices at ASF's burst service, for who has a login there."""
    if not environ.get(providers.EARTHDATA_TOKEN, "").strip():
        return None
    address = chosen.urls.get("asf_bursts", ADDRESS)
    server = BurstServer(address, DOORSTEP if address == ADDRESS else "", provider("asf", settings, environ))
    return lambda product: AsfBursts(product, spool, server)


def _providers(settings: Settings, aoi: AoiSettings) -> list[str]:
    """Archives that products are fetched from, in the order in which they are asked."""
    searched = aoi.catalogue.chain if aoi.catalogue.kind == "chain" else (aoi.catalogue.kind,)
    return list(dict.fromkeys(places.provider_of(name) for name in settings.acquisition.providers or searched))


def _first_provider(settings: Settings, aoi: AoiSettings) -> str:
    """Whose quota a plan counts with; of a folder's products the one that most would be fetched from."""
    fetched = aoi.catalogue.root is None and aoi.catalogue.kind != "archive"
    return next((name for name in _providers(settings, aoi) if name in QUOTAS), "cdse") if fetched else "cdse"


def _classes(chosen: LabelSettings, own: Sequence[LandClass]) -> Table | str:
    """Class table of the labels, or its name."""
    if chosen.source == "parcels":
        return {**named("sigpac"), **table_from(own)} if own else "sigpac"
    if own:
        return table_from(own)
    return {"raster": table_of(chosen.name), "vector": ""}.get(chosen.source, chosen.source)


def _labels(chosen: LabelSettings, path: Path, own: Sequence[LandClass], classes: Table | str) -> LabelSource:
    if chosen.source in ("parcels", "vector"):
        codes = Codes((one.name, one.code) for one in own) if own else None
        if chosen.source == "parcels":
            return ParcelLabels(path, chosen.column or CROP_COLUMN, codes, chosen.layer)
        return VectorLabels(path, chosen.column, codes, chosen.layer)
    if chosen.source == "worldcover":
        return WorldCoverLabels(path)
    return CdlLabels(path, named(classes)) if chosen.source == "cdl" else RasterLabels(path)


def _label_place(aoi: AoiSettings, fetching: Auxiliary) -> Path:
    """File or folder of an area's labels; a map that is published is fetched where no path is set."""
    if aoi.labels.is_fetched:
        return fetching.label_place(aoi.labels.name, aoi.name, read_boundary(aoi))
    return _needed(f"area {aoi.name}", "labels.path", aoi.labels.path)


def _year_in(name: str) -> int | None:
    """Year that the name of a published map tells."""
    found = re.search(r"_(\d{4})(?:_|$)", name)
    return int(found[1]) if found else None


def _label_year(aoi: AoiSettings, labels: LabelSource) -> int | None:
    """Year that the labels describe, by the settings or their files, which must not disagree."""
    said, told = aoi.labels.year, labels.year
    if said is not None and told is not None and said != told:
        raise ConfigurationError(f"area {aoi.name}", "labels.year", f"must be the year of the files, {told}", said)
    return told if said is None else said


def auxiliary(settings: Settings, environ: Mapping[str, str] = os.environ) -> Auxiliary:
    """What is fetched besides products."""
    folder = settings.auxiliary.folder or cache_folder(environ)
    urls = {str(name): url for name, url in settings.auxiliary.urls.items()}
    logins = {"cdse": "cdse", "earthdata": "asf"}
    return Auxiliary(
        Cache(folder, provider("aws", settings, environ)), urls, lambda name: provider(logins[name], settings, environ)
    )


def orbits_of(aoi: AoiSettings, fetching: Auxiliary) -> OrbitFiles:
    """Orbit files of an area; nothing is asked for yet."""
    place = aoi.catalogue.orbit_files
    if place == "annotated":
        return NO_ORBIT_FILES
    if place == "archive":
        return fetching.orbits(restituted=aoi.catalogue.restituted)
    return OrbitFolder(Path(place))


def dem_of(aoi: AoiSettings, fetching: Auxiliary) -> Dem:
    """Elevation model of an area; what is to be fetched of it is fetched."""
    chosen = aoi.dem
    geoid = fetching.egm2008() if chosen.fetches_geoid else None
    if chosen.geoid not in (None, "fetch"):
        geoid = Path(str(chosen.geoid))
    if chosen.source == "file":
        path = _needed(f"area {aoi.name}", "dem.path", chosen.path)
        return Dem(path, chosen.vertical, geoid, chosen.allow_egm96)
    model = fetching.elevation(chosen.source, read_boundary(aoi))
    return Dem(model.path, model.vertical, geoid, chosen.allow_egm96, model.sha256)


def slices_of_year(aoi: AoiSettings, fetching: Auxiliary, settings: Settings, environ: Mapping[str, str]) -> set[Slice]:
    """Slices of all seasons of an area, with the orbit files that serve them: as the searches will find them."""
    root = aoi.catalogue.root
    if aoi.catalogue.kind == "archive":
        root = _needed(f"area {aoi.name}", "catalogue.root", root)
    found = _catalogue(aoi.catalogue, ArchiveSource(root or Path()), settings, environ)
    catalogue = WithOrbits(found, orbits_of(aoi, fetching))
    rules, area = settings.rules, read_boundary(aoi)
    reach = {"days_before": rules.search_days_before, "days_after": rules.search_days_after}
    windows = {w for season in Season for w in pass_search(aoi.year, season, **reach)}
    return {one for during in sorted(windows) for one in catalogue.slices(area, during)}


def _catalogue(
    chosen: CatalogueSettings,
    products: ArchiveSource | ChainSource,
    settings: Settings,
    environ: Mapping[str, str],
) -> ArchiveCatalogue | Link:
    if isinstance(products, ArchiveSource) and chosen.kind == "archive":
        return ArchiveCatalogue(products)
    at = registry.Addresses(chosen.urls, environ, quotas_of(settings).gate)
    return registry.connect(chosen.kind, chain=chosen.chain, at=at)


def quotas_of(settings: Settings) -> Quotas:
    """Quotas of all providers, kept in the ledger's database by all workers together."""
    return _quotas(settings.ledger_url, tuple((name, settings.quota_of(name)) for name in sorted(QUOTAS)))


@functools.lru_cache(maxsize=4)
def _quotas(url: str, quotas: tuple[tuple[str, Quota], ...]) -> Quotas:
    """One for each database and process, so that its connection is kept once."""
    return Quotas(url, dict(quotas))


def provider(
    name: str, settings: Settings, environ: Mapping[str, str] = os.environ, urls: Mapping[str, str] | None = None
) -> Provider:
    """A provider of products, with the credentials of the environment and the gate that all workers share.

    Raises
    ------
    ConfigurationError
        When there is no such provider, or one of two credentials that belong together is missing.
    """
    if name not in QUOTAS:
        raise ConfigurationError("provider", "name", f"must be one of {', '.join(sorted(QUOTAS))}", name)
    return providers.connect(name, environ, quotas_of(settings).gate(name), urls=urls or {})


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


def _masker(name: str, clouds: CloudSettings) -> CloudMasker:
    """A cloud masker by its name; the packages of networks are read only where they are used."""
    if name == "consensus":
        return Consensus([_masker(member, clouds) for member in clouds.members], clouds.votes)
    if name == "ukis-csmask":
        from sen12ts_pipeline.sentinel2.csmask import CsmaskMasker

        return CsmaskMasker(clouds.csmask_bands, clouds.dilation_m)
    if name == "omnicloudmask":
        from sen12ts_pipeline.sentinel2.omnicloud import OmniCloudMasker

        return OmniCloudMasker(clouds.weights, clouds.dilation_m)
    return SclMasker(clouds.invalid_classes, clouds.dilation_m)


def store_of(settings: Settings) -> FolderStore | S3Store:
    """The store that settings name."""
    return open_store(settings.store, S3Options(**settings.s3.model_dump()))


def ledger(settings: Settings | None = None) -> SqlLedger:
    """The ledger of the configured store."""
    settings = settings or load_settings()
    return SqlLedger.connect(settings.ledger_url, cap=settings.rules.cap_per_season)


def caches(settings: Settings, environ: Mapping[str, str] = os.environ) -> list[tuple[str, Path, int | None]]:
    """Folders in which this machine keeps what was fetched: name, place, and bytes that they may take."""
    how = settings.acquisition
    spool = Spool.from_environment(environ, folder=how.cache, size_gb=how.cache_gb)
    return [
        ("cache of products", spool.folder, spool.limit_bytes + round(how.products_gb * BYTES_PER_GB)),
        ("orbits, elevations, maps", settings.auxiliary.folder or cache_folder(environ), None),
    ]


@contextmanager
def noted(partition: str, stage: str) -> Iterator[None]:
    """Note in the ledger what a task took, or whatever error ended it; what prevents the note is only logged.

    Memory is the most that this process, or a child of it, had in use up to now: of a process for each task, that of
    the task.
    """
    began = time.monotonic()
    try:
        yield
    except Exception as error:
        reason = f"{FAILED}{type(error).__name__}: {error}"[:2000]
        _note(partition, stage, lambda book, one: book.record_event(one, stage, reason))
        raise
    seconds = time.monotonic() - began
    _note(partition, stage, lambda book, one: book.record_timing(one, stage, seconds, peak_bytes()))


def peak_bytes() -> int:
    """Most memory that this process, or one of its children that have ended, had in use."""
    whose = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
    return 1024 * max(resource.getrusage(one).ru_maxrss for one in whose)


def _note(partition: str, stage: str, write: Callable[[SqlLedger, Partition], None]) -> None:
    try:
        write(ledger(), Partition.parse(partition))
    except (Sen12tsError, ValueError):
        log.warning("a task could not be noted in the ledger", extra={"partition": partition, "stage": stage})


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
