"""What every ledger keeps; a new adapter joins `ADAPTERS`."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
import sqlalchemy as sa

from sen12ts_pipeline.domain import quality
from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.domain.seasons import Partition, Season
from sen12ts_pipeline.errors import Sen12tsError
from sen12ts_pipeline.ports import CandidateState, QualityRecord, Verdict
from sen12ts_pipeline.state.ledger import SqlLedger
from sen12ts_pipeline.state.tables import outliers, qualities, quality_bins
from tests.contracts.examples import FALL, TILE, a_candidate, a_triplet

SPRING = Partition("nevada", 2023, Season.SPRING)


def sqlite(request):
    return f"sqlite:///{request.getfixturevalue('tmp_path')}/ledger.sqlite"


def postgresql(request):
    return request.getfixturevalue("postgresql_server").new_database()


ADAPTERS = {"sqlite": sqlite, "postgresql": postgresql}
"""URLs of empty databases."""


@pytest.fixture(params=ADAPTERS)
def ledger(request):
    return SqlLedger.connect(ADAPTERS[request.param](request), cap=4)


def test_candidates_come_back_as_they_were(ledger):
    records = [
        a_candidate(),
        a_candidate(track=64, state=CandidateState.REFUSED, rule="s1_invalid", detail="700 of 65536, limit 655"),
        a_candidate(track=65, invalid_s1=None, invalid_s2=None, slot=3),
    ]
    ledger.record_candidates(records)
    assert set(ledger.candidates()) == set(records)


def test_a_candidate_recorded_again_is_updated(ledger):
    ledger.record_candidates([a_candidate()])
    finished = a_candidate(state=CandidateState.FINISHED, slot=2)
    ledger.record_candidates([finished])
    ledger.record_candidates([finished])
    assert ledger.candidates() == [finished]


def test_recording_nothing_is_allowed(ledger):
    ledger.record_candidates([])
    assert ledger.candidates() == []


def test_candidates_are_asked_by_partition_and_by_tile(ledger):
    other = TileId(11, -40, 1639)
    here, elsewhere, earlier = a_candidate(), a_candidate(tile=other), a_candidate(partition=SPRING)
    ledger.record_candidates([here, elsewhere, earlier])
    assert set(ledger.candidates(partition=FALL)) == {here, elsewhere}
    assert set(ledger.candidates(tile=TILE)) == {here, earlier}
    assert ledger.candidates(partition=FALL, tile=TILE) == [here]


def test_the_order_of_candidates_does_not_depend_on_the_order_of_recording(ledger):
    records = [a_candidate(tile=TileId(11, column, 5)) for column in (-2, -1, 9, 10)]
    records.append(a_candidate(tile=TileId(11, 10, 5), s2date=date(2023, 10, 12), scene_id="S2A_1"))
    ledger.record_candidates(reversed(records))
    assert ledger.candidates(partition=FALL) == records


def test_a_triplet_may_be_recorded_twice(ledger):
    ledger.record_triplets([a_triplet()])
    ledger.record_triplets([a_triplet()])
    assert ledger.triplets(FALL) == [a_triplet()]
    assert ledger.triplets(SPRING) == []


def test_a_slot_holds_one_triplet(ledger):
    ledger.record_triplets([a_triplet(1, "first")])
    with pytest.raises(Sen12tsError, match=r"slot 1.*second"):
        ledger.record_triplets([a_triplet(1, "second")])
    assert [one.name for one in ledger.triplets(FALL)] == ["first"]


def test_a_triplet_holds_one_slot(ledger):
    ledger.record_triplets([a_triplet(1, "first")])
    with pytest.raises(Sen12tsError, match="first"):
        ledger.record_triplets([a_triplet(2, "first")])


@pytest.mark.parametrize("slot", [0, -1, 5])
def test_no_slot_lies_beyond_the_cap(ledger, slot):
    with pytest.raises(Sen12tsError, match="cap"):
        ledger.record_triplets([a_triplet(slot)])
    assert ledger.triplets(FALL) == []


def test_seasons_years_and_areas_have_slots_of_their_own(ledger):
    for number, partition in enumerate([FALL, SPRING, replace(FALL, year=2024), replace(FALL, aoi="utah")]):
        ledger.record_triplets([a_triplet(1, f"triplet-{number}", partition=partition)])
        assert len(ledger.triplets(partition)) == 1


def test_triplets_are_ordered_by_tile_and_slot(ledger):
    records = [
        a_triplet(slot, f"{column}-{slot}", tile=TileId(11, column, 5)) for column in (-1, 2, 10) for slot in (1, 2)
    ]
    for record in reversed(records):
        ledger.record_triplets([record])
    assert ledger.triplets(FALL) == records


def test_a_product_is_quarantined_once(ledger):
    ledger.quarantine("S1A_B", "no manifest")
    ledger.quarantine("S1A_A", "noise vector too short")
    ledger.quarantine("S1A_B", "manifest is empty")
    assert ledger.quarantined() == {"S1A_A": "noise vector too short", "S1A_B": "manifest is empty"}
    assert list(ledger.quarantined()) == ["S1A_A", "S1A_B"]


def test_events_are_accepted(ledger):
    ledger.record_event(FALL, "screen", "screened", candidates=12, seconds=0.5)
    ledger.record_event(FALL, "screen", "screened", candidates=12, seconds=0.5)


def test_the_newest_verdict_on_a_triplet_holds_and_all_are_kept(ledger):
    given = [
        Verdict(datetime(2023, 9, day, 12, tzinfo=UTC), "nevada", name, withheld, "Olga", f"reason {day}")
        for day, name, withheld in ((1, "a", True), (2, "b", True), (3, "a", False), (4, "c", False), (5, "d", True))
    ]
    for verdict in given:
        ledger.record_verdict(verdict)
    ledger.record_verdict(replace(given[0], aoi="utah"))
    assert ledger.withheld("nevada") == [given[4], given[1]]
    assert [verdict.aoi for verdict in ledger.withheld()] == ["utah", "nevada", "nevada"]
    assert ledger.verdicts("nevada", "a") == [given[2], given[0]]


def a_quality(name="lat_37.9_lon_-116.1_a", partition=FALL, **numbers):
    return QualityRecord(partition, TILE, name, {"alignment": 4.0, "vh_t": -15.0, "outside": 0.0, **numbers})


def rows(ledger, table):
    with ledger.reading() as connection:
        return [dict(row) for row in connection.execute(sa.select(table)).mappings()]


def counted(ledger):
    """Triplets by partition, measure and bin, counted from their numbers."""
    found = {}
    for row in rows(ledger, qualities):
        for name, value in row["numbers"].items():
            key = row["aoi"], row["year"], row["season"], name, quality.MEASURES[name].bin(value)
            found[key] = found.get(key, 0) + 1
    return found


def kept(ledger):
    found = {tuple(row.values())[:5]: row["triplets"] for row in rows(ledger, quality_bins)}
    return {key: number for key, number in found.items() if number}


def test_numbers_of_triplets_are_kept_once_and_counted(ledger):
    for record in (a_quality(), a_quality("b", alignment=4.2), a_quality("c", SPRING), a_quality(alignment=99.0)):
        ledger.record_quality(record)
    assert {row["name"]: row["numbers"]["alignment"] for row in rows(ledger, qualities)} == {
        "lat_37.9_lon_-116.1_a": 4.0,
        "b": 4.2,
        "c": 4.0,
    }
    assert kept(ledger) == counted(ledger)
    assert ledger.measured("nevada") == {"lat_37.9_lon_-116.1_a", "b", "c"}
    assert ledger.measured("utah") == frozenset()


def test_what_is_odd_is_listed_with_its_value(ledger):
    ledger.record_quality(a_quality())
    ledger.record_quality(a_quality("b", alignment=31.5, vh_t=7.5))
    found = {(row["name"], row["measure"]): (row["value"], row["tile"]) for row in rows(ledger, outliers)}
    assert found == {("b", "alignment"): (31.5, str(TILE)), ("b", "vh_t"): (7.5, str(TILE))}


def test_what_was_measured_goes_with_its_triplet_and_stays_with_one_that_changes_its_place(ledger):
    one, other = a_triplet(1, "one"), a_triplet(2, "other")
    ledger.exchange_triplets([], [one, other])
    for name in ("one", "other"):
        ledger.record_quality(a_quality(name, alignment=20.0))
    ledger.exchange_triplets([one, other], [replace(other, slot=1)])
    assert [row["name"] for row in rows(ledger, outliers)] == ["other"]
    assert ledger.measured("nevada") == {"other"}
    assert kept(ledger) == counted(ledger) != {}


def test_an_alert_is_remembered_until_it_is_over(ledger):
    ledger.record_told({"store": "nearly full", "quota": "nearly used"}, [])
    ledger.record_told({"store": "91 % full"}, ["quota", "unknown"])
    assert ledger.told() == {"store": "91 % full"}
