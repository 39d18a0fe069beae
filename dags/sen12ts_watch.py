"""Looks every hour whether something needs a person, and tells it: a failed or stalled partition, a full disk."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sen12ts_connections
from airflow.sdk import DAG, task
from sen12ts_alerts import Alert

with DAG(
    dag_id="sen12ts_watch",
    description="Tells people what needs them",
    doc_md=__doc__,
    tags=["sen12ts"],
    schedule=timedelta(hours=1),
    start_date=datetime(2015, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    on_failure_callback=Alert("sen12ts: nobody watches: the DAG sen12ts_watch has failed, see its task"),
):

    @task(execution_timeout=timedelta(minutes=20))
    def look() -> str:
        """Tell what is new and what is over since the last look."""
        from airflow.sdk import get_current_context

        from sen12ts_pipeline.dashboard import watch

        sen12ts_connections.use()
        return watch.look(lambda message: Alert(f"sen12ts: {message}", strict=True).notify(get_current_context()))

    look()
