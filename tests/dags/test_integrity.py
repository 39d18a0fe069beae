"""The DAG files as Airflow reads them."""

import copy
import itertools
import subprocess
import sys
from pathlib import Path

import pytest

from tests.dags.conftest import WATCH

ROOT = Path(__file__).parents[2]
AREAS = sorted(path.stem for path in (ROOT / "config" / "aois").glob("*.yaml"))
MAPPED = {"screen_optical", "screen_radar", "optical", "radar", "labels", "assemble"}
SINGLE = {"search", "match", "select", "publish", "report"}
pytestmark = pytest.mark.filterwarnings("ignore")


def test_every_area_has_one_dag_and_no_file_fails(bag):
    read = bag()
    assert read.import_errors == {}
    assert sorted(read.dags) == sorted([*AREAS, WATCH])
    assert AREAS, "there are configured areas"


@pytest.mark.parametrize("area", AREAS)
def test_tasks_carry_the_names_of_the_stages(dags, area):
    listing = {f"{name}_shards" for name in MAPPED}
    assert set(dags[area].task_ids) == MAPPED | SINGLE | listing | {"watcher"}
    assert {t.task_id for t in dags[area].tasks if t.is_mapped} == MAPPED


def test_tasks_are_retried_in_their_pools_and_bounded(dags):
    tasks = {t.task_id: t for t in dags["demo"].tasks}
    assert {t.retries for name, t in tasks.items() if name != "watcher"} == {2}
    assert {name for name, t in tasks.items() if t.pool == "radar"} == {"radar", "screen_radar"}
    assert {name for name, t in tasks.items() if t.pool == "optical"} == {"optical", "screen_optical"}
    assert all(
        task.partial_kwargs.get("execution_timeout") if task.is_mapped else task.execution_timeout
        for task in tasks.values()
        if task.task_id != "watcher"
    )


def test_data_flow_in_the_order_of_the_stages(dags):
    tasks = {t.task_id: t for t in dags["demo"].tasks}

    def before(name):
        return {t.task_id for t in tasks[name].get_flat_relatives(upstream=True)}

    order = ["search", "match", "select", "assemble", "publish", "report", "watcher"]
    for earlier, later in itertools.pairwise(order):
        assert earlier in before(later)
    assert {"screen_optical", "screen_radar"} <= before("select")
    assert {"optical", "radar", "labels"} <= before("assemble")
    assert {"optical", "radar", "labels"}.isdisjoint(before("select"))


def test_a_stage_without_shards_does_not_end_the_run(dags):
    tasks = {t.task_id: t for t in dags["demo"].tasks}
    after_mapped = {n for n, t in tasks.items() if t.upstream_task_ids & MAPPED and n != "watcher"}
    assert after_mapped == {"select", "assemble_shards", "publish"}
    assert {tasks[n].trigger_rule.value for n in after_mapped} == {"none_failed"}


def test_the_watcher_sees_every_task_end(dags):
    tasks = {t.task_id: t for t in dags["demo"].tasks}
    assert tasks["watcher"].trigger_rule.value == "all_done"
    assert tasks["watcher"].retries == 0
    assert tasks["watcher"].upstream_task_ids >= MAPPED | {"report"}
    assert tasks["watcher"].downstream_task_ids == set()


def test_a_dag_explains_itself(dags):
    for area, dag in dags.items():
        assert area in dag.doc_md
        assert f"--dag-id {area} " in dag.doc_md
        assert dag.tags >= {"sen12ts"}
        assert all(task.python_callable.__doc__ for task in dag.tasks if not task.is_mapped)


def test_a_dag_survives_serialisation(dags):
    from airflow.serialization.serialized_objects import DagSerialization

    for dag in dags.values():
        once = DagSerialization.serialize_dag(dag)
        assert DagSerialization.serialize_dag(dag) == once
        restored = DagSerialization.deserialize_dag(once)
        assert restored.timetable.serialize() == {"year": dag.params["year"]}


@pytest.mark.parametrize("wrong", [{"year": 1999}, {"year": "2020"}, {"season": "autumn"}, {"refresh": 1}])
def test_params_refuse_what_is_no_partition(dags, wrong):
    from airflow.sdk.exceptions import ParamValidationError

    params = copy.deepcopy(dags["demo"].params)
    params.validate()
    with pytest.raises(ParamValidationError):
        params.update(wrong)


def test_a_broken_area_is_reported_and_hides_no_other(bag, tmp_path, monkeypatch):
    (tmp_path / "hollow.yaml").write_text("name: hollow\nyear: 2020\n")
    sound = (ROOT / "config/aois/demo.yaml").read_text().replace("name: demo", "name: sound", 1)
    (tmp_path / "sound.yaml").write_text(sound)
    monkeypatch.setenv("SEN12TS_AOIS", str(tmp_path))
    read = bag()
    assert sorted(read.dags) == sorted([*AREAS, WATCH, "sound"])
    assert list(read.import_errors) == [str(ROOT / "dags" / "sen12ts_broken_areas.py")]
    (text,) = read.import_errors.values()
    assert str(tmp_path / "hollow.yaml") in text
    assert "boundary" in text


def test_in_a_task_only_its_own_dag_is_made(bag, monkeypatch):
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "iowa")
    assert sorted(bag().dags) == ["iowa", WATCH]


def test_parsing_is_quick_and_loads_nothing_heavy(airflow_home):
    program = (
        "import sys, time\n"
        "from airflow.dag_processing.dagbag import DagBag\n"
        "DagBag(dag_folder=sys.argv[1])\n"
        "start = time.process_time()\n"
        "bag = DagBag(dag_folder=sys.argv[1])\n"
        "assert not bag.import_errors\n"
        "print(time.process_time() - start)\n"
        "print(*sorted(sys.modules))\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", program, str(ROOT / "dags")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    seconds, modules = done.stdout.splitlines()[-2:]
    heavy = {
        "numba",
        "rasterio",
        "numpy",
        "shapely",
        "geopandas",
        "pyarrow",
        "scipy",
        "pyroSAR",
        "sentinelsat",
        "boto3",
    }
    assert not heavy & set(modules.split())
    assert float(seconds) < 3, "Airflow reads the files every half minute"
