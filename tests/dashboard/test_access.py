"""Nobody gets anything without being let in, whichever route is asked."""

import httpx
import pytest
from fastapi.routing import APIRoute

from sen12ts_pipeline.dashboard.access import Access
from sen12ts_pipeline.dashboard.app import create_app
from tests.dashboard.conftest import ROOT, VIEWER, reader, writer

VALUES = {"aoi": "tiny", "name": "x", "kind": "s1", "tile": "31_0_0", "year": "2023", "season": "fall"}
FOREIGN = {"Origin": "http://evil.example"}


def routes():
    """Method and path of every route of the app, whatever it is made of."""
    app = create_app(Access(reader, writer))
    return sorted(
        (method, route.path.format(**VALUES))
        for route in app.routes
        for method in getattr(route, "methods", None) or {"GET"}
    )


ROUTES = routes()
WRITING = [one for one in ROUTES if one[0] not in {"GET", "HEAD"}]


def test_every_route_is_one_that_has_dependencies():
    assert len(ROUTES) > 20
    assert all(isinstance(route, APIRoute) for route in create_app(Access(reader, writer)).routes)


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_the_anonymous_get_nothing(small, method, path):
    answer = httpx.request(method, f"{small.address}{ROOT}{path}", json={})
    assert answer.status_code == 401


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_pages_of_other_sites_get_nothing(small, method, path):
    assert small.client.request(method, f"{ROOT}{path}", json={}, headers=FOREIGN).status_code == 403


@pytest.mark.parametrize(("method", "path"), WRITING)
def test_a_viewer_may_write_nothing(small, method, path):
    body = {"withheld": True, "reason": "because"}
    assert small.client.request(method, f"{ROOT}{path}", json=body, headers=VIEWER).status_code == 403


@pytest.mark.parametrize(("method", "path"), WRITING)
def test_a_form_of_another_site_writes_nothing(small, method, path):
    url = f"{ROOT}{path}"
    assert small.client.request(method, url, data={"reason": "x"}).status_code == 415
    headers = {"Sec-Fetch-Site": "same-site"}
    assert small.client.request(method, url, json={}, headers=headers).status_code == 403


def test_our_own_origin_is_let_in(small):
    assert small.get("/api/overview", headers={"Origin": small.address}).status_code == 200


def test_a_refusal_is_told_as_a_page_to_people(small):
    page = httpx.get(f"{small.address}{ROOT}/")
    assert page.status_code == 401
    assert "Log in to Airflow" in page.text
