"""Labels of a partition: made once, of one year, and told to the ledger, the report and the reader of the files."""

import csv
import dataclasses
import json
from types import SimpleNamespace

import geopandas
import numpy as np
import pytest
import rasterio
from shapely.geometry import box

from sen12ts_pipeline.domain.layers import NODATA
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.ports import Label
from sen12ts_pipeline.stages import generation, labels, report
from sen12ts_pipeline.stages.match import plan_of
from sen12ts_pipeline.stages.recipes import label_recipe
from tests import worlds


@pytest.fixture
def parcels(tiny, tmp_path):
    """Two fields on the only tile of `tiny`, the northern half and a strip in it, a broken one and a speck."""
    grid = worlds.TINY.tiles[0].grid
    half, strip = box(grid.west, grid.north - 1280, grid.east, grid.north), (grid.west, grid.north - 400)
    bow_tie = np.array([(0, 0), (100, -100), (100, 0), (0, -100)]) + np.array([grid.west, grid.south + 200])
    shapes = [
        half,
        box(strip[0], strip[1] - 200, grid.east, strip[1]),
        geopandas.GeoSeries.from_wkt([f"POLYGON (({', '.join(f'{x} {y}' for x, y in [*bow_tie, bow_tie[0]])}))"])[0],
        box(grid.west + 1, grid.south + 1, grid.west + 2, grid.south + 2),
    ]
    frame = geopandas.GeoDataFrame({"crop": ["Wheat", "rye", "Rye", "Oat"]}, geometry=shapes, crs=grid.epsg)
    frame.to_file(tmp_path / "fields.gpkg", engine="pyogrio")
    (tmp_path / "classes.csv").write_text("code,name,color\n5,Wheat,#ffcc00\n6,Rye,#00aa00\n7,Oat,\n8,Maize,#123456\n")
    return {
        "name": "fields",
        "source": "vector",
        "path": str(tmp_path / "fields.gpkg"),
        "column": "crop",
        "classes": str(tmp_path / "classes.csv"),
    }


def services_of(tiny, tmp_path, **label_settings):
    return worlds.services_of(tiny, tmp_path / "store", area=worlds.area_of(tiny, labels=label_settings))


def events(services, stage="labels"):
    from sqlalchemy import create_engine, text

    engine = create_engine(f"sqlite:///{services.store.root}/_work/ledger.sqlite")
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM events")).mappings().all()
    engine.dispose()
    return [dict(row) for row in rows if row["stage"] == stage]


