"""Who is told of a failed run, and where tasks have their credentials from."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest


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

    run = SimpleNamespace(run_id="manual__1", dag_id="iowa")
    sen12ts_alerts.failed({"dag_run": run, "reason": "task_failure"})
    assert webhook == ["sen12ts: run manual__1 of iowa has failed: task_failure"]


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
