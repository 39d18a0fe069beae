"""The variables of make run, before anything starts."""

import json
import re
from pathlib import Path

import pytest

from deploy.local import variables as module
from deploy.local.environment import DEFAULT_STORE, State
from deploy.local.variables import VARIABLES, WrongVariables, adhoc_folder, plan, read_variables
from sen12ts_pipeline.settings.load import find_aoi, load_settings

ROOT = Path(__file__).parents[2]


@pytest.fixture
def given(tmp_path, monkeypatch):
    """Variables whose files exist; their content is looked at by the stages."""
    monkeypatch.setenv("SEN12TS_STATE", str(tmp_path / "state"))
    square = [[[-4.9, 37.8], [-4.7, 37.8], [-4.7, 38.0], [-4.9, 37.8]]]
    (tmp_path / "a valley.geojson").write_text("{}")
    (tmp_path / "valley.geojson").write_text(json.dumps({"type": "Polygon", "coordinates": square}))
    (tmp_path / "archive").mkdir()
    (tmp_path / "tiles").mkdir()
    for name in ("dem.tif", "World-Cover 2020.tif", "egm.tif", "Fields.GPKG", "crops.csv"):
        (tmp_path / name).touch()
    return {
        "ARCHIVE": str(tmp_path / "archive"),
        "AOI": str(tmp_path / "valley.geojson"),
        "YEAR": "2021",
        "SEASON": "winter",
        "DEM": str(tmp_path / "dem.tif"),
        "DEM_VERTICAL": "egm96",
        "LABELS": str(tmp_path / "World-Cover 2020.tif"),
        "STORE": str(tmp_path / "store"),
    }


def refusal(variables):
    with pytest.raises(WrongVariables) as caught:
        plan(variables, {})
    return str(caught.value)


def test_without_variables_it_is_the_demo():
    job = plan({}, {})
    assert (str(job.partition), job.demo, job.state.store) == ("demo/2023-fall", True, DEFAULT_STORE)


def test_an_area_given_as_a_file_is_named_after_it_and_found_by_its_dag(given, tmp_path):
    job = plan(given, {})
    assert str(job.partition) == "valley/2021-winter"
    assert not job.demo
    aoi = find_aoi("valley", job.environment)
    assert aoi.boundary == tmp_path / "valley.geojson"
    assert aoi.catalogue.root == tmp_path / "archive"
    assert (aoi.dem.path, aoi.dem.vertical, aoi.dem.geoid) == (tmp_path / "dem.tif", "egm96", None)
    assert (aoi.labels.name, aoi.labels.path) == ("world_cover_2020", tmp_path / "World-Cover 2020.tif")
    assert load_settings(environ=job.environment).store == tmp_path / "store"


def test_a_configured_area_of_the_same_name_is_not_in_the_way(given, tmp_path):
    other = tmp_path / "demo.geojson"
    other.write_text(Path(given["AOI"]).read_text())
    job = plan({**given, "AOI": str(other)}, {})
    assert str(job.partition) == "demo/2021-winter"
    assert not job.demo
    assert find_aoi("demo", job.environment).boundary == other


def test_the_user_interface_shows_areas_given_as_files_but_not_in_place_of_configured_ones(given, tmp_path):
    state = plan(given, {}).state
    other = tmp_path / "demo.geojson"
    other.write_text(Path(given["AOI"]).read_text())
    plan({**given, "AOI": str(other)}, {})
    environ = {"SEN12TS_CONFIG": str(ROOT / "config" / "pipeline.yaml")}
    folder = adhoc_folder(state, environ)
    assert [file.name for file in folder.iterdir()] == ["valley.yaml"]
    environ["SEN12TS_AOIS"] = str(folder)
    assert find_aoi("valley", environ).year == 2021
    assert find_aoi("demo", environ).year == 2023


def test_a_configured_area_is_run_by_its_name():
    job = plan({"AOI": "iowa", "SEASON": "spring"}, {})
    assert (str(job.partition), job.demo) == ("iowa/2020-spring", False)
    assert "SEASON: must be given too" in refusal({"AOI": "iowa"})
    assert job.environment.get("SEN12TS__AOI__IOWA__MASKER") is None
    chosen = plan({"AOI": "iowa", "SEASON": "spring", "MASK": "scl"}, {}).environment
    assert find_aoi("iowa", {}).masker == "ukis-csmask"
    assert find_aoi("iowa", chosen).masker == "scl", "MASK goes over the area's own masker"
    assert "did you mean 'iowa'" in refusal({"AOI": "iowo", "SEASON": "spring"})


def test_the_demo_takes_another_season_year_and_store(tmp_path):
    job = plan({"SEASON": "summer", "YEAR": "2022", "STORE": str(tmp_path / "s")}, {})
    assert (str(job.partition), job.demo, job.state.store) == ("demo/2022-summer", True, tmp_path / "s")


