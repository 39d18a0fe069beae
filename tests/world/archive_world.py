"""A world of archives on this machine, all of one simulated place: search, sign in, download, and what goes wrong.

    with ArchiveWorld(folder, work) as world:
        world.faults.plan(faults.reset(), host="eodata", path="measurement", times=3)
        services = ...  # of `world.area(kind="cdse")` and `world.environ`

The place lies in the upper left corner of its MGRS square, and its granules begin there: catalogues may say of them
what real ones say of real granules.
"""

import base64
import dataclasses
import functools
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from sen12ts_pipeline.simulate.archive import simulate
from sen12ts_pipeline.simulate.place import places
from tests import worlds
from tests.catalogues.servers import Hub
from tests.world import asf, auxiliary, buckets, copernicus, holdings, odata, stac
from tests.world.faults import Faults
from tests.world.web import Host, Journal, Reply, as_json

LIVE = dataclasses.replace(
    places()["tiny"], name="live", longitude=0.4864, latitude=45.1118, granule_pixels=318, base_height_m=120.0
)
"""One tile, two candidates. Tile and granules lie in the corner of MGRS tile 31TCK."""

MARK = "c0ffee5ec7e7"
"""Part of every credential: whatever holds it should not be kept or shown."""
USER, PASSWORD = f"user-{MARK}@example.org", f"password-{MARK}!&="
KEY, SECRET = f"KEY{MARK.upper()}", f"secret-{MARK}/+"
EARTHDATA = f"earthdata-{MARK}"
HUB_USER, HUB_PASSWORD = f"hub-{MARK}", f"hub-password-{MARK}"


def place(base):
    """Folder of the simulated archive, made the first time below a folder of the session."""
    folder = Path(base) / "worlds" / LIVE.name
    simulate(LIVE, folder)
    return folder


@dataclass
class ArchiveWorld:
    """All hosts.

    Parameters
    ----------
    folder : Path
        A simulated archive.
    work : Path
        Folder for what is packed, cut out or converted.

    Attributes
    ----------
    journal : Journal
        Every exchange.
    faults : Faults
        What is to go wrong.
    identity, eodata, bursts, signatures, catalogue : object
        Services with a state that tests look at or change.
    """

    folder: Path
    work: Path
    journal: Journal = field(default_factory=Journal)
    faults: Faults = field(default_factory=Faults)

    def __post_init__(self):
        self.work.mkdir(parents=True, exist_ok=True)
        self.held = holdings.held_in(self.folder / "archive")
        slices = [h for h in self.held if h.is_slice]
        self._zips = asf.deflated(self.work)
        self._orbits = auxiliary.orbit_files(self.held, self.work / "orbits")
        self.identity = copernicus.Identity(USER, PASSWORD, MARK)
        self.catalogue = odata.ODataCatalogue(self.held, list(self._orbits.values()))
        self.eodata = buckets.EoData(buckets.keys_below(self.held), KEY, SECRET)
        self.datapool = asf.Datapool(slices, EARTHDATA, self._zips, MARK, lambda: self.url("asf_store"))
        self.bursts = asf.BurstService(slices, EARTHDATA, self.work)
        self._hosts = {name: Host(name, service, self.journal, self.faults) for name, service in self._services(slices)}

    def _services(self, slices):
        granules = [h for h in self.held if not h.is_slice]
        yield "catalogue", self.catalogue
        yield "identity", self.identity
        yield "download", copernicus.Download(self.held, self.identity, self.work)
        yield "eodata", self.eodata
        yield "stac", stac.ItemSearch("/v1", [stac.copernicus_item(h) for h in granules])
        yield "cmr", lambda request: self._search(request)
        yield "datapool", self.datapool
        yield "asf_store", self.datapool.store_answer
        yield "bursts", self.bursts
        yield "hub", _hub(self.held)
        yield from self._copies(granules)
        yield "orbits", buckets.OpenBucket("s1-orbits", self._orbits, page=3)
        yield "glo30", lambda request: self._glo30(request)
        yield "geoid", lambda request: self._geoid(request)
        yield "worldcover", lambda request: self._worldcover(request)

    def _copies(self, granules):
        cogs = stac.Copies(granules, self.work, _cog_key, True, lambda: self.url("cogs"))
        blobs = stac.Copies(granules, self.work, _blob_key, False, lambda: self.url("blobs"))
        self.signatures = stac.Signatures(blobs, MARK)
        yield "cogs", cogs
        yield "blobs", self.signatures.blob
        yield "earth_search", _later(lambda: _earth_search(granules, cogs))
        yield "planetary_computer", _later(lambda: _planetary_computer(granules, blobs, self.signatures))

    @functools.cached_property
    def _search(self):
        slices = [h for h in self.held if h.is_slice]
        return asf.Search(slices, self._zips, self.url("datapool"), self.url("bursts"))

    @functools.cached_property
    def _glo30(self):
        objects = auxiliary.elevation_tiles(self.folder / "dem/dem.tif", self.work / "glo30")
        return buckets.OpenBucket("copernicus-dem-30m", objects, listable=False)

    @functools.cached_property
    def _geoid(self):
        return buckets.OpenBucket("geoid", auxiliary.geoid_grid(self.work / "geoid"))

    @functools.cached_property
    def _worldcover(self):
        objects = auxiliary.land_cover(self.folder / "labels/labels.tif", self.work / "worldcover")
        return buckets.OpenBucket("esa-worldcover", objects, listable=False)

    def __enter__(self):
        with ExitStack() as stack:
            for host in self._hosts.values():
                stack.enter_context(host)
            self._running = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._running.close()

    def url(self, host):
        """Address of a host."""
        return self._hosts[host].url

    @property
    def urls(self):
        """Addresses of the catalogues, for ``catalogue.urls``."""
        return {
            "cdse_odata": f"{self.url('catalogue')}/odata/v1",
            "cdse_stac": f"{self.url('stac')}/v1",
            "asf": f"{self.url('cmr')}/search",
            "earth_search": f"{self.url('earth_search')}/v1",
            "planetary_computer": f"{self.url('planetary_computer')}/api/stac/v1",
        }

    @property
    def token_url(self):
        """Where the Copernicus Data Space gives out tokens."""
        return self.url("identity") + copernicus.TOKEN_PATH

    @property
    def signatures_url(self):
        """Where the Planetary Computer gives out signatures."""
        return f"{self.url('planetary_computer')}/api/sas/v1/token/{stac.COLLECTION}"

    @property
    def download_url(self):
        """Where the Copernicus Data Space gives out products."""
        return f"{self.url('download')}/odata/v1"

    @property
    def _servers(self):
        """Addresses of what is no catalogue, for ``catalogue.urls`` likewise."""
        return {
            "cdse_download": self.download_url,
            "cdse_s3": self.url("eodata"),
            "cdse_tokens": self.token_url,
            "asf_bursts": self.url("bursts"),
            "planetary_computer_tokens": self.signatures_url,
        }

    @property
    def environ(self):
        """Credentials, by the names of their variables."""
        return {
            "SEN12TS_CDSE_USER": USER,
            "SEN12TS_CDSE_PASSWORD": PASSWORD,
            "SEN12TS_CDSE_S3_KEY": KEY,
            "SEN12TS_CDSE_S3_SECRET": SECRET,
            "SEN12TS_EARTHDATA_TOKEN": EARTHDATA,
            "SEN12TS_DHUS_USER": HUB_USER,
            "SEN12TS_DHUS_PASSWORD": HUB_PASSWORD,
        }

    def area(self, kind, **catalogue):
        """Settings of the place's area, whose products are looked for in an archive of this world."""
        values = {"kind": kind, "urls": self.urls | self._servers, "orbits": "annotated"}
        return worlds.area_of(self.folder, catalogue=values | catalogue)

    @property
    def whole_bytes(self):
        """Bytes of all products, unpacked."""
        return sum(h.size for h in self.held)


