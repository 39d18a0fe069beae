"""A partition through a real scheduler: the services of `make ui`, the DAG of a small simulated area."""

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sen12ts_pipeline.settings.load import write_aoi
from tests import launchers, worlds

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return worlds.world("tiny", tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def webhook():
    """A webhook on this machine, with the texts that it got."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.server.texts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.texts = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def airflow(tiny, webhook, tmp_path_factory):
    """Running services with an area for each test, one of them with a broken elevation model."""
    base = tmp_path_factory.mktemp("scheduler")
    (base / "dem.tif").write_text("no raster")
    (base / "broken.geojson").write_bytes((tiny / "aoi" / "tiny.geojson").read_bytes())
    area = worlds.area_of(tiny)
    write_aoi(area, base / "config" / "aois")
    dem = area.dem.model_copy(update={"path": base / "dem.tif"})
    broken = area.model_copy(update={"name": "broken", "boundary": base / "broken.geojson", "dem": dem})
    write_aoi(broken, base / "config" / "aois")
    for name in ("empty", "later"):
        write_aoi(area.model_copy(update={"name": name}), base / "config" / "aois")
    (base / "config" / "pipeline.yaml").write_text("workers: 1\n")
    environ = launchers.environment(base / "state")
    environ |= {"SEN12TS_CONFIG": str(base / "config" / "pipeline.yaml"), "STORE": str(base / "store")}
    environ["SEN12TS_ALERT_WEBHOOK"] = f"http://127.0.0.1:{webhook.server_port}/"
    with launchers.scheduler(environ, ["tiny", "broken", "empty", "later"]) as running:
        running.store = base / "store"
        yield running


def test_a_partition_is_what_the_stages_make_without_airflow(airflow, tiny, tmp_path):
    assert airflow.api("importErrors")["import_errors"] == []
    state, tasks = launchers.trigger(airflow, "tiny", {"year": 2023, "season": "fall"})
    states = {(t["task_id"], t["map_index"]): t["state"] for t in tasks}
    assert state == "success", states
    assert set(states.values()) == {"success"}
    worlds.run(worlds.services_of(tiny, tmp_path))
    expected = worlds.files_of(tmp_path, "tiny")
    assert worlds.files_of(airflow.store, "tiny") == expected
    shown = {t["rendered_map_index"] for t in tasks if t["task_id"] == "screen_optical"}
    assert all(name.startswith("S2") for name in shown), "a shard is shown by its name"


def test_requests_that_write_at_one_time_all_succeed(airflow):
    def pause(number):
        return airflow.api("dags/later", {"is_paused": bool(number % 2)}, "PATCH")["dag_id"]

    with ThreadPoolExecutor(4) as people:
        assert list(people.map(pause, range(200))) == ["later"] * 200
    airflow.api("dags/later", {"is_paused": True}, "PATCH")


def test_an_empty_partition_succeeds(airflow):
    state, tasks = launchers.trigger(airflow, "empty", {"year": 2021, "season": "winter"})
    states = {t["task_id"]: t["state"] for t in tasks}
    assert state == "success", states
    assert states["radar"] == states["optical"] == states["assemble"] == "skipped"
    assert states["publish"] == states["report"] == states["watcher"] == "success"


def test_a_failed_task_fails_the_run_at_once_and_the_watcher_sees_it(airflow):
    state, tasks = launchers.trigger(airflow, "broken", {"season": "fall"})
    states = {t["task_id"]: (t["state"], t["try_number"]) for t in tasks}
    assert state == "failed"
    assert states["search"] == ("failed", 1), "a wrong setting is not tried again"
    assert states["report"][0] == "upstream_failed"
    assert states["watcher"][0] == "failed"


def test_the_watch_tells_people_of_a_partition_that_failed(airflow, webhook):
    launchers.trigger(airflow, "broken", {"season": "summer"})
    state, _ = launchers.trigger(airflow, "sen12ts_watch", {})
    assert state == "success"
    assert [text for text in webhook.texts if text.startswith("sen12ts: broken/2023-summer: search failed: Config")]
    launchers.wait(
        lambda: any(text.endswith("see its tasks") or "of broken has failed" in text for text in webhook.texts)
    )


def test_a_backfill_over_a_year_makes_its_four_partitions(airflow):
    command = ["backfill", "create", "--dag-id", "later", "--from-date", "2020-01-01", "--to-date", "2020-12-31"]
    line = f". {airflow.hint} && exec {sys.executable} -m airflow {' '.join(command)}"
    done = subprocess.run(
        ["bash", "-c", line], env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    runs = [r for r in airflow.api("dags/later/dagRuns?limit=100")["dag_runs"] if r["run_type"] == "backfill"]
    assert sorted(run["logical_date"][:10] for run in runs) == ["2020-03-01", "2020-06-01", "2020-09-01", "2020-12-01"]
