"""Services of an area: which adapter stands behind which port."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from typing import Any

from sen12ts_pipeline.acquisition.homes import CACHE_VARIABLE
from sen12ts_pipeline.acquisition.watched import WatchedSource
from sen12ts_pipeline.catalogues.orbits import WithOrbits
from sen12ts_pipeline.dataset.classes import read_classes
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.ports import NO_ORBIT_FILES
from sen12ts_pipeline.sar.native.engine import NativeEngine, Options
from sen12ts_pipeline.sar.native.memory import keep_freed_memory
from sen12ts_pipeline.settings.boundary import read_boundary
from sen12ts_pipeline.settings.load import find_aoi, load_settings
from sen12ts_pipeline.settings.model import AoiSettings, Settings
from sen12ts_pipeline.stages.isolated import crashing
from sen12ts_pipeline.stages.services import Services
from sen12ts_pipeline.state.artifacts import Artifacts
from sen12ts_pipeline.state.ledger import SqlLedger
from sen12ts_pipeline.wiring.archives import catalogue_of, first_provider, products_of
from sen12ts_pipeline.wiring.auxiliary import auxiliary, dem_of, orbits_of
from sen12ts_pipeline.wiring.engines import masker, snap
from sen12ts_pipeline.wiring.labels import class_table, label_place, label_year, labels_of, year_in
from sen12ts_pipeline.wiring.state import store_of


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
    products = products_of(settings, aoi, environ)
    found = catalogue_of(aoi.catalogue, products, settings, environ)
    fetching = auxiliary(settings, environ)
    orbits = orbits_of(aoi, fetching) if fetch else NO_ORBIT_FILES
    dem: Any = _Unfetched("dem")
    if fetch or not aoi.dem.is_fetched:
        dem = dem_of(aoi, fetching)
        dem.check()
    own = read_classes(aoi.labels.classes) if aoi.labels.classes else ()
    classes = class_table(aoi.labels, own)
    labels: Any = _Unfetched("labels", aoi.labels.year or year_in(aoi.labels.name))
    if fetch or not aoi.labels.is_fetched:
        labels = labels_of(aoi.labels, label_place(aoi, fetching), own, classes)
    store, serves = store_of(settings), first_provider(settings, aoi)
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
        label_year=label_year(aoi, labels),
        label_classes=classes,
        other_label_year=aoi.labels.allow_other_year,
        other_zones=aoi.optical.other_zones,
        origin=str(aoi.catalogue.root or aoi.catalogue.kind),
        searched="catalogue.root" if aoi.catalogue.kind == "archive" else "catalogue.kind",
        catalogue=WithOrbits(found, orbits),
        source=shelf,
        engine=snap(settings, native) if settings.engine == "snap" else native,
        masker=masker(aoi.masker or settings.masker, settings.clouds),
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
