"""Connects the ports: the only package that names adapters."""

from sen12ts_pipeline.wiring.archives import provider, quotas_of
from sen12ts_pipeline.wiring.areas import assemble, connect, preview
from sen12ts_pipeline.wiring.auxiliary import auxiliary, dem_of, orbits_of, slices_of_year
from sen12ts_pipeline.wiring.given import Fetched, fetch, science
from sen12ts_pipeline.wiring.state import caches, ledger, noted, peak_bytes, store_of

__all__ = [
    "Fetched",
    "assemble",
    "auxiliary",
    "caches",
    "connect",
    "dem_of",
    "fetch",
    "ledger",
    "noted",
    "orbits_of",
    "peak_bytes",
    "preview",
    "provider",
    "quotas_of",
    "science",
    "slices_of_year",
    "store_of",
]
