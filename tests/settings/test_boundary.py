"""Boundaries: any GeoJSON of polygons, and nothing else."""

import json

import pytest
from shapely.geometry import box, mapping

from sen12ts_pipeline.domain.lattice import tiles_of
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.settings.boundary import read_boundary
from sen12ts_pipeline.settings.load import load_aoi
from sen12ts_pipeline.settings.model import AoiSettings
from tests.settings.examples import CONFIG

LEFT, RIGHT = box(-116, 37, -115, 38), box(-115, 37, -114, 38)


def feature(geometry):
    return {"type": "Feature", "properties": {}, "geometry": geometry}


def boundary_of(tmp_path, content):
    file = tmp_path / "a.geojson"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_boundary(AoiSettings(name="a", boundary=file, year=2020, labels={"name": "x"}))


@pytest.mark.parametrize(
    "content",
    [
        mapping(LEFT),
        feature(mapping(LEFT)),
        {"type": "FeatureCollection", "features": [feature(mapping(LEFT)), feature(None)]},
        {"type": "GeometryCollection", "geometries": [mapping(LEFT)]},
        {"type": "MultiPolygon", "coordinates": [mapping(LEFT)["coordinates"]]},
        {**mapping(LEFT), "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}},
        {"type": "Polygon", "coordinates": [[[x, y, 100.0] for x, y in LEFT.exterior.coords]]},
    ],
)
def test_any_geojson_of_polygons_is_an_area(tmp_path, content):
    area = boundary_of(tmp_path, content)
    assert area.equals(LEFT)
    assert not area.has_z


def test_several_features_are_one_area(tmp_path):
    content = {"type": "FeatureCollection", "features": [feature(mapping(LEFT)), feature(mapping(RIGHT))]}
    assert boundary_of(tmp_path, content).equals(box(-116, 37, -114, 38))


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ("not json", "must be GeoJSON"),
        ("[]", "must be a GeoJSON object"),
        ("{}", "must be a Polygon or MultiPolygon"),
        ({"type": "Point", "coordinates": [0, 0]}, "must be a Polygon or MultiPolygon"),
        ({"type": "FeatureCollection", "features": [None]}, "must be a Polygon or MultiPolygon"),
        ({"type": "FeatureCollection", "features": []}, "at least one polygon"),
        ({"type": "Polygon", "coordinates": []}, "at least one polygon"),
        ({"type": "Polygon"}, "must be rings of positions"),
        ({"type": "Polygon", "coordinates": [["a"]]}, "must be rings of positions"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}, "must be rings of positions"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}, "valid polygon"),
        (mapping(box(500000, 4100000, 510000, 4110000)), "must be degrees"),
        (mapping(box(37, -116, 38, -115)), "must be degrees"),
        ({**mapping(LEFT), "crs": {"type": "name", "properties": {"name": "EPSG:32611"}}}, "longitude and latitude"),
    ],
)
def test_anything_else_is_a_wrong_setting(tmp_path, content, rule):
    with pytest.raises(ConfigurationError, match=rule) as caught:
        boundary_of(tmp_path, content)
    assert caught.value.source == str(tmp_path / "a.geojson")


def test_a_missing_file_is_a_wrong_setting(tmp_path):
    aoi = AoiSettings(name="a", boundary=tmp_path / "none.geojson", year=2020, labels={"name": "x"})
    with pytest.raises(ConfigurationError, match="No such file"):
        read_boundary(aoi)


@pytest.mark.parametrize(("name", "tiles"), [("california", 4897), ("catalonia", 4898)])
def test_the_papers_areas_have_these_tiles(name, tiles):
    area = read_boundary(load_aoi(CONFIG / "aois" / f"{name}.yaml", {}))
    assert len(tiles_of(area)) == pytest.approx(tiles, abs=3)
