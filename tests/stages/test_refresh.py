"""What is frozen stays; a refresh fills free slots and moves nothing that is finished."""

import dataclasses
import json
from datetime import timedelta

import pytest

from sen12ts_pipeline.dataset.verify import verify
from sen12ts_pipeline.domain.rules import TRIPLET_BYTES
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.stages import match, report, search, select
from sen12ts_pipeline.stages.documents import INVENTORY, PLAN, SELECTION, Inventory
from tests import worlds
from tests.domain.examples import NOON, a_granule, a_slice


def hide(folder, *days):
    """Take the granules of some days out of a copy; returns what brings them back."""
    hidden = [p for p in worlds.products_of(folder, "S2") if p.name[11:19] in days]
    for product in hidden:
        product.rename(product.with_suffix(".hidden"))

    def bring_back():
        for product in hidden:
            product.with_suffix(".hidden").rename(product)

    return bring_back


def finished_of(services):
    """Slot of what was finished, by tile and optical date."""
    partition = Partition.parse(worlds.partition_of(services))
    rows = [r for r in report.rows_of(partition, services) if r.state == "finished"]
    return {(worlds.PLACES[services.aoi].tiles.index(r.tile), str(r.s2date)[5:]): r.slot for r in rows}


def test_a_product_that_comes_later_is_taken_by_a_refresh_alone_and_moves_nothing(tiny, tmp_path):
    folder, store = worlds.copy(tiny, tmp_path / "world"), tmp_path / "store"
    bring_back = hide(folder, "20230917")
    worlds.run(worlds.services_of(folder, store))
    first = worlds.files_of(store, "tiny")
    assert finished_of(worlds.services_of(folder, store)) == {(0, "09-20"): 1}

    bring_back()
    worlds.run(worlds.services_of(folder, store))
    assert worlds.files_of(store, "tiny") == first

    services = worlds.services_of(folder, store)
    worlds.run(services, refresh=True)
    assert finished_of(services) == {(0, "09-20"): 1, (0, "09-17"): 2}  # by the order the 17th would have come first
    now = worlds.files_of(store, "tiny")
    data = ("s1/", "s2/", "labels/", "metadata/", "quicklooks/")
    assert all(now[name] == body for name, body in first.items() if name.startswith(data))
    assert not verify(store / "tiny")

    worlds.run(worlds.services_of(folder, store), refresh=True)  # nothing new: only what counts as finished is more
    again = worlds.files_of(store, "tiny")
    changed = {name for name in now if again[name] != now[name]}
    assert changed == {"partitions/2023-fall/selection.json", "partitions/2023-fall/assembled/00000.json"}


def test_a_refresh_does_not_need_the_ledger(tiny, tmp_path):
    folder, store = worlds.copy(tiny, tmp_path / "world"), tmp_path / "store"
    bring_back = hide(folder, "20230917")
    worlds.run(worlds.services_of(folder, store), until="assemble")
    for path in (store / "_work").glob("ledger.sqlite*"):
        path.unlink()
    bring_back()
    services = worlds.services_of(folder, store)
    worlds.run(services, refresh=True, until="assemble")
    assert finished_of(services) == {(0, "09-20"): 1, (0, "09-17"): 2}


def test_a_refresh_that_was_cut_off_is_taken_up_by_the_next_run(tiny, tmp_path):
    folder, store = worlds.copy(tiny, tmp_path / "world"), tmp_path / "store"
    bring_back = hide(folder, "20230917")
    worlds.run(worlds.services_of(folder, store), until="assemble")
    bring_back()
    services = worlds.services_of(folder, store)
    partition = worlds.partition_of(services)
    search.run(partition, services, refresh=True)  # and no further
    worlds.run(worlds.services_of(folder, store), until="assemble")
    assert finished_of(services) == {(0, "09-20"): 1, (0, "09-17"): 2}


def test_a_plan_that_was_replaced_leads_to_a_selection_of_its_own(tiny, tmp_path):
    folder, store = worlds.copy(tiny, tmp_path / "world"), tmp_path / "store"
    worlds.run(worlds.services_of(folder, store), until="assemble")
    hide(folder, "20230917")
    services = worlds.services_of(folder, store)
    partition = worlds.partition_of(services)
    search.run(partition, services, refresh=True)
    match.run(partition, services, refresh=True)  # and no further: the old selection names a scene that is gone
    worlds.run(worlds.services_of(folder, store), until="assemble")
    assert finished_of(services) == {(0, "09-17"): 1, (0, "09-20"): 2}  # finished, though its scene is gone
    parsed = Partition.parse(partition)
    assert SELECTION.read(services.store, parsed).plan == PLAN.digest(services.store, parsed)
    assert PLAN.read(services.store, parsed).inventory == INVENTORY.digest(services.store, parsed)


