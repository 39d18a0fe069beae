"""Bursts are found as slices are: all of them, or there is an error."""

import copy
from datetime import timedelta

import pytest
import shapely

from sen12ts_pipeline.catalogues.asf import AsfInterface
from sen12ts_pipeline.catalogues.live import LiveCatalogue
from sen12ts_pipeline.catalogues.odata import ODataInterface
from sen12ts_pipeline.domain.bursts import BurstId
from sen12ts_pipeline.domain.seasons import Interval
from sen12ts_pipeline.errors import Retryable
from tests.catalogues import recorded
from tests.catalogues.servers import Cmr, JsonServer, OData
from tests.domain.examples import utc

SITKA = shapely.box(-136.0, 57.0, -135.9, 57.1)
YEAR_2021 = Interval(utc("2021-01-01"), utc("2022-01-01"))


def test_asf_gives_one_burst_of_each_pass():
    with JsonServer(Cmr(recorded.answer("asf/slc_burst_stack_30.json"))) as server:
        catalogue = LiveCatalogue(AsfInterface(f"{server.url}/search", limit=7))
        found = list(catalogue.bursts(SITKA, YEAR_2021))
    assert found == sorted(found)
    assert len(found) == len({b.pass_id for b in found}) == 29  # the first of the 30 is of December 2020
    assert {b.burst for b in found} == {BurstId(372326, "IW3")}


def both_polarisations():
    entry = recorded.answer("cdse_odata/burst_entity.json")
    return [entry | {"Id": pol, "PolarisationChannels": pol} for pol in ("VH", "VV")]


def test_the_copernicus_data_space_gives_each_polarisation():
    over, during = shapely.box(2.8, 51.1, 2.9, 51.12), Interval(utc("2024-08-02"), utc("2024-08-03"))
    with JsonServer(OData([], both_polarisations())) as server:
        found = list(LiveCatalogue(ODataInterface(server.url)).bursts(over, during))
        assert "$expand" not in dict(server.asked[0][1])
    assert [(b.burst, b.polarisation) for b in found] == [(BurstId(15805, "IW1"), p) for p in ("VH", "VV")]
    assert {b.offset for b in found} == {138832827}


@pytest.mark.parametrize("lost", ["BurstId", "SwathIdentifier", "ByteOffset", "GeoFootprint"])
def test_a_burst_whose_entry_is_not_complete_makes_its_slice_a_broken_one(lost):
    entries = copy.deepcopy(both_polarisations())
    entries[0] |= {lost: None, "Footprint": None}
    over, during = shapely.box(2.8, 51.1, 2.9, 51.12), Interval(utc("2024-08-02"), utc("2024-08-03"))
    with JsonServer(OData([], entries)) as server:
        catalogue = LiveCatalogue(ODataInterface(server.url))
        assert [b.polarisation for b in catalogue.bursts(over, during)] == ["VV"]
    ((product, reason),) = catalogue.broken.items()
    assert product == "S1A_IW_SLC__1SDV_20240802T060719_20240802T060746_055030_06B44E_E7CC"
    assert "a burst's entry is not complete" in reason


def test_a_lost_burst_is_noticed():
    with JsonServer(Cmr(recorded.answer("asf/slc_burst_stack_30.json"))) as server:
        server.faults.extend([lambda handler: handler.answer(lambda r: r | {"items": r["items"][1:]})] * 5)
        during = Interval(utc("2021-01-01"), utc("2021-01-01") + timedelta(days=140))
        with pytest.raises(Retryable, match=r"asf: Sentinel-1 IW SLC bursts from .* announced 11 products and gave 10"):
            list(LiveCatalogue(AsfInterface(server.url)).bursts(SITKA, during))
