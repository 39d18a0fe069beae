"""Who is told of a failed run, and where tasks have their credentials from."""

import copy
import json
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from sen12ts_pipeline import wiring
from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.ports import TripletRecord

ROOT = Path(__file__).parents[2]


@pytest.fixture
def webhook(monkeypatch):
    """Texts that a webhook got."""
    got = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("SEN12TS_ALERT_WEBHOOK", f"http://127.0.0.1:{server.server_port}/secret-token")
        yield got
        server.shutdown()


def test_a_failed_run_is_told_to_the_webhook(bag, webhook):
    import sen12ts_alerts

    dag = bag().dags["iowa"]
    for reason in ("task_failure", None):
        copy.deepcopy(dag.on_failure_callback)({"dag": dag, "run_id": "manual__1", "reason": reason})
    said = "sen12ts: run manual__1 of iowa has failed: "
    assert webhook == [f"{said}task_failure", f"{said}see its tasks"]
    assert isinstance(dag.on_failure_callback, sen12ts_alerts.Alert)


def test_the_watch_looks_hourly_and_tells_a_failed_partition_once(bag, webhook, tmp_path, monkeypatch):
    monkeypatch.setenv("SEN12TS__STORE", str(tmp_path / "store"))
    monkeypatch.setenv("SEN12TS_CONFIG", str(ROOT / "config" / "pipeline.yaml"))
    dag = bag().dags["sen12ts_watch"]
    assert dag.schedule == timedelta(hours=1)
    assert not dag.is_paused_upon_creation
    ledger, partition = wiring.ledger(), Partition.parse("iowa/2020-fall")
    ledger.record_event(partition, "radar", "failed: BadProduct: S1A: too short")
    look = dag.task_dict["look"].python_callable
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("airflow.sdk.get_current_context", dict)
        patch.setenv("SEN12TS_ALERT_WEBHOOK", "http://127.0.0.1:9/")
        with pytest.raises(RuntimeError, match="was not sent"):
            look()
        patch.undo()
        patch.setattr("airflow.sdk.get_current_context", dict)
        assert [bool(look()) for _ in range(3)] == [True, False, False]
        ledger.record_event(partition, "report", "report written")
        ledger.record_triplets([TripletRecord(partition, TileId(15, 1, 1), 1, "x", {}, {})])
        look()
    first, second = webhook
    assert first.startswith("sen12ts: iowa/2020-fall: radar failed: BadProduct: S1A: too short, 0 minutes ago. To do: ")
    assert second.startswith("sen12ts: iowa/2020-fall: over: radar failed")


def test_a_webhook_that_does_not_answer_stops_nothing_and_is_not_written_into_the_log(bag, monkeypatch, caplog):
    import sen12ts_alerts

    monkeypatch.setenv("SEN12TS_ALERT_WEBHOOK", "http://127.0.0.1:9/secret-token")
    sen12ts_alerts.tell("text")
    assert "SEN12TS_ALERT_WEBHOOK: the alert was not sent" in caplog.text
    assert "secret-token" not in caplog.text


def test_a_deadline_is_set_where_the_environment_wants_one(bag, monkeypatch):
    import sen12ts_alerts

    assert sen12ts_alerts.deadline() is None
    monkeypatch.setenv("SEN12TS_DEADLINE_HOURS", "36")
    assert sen12ts_alerts.deadline().interval.total_seconds() == 36 * 3600


def test_a_connection_gives_the_store_its_credentials(bag):
    import sen12ts_connections
    from airflow.sdk import Connection

    extra = json.dumps({"endpoint_url": "http://s3:8333", "region_name": "eu-1"})
    connection = Connection(conn_id="store", conn_type="aws", login="key", password="secret", extra=extra)
    assert sen12ts_connections.of_store(connection) == {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_ENDPOINT_URL": "http://s3:8333",
        "AWS_DEFAULT_REGION": "eu-1",
    }


def test_a_connection_gives_the_ledger_its_address(bag, monkeypatch):
    import sen12ts_connections

    monkeypatch.setenv("AIRFLOW_CONN_LEDGER", "postgres://worker:p%40ss@db:5433/sen12ts?sslmode=require")
    environ = {"SEN12TS_LEDGER_CONNECTION": "ledger"}
    sen12ts_connections.use(environ)
    assert environ["SEN12TS__LEDGER"] == "postgresql+psycopg://worker:p%40ss@db:5433/sen12ts?sslmode=require"


def test_without_a_named_connection_nothing_changes(bag):
    import sen12ts_connections

    environ = {"AWS_ACCESS_KEY_ID": "key"}
    sen12ts_connections.use(environ)
    assert environ == {"AWS_ACCESS_KEY_ID": "key"}
