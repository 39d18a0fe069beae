"""A partition made from live archives, while these fail in every way that is known of them, is that of a folder.

The same data set to the last byte: by byte ranges of the object store and of zips, and by whole products.
"""

import logging
from dataclasses import dataclass

import pytest

from sen12ts_pipeline.dataset.verify import verify
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.errors import Retryable
from tests import worlds
from tests.world import archive_world, faults, patience

pytestmark = pytest.mark.e2e

log = logging.getLogger(__name__)

TRIPLETS = 2


@dataclass(frozen=True)
class Way:
    """A way from archives to a data set, what goes wrong on it, and the most that may be fetched.

    Attributes
    ----------
    catalogue : dict
        Of the area's settings.
    mode : str
        Of acquisition.
    faults : list of Wrong
        What goes wrong; all of it must happen.
    most : int
        Faults of one host that one question meets. Five in a row are left to the scheduler; a file that is altered
        twice is quarantined.
    share : float
        Most bytes that are fetched, as a share of those of all products: what is needed, and what is fetched twice.
    """

    catalogue: dict
    mode: str
    faults: list
    most: int
    share: float


@dataclass(frozen=True)
class Wrong:
    """A fault, and where and how often it happens."""

    fault: faults.Fault
    host: str
    path: str = ""
    times: int = 1


