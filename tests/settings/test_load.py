"""Settings from files and the environment; whatever is wrong is said with its place."""

import os
from pathlib import Path

import pytest

from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.settings.load import (
    adhoc_aoi,
    aoi_folders,
    find_aoi,
    list_aois,
    load_aoi,
    load_settings,
    write_aoi,
)
from tests.settings.examples import AOI, CONFIG, write


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A working folder without any settings."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_without_file_and_environment_the_defaults_hold(elsewhere):
    settings = load_settings(environ={})
    assert settings.store == elsewhere / "data/store"
    assert settings.ledger_url == f"sqlite:///{elsewhere}/data/store/_work/ledger.sqlite"
    assert settings.workers == os.cpu_count()


def test_the_environment_goes_over_the_file(tmp_path):
    file = write(tmp_path, "pipeline.yaml", "seed: 11\nrules: {max_gap_days: 2, cap_per_season: 3}\n")
    rules = {"SEN12TS__RULES__MAX_GAP_DAYS": "1", "SEN12TS__RULES__MIX_PLATFORMS": "true"}
    environ = {**rules, "SEN12TS__PROFILE": "compat"}
    settings = load_settings(file, environ)
    assert (settings.seed, settings.rules.cap_per_season) == (11, 3)
    assert (settings.rules.max_gap_days, settings.rules.mix_platforms, settings.profile) == (1, True, "compat")


def test_paths_of_a_file_count_from_the_file_and_of_the_environment_from_here(tmp_path, elsewhere):
    file = write(tmp_path, "conf/pipeline.yaml", "store: ../data")
    assert load_settings(file, {}).store == tmp_path / "data"
    assert load_settings(file, {"SEN12TS__STORE": "data"}).store == elsewhere / "data"
    assert load_settings(file, {"SEN12TS__STORE": "~/data"}).store == Path.home() / "data"
    assert load_settings(file, {"SEN12TS__STORE": "/data/x/../y"}).store == Path("/data/y")


def test_the_file_is_named_by_the_environment_or_lies_in_the_working_folder(tmp_path, elsewhere):
    write(elsewhere, "config/pipeline.yaml", "seed: 1")
    named = write(tmp_path, "other.yaml", "seed: 2")
    assert load_settings(environ={}).seed == 1
    assert load_settings(environ={"SEN12TS_CONFIG": str(named)}).seed == 2
    assert load_settings(write(tmp_path, "third.yaml", "seed: 3"), {"SEN12TS_CONFIG": str(named)}).seed == 3


def test_an_empty_file_is_all_defaults(tmp_path):
    assert load_settings(write(tmp_path, "a.yaml", "# nothing\n"), {}).seed == 7


def test_the_ledger_may_be_elsewhere(tmp_path):
    url = "postgresql+psycopg://me:secret@host/name"
    assert load_settings(write(tmp_path, "a.yaml", f"ledger: {url}"), {}).ledger_url == url
    assert load_settings(write(tmp_path, "a.yaml", f"ledger: {url}"), {"SEN12TS__LEDGER": ""}).ledger is None


