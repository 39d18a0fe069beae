"""Where products are searched and fetched: catalogues, sources, providers and their quotas."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping

from sen12ts_pipeline.acquisition import providers
from sen12ts_pipeline.acquisition.archive import ArchiveSource
from sen12ts_pipeline.acquisition.asf_bursts import AsfBursts
from sen12ts_pipeline.acquisition.asf_server import ADDRESS, DOORSTEP, BurstServer
from sen12ts_pipeline.acquisition.live import ChainSource, LiveSource
from sen12ts_pipeline.acquisition.provider import Provider
from sen12ts_pipeline.acquisition.spool import BYTES_PER_GB, Spool
from sen12ts_pipeline.catalogues import places, registry
from sen12ts_pipeline.catalogues.archive import ArchiveCatalogue
from sen12ts_pipeline.catalogues.chain import Link
from sen12ts_pipeline.domain.quotas import QUOTAS, Quota
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.ports import ProductFiles
from sen12ts_pipeline.settings.model import AoiSettings, CatalogueSettings, Settings
from sen12ts_pipeline.state.quotas import Quotas
from sen12ts_pipeline.wiring.needed import needed


def catalogue_of(
    chosen: CatalogueSettings,
    products: ArchiveSource | ChainSource,
    settings: Settings,
    environ: Mapping[str, str],
) -> ArchiveCatalogue | Link:
    """What is searched: the products of a folder, or archives by their names."""
    if isinstance(products, ArchiveSource) and chosen.kind == "archive":
        return ArchiveCatalogue(products)
    at = registry.Addresses(chosen.urls, environ, quotas_of(settings).gate)
    return registry.connect(chosen.kind, chain=chosen.chain, at=at)


def products_of(settings: Settings, aoi: AoiSettings, environ: Mapping[str, str]) -> ArchiveSource | ChainSource:
    """Where products are read from: a folder, where one is set, else the archives that are searched."""
    chosen, how = aoi.catalogue, settings.acquisition
    spool = Spool.from_environment({**os.environ, **environ}, folder=how.cache, size_gb=how.cache_gb)
    if chosen.root is not None or chosen.kind == "archive":
        return ArchiveSource(needed(f"area {aoi.name}", "catalogue.root", chosen.root), spool)
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


def first_provider(settings: Settings, aoi: AoiSettings) -> str:
    """Whose quota a plan counts with; of a folder's products the one that most would be fetched from."""
    fetched = aoi.catalogue.root is None and aoi.catalogue.kind != "archive"
    return next((name for name in _providers(settings, aoi) if name in QUOTAS), "cdse") if fetched else "cdse"


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


def quotas_of(settings: Settings) -> Quotas:
    """Quotas of all providers, kept in the ledger's database by all workers together."""
    return _quotas(settings.ledger_url, tuple((name, settings.quota_of(name)) for name in sorted(QUOTAS)))


@functools.lru_cache(maxsize=4)
def _quotas(url: str, quotas: tuple[tuple[str, Quota], ...]) -> Quotas:
    """One for each database and process, so that its connection is kept once."""
    return Quotas(url, dict(quotas))
