"""The live archives, each as a server on this machine with what it is made to hold."""

from contextlib import contextmanager
from dataclasses import replace

from sen12ts_pipeline.catalogues import stac
from sen12ts_pipeline.catalogues.asf import AsfInterface
from sen12ts_pipeline.catalogues.live import LiveCatalogue
from sen12ts_pipeline.catalogues.odata import ODataInterface
from sen12ts_pipeline.catalogues.stac import StacInterface
from tests.catalogues.entries import odata_granule, odata_slice, stac_item, umm_slice
from tests.catalogues.servers import Cmr, JsonServer, OData, Stac

SLICES = {
    "cdse_odata": (OData, odata_slice, lambda url, limit: ODataInterface(f"{url}/odata/v1", limit)),
    "asf": (Cmr, umm_slice, lambda url, limit: AsfInterface(f"{url}/search", limit)),
}
"""Archive with slices: its server, its entry for a start time, its interface."""

GRANULES = {
    "cdse_odata": (OData, odata_granule, lambda url, limit: ODataInterface(f"{url}/odata/v1", limit)),
    "cdse_stac": (Stac, stac_item, lambda url, limit: StacInterface(replace(stac.CDSE, url=url, limit=limit))),
    "earth_search": (
        lambda items: Stac(items, tells_total=True),
        stac_item,
        lambda url, limit: StacInterface(replace(stac.EARTH_SEARCH, url=url, limit=limit)),
    ),
    "planetary_computer": (
        Stac,
        stac_item,
        lambda url, limit: StacInterface(replace(stac.PLANETARY_COMPUTER, url=url, limit=limit)),
    ),
}
"""The same with granules."""


@contextmanager
def archive(of, starts=(), *, entries=None, limit=50):
    """Server and catalogue of one of the above, with products of these starts, or with these entries."""
    holds, entry, interface = of
    held = [entry(start) for start in starts] if entries is None else entries
    with JsonServer(holds(held)) as server:
        yield server, LiveCatalogue(interface(server.url, limit))
