"""Where the dashboard reads: ledger, store and the settings of the areas, connected when they are first asked for."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sen12ts_pipeline import wiring
from sen12ts_pipeline.settings.load import aoi_folders, list_aois, load_aoi, load_settings
from sen12ts_pipeline.settings.model import AoiSettings
from sen12ts_pipeline.state.keys import ListedStore
from sen12ts_pipeline.state.ledger import SqlLedger


@dataclass(frozen=True, slots=True)
class Sources:
    """What the pages are made of. Each call may raise what says to the user what is wrong.

    Attributes
    ----------
    ledger, store : callable
        Connected; ConfigurationError or Retryable when they cannot be.
    areas : callable
        Settings of the configured areas, by name.
    """

    ledger: Callable[[], SqlLedger]
    store: Callable[[], ListedStore]
    areas: Callable[[], Mapping[str, AoiSettings]]


def connected() -> Sources:
    """The configured ledger and store; a failure to connect is not remembered, so that a repaired one is found."""
    return Sources(_ledger, _store, _areas)


@functools.cache
def _ledger() -> SqlLedger:
    return wiring.ledger()


@functools.cache
def _store() -> ListedStore:
    return wiring.store_of(load_settings())


@functools.cache
def _areas() -> Mapping[str, AoiSettings]:
    return {file.stem: load_aoi(file) for file in list_aois(aoi_folders())}
