"""The operator's dashboard in Airflow: its menu entry, and who may see and do what there.

Airflow's own authentication does not reach the apps of plugins: every right is asked for here. Whoever may read DAGs
may look; whoever may trigger runs of an area's DAG may withhold and release its triplets.
"""

from __future__ import annotations

import functools
from typing import Any

from airflow.plugins_manager import AirflowPlugin

PREFIX = "/sen12ts"


class Dashboard:
    """The app, made at the first request: other processes than the api-server load plugins too, and never ask it."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a request."""
        await app()(scope, receive, send)


@functools.cache
def app() -> Any:
    """The app with Airflow's rights."""
    from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
    from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
    from airflow.configuration import conf
    from fastapi import Request

    from sen12ts_pipeline.dashboard.access import Access, origin_of
    from sen12ts_pipeline.dashboard.app import create_app

    def writer(request: Request, user: GetUserDep) -> str:
        area = request.path_params["aoi"]
        requires_access_dag("POST", DagAccessEntity.RUN, param_dag_id=area)(request, user)
        return str(user.get_name())

    writer.__annotations__ = {"request": Request, "user": GetUserDep, "return": str}

    def origins() -> tuple[str, ...]:
        return (origin_of(url),) if (url := conf.get("api", "base_url", fallback="")) else ()

    return create_app(Access(requires_access_dag("GET"), writer, origins))


class DashboardPlugin(AirflowPlugin):
    """Makes app and menu entry known to the api-server."""

    name = "sen12ts_dashboard"
    fastapi_apps = [{"app": Dashboard(), "url_prefix": PREFIX, "name": "sen12ts"}]  # noqa: RUF012 - as Airflow wants it
    external_views = [  # noqa: RUF012 - as Airflow wants it
        {"name": "Data set", "href": f"{PREFIX}/", "destination": "nav", "category": "browse", "url_route": "sen12ts"},
        {
            "name": "Data set",
            "href": f"{PREFIX}/funnel?aoi={{DAG_ID}}",
            "destination": "dag",
            "url_route": "sen12ts-area",
        },
    ]
