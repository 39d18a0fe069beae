"""An operator withholds a triplet: it is recorded who and when, and the next publish leaves it out."""

import shutil

import pytest

from sen12ts_pipeline.dashboard.sources import Sources
from sen12ts_pipeline.dataset import index
from sen12ts_pipeline.dataset.verify import verify
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.ports import ObjectKey
from sen12ts_pipeline.stages import publish
from tests import worlds
from tests.dashboard.conftest import served

FALL = Partition.parse("tiny/2023-fall")


@pytest.fixture
def own(tiny, tmp_path, tmp_path_factory):
    """Services over a copy of the finished store."""
    shutil.copytree(tiny.store.root, tmp_path / "store")
    return worlds.services_of(worlds.world("tiny", tmp_path_factory.getbasetemp()), tmp_path / "store")


@pytest.fixture
def site(own):
    with served(Sources(lambda: own.ledger, lambda: own.store, dict)) as site:
        yield site


def published(services):
    return {row["name"] for row in index.rows_of(services.store.get(ObjectKey("tiny/index/index.parquet")))}


def test_a_withheld_triplet_is_left_out_of_the_next_index_and_comes_back_when_released(own, site):
    whole = published(own)
    name = min(whole)
    url = f"/api/triplets/tiny/{name}/verdict"
    said = site.post(url, {"withheld": True, "reason": " a seam in the phase "})
    assert said.status_code == 200
    assert said.json()["person"] == "Olga"
    assert [v["name"] for v in site.get("/api/withheld").json()] == [name]
    assert published(own) == whole, "nothing changes before the next publish"
    publish.run(str(FALL), own)
    assert published(own) == whole - {name}
    assert verify(own.store.root / "tiny") == [], "a withheld triplet is no fault of the data set"
    assert own.store.exists(ObjectKey(f"tiny/metadata/{name}.json")), "its files stay"

    assert site.post(url, {"withheld": False, "reason": "it was the relief"}).status_code == 200
    publish.run(str(FALL), own)
    assert published(own) == whole
    assert verify(own.store.root / "tiny") == []
    history = own.ledger.verdicts("tiny", name)
    assert [(v.withheld, v.person, v.reason) for v in history] == [
        (False, "Olga", "it was the relief"),
        (True, "Olga", "a seam in the phase"),
    ]
    assert "a seam in the phase" in site.get(f"/triplets/tiny/{name}").text


def test_a_partition_without_verdicts_is_published_as_it_was(own):
    before = {key: own.store.get(key) for key in own.store.keys("tiny/index/")}
    publish.run(str(FALL), own)
    assert {key: own.store.get(key) for key in own.store.keys("tiny/index/")} == before
    assert not own.store.exists(ObjectKey(f"tiny/{index.WITHHELD_FILE}"))


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("unknown", {"withheld": True, "reason": "because"}, 404),
        (None, {"withheld": True, "reason": "  "}, 422),
        (None, {"withheld": True}, 422),
        (None, {"reason": "because"}, 422),
        (None, {"withheld": True, "reason": "x" * 1001}, 422),
    ],
    ids=["unknown", "blank", "no-reason", "no-verdict", "endless"],
)
def test_a_verdict_needs_a_triplet_and_a_reason(own, site, name, body, status):
    url = f"/api/triplets/tiny/{name or min(published(own))}/verdict"
    assert site.post(url, body).status_code == status
    assert own.ledger.withheld() == []
