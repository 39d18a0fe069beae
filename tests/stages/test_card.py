"""The card: what a store holds, said in its own files."""

import hashlib
import json
import subprocess

import pystac
import pytest
import shapely
import yaml
from lxml import etree, html

from sen12ts_pipeline.dataset import open_dataset, stac
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.ports import ObjectKey
from sen12ts_pipeline.stages import card
from sen12ts_pipeline.state.folder import FolderStore
from tests.dataset.examples import write_dataset

BOUNDARY = shapely.box(37.4, 9.9, 37.6, 10.1)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("store")
    write_dataset(place / "ethiopia")
    (place / "_work").mkdir()
    data = open_dataset(place)
    chosen = data.select(splits={"train"}) or data
    card.keep_statistics(FolderStore(place), "ethiopia", chosen, workers=1, progress=lambda: None)
    written(place)
    return place


def written(place, **changes):
    values = {"title": "Farms & fields", "licence": "CC-BY-4.0", "author": "A. Maker"} | changes
    labels = BOUNDARY, "worldcover_2020_v100"
    return card.write(FolderStore(place), ["ethiopia", "nowhere"], outline=lambda _: labels, **values)


def test_the_card_tells_what_there_is(place):
    text = (place / "README.md").read_text()
    assert "2 triplets of 1 tiles in ethiopia, 2020." in text
    assert "| ethiopia | worldcover_2020_v100 | 1 | 2 | 2.0 | 0.01 | 0.01 |" in text
    assert text.count("| s1 | ") == 19
    assert text.count("| s2 | ") == 14
    assert "| 10 | Tree cover | 33." in text
    assert "| -3000 | not labelled | 0.01 |" in text
    assert "| optical nodata | 0 | -3000 |" in text


def test_the_page_holds_its_figures_and_needs_nothing_from_elsewhere(place):
    page = html.fromstring((place / "card.html").read_text())
    assert len(page.findall(".//svg")) == 2
    assert not page.findall(".//img")
    assert not page.findall(".//script")
    assert not [e for e in page.iter() if (e.get("src") or e.get("href") or "").startswith("http")]
    assert etree.fromstring((place / "ethiopia" / "map.svg").read_bytes()).tag.endswith("svg")


def test_checksums_hold(place):
    command = ["sha256sum", "--check", "--quiet", "SHA256SUMS"]
    assert subprocess.run(command, cwd=place / "ethiopia", capture_output=True, check=False).returncode == 0
    lines = (place / "ethiopia" / "SHA256SUMS").read_text().splitlines()
    assert len(lines) == 2 + 2 + 1 + 2, "a tile's label counts once"
    digest, path = lines[0].split("  ")
    assert hashlib.sha256((place / "ethiopia" / path).read_bytes()).hexdigest() == digest


def test_citation_and_licence_are_files_that_tools_know(place):
    citation = yaml.safe_load((place / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert (citation["type"], citation["title"], citation["license"]) == ("dataset", "Farms & fields", "CC-BY-4.0")
    assert citation["references"][0]["year"] == 2022
    assert "modified Copernicus Sentinel data 2020" in (place / "LICENCE.md").read_text()


def test_statistics_are_in_it_once_they_are_known(place, tmp_path):
    assert "| vh_t | " in (place / "README.md").read_text()
    write_dataset(tmp_path / "ethiopia")
    written(tmp_path)
    assert "Numbers of the layers" not in (tmp_path / "README.md").read_text()


def test_the_catalogue_leads_to_every_item(tmp_path):
    (tmp_path / "_work").mkdir()
    root = write_dataset(tmp_path / "ethiopia")
    items = [json.loads(p.read_text()) for p in sorted((root / "metadata").glob("*.json"))]
    collection = stac.collection("ethiopia", items, description="Triplets.", licence="other")
    (root / "collection.json").write_bytes(stac.item_bytes(collection))
    written(tmp_path)
    catalogue = pystac.Catalog.from_file(str(tmp_path / "catalog.json"))
    assert {i.id for i in catalogue.get_items(recursive=True)} == {i["id"] for i in items}
    assert catalogue.title == "Farms & fields"


def test_it_is_the_same_each_time(place):
    def files():
        return {p: p.read_bytes() for p in place.rglob("*") if p.is_file()}

    before = files()
    assert written(place).endswith("card.html")
    assert files() == before


def test_beside_it_the_data_set_is_read_as_before(place):
    assert open_dataset(place).aois == ("ethiopia",)


def test_a_store_without_triplets_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match="must hold an area with finished triplets"):
        written(tmp_path)


def test_what_made_the_triplets_is_told(place):
    item = json.loads(FolderStore(place).get(next(FolderStore(place).keys("ethiopia/metadata/"))))
    ((name, version),) = item["properties"]["processing:software"].items()
    assert f"* {name} {version}" in (place / "README.md").read_text()
    assert FolderStore(place).exists(ObjectKey("ethiopia/SHA256SUMS"))
