"""Every archive of the world tells the same products as the folder that all of them are made of."""

import itertools
from dataclasses import replace

import pytest

from sen12ts_pipeline.acquisition.archive import ArchiveSource
from sen12ts_pipeline.catalogues import registry
from sen12ts_pipeline.catalogues.archive import ArchiveCatalogue
from sen12ts_pipeline.catalogues.live import LiveCatalogue
from sen12ts_pipeline.catalogues.odata import ODataInterface
from sen12ts_pipeline.errors import Retryable
from sen12ts_pipeline.settings.boundary import read_boundary
from sen12ts_pipeline.stages.search import ALWAYS
from tests.world import faults


@pytest.fixture
def local(world):
    return ArchiveCatalogue(ArchiveSource(world.folder / "archive"))


@pytest.fixture
def over(world):
    return read_boundary(world.area("cdse_odata"))


def connected(world, kind):
    return registry.connect(kind, at=registry.Addresses(world.urls, world.environ))


def alike(one):
    """A product without what an archive does not tell as exactly: its outline, its processing."""
    if hasattr(one, "footprint"):
        return replace(one, footprint="", ipf=(0, 0), processed=one.start)
    return replace(one, size_m=0.0)


@pytest.mark.parametrize("kind", ["cdse_odata", "cdse_stac", "earth_search", "planetary_computer"])
def test_granules(world, local, over, kind):
    found = [alike(g) for g in connected(world, kind).granules(over, ALWAYS)]
    assert found == [alike(g) for g in local.granules(over, ALWAYS)]
    assert len(found) == 2


@pytest.mark.parametrize("kind", ["cdse_odata", "asf"])
def test_slices(world, local, over, kind):
    found = [alike(s) for s in connected(world, kind).slices(over, ALWAYS)]
    assert found == [alike(s) for s in local.slices(over, ALWAYS)]
    assert len(found) == 5


def test_bursts_are_told_alike_by_two_archives(world, over):
    found = [list(connected(world, kind).bursts(over, ALWAYS)) for kind in ("cdse_odata", "asf")]
    told = [sorted((b.product, b.burst, b.polarisation, b.offset, b.length) for b in of) for of in found]
    assert told[0] == told[1]
    assert len({b.polarisation for b in found[0]}) == 2


def test_a_hub(world, local, over):
    pytest.importorskip("sentinelsat", reason="needs sentinelsat (pip install 'sen12ts-pipeline[dhus]')")
    at = registry.Addresses({"dhus": f"{world.url('hub')}/dhus"}, world.environ)
    hub = registry.connect("dhus", at=at)
    assert [alike(g) for g in hub.granules(over, ALWAYS)] == [alike(g) for g in local.granules(over, ALWAYS)]
    assert [alike(s) for s in hub.slices(over, ALWAYS)] == [alike(s) for s in local.slices(over, ALWAYS)]


@pytest.mark.parametrize(
    "fault", [faults.repeated(), faults.lost(), faults.page(), faults.busy()], ids=lambda f: f.name
)
def test_a_wrong_list_is_asked_for_again(world, local, over, fault, hasty):
    world.faults.plan(fault, host="catalogue", times=2)
    found = [s.product for s in connected(world, "cdse_odata").slices(over, ALWAYS)]
    assert found == [s.product for s in local.slices(over, ALWAYS)]
    assert world.faults.left == []


def test_a_list_that_stays_wrong_is_no_answer(world, over, hasty):
    world.faults.plan(faults.lost(), host="catalogue", path="Products", times=1000)
    with pytest.raises(Retryable, match=r"announced \d products and gave \d, 5 times"):
        list(connected(world, "cdse_odata").slices(over, ALWAYS))
    world.faults.clear()


def test_pages_without_an_order_repeat_and_lose(world):
    from tests.world.test_shapes import odata

    pages = [odata(world, "Products", top="3", skip=str(skip))["value"] for skip in (0, 3, 6, 9)]
    names = [e["Name"] for page in pages for e in page]
    assert len(names) > len(set(names))
    ordered = [odata(world, "Products", top="3", skip=str(s), orderby="ContentDate/Start asc")["value"] for s in (0, 3)]
    assert len({e["Name"] for e in itertools.chain(*ordered)}) == 6


def test_what_is_not_online_is_left_out(world, over, monkeypatch):
    gone = next(h.name for h in world.held if h.is_slice)
    monkeypatch.setattr(world.catalogue, "offline", {gone})
    catalogue = LiveCatalogue(ODataInterface(world.urls["cdse_odata"]))
    assert gone not in [s.product for s in catalogue.slices(over, ALWAYS)]
    assert gone in catalogue.notes[0]
