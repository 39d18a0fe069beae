"""Archives by the names that settings use."""

import pytest
from shapely.geometry import box

from sen12ts_pipeline.catalogues.questions import Kind
from sen12ts_pipeline.catalogues.registry import KINDS, Addresses, connect
from sen12ts_pipeline.domain.seasons import Interval
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.passing import TRIES
from tests.acquisition.servers import Counting
from tests.catalogues.archives import GRANULES, archive
from tests.catalogues.entries import l2a_name
from tests.domain.examples import utc

AREA = box(-117.2, 34.8, -117.0, 35.0)
SPRING = Interval(utc("2020-03-01"), utc("2020-06-01"))
DAY = utc("2020-04-11T13:51:17")


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"dhus"}))
def test_every_archive_is_connected_by_its_name_without_asking_it(kind):
    assert connect(kind).archive == kind


@pytest.mark.parametrize(
    ("kind", "has"),
    [
        ("cdse", {Kind.SLICE, Kind.GRANULE, Kind.BURST}),
        ("asf", {Kind.SLICE, Kind.BURST}),
        ("earth_search", {Kind.GRANULE}),
        ("planetary_computer", {Kind.GRANULE}),
    ],
)
def test_an_archive_tells_what_it_has(kind, has):
    assert connect(kind).kinds == has


def test_a_chain_has_what_its_archives_have():
    chain = connect("chain", chain=("asf", "earth_search"))
    assert (chain.archive, chain.kinds) == ("chain", {Kind.SLICE, Kind.BURST, Kind.GRANULE})


def test_the_data_space_answers_by_stac_where_odata_does_not():
    with archive(GRANULES["cdse_odata"], [DAY]) as (one, _), archive(GRANULES["cdse_stac"], [DAY]) as (other, _):
        one.faults.extend([503] * TRIES)
        catalogue = connect("cdse", at=Addresses({"cdse_odata": one.url, "cdse_stac": other.url}))
        assert [g.product for g in catalogue.granules(AREA, SPRING)] == [l2a_name(DAY)]
    assert [note.rpartition(": ")[2] for note in catalogue.notes][-1] == "cdse_stac gave 1"


def test_all_interfaces_of_a_provider_queue_at_its_one_gate():
    with archive(GRANULES["cdse_odata"], [DAY]) as (one, _), archive(GRANULES["cdse_stac"], [DAY]) as (other, _):
        one.faults.extend([503] * TRIES)
        gates = {"cdse": Counting()}
        at = Addresses({"cdse_odata": one.url, "cdse_stac": other.url}, gates=gates.__getitem__)
        list(connect("cdse", at=at).granules(AREA, SPRING))
        assert gates["cdse"].turns == TRIES + len(one.asked) + len(other.asked)
        assert gates["cdse"].most == 1
        assert [str(fault) for fault in gates["cdse"].left] == ["answered 503 Service Unavailable"] * TRIES
        assert gates["cdse"].bytes > 0


@pytest.mark.parametrize(
    ("kind", "provider"),
    [("asf", "asf"), ("earth_search", "earth_search"), ("planetary_computer", "planetary_computer")],
)
def test_other_archives_have_gates_of_their_own(kind, provider):
    asked = []
    connect(kind, at=Addresses(gates=lambda name: asked.append(name) or Counting()))
    assert asked == [provider]


@pytest.mark.parametrize(
    ("kind", "chain", "urls", "rule"),
    [
        ("scihub", (), {}, r"catalogue\.kind: must be one of cdse, .*; got 'scihub'"),
        ("chain", ("cdse", "usgs"), {}, r"catalogue\.chain: must be one of cdse, .*; got 'usgs'"),
        ("chain", (), {}, r"catalogue\.chain: must name at least one archive"),
        ("cdse", (), {"cds": "https://host"}, r"catalogue\.urls: must be addresses of .*; got \['cds'\]"),
        ("asf", (), {"asf": "host/search"}, r"catalogue\.urls\.asf: must be the https:// address"),
        ("dhus", (), {}, r"catalogue\.urls\.dhus: must be the address of a DHuS hub; got None"),
    ],
)
def test_what_cannot_be_connected_is_a_wrong_setting(kind, chain, urls, rule):
    with pytest.raises(ConfigurationError, match=rule):
        connect(kind, chain=chain, at=Addresses(urls))
