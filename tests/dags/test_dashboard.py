"""The dashboard's plugin: Airflow finds it, its processes stay light, and Airflow's roles decide who may do what."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.filterwarnings("ignore")
VERDICT = "/sen12ts/api/triplets/demo/unknown/verdict"
BODY = {"withheld": True, "reason": "because"}


@pytest.fixture(scope="module")
def plugin(airflow_home):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "plugins"))
        return importlib.import_module("sen12ts_dashboard")


@pytest.fixture(scope="module")
def client(plugin, tmp_path_factory):
    """The app mounted as the api-server does it, over an empty ledger, with Airflow's simple users."""
    from airflow.api_fastapi.app import init_auth_manager
    from airflow.utils.db import initdb
    from fastapi import FastAPI
    from starlette.testclient import TestClient

    initdb()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEN12TS__STORE", str(tmp_path_factory.mktemp("store")))
        patch.setenv("SEN12TS_CONFIG", str(ROOT / "config" / "pipeline.yaml"))
        patch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example/base")
        outer = FastAPI()
        init_auth_manager(outer)
        [app] = plugin.DashboardPlugin.fastapi_apps
        outer.mount(app["url_prefix"], app["app"])
        yield TestClient(outer, base_url="http://127.0.0.1")


@pytest.fixture
def cookie(client):
    """Cookie of a user with a role."""

    def of(role):
        from airflow.api_fastapi.app import get_auth_manager
        from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

        user = SimpleAuthManagerUser(username=f"a {role}", role=role)
        return {"Cookie": f"_token={get_auth_manager().generate_jwt(user)}"}

    return of


def test_other_processes_load_the_plugin_without_the_pipeline(airflow_home):
    program = (
        "import sys; sys.path.insert(0, 'plugins'); import airflow; before = set(sys.modules)\n"
        "import sen12ts_dashboard\n"
        "print(*sorted(m for m in set(sys.modules) - before if m.startswith(('sen12ts_pipeline', 'fastapi', 'numba'))))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_airflow_finds_the_app_and_the_menu_entries(plugin):
    from airflow import plugins_manager

    found, errors = plugins_manager._get_plugins()
    assert errors == {}
    assert "sen12ts_dashboard" in {one.name for one in found}
    views, _ = plugins_manager._get_ui_plugins()
    assert {"sen12ts", "sen12ts-area"} <= {view["url_route"] for view in views}


def test_the_anonymous_are_refused(client):
    assert client.get("/sen12ts/").status_code == 401
    assert client.get("/sen12ts/static/dashboard.js").status_code == 401
    assert client.post(VERDICT, json=BODY).status_code == 401


def test_a_viewer_looks_and_writes_nothing(client, cookie):
    assert client.get("/sen12ts/", headers=cookie("viewer")).status_code == 200
    assert client.post(VERDICT, json=BODY, headers=cookie("viewer")).status_code == 403


@pytest.mark.parametrize("role", ["op", "admin"])
def test_who_may_trigger_runs_may_withhold(client, cookie, role):
    answer = client.post(VERDICT, json=BODY, headers=cookie(role))
    assert (answer.status_code, "knows no triplet" in answer.text) == (404, True)


def test_pages_of_other_sites_are_refused_and_the_configured_address_is_not(client, cookie):
    for origin, status in (("http://evil.example", 403), ("https://airflow.example", 200)):
        headers = {**cookie("admin"), "Origin": origin}
        assert client.get("/sen12ts/api/overview", headers=headers).status_code == status


def test_a_damaged_token_is_refused(client):
    assert client.get("/sen12ts/", headers={"Cookie": "_token=abc"}).status_code == 403