def test_finished_tiles_keep_their_share_of_the_budget(tall, tmp_path):
    folder, store = worlds.copy(tall, tmp_path / "world"), tmp_path / "store"
    bring_back = hide(folder, "20230917", "20230928", "20230929", "20230920")
    area = worlds.area_of(folder, budget_gb=4 * 5 * TRIPLET_BYTES / 1e9)  # five triplets a season
    worlds.run(worlds.services_of(folder, store, area=area), until="assemble")
    bring_back()
    services = worlds.services_of(folder, store, area=area)
    worlds.run(services, refresh=True, until="assemble")
    parsed = Partition.parse(worlds.partition_of(services))
    chosen = SELECTION.read(services.store, parsed)
    order = [t.tile for t in chosen.tiles]
    assert len(order) == 2
    assert chosen.over_budget == (order[1],)
    made = finished_of(services)
    full, one = (worlds.TALL.tiles.index(tile) for tile in order)
    assert {(t, slot) for (t, _), slot in made.items()} == {(full, k) for k in (1, 2, 3, 4)} | {(one, 1)}
    assert made[full, "09-30"] == made[one, "09-30"] == 1
    beyond = [r for r in report.rows_of(parsed, services) if r.rule == "budget"]
    assert {r.tile for r in beyond} == {order[1]}
    assert len(beyond) >= 3


def test_a_new_processing_never_replaces_what_is_still_there():
    old, new = a_granule(), a_granule(baseline=(5, 11), discriminator="20240101T000000")
    other = a_granule(NOON + timedelta(days=5))
    first, again = a_slice(), a_slice(processed=NOON + timedelta(days=400), product="S1A_again")
    late = a_slice(NOON + timedelta(seconds=25), product="S1A_next_slice")
    before = Inventory((old,), (first,))
    found = Inventory((old, new, other), (first, again, late))
    assert search.keeping(before, found, ()) == Inventory((old, other), (first, late))
    assert search.keeping(before, Inventory((new, other), (again, late)), ()) == Inventory((new, other), (again, late))
    broken = {old.product, first.product}
    assert search.keeping(before, found, broken) == found


def test_the_reference_pass_stays_when_the_archive_grows(tall, tmp_path):
    folder, store = worlds.copy(tall, tmp_path / "world"), tmp_path / "store"
    early = worlds.products_of(folder, "S1")[0]
    early.rename(early.with_suffix(".hidden"))
    services = worlds.services_of(folder, store)
    partition = Partition.parse(worlds.run(services, until="match"))
    chosen = PLAN.read(services.store, partition).references
    assert [p.start.day for p in chosen] == [13]
    early.with_suffix(".hidden").rename(early)
    services = worlds.services_of(folder, store)
    worlds.run(services, refresh=True, until="match")
    plan = PLAN.read(services.store, partition)
    assert plan.references == chosen
    assert [p.flight.start.day for p in plan.passes] == [1, 13, 25, 6, 18, 30]


def test_a_reference_pass_that_cannot_be_read_gives_way_to_the_next(tall, tmp_path):
    folder = worlds.copy(tall, tmp_path / "world")
    for path in worlds.products_of(folder, "S1")[0].glob("annotation/*iw1*vv*"):
        path.unlink()
    services = worlds.services_of(folder, tmp_path / "store")
    partition = Partition.parse(worlds.run(services, until="match"))
    assert [p.start.day for p in PLAN.read(services.store, partition).references] == [13]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"rules": {"max_gap_days": 2}}, "rules.max_gap_days"),
        ({"seed": 8}, "seed"),
        ({"profile": "compat"}, "profile"),
    ],
)
def test_a_store_holds_results_of_one_kind_of_settings(change, named, tiny, tmp_path):
    worlds.run(worlds.services_of(tiny, tmp_path / "store"), until="search")
    other = worlds.services_of(tiny, tmp_path / "store", **change)
    with pytest.raises(ConfigurationError, match=f"generation.json: {named}: must stay .* use a new store"):
        worlds.run(other, until="search")
    with pytest.raises(ConfigurationError, match=named):
        report.plan_text(worlds.partition_of(other), other)


def test_workers_and_an_empty_first_run_bind_to_nothing(tiny, tmp_path):
    worlds.run(worlds.services_of(tiny, tmp_path / "store", seed=8), "2023-winter", until="search")
    worlds.run(worlds.services_of(tiny, tmp_path / "store", workers=1), until="search")
    worlds.run(worlds.services_of(tiny, tmp_path / "store", workers=3), until="search")


def test_the_documents_of_a_plan_are_parsed_once(tiny, tmp_path):
    services = worlds.services_of(tiny, tmp_path / "store")
    partition = Partition.parse(worlds.run(services, until="select"))
    assert match.plan_of(partition, services) is match.plan_of(partition, services)
    assert select.selection_of(partition, services) is select.selection_of(partition, services)
    changed = dataclasses.replace(match.plan_of(partition, services), tiles=())
    PLAN.replace(services.store, partition, changed)
    assert match.plan_of(partition, services).tiles == ()


def test_every_document_is_json_for_people(tiny, tmp_path):
    services = worlds.services_of(tiny, tmp_path / "store")
    worlds.run(services, until="select")
    documents = (tmp_path / "store/tiny/partitions").rglob("*.json")
    assert {p.stem for p in documents if json.loads(p.read_text())} == {
        *("generation", "inventory", "plan", "selection"),
        "075",
    }


def test_a_slice_keeps_the_orbit_with_which_it_was_found_first():
    before = Inventory((), (a_slice(orbit="RESORB"),))
    late = a_slice(NOON + timedelta(seconds=25), product="S1A_next_slice", orbit="POEORB")
    found = Inventory((), (a_slice(orbit="POEORB"), late))
    assert search.keeping(before, found, ()) == Inventory((), (a_slice(orbit="RESORB"), late))
