"""select: rules 1, 4, 6 and 7 on measured masks, and what is recorded of them."""

import dataclasses
import re

from sen12ts_pipeline.domain.rules import TRIPLET_BYTES
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.domain.selection import tile_order
from sen12ts_pipeline.errors import Rejected
from sen12ts_pipeline.ports import CandidateState
from sen12ts_pipeline.stages import assemble, report, select
from sen12ts_pipeline.stages.documents import SELECTION
from tests import worlds


def selected(folder, store, **values):
    """Selection of a world's partition, the services, and the partition."""
    services = worlds.services_of(folder, store, **values)
    partition = Partition.parse(worlds.run(services, until="select"))
    return SELECTION.read(services.store, partition), services, partition


def dates_of(chosen):
    return [str(s.candidate.s2date)[5:] for s in chosen.candidates]


def by_place(selection):
    """Chosen tiles from the north."""
    return sorted(selection.tiles, key=lambda t: -t.tile.row)


def test_candidates_stand_in_the_order_of_the_rules(tall, tmp_path):
    selection, services, _ = selected(tall, tmp_path / "store")
    north, south = by_place(selection)
    assert dates_of(north) == ["09-30", "09-29", "09-17", "09-20", "09-28"]
    assert dates_of(south) == ["09-30", "09-17", "09-20", "09-28"]
    assert (north.slots, south.slots) == (4, 4)
    assert [s.invalid_s2 for s in north.candidates] == [0, 0, 160, 0, 0]
    rules = {(str(r.s2date)[5:], r.rule, r.invalid_s2) for r in selection.refusals}
    assert rules == {("09-29", "s2_invalid", 656), ("10-01", "granule_cloud", None)}
    details = {r.rule: r.detail for r in selection.refusals}
    assert details["s2_invalid"] == "656 of 65536 pixels, must be below 1 %"
    assert details["granule_cloud"] == "12 % cloud, limit below 10 %"
    order = tile_order(worlds.TALL.tiles, services.seed)
    assert [t.tile for t in selection.tiles] == list(order)


def test_the_budget_is_a_quarter_per_season_in_seeded_order(tall, tmp_path):
    year = 4 * 5 * TRIPLET_BYTES / 1e9
    area = worlds.area_of(tall, budget_gb=year)
    for seed in range(20):
        if tile_order(worlds.TALL.tiles, seed)[0] == worlds.TALL.tiles[1]:
            break
    for k, wanted in ((seed, worlds.TALL.tiles[1]), (seed + 1, None)):
        selection, services, partition = selected(tall, tmp_path / str(k), area=area, seed=k)
        first, second = tile_order(worlds.TALL.tiles, k)
        assert wanted in (None, first)
        assert services.rules.season_triplets == 5
        assert [t.tile for t in selection.tiles] == [first]
        assert selection.over_budget == (second,)
        beyond = [r for r in services.ledger.candidates(partition=partition) if r.rule == "budget"]
        assert {(r.tile, r.state) for r in beyond} == {(second, CandidateState.REFUSED)}
        assert all(r.detail.startswith("the season's 5 triplets are used up") for r in beyond)
        assert len(beyond) == (4 if second == worlds.TALL.tiles[1] else 5)


def test_without_room_for_one_tile_nothing_is_made_and_the_report_says_so(tiny, tmp_path):
    area = worlds.area_of(tiny, budget_gb=4 * 1 * TRIPLET_BYTES / 1e9)
    services = worlds.services_of(tiny, tmp_path / "store", area=area)
    partition = worlds.run(services)
    text = report.summary_text(partition, services)
    assert "tiny/2023-fall: 0 triplets of 0 tiles finished; 1 tiles, 2 candidates" in text
    assert "2 refused by budget          size budget used up (rule 7)" in text
    assert not list((tmp_path / "store/tiny").rglob("*.tif"))


def without_cloud_cover(product):
    path = product / "MTD_MSIL2A.xml"
    text, count = re.subn(r"<Cloud_Coverage_Assessment>.*?</Cloud_Coverage_Assessment>", "", path.read_text())
    assert count == 1
    worlds.rewrite(path, text.encode())


