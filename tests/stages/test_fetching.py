"""Screen before fetch: what is read of products, and when; and what takes the place of a candidate that fails."""

import dataclasses
import json
import re
from collections import defaultdict

import numpy as np
import pytest

from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.stages import report
from tests import worlds
from tests.stages.watching import watched_run


def rows_of(services):
    return report.rows_of(Partition.parse(worlds.partition_of(services)), services)


def passes_read(watch):
    """Dates of the passes of which a sample was read at any step."""
    found = {re.search(r"_(\d{8})T", product)[1] for product, _ in watch.images(tuple(watch.opened), ".tiff")}
    return sorted(found)


ALL_PASSES = ["20230801", "20230813", "20230825", "20230906", "20230918", "20230930"]


def test_the_screen_reads_no_sample_and_of_the_optics_the_classification_alone(first_run):
    _, watch = first_run
    assert {name for name, opened in watch.opened.items() if opened} == {"screen_optical", "optical", "radar"}
    assert {m[-11:] for _, m in watch.opened["screen_optical"]} == {"SCL_20m.jp2"}
    assert len(watch.opened["screen_optical"]) == 5  # the granule of 12 % cloud is not even opened
    assert watch.images(("radar",), ".tiff") == watch.opened["radar"]
    assert passes_read(watch) == ALL_PASSES
    assert len({m.rpartition("-slc-")[2][:2] for _, m in watch.opened["radar"]}) == 2


def test_a_pass_of_which_the_cloud_mask_refused_every_candidate_is_not_read(tall, tmp_path):
    folder = worlds.copy(tall, tmp_path / "world")
    for product in worlds.products_of(folder, "S2"):
        if product.name[11:19] in ("20230928", "20230930"):
            product.rename(product.with_suffix(".ignored"))
    south = worlds.TALL.tile(0, 1)
    services = worlds.services_of(folder, tmp_path / "store", changes={"area": worlds.area_around(south)})
    services, watch = watched_run(services)
    states = {(str(r.s2date), r.rule) for r in rows_of(services)}
    assert states == {
        ("2023-09-17", ""),
        ("2023-09-20", ""),
        ("2023-09-29", "s2_invalid"),
        ("2023-10-01", "granule_cloud"),
    }
    assert passes_read(watch) == ALL_PASSES[:-1]


def test_beyond_the_cap_nothing_is_read(tall, tmp_path):
    services = worlds.services_of(tall, tmp_path / "store")
    one_each = dataclasses.replace(services.rules, cap_per_season=1)
    services, watch = watched_run(dataclasses.replace(services, rules=one_each))
    finished = {str(r.s2date) for r in rows_of(services) if r.state == "finished"}
    assert finished == {"2023-09-30"}
    assert passes_read(watch) == ALL_PASSES[1:]
    assert {p[11:19] for p, m in watch.images(("optical", "assemble"), ".jp2")} == {"20230930"}


class Shadowed:
    """An engine under which part of a tile lies in shadow."""

    def __init__(self, engine, pixels):
        self._engine, self._pixels = engine, pixels

    def __getattr__(self, name):
        return getattr(self._engine, name)

    def terrain(self, grid, reference):
        made = self._engine.terrain(grid, reference)
        shadow = np.zeros(grid.shape, bool)
        shadow.ravel()[: self._pixels] = True
        return dataclasses.replace(made, shadow=shadow, layover=np.zeros(grid.shape, bool))


@pytest.mark.parametrize(("pixels", "state"), [(655, "selected"), (656, "refused")])
def test_the_radar_mask_refuses_before_any_sample_is_read(pixels, state, tiny, tmp_path):
    services = worlds.services_of(tiny, tmp_path / "store")
    services = dataclasses.replace(services, engine=Shadowed(services.engine, pixels))
    partition = worlds.run(services, until="select")
    rows = services.ledger.candidates(partition=Partition.parse(partition))
    assert {(r.state.value, r.invalid_s1) for r in rows} == {(state, pixels)}
    assert not (tmp_path / "store/_work/frame").exists()


def states_of(services):
    """By tile from the north: optical date and slot of what was finished, and the dates that failed."""
    finished, failed = defaultdict(dict), defaultdict(list)
    for r in rows_of(services):
        if r.state == "finished":
            finished[r.tile][str(r.s2date)[5:]] = r.slot
        elif r.state == "failed":
            failed[r.tile].append(str(r.s2date)[5:])
    order = worlds.TALL.tiles
    return [finished[t] for t in order], [failed[t] for t in order]


