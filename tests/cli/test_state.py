"""`reconcile`, `gc`, `gaps` and `measure` over a finished partition."""

import json
import os
import sqlite3
import time
from contextlib import closing

import pytest

ORPHAN = "tiny/quicklooks/lat_37.9306_lon_-4.8206_s1date_2023-10-12_s2date_2023-10-11_s1track_75_s1lookpass_RD.png"


@pytest.fixture
def made(sen12ts, store):
    """The store of a finished partition."""
    code, _, err = sen12ts("run", "tiny", "--season", "fall")
    assert code == 0, err
    return store


def test_a_lost_ledger_is_rebuilt(made, sen12ts):
    assert sen12ts("reconcile") == (0, "0 differences: 0 mended in the ledger, 0 orphans, 0 faults\n", "")
    _, known, _ = sen12ts("why", *tile_of(made))
    for file in (made / "_work").glob("ledger.sqlite*"):
        file.unlink()
    code, out, _ = sen12ts("reconcile", "--dry-run")
    assert code == 1
    assert out.endswith("3 differences: 3 to be mended in the ledger, 0 orphans, 0 faults\n")
    code, out, _ = sen12ts("reconcile", "--aoi", "tiny")
    assert code == 0
    assert out.endswith("3 differences: 3 mended in the ledger, 0 orphans, 0 faults\n")
    assert "tiny/2023-fall: candidates differ in the ledger: 2 missing, 0 extra, 0 changed\n" in out
    assert out.count(".json: not in the ledger: slot ") == 2
    assert sen12ts("why", *tile_of(made))[1] == known
    assert sen12ts("reconcile")[0] == 0


def numbers_of(store):
    with closing(sqlite3.connect(store / "_work/ledger.sqlite")) as connection:
        return {name: json.loads(text) for name, text in connection.execute("SELECT name, numbers FROM qualities")}


def test_files_give_the_numbers_that_were_measured_when_they_were_made_but_for_the_seams(made, sen12ts):
    assert sen12ts("measure") == (0, "0 triplets measured, 0 cannot be\n", "")
    before = numbers_of(made)
    assert len(before) == 2
    for file in (made / "_work").glob("ledger.sqlite*"):
        file.unlink()
    sen12ts("reconcile")
    assert sen12ts("measure", "--aoi", "tiny") == (0, "2 triplets measured, 0 cannot be\n", "")
    without = {name: {k: v for k, v in each.items() if k != "seam_jump"} for name, each in before.items()}
    assert numbers_of(made) == without


def test_a_triplet_whose_file_is_gone_is_told_and_the_others_are_measured(made, sen12ts):
    with closing(sqlite3.connect(made / "_work/ledger.sqlite", isolation_level=None)) as connection:
        connection.execute("DELETE FROM qualities")
    gone = min((made / "tiny/s2").iterdir())
    gone.unlink()
    code, out, _ = sen12ts("measure")
    assert (code, out.splitlines()[-1]) == (1, "1 triplets measured, 1 cannot be")
    assert out.startswith(f"tiny/s2/{gone.name}: is not in the store")


def tile_of(store):
    return [next((store / "tiny/metadata").iterdir()).name]


def test_damage_of_the_store_is_told_with_status_1(made, sen12ts):
    missing, changed = sorted((made / "tiny/s1").iterdir())
    missing.unlink()
    changed.write_bytes(bytes(changed.stat().st_size))
    code, out, _ = sen12ts("reconcile")
    assert code == 1
    assert out.startswith(f"tiny/s1/{missing.name}: missing file: named by ")
    assert out.endswith("1 differences: 0 mended in the ledger, 0 orphans, 1 faults\n")
    code, out, _ = sen12ts("reconcile", "--digests")
    assert code == 1
    assert f"tiny/s1/{changed.name}: digest differs from the metadata: " in out


def test_an_orphan_is_listed_and_goes_only_when_it_is_told_to(made, sen12ts):
    (made / ORPHAN).write_bytes(bytes(1000))
    code, out, _ = sen12ts("reconcile")
    assert (code, out.splitlines()[0]) == (0, f"{ORPHAN}: no metadata name it")
    assert sen12ts("gc")[1].splitlines() == [f"stays   {ORPHAN}: it is young", "may go: 0 objects, 0.000 GB"]
    let_days_pass(made, 10)
    assert sen12ts("gc") == (0, f"may go  {ORPHAN}\nmay go: 1 objects, 0.000 GB\n", "")
    assert sen12ts("gc", "--older-than-days", 30)[1].endswith("may go: 0 objects, 0.000 GB\n")
    assert (made / ORPHAN).exists()
    assert sen12ts("gc", "--aoi", "tiny", "--delete")[1] == f"removed {ORPHAN}\nremoved: 1 objects, 0.000 GB\n"
    assert not (made / ORPHAN).exists()
    assert sen12ts("verify", made / "tiny")[0] == 0


def test_artifacts_go_from_a_finished_store_when_they_are_asked_for(made, sen12ts):
    let_days_pass(made, 10)
    assert "_work" not in sen12ts("gc", "--delete")[1]
    removed = [line for line in sen12ts("gc", "--artifacts", "--delete")[1].splitlines() if "_work/" in line]
    assert len(removed) > 5
    assert sen12ts("verify", made / "tiny")[0] == 0
    assert sen12ts("run", "tiny", "--season", "fall")[0] == 0


def let_days_pass(store, days):
    for path in store.rglob("*"):
        if path.is_file() and "ledger" not in path.name:
            then = path.stat().st_mtime - days * 86400
            os.utime(path, (then, then))
    assert time.time() - (store / "tiny/partitions/2023-fall/report.json").stat().st_mtime > (days - 1) * 86400


@pytest.mark.parametrize("command", ["reconcile", "gc"])
def test_an_area_of_which_nothing_is_there_is_status_2(command, made, sen12ts):
    code, out, err = sen12ts(command, "--aoi", "tyny")
    assert (code, out) == (2, "")
    assert err == "error: --aoi: aoi: must be an area of which something is there: tiny; got 'tyny'\n"


def test_less_than_a_day_is_wrong_usage(sen12ts, store):
    code, _, err = sen12ts("gc", "--older-than-days", "0.5")
    assert code == 2
    assert "--older-than-days" in err


def test_gaps_are_told_and_filled(sen12ts, store):
    code, out, _ = sen12ts("gaps", "tiny")
    assert (code, out.count(": not run;")) == (1, 4)
    code, out, err = sen12ts("gaps", "tiny", "--fill")
    assert "tiny/2023-fall: finished; 2 triplets of 2 planned, 1 tiles" in out, err
    assert len(list((store / "tiny/metadata").iterdir())) == 2