def test_unknown_cloud_cover_is_measured(tall, tmp_path):
    folder = worlds.copy(tall, tmp_path / "world")
    for product in worlds.products_of(folder, "S2"):
        without_cloud_cover(product)
    selection, *_ = selected(folder, tmp_path / "store")
    assert [dates_of(t) for t in by_place(selection)] == [
        ["09-30", "09-29", "09-17", "09-20", "09-28"],
        ["09-30", "09-17", "09-20", "09-28"],
    ]
    refused = {(r.rule, r.detail) for r in selection.refusals if str(r.s2date) == "2023-10-01"}
    assert len(refused) == 1
    rule, detail = refused.pop()
    assert rule == "granule_cloud"
    assert re.fullmatch(r"12(\.0\d+)? % cloud measured, limit 10 %", detail)


def test_the_tiles_of_one_burst_come_together_when_asked(tall, tmp_path):
    selection, *_ = selected(tall, tmp_path / "store", tile_order="burst")
    assert len(selection.tiles) == 2


def test_the_ledger_is_told_again_when_it_was_lost(tiny, tmp_path):
    _, services, partition = selected(tiny, tmp_path / "store")
    before = services.ledger.candidates(partition=partition)
    for path in (tmp_path / "store/_work").glob("ledger.sqlite*"):
        path.unlink()
    services = worlds.services_of(tiny, tmp_path / "store")
    select.run(str(partition), services)
    assert services.ledger.candidates(partition=partition) == before
    assert {r.state for r in before} == {CandidateState.SELECTED}


def test_damaged_artifacts_are_made_again(tiny, tmp_path):
    store = tmp_path / "store"
    services = worlds.services_of(tiny, store)

    def damage(*kinds):
        """Cut one artifact of each kind short; returns what all of them were."""
        bodies = {}
        for kind in kinds:
            paths = sorted(p for p in (store / "_work" / kind).rglob("*") if p.is_file())
            bodies |= {path: path.read_bytes() for path in paths}
            worlds.rewrite(paths[0], bodies[paths[0]][:-100])
        return bodies

    worlds.run(services, until="screen_radar")
    bodies = damage("cloud", "terrain")
    select.run(worlds.partition_of(services), services)
    assert {path: path.read_bytes() for path in bodies} == bodies

    worlds.run(services, until="labels")
    bodies = damage("terrain", "frame", "optical", "label")
    for shard in assemble.shards(worlds.partition_of(services), services):
        assemble.run(worlds.partition_of(services), shard, services)
    assert len(list((store / "tiny/metadata").glob("*.json"))) == 2
    assert {path: path.read_bytes() for path in bodies} == bodies


def test_the_screen_and_the_selection_are_the_same_with_several_workers(tall, tmp_path):
    one, *_ = selected(tall, tmp_path / "1", workers=1)
    four, *_ = selected(tall, tmp_path / "4", workers=4)
    assert dataclasses.astuple(one) == dataclasses.astuple(four)


class Choosy:
    """An engine that refuses every pair with one pass, and counts what it is asked."""

    def __init__(self, engine, unwanted):
        self.engine, self.unwanted, self.asked = engine, unwanted, []

    def __getattr__(self, name):
        return getattr(self.engine, name)

    def check_pair(self, grid, bursts, earlier, later):
        self.asked.append((grid, earlier.id, later.id))
        self.engine.check_pair(grid, bursts, earlier, later)
        if self.unwanted in (earlier.id, later.id):
            raise Rejected("common_band", "", "too little in common")


def test_a_pair_that_is_worth_nothing_is_refused_before_a_sample_is_read(tall, tmp_path):
    plain, services, _ = selected(tall, tmp_path / "plain")
    newest = max(v.pass_id for t in plain.tiles for s in t.candidates for v in s.candidate.series.visits)
    engine = Choosy(services.engine, newest)
    selection, _, _ = selected(tall, tmp_path / "store", changes={"engine": engine})
    kept = [s.candidate for t in selection.tiles for s in t.candidates]
    assert kept
    assert all(newest not in {v.pass_id for v in one.series.visits} for one in kept)
    refused = [r for r in selection.refusals if r.rule == "common_band"]
    assert refused
    assert all(newest in r.detail and "too little" in r.detail for r in refused)
    assert len(engine.asked) == len(set(engine.asked))  # once a tile and pair
