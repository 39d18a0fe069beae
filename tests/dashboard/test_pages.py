"""What the pages and the JSON say, against the ledger and the files of a real run."""

import io
import json
from collections import Counter
from datetime import UTC, datetime

import pytest
from PIL import Image

from sen12ts_pipeline.dashboard.sources import Sources
from sen12ts_pipeline.dataset.triplet import paths_of
from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.domain.names import TripletName
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.errors import ConfigurationError, Retryable
from sen12ts_pipeline.ports import CandidateState, QualityRecord, TripletRecord, Verdict
from tests.dashboard.conftest import served

FALL = Partition.parse("tall/2023-fall")
PAGES = ["/", "/map", "/availability", "/funnel", "/candidates", "/triplets", "/why?tile=31_0_0", "/withheld"]
PAGES += ["/quality", "/outliers", "/resources"]


@pytest.fixture(scope="module")
def records(tall):
    return tall.ledger.candidates(partition=FALL)


@pytest.fixture(scope="module")
def triplet(tall):
    return tall.ledger.triplets(FALL)[0]


def test_the_overview_counts_what_the_ledger_holds(small, tall, records):
    seen = small.get("/api/overview").json()
    [area] = seen["areas"]
    fall = next(p for p in area["partitions"] if p["season"] == "fall")
    states = Counter(r.state for r in records)
    made = tall.ledger.triplets(FALL)
    assert (fall["finished"], fall["refused"]) == (len(made), states[CandidateState.REFUSED])
    assert fall["planned"] == len(made) + states[CandidateState.FAILED] + states[CandidateState.SELECTED]
    assert fall["state"] == "done"
    assert (seen["triplets"], area["tiles"]) == (len(made), len({t.tile for t in made}))
    assert [p["state"] for p in area["partitions"] if p["season"] != "fall"] == ["empty"] * 3
    assert seen["pace"]["per_hour"] > 0


def test_the_funnel_ends_at_what_was_written_and_every_number_has_its_list(small, tall, records):
    funnel = small.get("/api/funnel?aoi=tall&year=2023&season=fall").json()
    assert funnel["pairs"] == len(records)
    assert funnel["steps"][-1]["left"] == len(tall.ledger.triplets(FALL))
    losses = [loss for step in funnel["steps"] for loss in step["losses"]]
    assert funnel["pairs"] - sum(loss["pairs"] for loss in losses) == funnel["steps"][-1]["left"]
    assert losses
    for loss in losses:
        listed = small.get("/api/candidates", params={"aoi": "tall", "rule": loss["rule"], "state": loss["state"]})
        assert listed.json()["total"] == loss["pairs"]
        assert {row["rule"] for row in listed.json()["rows"]} == {loss["rule"]}


def test_why_tells_of_every_pair_of_a_tile(small, records):
    tile = records[0].tile
    why = small.get(f"/api/why/{tile}").json()
    assert len(why["candidates"]) == sum(r.tile == tile for r in records)
    assert why["sentences"][0].startswith(f"tall fall 2023: {len(why['triplets'])} triplets of ")


def test_why_tells_that_nothing_is_known_of_a_tile(small):
    assert "Nothing is known" in small.get("/api/why/31_7_7").json()["sentences"][0]


def test_the_map_has_the_tiles_of_the_boundary_and_their_triplets(small, tall):
    atlas = small.get("/api/map/tall").json()
    made = Counter(str(t.tile) for t in tall.ledger.triplets(FALL))
    assert {t: n for t, n in zip(atlas["tiles"], atlas["triplets"], strict=True) if n} == made
    assert len(atlas["corners"]) == 8 * len(atlas["tiles"])
    tile = TileId.parse(next(iter(made)))
    lon, lat, *steps = atlas["corners"][8 * atlas["tiles"].index(str(tile)) :][:8]
    middle = (lon + steps[2] / 2) / atlas["scale"], (lat + steps[3] / 2) / atlas["scale"]
    assert middle == pytest.approx(tile.centre_lonlat, abs=2e-4)