class TestOwnPolygons:
    """A partition whose labels are a user's own fields."""

    @pytest.fixture
    def finished(self, tiny, tmp_path, parcels):
        services = services_of(tiny, tmp_path, **parcels)
        partition = worlds.run(services)
        return services, partition, tmp_path / "store" / "tiny"

    def test_are_in_the_files_with_their_classes(self, finished):
        services, partition, folder = finished
        (file,) = (folder / "labels").glob("*.tif")
        with rasterio.open(file) as found:
            codes = found.read(1)
        assert {code: int((codes == code).sum()) for code in np.unique(codes).tolist()} == {
            NODATA: 128 * 256 - 50,
            5: 128 * 256 - 20 * 256,
            6: 20 * 256 + 50,
        }

        rows = list(csv.DictReader((folder / "classes.csv").read_text().splitlines()))
        assert [(r["code"], r["name"]) for r in rows] == [("5", "Wheat"), ("6", "Rye"), ("7", "Oat"), ("8", "Maize")]
        assert (
            '<paletteEntry value="5" alpha="255" color="#ffcc00" label="Wheat"/>'
            in (folder / "classes.qml").read_text()
        )
        collection = json.loads((folder / "collection.json").read_text())
        assert len(collection["item_assets"]["label"]["bands"][0]["classification:classes"]) == 4
        item = json.loads(next((folder / "metadata").glob("*.json")).read_text())
        band = item["assets"]["label"]["bands"][0]
        assert [(c["value"], c["title"]) for c in band["classification:classes"]] == [(5, "Wheat"), (6, "Rye")]
        told = item["properties"]["sen12ts:provenance"]["label_source"]
        assert (told["repaired"], told["without_pixel"], told["overlapping_pixels"]) == (1, 1, 20 * 256)

        (event,) = events(services)
        unlabelled = round(100 * (128 * 256 - 50) / 65_536, 4)
        assert json.loads(event["figures"])["unlabelled_percent"] == unlabelled
        written = json.loads((folder / "partitions/2023-fall/report.json").read_text())["labels"]
        assert written["unlabelled_percent"] == unlabelled
        assert written["pixels"]["6"] == 20 * 256 + 50
        assert f"labels   fields: {unlabelled:g} % of the pixels unlabelled" in report.summary_text(partition, services)

    def test_are_not_read_again_when_they_are_there(self, finished):
        services, partition, _ = finished

        class Untouchable:
            """A source that knows what it is but must not be asked for a label."""

            identity, year, silent = services.labels.identity, None, ()

        labels.run(partition, "0", dataclasses.replace(services, labels=Untouchable()))
        assert len(events(services)) == 2, "the ledger is told again"

    def test_are_kept_by_tile_and_content_of_their_source(self, finished):
        services, _, _ = finished
        (tile,) = plan_of(Partition.parse(worlds.partition_of(services)), services).tiles
        assert services.artifacts.present(label_recipe(tile.tile, services))
        edition = SimpleNamespace(identity={**services.labels.identity, "sha256": "0" * 64})
        later = dataclasses.replace(services, labels=edition)
        assert not services.artifacts.present(label_recipe(tile.tile, later))

    def test_other_classes_need_another_store(self, finished, tiny, tmp_path, parcels):
        (tmp_path / "classes.csv").write_text("code,name,color\n5,Wheat,\n6,Rye,\n9,Oat,\n")
        with pytest.raises(ConfigurationError, match=r"labels\.(classes|sha256): must stay"):
            worlds.run(services_of(tiny, tmp_path, **parcels), until="search")


class TestYears:
    """A map of another year than the imagery, which is of 2023."""

    def area(self, tiny, **changes):
        return {"name": "worldcover_2021", "path": str(tiny / "labels/labels.tif"), **changes}

    def test_is_refused_before_anything_is_made(self, tiny, tmp_path):
        services = services_of(tiny, tmp_path, **self.area(tiny, year=2021))
        rule = r"must be the year of the imagery, 2023, unless labels\.allow_other_year is true; got 2021"
        with pytest.raises(ConfigurationError, match=rf"area tiny: labels\.year: {rule}"):
            worlds.run(services, until="search")
        assert not list((tmp_path / "store").rglob("*.json"))

    def test_is_allowed_when_asked_for_and_recorded(self, tiny, tmp_path):
        services = services_of(tiny, tmp_path, **self.area(tiny, year=2021, allow_other_year=True))
        partition = worlds.run(services)
        folder = tmp_path / "store/tiny"
        items = [json.loads(path.read_text())["properties"] for path in (folder / "metadata").glob("*.json")]
        assert {item["sen12ts:label_year"] for item in items} == {2021}
        written = json.loads((folder / "partitions/2023-fall/report.json").read_text())["labels"]
        assert (written["year"], written["of_another_year"]) == (2021, True)
        assert "of 2021, another year than the imagery" in report.summary_text(partition, services)

    def test_of_the_imagery_s_own_year_is_taken(self, tiny, tmp_path):
        services = services_of(tiny, tmp_path, **self.area(tiny, year=2023))
        assert generation.other_label_year(Partition.parse("tiny/2023-fall"), services) is None


def a_label(*codes, **notes):
    return Label(np.int16([codes]), notes)


def test_silent_codes_count_as_unlabelled_and_each_for_itself():
    figures = labels.figures_of([a_label(0, 1, 81, 1), a_label(NODATA, 0, 1, 1)], silent=(0, 81, 88))
    assert figures == {"unlabelled_percent": 50.0, "pixels_of_0": 2.0, "pixels_of_81": 1.0}


def test_counts_of_a_source_are_added_up():
    figures = labels.figures_of([a_label(1, repaired=2), a_label(1, repaired=1, missing_maps=["N00E006"])], silent=())
    assert figures == {"unlabelled_percent": 0.0, "repaired": 3.0}
