"""STAC documents: valid, relative, without a clock, and saying what the contract wants said."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import PurePosixPath

import pystac
import pytest
from pystac.extensions.file import FileExtension
from pystac.extensions.projection import ProjectionExtension
from pystac.extensions.sat import OrbitState, SatExtension
from pystac.validation.local_validator import get_local_schema_cache
from shapely.geometry import shape

from sen12ts_pipeline.dataset import stac
from sen12ts_pipeline.dataset.classes import table
from sen12ts_pipeline.dataset.geotiff import Profile
from sen12ts_pipeline.dataset.triplet import FileFacts
from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.domain.layers import NODATA, S1_LAYERS, S2_LAYERS
from sen12ts_pipeline.domain.seasons import Partition, Season
from tests.dataset.examples import SOFTWARE, a_candidate, a_triplet


@pytest.fixture(scope="module")
def item():
    return stac.item(a_triplet(), software=SOFTWARE)


def test_an_item_is_valid_stac(item):
    jsonschema, referencing = pytest.importorskip("jsonschema"), pytest.importorskip("referencing")
    schema = get_local_schema_cache()["https://schemas.stacspec.org/v1.1.0/item-spec/json-schema/item.json"]
    core = {uri: referencing.Resource.from_contents(document) for uri, document in get_local_schema_cache().items()}
    validator = jsonschema.Draft7Validator(schema, registry=referencing.Registry().with_resources(core.items()))
    assert [error.message for error in validator.iter_errors(item)] == []
    read = pystac.Item.from_dict(item)
    assert read.id == str(a_triplet().name)
    assert read.get_datetime() == datetime(2020, 6, 15, 12, tzinfo=UTC)
    projection, orbit = ProjectionExtension.ext(read), SatExtension.ext(read)
    assert (projection.epsg, projection.shape) == (32637, [256, 256])
    assert projection.transform[:6] == [10, 0, 333_600, 0, -10, 1_108_480]
    assert (orbit.orbit_state, orbit.relative_orbit) == (OrbitState.DESCENDING, 52)


def test_the_span_is_that_of_everything_that_went_in(item):
    properties = item["properties"]
    assert properties["start_datetime"] == "2020-04-27T12:00:00Z", "t-4 of the series"
    assert properties["end_datetime"] == "2020-06-15T12:00:00Z"


def test_assets_are_relative_and_carry_size_and_digest(item):
    triplet = a_triplet()
    read = pystac.Item.from_dict(item)
    for kind, asset in read.assets.items():
        assert PurePosixPath(asset.href) == PurePosixPath("..") / triplet.paths[kind]
        facts = FileExtension.ext(asset)
        assert facts.size == triplet.files[kind].size
        assert facts.checksum == f"1220{triplet.files[kind].sha256}"
    assert set(read.assets) == {"s1", "s2", "label", "quicklook"}


def test_the_label_lies_under_its_own_name(item):
    assert item["assets"]["label"]["href"] == "../labels/lat_10.0128_lon_37.4935_date_2020_lulc_label.tif"


def test_a_quicklook_is_not_needed():
    files = {kind: FileFacts(1, "00") for kind in ("s1", "s2", "label")}
    assert set(stac.item(a_triplet(files=files), software=SOFTWARE)["assets"]) == set(files)


def test_bands_are_the_layers_of_the_files(item):
    radar, optical, label = (item["assets"][kind]["bands"] for kind in ("s1", "s2", "label"))
    assert tuple(band["name"] for band in radar) == S1_LAYERS
    assert tuple(band["name"] for band in optical) == S2_LAYERS
    assert {band["nodata"] for band in (*radar, *optical, *label)} == {NODATA}
    assert {band["data_type"] for band in radar} == {"float32"}
    assert {band["data_type"] for band in (*optical, *label)} == {"int16"}
    assert optical[8]["eo:common_name"] == "nir08"
    assert [one["value"] for one in optical[12]["classification:classes"]] == list(range(12))
    assert [one["title"] for one in label[0]["classification:classes"]] == ["Tree cover", "Grassland", "Cropland"]


def test_what_the_data_set_says_of_a_triplet(item):
    own = {k.removeprefix("sen12ts:"): v for k, v in item["properties"].items() if k.startswith("sen12ts:")}
    assert own["partition"] == "ethiopia/2020-summer"
    assert (own["tile"], own["slot"], own["s1track"]) == ("37_-65_432", 1, 52)
    assert (own["s1date"], own["s2date"], own["days"]) == ("2020-06-14", "2020-06-15", 1)
    assert len(own["passes"]) == len(own["pass_times"]) == 5
    assert own["provenance"] == {"engine": {"name": "none"}}
    assert sum(own["label_histogram"].values()) == 65_536
    assert own["label_histogram"]["-3000"] == 9


def test_no_clock_no_host_and_the_same_bytes_again(item):
    assert not {"created", "updated"} & set(item["properties"])
    body = stac.item_bytes(item)
    assert body == stac.item_bytes(stac.item(a_triplet(), software=SOFTWARE))
    assert json.loads(body) == item


def test_extensions_are_those_in_use(item):
    text = json.dumps(item)
    for uri in item["stac_extensions"]:
        prefix = uri.split("/")[3]
        assert {"projection": "proj"}.get(prefix, prefix) + ":" in text


def test_the_layout_decides_the_media_type():
    compat = stac.item(a_triplet(), software=SOFTWARE, profile=Profile.COMPAT)
    assert compat["assets"]["s1"]["type"] == "image/tiff; application=geotiff"


@pytest.mark.parametrize("place", [(37.49, 10.01), (-119.7, 36.1), (103.0, -2.5), (0.01, 0.01)])
def test_the_footprint_is_the_tile(place):
    tile = TileId.at(*place)
    outline = stac.footprint(tile.grid)
    lon, lat = tile.centre_lonlat
    assert outline.centroid.distance(shape({"type": "Point", "coordinates": (lon, lat)})) < 1e-5
    assert outline.exterior.is_ccw, "as GeoJSON wants it"


def test_a_tile_across_the_antimeridian_is_cut():
    tile = TileId.at(179.9999, -16.5)
    outline = stac.footprint(tile.grid)
    assert outline.geom_type == "MultiPolygon"
    assert [part.bounds[0] > 0 for part in outline.geoms] == [True, False]
    west, _, east, _ = stac.item(a_triplet(a_candidate(tile)), software=SOFTWARE)["bbox"]
    assert west > 179 > -179 > east


def test_the_collection_lists_items_by_name_and_covers_them(tmp_path):
    one = a_triplet()
    other = a_triplet(a_candidate(replace(one.tile, column=one.tile.column + 3)))
    items = [stac.item(t, software=SOFTWARE) for t in (other, one)]
    document = stac.collection("ethiopia", items, description="Triplets.", licence="other")
    assert document == stac.collection("ethiopia", items[::-1], description="Triplets.", licence="other")
    read = pystac.Collection.from_dict(document)
    west, _, east, _ = read.extent.spatial.bboxes[0]
    assert (west, east) == (min(i["bbox"][0] for i in items), max(i["bbox"][2] for i in items))
    links = [link["href"] for link in document["links"] if link["rel"] == "item"]
    assert links == sorted(f"./metadata/{i['id']}.json" for i in items)
    assert document["summaries"]["sat:relative_orbit"] == [52]
    with pytest.raises(ValueError, match="at least one item"):
        stac.collection("ethiopia", [], description="", licence="other")


def test_the_collection_has_the_whole_class_table_and_its_files(item):
    classes = table("worldcover").values()
    document = stac.collection("ethiopia", [item], description="Triplets.", licence="other", classes=classes)
    read = pystac.Collection.from_dict(document)
    assert {key: asset.href for key, asset in read.assets.items()} == {
        "classes": "./classes.csv",
        "style": "./classes.qml",
    }
    (band,) = document["item_assets"]["label"]["bands"]
    assert [one["value"] for one in band["classification:classes"]] == sorted(one.code for one in classes)
    assert any("classification" in extension for extension in document["stac_extensions"])


def test_the_year_of_a_map_is_told_only_where_it_is_another():
    assert "sen12ts:label_year" not in stac.item(a_triplet(), software=SOFTWARE)["properties"]
    told = stac.item(replace(a_triplet(), label_year=2021), software=SOFTWARE)["properties"]
    assert told["sen12ts:label_year"] == 2021


def test_links_lead_from_partition_to_items_and_back(item):
    document = stac.catalog(Partition("ethiopia", 2020, Season.SUMMER), ["b", "a"])
    pystac.Catalog.from_dict(document)
    assert [k["href"] for k in document["links"] if k["rel"] == "item"] == ["../metadata/a.json", "../metadata/b.json"]
    assert {k["href"] for k in document["links"] if k["rel"] == "parent"} == {"../collection.json"}
    assert {k["href"] for k in item["links"]} == {"../collection.json"}


@pytest.mark.parametrize("kind", ["catalog", "collection"])
def test_catalogues_are_what_stac_asks_for(kind, item):
    jsonschema, referencing = pytest.importorskip("jsonschema"), pytest.importorskip("referencing")
    known = get_local_schema_cache()
    core = {uri: referencing.Resource.from_contents(document) for uri, document in known.items()}
    registry = referencing.Registry().with_resources(core.items())
    schema = known[f"https://schemas.stacspec.org/v1.1.0/{kind}-spec/json-schema/{kind}.json"]
    documents = {
        "catalog": [stac.root("Farms", ["iowa"]), stac.catalog(Partition("iowa", 2020, Season.FALL), ["a"])],
        "collection": [stac.collection("iowa", [item], description="Triplets.", licence="other")],
    }
    for document in documents[kind]:
        assert list(jsonschema.Draft7Validator(schema, registry=registry).iter_errors(document)) == []