def _later(make):
    """A service that is made when it is first asked: it needs addresses."""
    made = functools.cache(make)
    return lambda request: made()(request)


def _earth_search(granules, cogs):
    items = [stac.earth_search_item(h, cogs) for h in granules]
    return stac.ItemSearch("/v1", items, tells_total=True)


def _planetary_computer(granules, blobs, signatures):
    search = stac.ItemSearch("/api/stac/v1", [stac.planetary_computer_item(h, blobs) for h in granules])
    return lambda request: signatures.token(request) or search(request)


def _cog_key(held, name):
    one = held.granule
    day = f"{one.datatake_start:%Y}/{one.datatake_start.month}"
    folder = f"{one.mission}_{one.mgrs}_{one.datatake_start:%Y%m%d}_0_L2A"
    return f"/sentinel-s2-l2a-cogs/{int(one.mgrs[:2])}/{one.mgrs[2]}/{one.mgrs[3:]}/{day}/{folder}/{name}.tif"


def _blob_key(held, name):
    return f"/sentinel2-l2/{held.safe}/{name}.tif"


def _hub(held):
    """A DHuS hub, for its users."""
    hub = Hub([_hub_entry(h) for h in held])
    shown = "Basic " + base64.b64encode(f"{HUB_USER}:{HUB_PASSWORD}".encode()).decode()

    def answer(request):
        if request.headers.get("authorization") != shown:
            return Reply(401, b"Unauthorized", {"WWW-Authenticate": "Basic"})
        values = request.query | {name: fields[0] for name, fields in request.form.items()}
        return as_json(hub.reply(request.path, values, "")[1])

    return answer


def _hub_entry(held):
    entry = {
        "id": held.id,
        "title": held.name,
        "producttype": "SLC" if held.is_slice else "S2MSI2A",
        "beginposition": f"{held.start:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
        "endposition": f"{held.stop:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
        "ingestiondate": "2023-11-01T00:00:00.000Z",
        "footprint": held.area.wkt,
    }
    if held.is_slice:
        direction = {"A": "ASCENDING", "D": "DESCENDING"}[held.slice.direction]
        return entry | {
            "orbitdirection": direction,
            "polarisationmode": "VV VH",
            "relativeorbitnumber": held.slice.relative_orbit,
        }
    cloud = held.granule.cloud_percent
    return entry | {"cloudcoverpercentage": cloud, "datastripidentifier": held.granule.datastrip}
