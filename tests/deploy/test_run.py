"""make run from its variables to its last line, in processes of its own."""

import re
import signal
import time
from pathlib import Path

import pytest

from tests import launchers, worlds

pytestmark = pytest.mark.e2e


def files(variables):
    return worlds.files_of(Path(variables["STORE"]), "tiny")


def log_of(said):
    return Path(re.search(r"^  log +(\S+)$", said, re.M)[1])


@pytest.fixture(scope="session")
def expected(tiny, tmp_path_factory):
    """Files of the data set as the stages make them without Airflow."""
    store = tmp_path_factory.mktemp("expected")
    area = worlds.area_of(tiny, labels={"name": "labels", "path": str(tiny / "labels" / "labels.tif")})
    worlds.run(worlds.services_of(tiny, store, area=area))
    return worlds.files_of(store, "tiny")


def test_it_makes_the_data_set_and_says_where_it_is(run, variables, expected):
    status, said = run(variables)
    assert status == 0, said
    assert files(variables) == expected
    assert re.search(r"^tiny/2023-fall: \d+ triplets", said, re.M)
    for shown in re.findall(r"^  (?:preview|report) +(\S+)$", said, re.M):
        assert Path(shown).is_file()
    steps = re.findall(r"^  \d\d:\d\d:\d\d  (\w+)", said, re.M)
    assert steps[:2] == ["search", "match"]
    assert steps[-3:] == ["assemble", "publish", "report"]
    log = log_of(said).read_text()
    assert "sen12ts_pipeline" in log
    assert said.strip().splitlines()[0] in log

    before = {path: path.stat().st_mtime_ns for path in Path(variables["STORE"], "tiny").rglob("*.tif")}
    status, said = run(variables)
    assert status == 0, said
    assert files(variables) == expected
    assert before == {path: path.stat().st_mtime_ns for path in before}, "nothing is made twice"


def test_a_season_without_products_ends_well(run, variables):
    status, said = run({**variables, "SEASON": "spring"})
    assert status == 0, said
    assert "tiny/2023-spring: 0 triplets" in said


def test_a_task_that_fails_speaks_for_itself(run, variables, tmp_path):
    (tmp_path / "dem.tif").write_text("no raster")
    status, said = run({**variables, "DEM": str(tmp_path / "dem.tif")})
    assert status == 1
    (failure,) = re.findall(r"^FAILED  (.*)$", said, re.M)
    assert failure.startswith("search: ")
    assert str(tmp_path / "dem.tif") in failure
    assert "tried again" not in said, "no retry can help"
    assert log_of(said).is_file()
    assert "Traceback" not in said
    assert not re.search("triplets", said)


def test_a_wrong_variable_ends_it_before_anything_starts(run, variables):
    status, said = run({**variables, "YEAR": "x"})
    assert status == 2
    assert said == "make run: YEAR: must be a year from 2015 to 2100; got 'x'\n"
    assert not Path(variables["STORE"]).exists()


def test_killed_at_any_moment_it_goes_on(start, run, variables, expected):
    process = start("run", variables)
    launchers.read_until(process, "  select")
    process.kill()
    process.wait(timeout=10)
    status, said = run(variables)
    assert status == 0, said
    assert files(variables) == expected


def test_a_signal_ends_it_at_once(start, variables):
    process = start("run", variables)
    launchers.read_until(process, "  search")
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    rest = process.stdout.read()
    assert process.wait(timeout=10) == 130
    assert time.monotonic() - began < 8
    assert "ended by SIGTERM" in rest


def test_runs_into_one_store_do_not_meet_and_into_two_do_not_disturb(start, run, variables, expected, tmp_path):
    process = start("run", variables)
    other = start("run", {**variables, "STORE": str(tmp_path / "other")})
    launchers.read_until(process, "tiny/2023-fall")
    status, said = run(variables)
    assert status == 1
    assert re.fullmatch(r"make run: STORE: .* is in use by process \d+: .*\n", said)
    said = process.stdout.read()
    assert process.wait(timeout=400) == 0, said
    said = other.stdout.read()
    assert other.wait(timeout=400) == 0, said
    assert files(variables) == worlds.files_of(tmp_path / "other", "tiny") == expected
