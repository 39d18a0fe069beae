"""Program: what Airflow's FAB users may do on the dashboard, as JSON: status of a look and of a verdict, by role.

Run in an environment of its own, with the folder of a new Airflow as its argument.
"""

import json
import os
import sys
import warnings
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROLES = ("Public", "Viewer", "User", "Op", "Admin")
HOME = Path(sys.argv[1])
VERDICT = "/sen12ts/api/triplets/demo/unknown/verdict"

warnings.simplefilter("ignore")
os.environ.update(
    AIRFLOW_HOME=str(HOME),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__DAGS_FOLDER=str(HOME / "dags"),
    AIRFLOW__CORE__AUTH_MANAGER="airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{HOME}/airflow.db",
    AIRFLOW__API_AUTH__JWT_SECRET="j" * 64,
    AIRFLOW__API__SECRET_KEY="s" * 64,
    SEN12TS__STORE=str(HOME / "store"),
    SEN12TS_CONFIG=str(ROOT / "config" / "pipeline.yaml"),
)
sys.path[:0] = [str(ROOT / "plugins"), str(ROOT)]

import sen12ts_dashboard  # noqa: E402 - Airflow reads the environment when it is imported
from airflow.api_fastapi.app import get_auth_manager, init_auth_manager  # noqa: E402
from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder  # noqa: E402
from airflow.utils.db import initdb  # noqa: E402
from fastapi import FastAPI  # noqa: E402
from starlette.testclient import TestClient  # noqa: E402


def tokens():
    """A token of a new user of each role."""
    with get_application_builder() as builder:
        security = builder.sm
        for role in ROLES:
            mail = f"{role}@example.org"
            user = security.add_user(role, "A", role, mail, security.find_role(role), password="secret")
            yield role, get_auth_manager().generate_jwt(user)


def statuses(client, headers):
    """What a look and a verdict are answered by."""
    body = {"withheld": True, "reason": "because"}
    looks, judges = client.get("/sen12ts/", headers=headers), client.post(VERDICT, json=body, headers=headers)
    return [looks.status_code, judges.status_code]


initdb()
outer = FastAPI()
init_auth_manager(outer)
[app] = sen12ts_dashboard.DashboardPlugin.fastapi_apps
outer.mount(app["url_prefix"], app["app"])
client = TestClient(outer, base_url="http://127.0.0.1")
found = {role: statuses(client, {"Cookie": f"_token={token}"}) for role, token in tokens()}
sys.stdout.write("\n" + json.dumps({**found, "nobody": statuses(client, {})}) + "\n")
