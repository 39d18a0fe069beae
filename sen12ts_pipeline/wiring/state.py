"""Store and ledger of settings, the caches of this machine, and what a stage leaves in the ledger."""

from __future__ import annotations

import logging
import os
import resource
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sen12ts_pipeline.acquisition.cache import cache_folder
from sen12ts_pipeline.acquisition.spool import BYTES_PER_GB, Spool
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.errors import Sen12tsError
from sen12ts_pipeline.settings.load import load_settings
from sen12ts_pipeline.settings.model import Settings
from sen12ts_pipeline.state.folder import FolderStore
from sen12ts_pipeline.state.ledger import FAILED, SqlLedger
from sen12ts_pipeline.state.s3 import S3Store
from sen12ts_pipeline.state.s3_server import S3Options
from sen12ts_pipeline.state.stores import open_store

log = logging.getLogger(__name__)


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