def test_tracks_and_granules_of_a_season_can_be_drawn(small):
    layers = small.get("/api/map/tall/layers/2023/fall").json()
    assert layers["tracks"]
    assert layers["granules"]
    missing = small.get("/api/map/tall/layers/2023/winter")
    assert missing.status_code == 404
    assert "run its DAG" in missing.json()["detail"]


@pytest.mark.parametrize("kind", ["s1", "s2", "label", "quicklook", "metadata"])
def test_files_come_from_the_store_as_they_are(small, tall, triplet, kind):
    path = paths_of(TripletName.parse(triplet.name), 2023)[kind]
    assert small.get(f"/files/tall/{triplet.name}/{kind}").content == tall.store.get(f"tall/{path}")


@pytest.mark.parametrize(
    "path",
    [
        "/files/tall/..%2F..%2F_work%2Fledger/s1",
        "/files/..%2F_work/x/s1",
        "/files/tall/{name}/..%2Fmetadata",
        "/files/tall/{name}/ledger",
        "/strip/tall/%2e%2e",
        "/static/..%2Fapp.py",
        "/static/app.py",
    ],
)
def test_nothing_but_files_of_recorded_triplets_is_served(small, triplet, path):
    assert small.get(path.format(name=triplet.name)).status_code in {404, 422}


def test_a_triplet_shows_every_layer_within_its_range(small, triplet):
    view = small.get(f"/api/triplets/tall/{triplet.name}").json()
    assert len(view["layers"]) == 19 + 14
    assert [one["layer"] for one in view["layers"] if one["odd"]] == []
    assert view["provenance"]["engine"]["name"]
    assert view["missing"] == []
    page = small.get(f"/triplets/tall/{triplet.name}").text
    assert "shadow_layover_mask" in page
    assert triplet.name in page


def test_the_strip_shows_four_dates(small, triplet):
    picture = Image.open(io.BytesIO(small.get(f"/strip/tall/{triplet.name}").content))
    assert picture.size == (4 * 256 + 3 * 6, 3 * 256 + 2 * 6)


def test_the_list_is_filtered_by_what_a_name_says_and_by_class(small, triplet):
    def total(**query):
        return small.get("/api/triplets", params={"aoi": "tall", **query}).json()["total"]

    name, whole = TripletName.parse(triplet.name), total()
    assert total(track=name.track) == whole
    assert total(track=name.track + 1) == 0
    assert 0 < total(s2date=name.s2date.isoformat()) < whole
    assert total(s2date="2023") == whole
    assert total(season="winter") == 0
    classes = small.get("/api/triplets?aoi=tall").json()["classes"]
    shares = [total(**{"class": one["code"]}) for one in classes]
    assert max(shares) == whole
    assert total(**{"class": 12345}) == 0


def test_what_was_measured_when_triplets_were_made_is_shown_and_nothing_of_them_is_odd(small, tall):
    found = small.get("/api/quality?aoi=tall").json()
    made = tall.ledger.triplets(FALL)
    assert (found["triplets"], found["measured"]) == (len(made), len(made))
    checks = {one["measure"]["name"]: one for one in found["checks"]}
    assert {name: one["odd"] for name, one in checks.items()} == dict.fromkeys(checks, 0)
    assert checks["alignment"]["measured"] == len(made)
    assert 0 < checks["seam_jump"]["measured"] < len(made), "only one of the two tiles has a seam"
    assert small.get("/api/quality?season=winter").json()["measured"] == 0
    assert "Checks" in small.get("/quality").text


def test_bins_of_what_is_not_expected_are_marked(small):
    marked = {one["measure"]["name"]: one["odd_bins"] for one in small.get("/api/quality").json()["checks"]}
    assert marked["alignment"] == [False] * 6 + [True] * 18, "up to 15 m of 60"
    assert marked["seam_jump"] == [False] * 7 + [True] * 17, "up to 0.35 rad of 1.2"
    assert marked["outside"] == [False] + [True] * 23, "no pixel"
    assert marked["coherence_excess"] == [True] * 3 + [False] * 21, "from -0.03 on, of -0.2 to 1"