LISTS = [
    Wrong(faults.lost(), "catalogue", "count=true"),
    Wrong(faults.busy(), "catalogue", "Products", 3),
    Wrong(faults.repeated(), "catalogue", "count=true"),
    Wrong(faults.page(), "catalogue", "Products", 2),
    Wrong(faults.truncated(), "catalogue", "Products", 2),
]
WAYS = {
    "object store": Way(
        {"kind": "cdse"},
        "bursts",
        [
            *LISTS,
            Wrong(faults.failing(500), "eodata", "list-type=2", 2),
            Wrong(faults.limited(), "eodata", "measurement/", 4),
            Wrong(faults.reset(), "eodata", "measurement/", 3),
            Wrong(faults.truncated(), "eodata", "measurement/", 3),
            Wrong(faults.failing(503), "eodata", "measurement/", 3),
            Wrong(faults.page(), "eodata", "measurement/"),
            Wrong(faults.reset(0.9), "eodata", "annotation/s1", 2),
            Wrong(faults.altered(), "eodata", "annotation/s1a-iw1-slc-vv"),
            Wrong(faults.altered(), "eodata", "calibration/calibration-s1a-iw1-slc-vv"),
            Wrong(faults.altered(0.1), "eodata", r"_B02_10m\.jp2"),
            Wrong(faults.altered(0.9), "eodata", r"_B12_20m\.jp2"),
            Wrong(faults.trickling(), "eodata", "manifest.safe"),
            Wrong(faults.truncated(0.2), "eodata", r"\.jp2", 2),
        ],
        2,
        0.75,
    ),
    "ranges of zips": Way(
        {"kind": "chain", "chain": ("asf", "cdse")},
        "bursts",
        [
            *LISTS[:1],
            Wrong(faults.failing(503), "cmr", times=2),
            Wrong(faults.lost(), "cmr", "temporal"),
            Wrong(faults.busy(), "datapool", times=3),
            Wrong(faults.failing(502), "datapool", times=2),
            Wrong(faults.reset(), "asf_store", times=3),
            Wrong(faults.truncated(0.3), "asf_store", times=3),
            Wrong(faults.failing(500), "asf_store", times=3),
        ],
        2,
        0.1,
    ),
    "whole products": Way(
        {"kind": "cdse"},
        "product",
        [
            *LISTS,
            Wrong(faults.busy(), "download", times=2),
            Wrong(faults.reset(), "download"),
            Wrong(faults.truncated(), "download"),
            Wrong(faults.page(), "download"),
            Wrong(faults.altered(), "download"),
            Wrong(faults.failing(503), "download"),
        ],
        1,
        1.6,
    ),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The simulated archive that is served."""
    return archive_world.place(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def expected(place, tmp_path_factory):
    """The data set made of the folder itself."""
    store = tmp_path_factory.mktemp("folder")
    worlds.run(worlds.services_of(place, store))
    return data_set(store)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """What the archives pack, so that they do it once."""
    return tmp_path_factory.mktemp("archives")


@pytest.fixture
def world(place, work):
    with archive_world.ArchiveWorld(place, work) as running:
        yield running


def data_set(store):
    """Files of a data set, without those that tell what a catalogue said of products."""
    return {k: v for k, v in worlds.files_of(store, archive_world.LIVE.name).items() if not k.startswith("partitions/")}


def let_in(world, monkeypatch, cache):
    """Set the credentials of a user of all archives; tokens are kept below the folder `cache`."""
    variables = world.environ | {"XDG_CACHE_HOME": str(cache), "SEN12TS_SPOOL": str(cache / "spool")}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("name", WAYS)
def test_a_data_set_from_failing_archives_is_that_of_the_folder(name, world, place, expected, tmp_path, monkeypatch):
    way = WAYS[name]
    patience.hurry(monkeypatch)
    let_in(world, monkeypatch, tmp_path)
    world.faults.most = way.most
    for wrong in way.faults:
        world.faults.plan(**vars(wrong))
    services = worlds.services_of(
        place, tmp_path / "store", area=world.area(**way.catalogue), acquisition={"mode": way.mode}
    )
    worlds.run(services)
    assert services.ledger.quarantined() == {}
    assert data_set(tmp_path / "store") == expected
    assert verify(tmp_path / "store" / archive_world.LIVE.name) == []
    assert world.faults.left == [], "everything that was to go wrong did so"
    fetched = world.journal.sent()
    assert fetched < way.share * world.whole_bytes
    figures = {
        "faults": sum(world.faults.happened.values()),
        "requests": len(world.journal.exchanges),
        "MB a triplet": round(fetched / TRIPLETS / 1e6, 1),
        "MB a triplet of whole products": round(world.whole_bytes / TRIPLETS / 1e6, 1),
    }
    log.info("%s: %s", name, figures)
    asked = len(world.journal.exchanges)
    worlds.run(services)
    assert len(world.journal.exchanges) == asked, "a second run asks for nothing"


DOWN = {
    "its bucket": ({"kind": "cdse"}, Wrong(faults.failing(503), "eodata", "S1A_IW_SLC", 10_000), "answered 503"),
    "who knows its place": ({"kind": "cdse"}, Wrong(faults.reset(), "catalogue", "Name[^&]*S1A", 5), "broke off"),
    "its zip": (
        {"kind": "chain", "chain": ("asf", "cdse")},
        Wrong(faults.busy(), "datapool", times=10_000),
        "answered 429",
    ),
}
"""What of a slice's places does not answer at all; who knows it is silent for as long as one asks for the first."""


@pytest.mark.parametrize("what", DOWN)
def test_where_slices_cannot_be_had_their_bursts_come_from_the_burst_service(
    what, world, place, expected, tmp_path, monkeypatch
):
    catalogue, wrong, said = DOWN[what]
    patience.hurry(monkeypatch)
    let_in(world, monkeypatch, tmp_path)
    world.faults.plan(**vars(wrong))
    services = worlds.services_of(place, tmp_path / "store", area=world.area(**catalogue))
    partition = worlds.run(services)
    assert data_set(tmp_path / "store") == expected
    assert services.ledger.quarantined() == {}
    assert {e.request.path.rsplit(".")[-1] for e in world.journal.of("bursts")} == {"xml", "tiff"}
    told = [e.message for e in services.ledger.events(Partition.parse(partition)) if "burst service" in e.message]
    slices = {h.name for h in world.held if h.is_slice}
    from_there = {message.split(" comes from ASF's burst service: ")[0] for message in told}
    assert from_there == slices if wrong.times > 5 else len(from_there & slices) == 1
    assert all(said in message for message in told)


def test_without_a_login_at_the_burst_service_a_silent_bucket_is_tried_again_later(world, place, tmp_path, monkeypatch):
    catalogue, wrong, said = DOWN["its bucket"]
    patience.hurry(monkeypatch)
    let_in(world, monkeypatch, tmp_path)
    monkeypatch.delenv("SEN12TS_EARTHDATA_TOKEN")
    world.faults.plan(**vars(wrong))
    with pytest.raises(Retryable, match=said):
        worlds.run(worlds.services_of(place, tmp_path / "store", area=world.area(**catalogue)))
    assert not world.journal.of("bursts")


def test_one_session_serves_a_run_that_lasts_longer_than_its_tokens(world, place, expected, tmp_path, monkeypatch):
    way = WAYS["whole products"]
    let_in(world, monkeypatch, tmp_path)
    world.identity.life_s = 0.5
    services = worlds.services_of(
        place, tmp_path / "store", area=world.area(**way.catalogue), acquisition={"mode": way.mode}
    )
    worlds.run(services)
    assert data_set(tmp_path / "store") == expected
    assert world.identity.grants[0] == "password"
    assert set(world.identity.grants[1:]) == {"refresh_token"}
    assert world.identity.sessions == 1
