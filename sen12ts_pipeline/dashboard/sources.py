"""Where the dashboard reads: ledger, store and the settings of the areas, connected when they are first asked for."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sen12ts_pipeline import wiring
from sen12ts_pipeline.dashboard.folders import Folder, folder
from sen12ts_pipeline.settings.load import aoi_folders, list_aois, load_aoi, load_settings
from sen12ts_pipeline.settings.model import AlertSettings, AoiSettings
from sen12ts_pipeline.state.folder import FolderStore
from sen12ts_pipeline.state.keys import ListedStore
from sen12ts_pipeline.state.ledger import SqlLedger
from sen12ts_pipeline.state.quotas import ProviderState


@dataclass(frozen=True, slots=True)
class Sources:
    """What the pages are made of. Each call may raise what says to the user what is wrong.

    Attributes
    ----------
    ledger, store : callable
        Connected; ConfigurationError or Retryable when they cannot be.
    areas : callable
        Settings of the configured areas, by name.
    providers : callable
        How much of each provider's quota is in use.
    folders : callable
        Store and caches on this machine.
    limits : callable
        What is still well.
    """

    ledger: Callable[[], SqlLedger]
    store: Callable[[], ListedStore]
    areas: Callable[[], Mapping[str, AoiSettings]]
    providers: Callable[[], Sequence[ProviderState]] = tuple
    folders: Callable[[], Sequence[Folder]] = tuple
    limits: Callable[[], AlertSettings] = AlertSettings


def connected() -> Sources:
    """The configured ledger and store; a failure to connect is not remembered, so that a repaired one is found."""
    store = functools.cache(lambda: wiring.store_of(load_settings()))
    return Sources(
        functools.cache(wiring.ledger),
        store,
        functools.cache(lambda: {file.stem: load_aoi(file) for file in list_aois(aoi_folders())}),
        lambda: wiring.quotas_of(load_settings()).states(),
        lambda: _folders(store()),
        lambda: load_settings().alerts,
    )


def _folders(store: ListedStore) -> Sequence[Folder]:
    found = [folder("store", store.root, count=False)] if isinstance(store, FolderStore) else []
    found += [folder(name, path, limit_bytes=limit) for name, path, limit in wiring.caches(load_settings())]
    return [one for one in found if one]