def test_a_bad_triplet_is_listed_and_leads_to_the_page_where_it_can_be_withheld(fresh):
    ledger = fresh.sources.ledger()
    name = "lat_37.9306_lon_-4.8206_s1date_2023-09-18_s2date_2023-09-17_s1track_75_s1lookpass_RD"
    tile = TileId.parse("30_-63_1640")
    ledger.record_triplets([TripletRecord(FALL, tile, 1, name, {"s1": 1}, {})])
    page = fresh.get("/quality").text
    assert "1 triplets are not measured" in page
    assert "sen12ts measure" in page
    ledger.record_quality(QualityRecord(FALL, tile, name, {"outside": 0.0, "alignment": 22.4, "seam_jump": 0.1}))
    ledger.record_verdict(Verdict(datetime.now(UTC), "tall", name, True, "Olga", "shifted"))
    [row] = fresh.get("/api/outliers").json()["rows"]
    assert (row["measure"], row["value"], row["tile"], row["withheld"]) == ("alignment", 22.4, str(tile), True)
    page = fresh.get("/outliers?measure=alignment").text
    assert f"/triplets/tall/{name}" in page
    assert "0 to 15 m" in page
    assert fresh.get("/api/outliers?measure=seam_jump").json()["total"] == 0


def test_what_a_form_leaves_open_means_all(small):
    assert small.get("/triplets?aoi=tall&year=&season=&track=&s2date=&class=").status_code == 200


@pytest.mark.parametrize("query", ["year=x", "season=autumn", "track=999", "s2date=2023-9", "page=0", "state=lost"])
def test_a_wrong_filter_is_refused(small, query):
    assert small.get(f"/api/triplets?{query}").status_code == 422


@pytest.mark.parametrize("page", PAGES)
def test_pages_over_nothing_say_what_to_do(fresh, page):
    answer = fresh.get(page)
    assert answer.status_code == 200
    assert (
        "What to do:" in answer.text
        or "Nothing is known" in answer.text
        or "can be withheld" in answer.text
        or "There is none" in answer.text
    )


def test_a_failed_partition_comes_first_and_says_what_to_do(fresh):
    fresh.sources.ledger().record_event(FALL, "radar", "failed: BadProduct: S1A: noise vector too short")
    seen = fresh.get("/api/overview").json()
    assert seen["areas"][0]["partitions"][3]["state"] == "failed"
    assert seen["attention"][0]["where"] == "tall/2023-fall"
    assert "noise vector too short" in seen["attention"][0]["wrong"]
    page = fresh.get("/").text
    assert page.index("noise vector too short") < page.index("Areas and seasons")
    assert "clear the task" in page


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Retryable("the ledger postgresql://host/name does not answer: refused"), "See that its server runs"),
        (ConfigurationError("ledger", "ledger", "must be writable", "/x"), "Mend the setting"),
    ],
    ids=["down", "wrong"],
)
@pytest.mark.parametrize("page", PAGES)
def test_pages_without_a_ledger_say_what_is_wrong_and_what_to_do(small, error, told, page):
    def down():
        raise error

    with served(Sources(down, small.sources.store, small.sources.areas)) as site:
        answer = site.get(page)
        assert answer.status_code == 503
        assert str(error).split(":")[0] in answer.text
        assert told in answer.text
        assert json.loads(site.get("/api/overview").content)["todo"].startswith(told)


def test_what_is_put_into_a_page_is_escaped(fresh):
    fresh.sources.ledger().record_event(FALL, "radar", "failed: <script>alert(1)</script>")
    assert "<script>alert" not in fresh.get("/").text
    assert "script-src" not in fresh.get("/").headers["content-security-policy"]
    assert "default-src 'self'" in fresh.get("/").headers["content-security-policy"]


def test_the_json_is_described(small):
    described = small.get("/api/openapi.json").json()
    for path in ("/api/overview", "/api/funnel", "/api/candidates", "/api/triplets", "/api/map/{aoi}"):
        answer = described["paths"][path]["get"]["responses"]["200"]
        assert "$ref" in json.dumps(answer["content"]["application/json"]["schema"])