@pytest.mark.parametrize(
    ("text", "key", "rule", "value"),
    [
        ("seeed: 1", "seeed", "is not a setting; did you mean 'seed'?", 1),
        ("zzz: 1", "zzz", "is not a setting; there are store, ledger, ", 1),
        ("rules: {max_cloud_percnt: 5}", "rules.max_cloud_percnt", "did you mean 'max_cloud_percent'?", 5),
        ("rules: {max_cloud_percent: 500}", "rules.max_cloud_percent", "must be less than or equal to 100", 500),
        ("rules: {max_cloud_percent: 0}", "rules.max_cloud_percent", "must be greater than 0", 0),
        ("rules: {max_cloud_percent: ten}", "rules.max_cloud_percent", "must be a number", "ten"),
        ("rules: {cap_per_season: 2.5}", "rules.cap_per_season", "must be a whole number", 2.5),
        ("rules: {cap_per_season: yes}", "rules.cap_per_season", "must be a number, not a truth value", True),
        ("rules: {repeat_days: 13}", "rules.repeat_days", "multiple of 6", 13),
        ("rules: {series_length: 3}", "rules.series_length", "must be greater than or equal to 4", 3),
        ("rules: {search_days_before: 50}", "rules.search_days_before", "must be at least 51", 50),
        ("rules: {search_days_after: 2}", "rules.search_days_after", "must be at least max_gap_days, 3", 2),
        ("rules: {max_cloud_percent: .inf}", "rules.max_cloud_percent", "must be a finite number", float("inf")),
        ("rules: 5", "rules", "must be a mapping", 5),
        ("engine: gamma", "engine", "must be 'native' or 'snap'", "gamma"),
        ("profile: cogs", "profile", "must be 'cog' or 'compat'", "cogs"),
        ("tile_order: null", "tile_order", "must be 'random' or 'burst'", None),
        ("store: 5", "store", "must be a path", 5),
        ("rules: {mix_platforms: perhaps}", "rules.mix_platforms", "must be true or false", "perhaps"),
        ("workers: 0", "workers", "must be greater than or equal to 1", 0),
    ],
)
def test_a_wrong_value_is_named_with_file_key_rule_and_finding(tmp_path, text, key, rule, value):
    file = write(tmp_path, "pipeline.yaml", text)
    with pytest.raises(ConfigurationError) as caught:
        load_settings(file, {})
    assert (caught.value.source, caught.value.key, caught.value.value) == (str(file), key, value)
    assert rule in caught.value.rule


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("a: [", "must be YAML"),
        ("seed: 1\nseed: 2", "given twice"),
        ("rules: {cap_per_season: 1, cap_per_season: 2}", "given twice"),
        ("- 1", "must be a mapping"),
        ("1: 2", "must be a mapping"),
        ("? [a]\n: b", "must be YAML"),
        ("store: !!python/object/apply:os.getcwd []", "must be YAML"),
    ],
)
def test_what_is_no_mapping_of_settings_is_refused(tmp_path, text, rule):
    with pytest.raises(ConfigurationError, match=rule):
        load_settings(write(tmp_path, "a.yaml", text), {})


def test_a_file_that_is_named_must_be_there_and_be_text(tmp_path):
    with pytest.raises(ConfigurationError, match="No such file"):
        load_settings(environ={"SEN12TS_CONFIG": str(tmp_path / "none.yaml")})
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        load_settings(tmp_path / "a.yaml", {})


def test_several_faults_are_counted(tmp_path):
    with pytest.raises(ConfigurationError, match=r"seed: must be .* \(and 2 more: workers, xyz\)"):
        load_settings(write(tmp_path, "a.yaml", "seed: -1\nworkers: 0\nxyz: 1"), {})


@pytest.mark.parametrize(
    ("variable", "text", "key", "rule"),
    [
        ("SEN12TS__RULES__MAX_CLOUD_PERCENT", "500", "rules.max_cloud_percent", "less than or equal to 100"),
        ("SEN12TS__RULES__MAX_CLOUDS", "5", "rules.max_clouds", "did you mean"),
        ("SEN12TS__WORKERS", "", "workers", "must be"),
        ("SEN12TS__STORE__X", "a", "store", "must be a path"),
        ("SEN12TS__SEED", "one", "seed", "must be a whole number"),
    ],
)
def test_a_wrong_value_of_the_environment_names_its_variable(elsewhere, variable, text, key, rule):
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environ={variable: text})
    assert (caught.value.source, caught.value.key) == (variable, key)
    assert rule in caught.value.rule


def test_an_area_is_read_from_its_file(tmp_path):
    aoi = load_aoi(write(tmp_path, "nevada.yaml", AOI), {})
    assert (aoi.name, aoi.year, aoi.budget_gb) == ("nevada", 2023, 320)
    assert aoi.boundary == tmp_path / "nevada.geojson"
    assert (aoi.catalogue.root, aoi.dem.path, aoi.labels.path) == (None, None, None)


def test_the_environment_sets_values_of_one_area(tmp_path):
    file = write(tmp_path, "west-nevada.yaml", AOI.replace("nevada", "west-nevada"))
    environ = {
        "SEN12TS__AOI__WEST_NEVADA__CATALOGUE__ROOT": "/archive",
        "SEN12TS__AOI__WEST_NEVADA__DEM__VERTICAL": "egm96",
        "SEN12TS__AOI__NEVADA__YEAR": "1",
        "SEN12TS__SEED": "1",
    }
    aoi = load_aoi(file, environ)
    assert (aoi.catalogue.root, aoi.dem.vertical, aoi.year) == (Path("/archive"), "egm96", 2023)
    load_settings(environ={name: text for name, text in environ.items() if "AOI" in name})


