"""DHuS hubs by way of sentinelsat, which is optional; the tests that need it say so and are skipped without it."""

import importlib.util
import sys
from datetime import timedelta

import pytest
from shapely.geometry import box

from sen12ts_pipeline.catalogues.dhus import LIMIT, DhusInterface
from sen12ts_pipeline.catalogues.live import LiveCatalogue
from sen12ts_pipeline.catalogues.registry import Addresses, connect
from sen12ts_pipeline.domain.seasons import Interval
from sen12ts_pipeline.errors import ConfigurationError, Retryable
from sen12ts_pipeline.passing import TRIES
from tests.catalogues.entries import hub_slice, l2a_name, slc_name
from tests.catalogues.servers import Hub, JsonServer
from tests.domain.examples import utc

AREA = box(-117.2, 34.8, -117.0, 35.0)
SPRING = Interval(utc("2020-03-01"), utc("2020-06-01"))
DAY = utc("2020-04-11T13:51:17")
SECRET = "not-to-be-shown"

with_sentinelsat = pytest.mark.skipif(importlib.util.find_spec("sentinelsat") is None, reason="needs sentinelsat")


@pytest.fixture
def hub():
    with JsonServer(Hub([hub_slice(DAY), hub_slice(DAY + timedelta(days=12))])) as server:
        yield server


def catalogue(hub):
    return LiveCatalogue(DhusInterface(hub.url, {"SEN12TS_DHUS_USER": "u", "SEN12TS_DHUS_PASSWORD": SECRET}))


def slices(hub):
    return [one.product for one in catalogue(hub).slices(AREA, SPRING)]


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("https://apihub.copernicus.eu/apihub", "those of Copernicus were closed in 2023, choose catalogue.kind: cdse"),
        ("https://scihub.copernicus.eu/dhus/", "those of Copernicus were closed in 2023, choose catalogue.kind: cdse"),
        ("https://catalogue.dataspace.copernicus.eu/odata/v1", "is none, choose catalogue.kind: cdse"),
        (f"https://u:{SECRET}@hub.example.org/dhus", "user and password are SEN12TS_DHUS_USER"),
        ("hub.example.org", "must be an https:// address"),
    ],
)
def test_hubs_that_are_closed_or_none_are_refused_whether_or_not_sentinelsat_is_there(url, rule):
    with pytest.raises(ConfigurationError, match=rule) as caught:
        DhusInterface(url)
    assert SECRET not in str(caught.value)


def test_without_sentinelsat_the_extra_to_install_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentinelsat", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'sen12ts-pipeline\[dhus\]'"):
        connect("dhus", at=Addresses({"dhus": "https://hub.example.org/dhus"}))


@with_sentinelsat
class TestHub:
    def test_slices_are_found(self, hub):
        assert slices(hub) == [slc_name(DAY), slc_name(DAY + timedelta(days=12))]
        first = next(catalogue(hub).slices(AREA, SPRING))
        assert (first.start, first.stop) == (DAY, DAY + timedelta(seconds=27))
        assert (first.relative_orbit, first.direction, first.polarisations) == (71, "D", ("VH", "VV"))
        assert (first.ipf, first.processed) == ((0, 0), utc("2020-06-20T10:00:00"))

    def test_granules_are_found_and_unknown_cloud_cover_stays_unknown(self, hub):
        for cloud, mgrs in ((3.5, "11SMU"), (None, "11SMV")):
            product = hub_slice(DAY) | {"id": mgrs, "title": l2a_name(DAY, mgrs=mgrs), "producttype": "S2MSI2A"}
            hub.archive.products.append(product if cloud is None else product | {"cloudcoverpercentage": cloud})
        found = catalogue(hub).granules(box(-117.2, 34.8, -117.0, 35.5), SPRING)
        assert {g.mgrs: g.cloud_percent for g in found} == {"11SMU": 3.5, "11SMV": None}

    def test_more_than_a_hub_gives_at_once_are_found(self, hub):
        starts = [utc("2020-03-02") + timedelta(hours=6 * n) for n in range(2 * LIMIT)]
        hub.archive.products = [hub_slice(start) for start in starts]
        assert slices(hub) == [slc_name(start) for start in starts]

    def test_a_lost_product_is_noticed(self, hub):
        def one_less(reply):
            return {"feed": reply["feed"] | {"entry": reply["feed"]["entry"][1:]}}

        hub.faults.extend([lambda handler: handler.answer(one_less)] * 2 * TRIES)
        with pytest.raises(Retryable, match="announced 2 products and gave 1, 5 times"):
            slices(hub)

    @pytest.mark.parametrize("fault", [503, 429], ids=str)
    def test_a_fault_that_passes_is_not_noticed_and_one_that_stays_is_left_to_a_later_try(self, hub, fault):
        hub.faults.extend([fault] * (TRIES - 1))
        assert len(slices(hub)) == 2
        hub.faults.extend([fault] * TRIES)
        with pytest.raises(Retryable, match=f"dhus: .*answered {fault}, 5 times"):
            slices(hub)

    def test_a_connection_that_breaks_is_tried_again(self, hub):
        hub.faults.extend([lambda handler: setattr(handler, "close_connection", True)] * (TRIES - 1))
        assert len(slices(hub)) == 2

    def test_a_refused_user_is_a_wrong_setting_without_the_password(self, hub):
        hub.faults.append(401)
        with pytest.raises(ConfigurationError, match="SEN12TS_DHUS_USER: must be a user of the hub") as caught:
            slices(hub)
        assert SECRET not in str(caught.value)

    @pytest.mark.parametrize("status", [200, 404])
    def test_something_that_is_no_hub_is_a_wrong_setting(self, hub, status):
        hub.faults.append(lambda handler: handler.send(status, b"<html>hello</html>"))
        with pytest.raises(ConfigurationError, match=r"catalogue\.urls\.dhus: must be a DHuS hub"):
            slices(hub)
