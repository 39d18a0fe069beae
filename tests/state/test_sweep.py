"""What may be swept out of a store: never what a finished triplet needs or a run may still adopt."""

import os
from datetime import UTC, datetime, timedelta

import pytest

from sen12ts_pipeline.state import sweep
from tests import worlds

DAY = timedelta(days=1)
NOW = datetime.now(UTC) + timedelta(hours=1)
OTHER = "lat_37.9306_lon_-4.8206_s1date_2023-10-12_s2date_2023-10-11_s1track_75_s1lookpass_RD"
ORPHANS = [
    "tiny/labels/lat_37.9_lon_-4.8_date_2023_lulc_label.tif",
    *(f"tiny/quicklooks/{OTHER}.png", f"tiny/s1/{OTHER}.tif", f"tiny/s2/{OTHER}.tif"),
]


@pytest.fixture
def old(store):
    """The finished store, thirty days later, with the files of a triplet that was never finished."""
    for key in ORPHANS:
        store.put_if_absent(key, b"left behind")
    age(store, "", 30)
    return store


def age(store, prefix, days):
    """Let objects have been written some days ago, in the order in which they were."""
    for key in store.keys(prefix):
        path = store.root / key
        seconds = path.stat().st_mtime - days * 86400
        os.utime(path, (seconds, seconds))


def keys(entries):
    return [entry.key for entry in entries]


def plan(store, **options):
    return sweep.plan(store, **{"now": NOW} | options)


def test_files_without_metadata_may_go_when_their_partition_has_long_been_finished(old):
    assert keys(plan(old).orphans) == ORPHANS
    assert plan(old).kept == ()


def test_a_plan_removes_nothing_and_removing_removes_just_that(old):
    before = set(old.keys(""))
    planned = plan(old)
    assert set(old.keys("")) == before
    assert keys(sweep.remove(old, planned, now=NOW)) == ORPHANS
    assert before - set(old.keys("")) == set(ORPHANS)
    assert plan(old).orphans == ()


def test_a_young_file_stays(old):
    os.utime(old.root / ORPHANS[0])
    planned = plan(old)
    assert keys(planned.orphans) == ORPHANS[1:]
    assert planned.kept == ((ORPHANS[0], "it is young"),)


@pytest.mark.parametrize("document", ["inventory.json", "selection.json", "assembled/00000.json", "preview.png"])
def test_what_a_run_may_still_adopt_stays(old, document):
    # A run that is taken up again calls the file the same and writes its metadata.
    newer = (NOW - 20 * DAY).timestamp()
    os.utime(old.root / "tiny/partitions/2023-fall" / document, (newer, newer))
    planned = plan(old)
    assert planned.orphans == ()
    assert {reason for _, reason in planned.kept} == {"tiny/2023-fall is not finished"}


def test_a_partition_without_a_report_keeps_all_its_files(old):
    old.delete("tiny/partitions/2023-fall/report.json")
    assert plan(old).orphans == ()


def test_a_partition_that_was_finished_lately_keeps_its_files(old):
    os.utime(old.root / "tiny/partitions/2023-fall/report.json")
    assert {reason for _, reason in plan(old).kept} == {"tiny/2023-fall has just been finished"}
    assert keys(plan(old, now=NOW + 8 * DAY).orphans) == ORPHANS


def test_a_label_belongs_to_all_partitions_of_its_year(old):
    old.put_if_absent("tiny/partitions/2023-spring/inventory.json", b"{}")
    planned = plan(old)
    assert keys(planned.orphans) == ORPHANS[1:]
    assert planned.kept == ((ORPHANS[0], "tiny/2023-spring is not finished"),)


def test_files_of_an_unknown_partition_and_other_names_stay(old):
    strange = "tiny/s1/notes.txt", f"tiny/s1/{OTHER.replace('2023', '2019')}.tif"
    for key in strange:
        old.put_if_absent(key, b"")
        age(old, "tiny/s1/", 30)
    planned = plan(old)
    assert keys(planned.orphans) == ORPHANS
    assert {key for key, _ in planned.kept} == set(strange)


def test_metadata_that_cannot_be_read_keep_every_file_of_their_area(old):
    key = next(old.keys("tiny/metadata/"))
    old.replace(key, b"{")
    assert plan(old).orphans == ()
    assert plan(old).kept == (("tiny", "1 metadata files are unreadable and may name files"),)


def test_what_was_planned_is_looked_at_once_more_before_it_goes(old):
    planned = plan(old, artifacts=True)
    (old.root / "tiny/partitions/2023-fall/selection.json").touch()
    assert sweep.remove(old, planned, now=NOW) == []
    assert set(ORPHANS) <= set(old.keys(""))


def test_no_age_below_a_day_is_taken(old):
    with pytest.raises(ValueError, match="at least 1 day"):
        plan(old, age=timedelta(hours=23))


class TestArtifacts:
    def test_stay_unless_they_are_asked_for(self, old):
        assert plan(old).artifacts == ()

    def test_go_when_everything_in_the_store_is_finished(self, old):
        planned = plan(old, artifacts=True)
        kinds = {key.split("/")[1] for key in keys(planned.artifacts)}
        assert kinds == {"cloud", "frame", "label", "optical", "terrain"}
        sweep.remove(old, planned, now=NOW)
        left = list(old.keys("_work/"))
        assert left
        assert all(key.startswith("_work/ledger.sqlite") for key in left)

    def test_stay_while_any_partition_of_any_area_is_in_work(self, old):
        old.put_if_absent("other/partitions/2024-spring/plan.json", b"{}")
        planned = plan(old, aoi="tiny", artifacts=True)
        assert planned.artifacts == ()
        assert ("artifacts", "other/2024-spring is not finished") in planned.kept

    def test_that_are_young_stay(self, old):
        key = next(old.keys("_work/frame/"))
        os.utime(old.root / key)
        assert key not in keys(plan(old, artifacts=True).artifacts)

    def test_that_went_are_made_again_when_a_finished_partition_is_run_again(self, old, tmp_path_factory):
        before = worlds.files_of(old.root, "tiny")
        planned = plan(old, artifacts=True)
        sweep.remove(old, planned, now=NOW)
        world = worlds.world("tiny", tmp_path_factory.getbasetemp())
        worlds.run(worlds.services_of(world, old.root))
        assert worlds.files_of(old.root, "tiny") == {k: v for k, v in before.items() if f"tiny/{k}" not in ORPHANS}