@pytest.mark.parametrize(
    ("old", "new", "key", "rule"),
    [
        ("name: nevada", "name: utah", "name", "must be the file's name, 'nevada'"),
        ("name: nevada", "name: _evada", "name", "must begin with a letter"),
        ("year: 2023", "year: 2002", "year", "greater than or equal to 2015"),
        ("year: 2023", "", "year", "must be given"),
        ("boundary:", "boundry:", "boundary", "must be given"),
        ("labels: {name: worldcover_2020_v100}", "labels: {path: x}", "labels.name", "must be given"),
        ("labels:", "dem: {vertical: sea}\nlabels:", "dem.vertical", "'ellipsoidal', 'egm96' or 'egm2008'"),
        ("labels:", "catalogue: {kind: stac}\nlabels:", "catalogue.kind", "must be 'archive'"),
        ("labels:", "budget_gb: 0\nlabels:", "budget_gb", "must be greater than 0"),
    ],
)
def test_a_wrong_area_is_named_with_file_and_key(tmp_path, old, new, key, rule):
    file = write(tmp_path, "nevada.yaml", AOI.replace(old, new))
    with pytest.raises(ConfigurationError) as caught:
        load_aoi(file, {})
    assert (caught.value.source, caught.value.key) == (str(file), key)
    assert rule in caught.value.rule


def test_areas_lie_beside_the_settings_and_where_the_environment_says(tmp_path, elsewhere):
    write(elsewhere, "config/pipeline.yaml", "")
    write(elsewhere, "config/aois/iowa.yaml", "")
    write(tmp_path, "more/nevada.yml", AOI)
    write(tmp_path, "more/readme.txt", "")
    environ = {"SEN12TS_AOIS": os.pathsep.join([str(tmp_path / "more"), str(tmp_path / "none")])}
    folders = aoi_folders(environ)
    assert folders == (elsewhere / "config/aois", tmp_path / "more", tmp_path / "none")
    assert [file.stem for file in list_aois(folders)] == ["iowa", "nevada"]
    assert find_aoi("nevada", environ).year == 2023


def test_two_areas_cannot_share_a_name(tmp_path):
    write(tmp_path, "a/nevada.yaml", AOI)
    write(tmp_path, "b/nevada.yaml", AOI)
    with pytest.raises(ConfigurationError, match="only area of this name"):
        list_aois([tmp_path / "a", tmp_path / "b"])


def test_an_unknown_area_is_answered_with_the_known_ones():
    with pytest.raises(ConfigurationError, match=r"must be one of california, .* did you mean 'iowa'"):
        find_aoi("iova", {"SEN12TS_CONFIG": str(CONFIG / "pipeline.yaml")})


def test_an_area_may_be_made_of_a_geojson_file_alone(tmp_path):
    boundary = write(tmp_path, "My-area_2.geojson", "{}")
    aoi = adhoc_aoi(boundary, year=2021, labels={"name": "worldcover_2020_v100"})
    assert (aoi.name, aoi.boundary) == ("My-area_2", boundary)
    file = write_aoi(aoi, tmp_path / "aois")
    assert load_aoi(file, {}) == aoi


@pytest.mark.parametrize("name", ["My Area", "_x", "-x", "é"])
def test_a_file_whose_name_cannot_name_an_area_is_refused(tmp_path, name):
    with pytest.raises(ConfigurationError, match="must begin with a letter"):
        adhoc_aoi(write(tmp_path, f"{name}.geojson", "{}"), year=2021, labels={"name": "x"})


def test_an_area_of_a_missing_file_or_with_a_wrong_value_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="must be a GeoJSON file"):
        adhoc_aoi(tmp_path / "none.geojson", year=2021, labels={"name": "x"})
    with pytest.raises(ConfigurationError, match="area a: yaer: is not a setting; did you mean 'year'"):
        adhoc_aoi(write(tmp_path, "a.geojson", "{}"), year=2021, yaer=1, labels={"name": "x"})
