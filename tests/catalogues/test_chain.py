"""A chain of archives: one answers for all, and it is known which."""

from contextlib import ExitStack

import pytest
from shapely.geometry import box

from sen12ts_pipeline.catalogues.chain import ChainCatalogue
from sen12ts_pipeline.domain.seasons import Interval
from sen12ts_pipeline.errors import ConfigurationError, Retryable
from sen12ts_pipeline.passing import TRIES
from tests.catalogues.archives import GRANULES, SLICES, archive
from tests.catalogues.entries import l2a_name, odata_slice, slc_name
from tests.domain.examples import utc

AREA = box(-117.2, 34.8, -117.0, 35.0)
SPRING = Interval(utc("2020-03-01"), utc("2020-06-01"))
EARLY, LATE = utc("2020-03-11T13:51:17"), utc("2020-04-11T13:51:17")


@pytest.fixture
def stack():
    with ExitStack() as stack:
        yield stack


def slices(chain):
    return [one.product for one in chain.slices(AREA, SPRING)]


def test_the_first_archive_that_has_something_answers_and_is_named(stack):
    (first, one), (second, other) = (stack.enter_context(archive(SLICES[n], [LATE])) for n in ("asf", "cdse_odata"))
    chain = ChainCatalogue("chain", [one, other])
    assert slices(chain) == [slc_name(LATE)]
    assert chain.notes == ["Sentinel-1 IW SLC from 2020-03-01 to 2020-06-01: asf gave 1"]
    assert first.asked
    assert not second.asked


def test_an_archive_that_does_not_answer_is_passed_over_and_the_reason_kept(stack):
    first, one = stack.enter_context(archive(SLICES["asf"], [EARLY, LATE]))
    _, other = stack.enter_context(archive(SLICES["cdse_odata"], [LATE]))
    first.faults.extend([503] * TRIES)
    chain = ChainCatalogue("chain", [one, other])
    assert slices(chain) == [slc_name(LATE)]
    assert "asf did not answer (asf: Sentinel-1 IW SLC from " in chain.notes[0]
    assert "answered 503 Service Unavailable, 5 times" in chain.notes[0]
    assert chain.notes[1].endswith("cdse_odata gave 1")


def test_answers_are_not_mixed_when_an_archive_fails_half_way(stack):
    first, one = stack.enter_context(archive(SLICES["asf"], [EARLY, LATE], limit=1))
    _, other = stack.enter_context(archive(SLICES["cdse_odata"], [LATE]))
    first.faults.extend([None, None, *[503] * TRIES])  # both are announced, half the time answered, half not
    assert slices(ChainCatalogue("chain", [one, other])) == [slc_name(LATE)]


def test_that_nothing_was_found_is_asked_again_elsewhere(stack):
    _, one = stack.enter_context(archive(SLICES["asf"]))
    _, other = stack.enter_context(archive(SLICES["cdse_odata"], [LATE]))
    chain = ChainCatalogue("chain", [one, other])
    assert slices(chain) == [slc_name(LATE)]
    assert [note.rpartition(": ")[2] for note in chain.notes] == ["asf gave 0", "cdse_odata gave 1"]


def test_when_all_say_that_there_is_nothing_there_is_nothing(stack):
    links = [stack.enter_context(archive(SLICES[name]))[1] for name in SLICES]
    assert slices(ChainCatalogue("chain", links)) == []


def test_nothing_from_one_is_no_answer_while_another_did_not_answer(stack):
    first, one = stack.enter_context(archive(SLICES["asf"], [LATE]))
    _, other = stack.enter_context(archive(SLICES["cdse_odata"]))
    first.faults.extend([503] * TRIES)
    with pytest.raises(Retryable, match=r"asf: .*503"):
        slices(ChainCatalogue("chain", [one, other]))


def test_when_none_answers_the_fault_of_each_is_told(stack):
    servers = [stack.enter_context(archive(SLICES[name], [LATE])) for name in SLICES]
    for server, _ in servers:
        server.faults.extend([502] * TRIES)
    with pytest.raises(Retryable, match=r"cdse_odata: .*502.*; asf: .*502"):
        slices(ChainCatalogue("chain", [catalogue for _, catalogue in servers]))


def test_a_wrong_setting_is_not_passed_over(stack):
    first, one = stack.enter_context(archive(SLICES["asf"], [LATE]))
    _, other = stack.enter_context(archive(SLICES["cdse_odata"], [LATE]))
    first.faults.append(404)
    with pytest.raises(ConfigurationError, match=r"catalogue\.urls\.asf"):
        slices(ChainCatalogue("chain", [one, other]))


def test_each_kind_is_asked_of_those_that_have_it(stack):
    server, one = stack.enter_context(archive(SLICES["asf"], [LATE]))
    _, other = stack.enter_context(archive(GRANULES["cdse_stac"], [LATE]))
    chain = ChainCatalogue("chain", [one, other])
    assert [g.product for g in chain.granules(AREA, SPRING)] == [l2a_name(LATE)]
    assert not server.asked


def test_a_kind_that_none_has_is_a_wrong_setting(stack):
    _, one = stack.enter_context(archive(SLICES["asf"], [LATE]))
    with pytest.raises(
        ConfigurationError, match=r"catalogue\.chain: must name an archive of Sentinel-2 L2A; got 'asf'"
    ):
        list(ChainCatalogue("chain", [one]).granules(AREA, SPRING))
    with pytest.raises(ConfigurationError, match="must name at least one archive"):
        ChainCatalogue("chain", [])


def test_what_the_archives_noted_is_known_to_the_chain(stack):
    entries = [odata_slice(EARLY, Online=False), odata_slice(LATE, attributes={"orbitDirection": None})]
    _, one = stack.enter_context(archive(SLICES["cdse_odata"], entries=entries))
    chain = ChainCatalogue("chain", [ChainCatalogue("cdse", [one])])
    assert slices(chain) == []
    assert list(chain.broken) == [slc_name(LATE)]
    assert any("cannot deliver it now" in note for note in chain.notes)