@pytest.mark.parametrize("name", ["ARCHIVE", "AOI", "YEAR", "SEASON", "DEM", "DEM_VERTICAL", "LABELS"])
def test_what_belongs_to_an_area_given_as_a_file_must_be_there(given, name):
    del given[name]
    assert refusal(given) == f"{name}: must be given too: {VARIABLES[name]}"


@pytest.mark.parametrize("name", ["ARCHIVE", "AOI", "DEM", "LABELS", "GEOID", "LABEL_CLASSES"])
def test_a_file_that_is_not_there_is_named(given, name):
    given[name] = "/no/such/thing.geojson"
    (line,) = refusal(given).splitlines()
    assert re.fullmatch(rf"{name}: must be an existing.* got '/no/such/thing.geojson'", line)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SEASON", "autumn"),
        ("SEASON", "Fall"),
        ("YEAR", "23"),
        ("YEAR", "2014"),
        ("YEAR", "２０２０"),
        ("DEM_VERTICAL", "EGM96"),
        ("MASK", "s2cloudless"),
        ("LABEL_SOURCE", "corine"),
        ("LABEL_OTHER_YEAR", "true"),
    ],
)
def test_a_word_that_is_none_is_refused_with_what_it_may_be(given, name, value):
    (line,) = refusal({**given, name: value}).splitlines()
    assert line.startswith(f"{name}: must be ")
    assert repr(value) in line


def labels_of(variables):
    return find_aoi("valley", plan(variables, {}).environment).labels


def test_labels_may_be_polygons_with_a_class_table_of_one_s_own(given, tmp_path):
    given |= {"LABELS": str(tmp_path / "Fields.GPKG"), "LABEL_CLASSES": str(tmp_path / "crops.csv")}
    assert refusal(given) == f"LABEL_COLUMN: must be given when LABELS are polygons: {VARIABLES['LABEL_COLUMN']}"
    labels = labels_of({**given, "LABEL_COLUMN": "crop"})
    assert (labels.source, labels.name, labels.column) == ("vector", "fields", "crop")
    assert (labels.path, labels.classes) == (tmp_path / "Fields.GPKG", tmp_path / "crops.csv")


def test_labels_may_be_a_published_map_in_a_folder(given, tmp_path):
    labels = labels_of({**given, "LABELS": str(tmp_path / "tiles"), "LABEL_SOURCE": "worldcover"})
    assert (labels.source, labels.path, labels.allow_other_year) == ("worldcover", tmp_path / "tiles", False)
    assert labels_of(given).source == "raster"
    assert labels_of({**given, "LABELS": str(tmp_path / "Fields.GPKG"), "LABEL_SOURCE": "parcels"}).column == ""


def test_labels_of_another_year_are_asked_for(given):
    assert labels_of({**given, "LABEL_OTHER_YEAR": "yes"}).allow_other_year
    assert not labels_of({**given, "LABEL_OTHER_YEAR": "no"}).allow_other_year


def test_egm2008_needs_its_grid(given, tmp_path):
    given["DEM_VERTICAL"] = "egm2008"
    assert refusal(given).startswith("GEOID: must be given")
    given["GEOID"] = str(tmp_path / "egm.tif")
    assert find_aoi("valley", plan(given, {}).environment).dem.geoid == tmp_path / "egm.tif"


def test_an_outline_that_is_none_is_refused(given, tmp_path):
    Path(given["AOI"]).write_text("[]")
    assert "must be a GeoJSON object" in refusal(given)
    assert "name" in refusal({**given, "AOI": str(tmp_path / "a valley.geojson")})


def test_a_store_that_is_a_file_is_refused(given):
    assert refusal({**given, "STORE": given["DEM"]}).startswith("STORE: must be a folder")


def test_a_misspelt_variable_is_refused_with_a_guess():
    with pytest.raises(WrongVariables, match=r"SEASN: .* did you mean SEASON\?"):
        read_variables({}, "SEASN YEAR")
    assert read_variables({"YEAR": " 2023 ", "AOI": "", "HOME": "/x"}, "YEAR PYTHON") == {"YEAR": "2023"}


def test_every_variable_is_explained_by_make_help_and_exported():
    makefile = (ROOT / "Makefile").read_text()
    exported = re.search(r"^export (ARCHIVE.*)$", makefile, re.M)[1].split()
    assert set(VARIABLES) == set(exported) - {"PORT"}


def test_stores_have_states_of_their_own(tmp_path, monkeypatch):
    monkeypatch.delenv("SEN12TS_STATE", raising=False)
    one, other = State.of(tmp_path / "a" / "store"), State.of(tmp_path / "b" / "store")
    assert len({one.folder, other.folder, State.of(DEFAULT_STORE).folder}) == 3
    assert State.of(DEFAULT_STORE).home == ROOT / ".sen12ts" / "airflow"
    assert module.DEMO_AOI == "demo"