SOUND = [{"09-30": 1, "09-29": 2, "09-17": 3, "09-20": 4}, {"09-30": 1, "09-17": 2, "09-20": 3, "09-28": 4}]


def test_the_sound_archive_gives_this(tall, finished):
    assert states_of(worlds.services_of(tall, finished)) == (SOUND, [[], []])


def test_candidates_of_a_pass_without_samples_fail_and_the_next_take_their_slots(tall, tmp_path):
    folder = worlds.copy(tall, tmp_path / "world")
    broken = worlds.products_of(folder, "S1")[0]
    gone = next(broken.glob("measurement/*iw1*vv*.tiff"))
    body = gone.read_bytes()
    gone.unlink()
    services = worlds.services_of(folder, tmp_path / "store")
    partition = worlds.run(services, until="assemble")
    expected = [{"09-30": 1, "09-29": 2, "09-28": 3}, {"09-30": 1, "09-28": 2}]
    assert states_of(services) == (expected, [["09-17", "09-20"]] * 2)
    failed = [r for r in rows_of(services) if r.state == "failed"]
    assert {r.rule for r in failed} == {"bad_product"}
    assert all(broken.stem in r.detail and f"measurement/{gone.name}" in r.detail for r in failed)
    assert "4 refused by bad_product" in report.summary_text(partition, services)
    assert not {r.state.value for r in rows_of(services)} & {"selected"}
    before = worlds.files_of(tmp_path / "store", "tall")
    gone.write_bytes(body)  # mended: no finished triplet may move for it
    worlds.run(worlds.services_of(folder, tmp_path / "store"), until="assemble")
    assert worlds.files_of(tmp_path / "store", "tall") == before


def test_a_broken_part_of_a_product_costs_only_the_tiles_that_lie_in_it(tall, finished, tmp_path):
    folder = worlds.copy(tall, tmp_path / "world")
    path = next(worlds.products_of(folder, "S1")[0].glob("measurement/*iw1*vv*.tiff"))
    worlds.rewrite(path, path.read_bytes()[: int(path.stat().st_size * 0.51)])
    services = worlds.services_of(folder, tmp_path / "store", workers=2)
    worlds.run(services, until="assemble")
    assert states_of(services) == ([SOUND[0], {"09-30": 1, "09-28": 2}], [[], ["09-17", "09-20"]])
    made, sound = worlds.files_of(tmp_path / "store", "tall"), worlds.files_of(finished, "tall")
    north = [n for n in sound if f"lat_{worlds.TALL.tile(0, 0).centre_lonlat[1]:.4f}"[:11] in n]
    assert len(north) == 4 * 4 + 1
    assert all(made[name] == sound[name] for name in north)


def test_what_is_finished_stays_when_its_product_breaks_later(tall, finished, tmp_path):
    store = worlds.copy(finished, tmp_path / "store")
    folder = worlds.copy(tall, tmp_path / "world")
    for product in worlds.products_of(folder, "S1")[:3]:
        for path in product.glob("measurement/*"):
            path.unlink()
    services = worlds.services_of(folder, store)
    worlds.run(services)
    assert worlds.files_of(store, "tall") == worlds.files_of(finished, "tall")
    assert states_of(services) == (SOUND, [[], []])


def test_a_broken_product_is_left_out_of_later_partitions(tiny, tmp_path):
    folder = worlds.copy(tiny, tmp_path / "world")
    broken = worlds.products_of(folder, "S2")[0]
    path = next(broken.glob("**/*_B04_10m.jp2"))
    worlds.rewrite(path, path.read_bytes()[:900])
    services = worlds.services_of(folder, tmp_path / "store")
    worlds.run(services, until="assemble")
    assert list(services.ledger.quarantined()) == [broken.stem]
    later = dataclasses.replace(services, aoi="later")
    worlds.run(later, until="select")
    plan = json.loads((tmp_path / "store/later/partitions/2023-fall/plan.json").read_text())
    assert [g["product"][11:19] for s in plan["scenes"] for g in s["granules"]] == ["20230920"]
