"""The settings as delivered: the paper's values, every field explained, and light to import."""

import dataclasses
import subprocess
import sys

import pytest
import yaml
from pydantic import ValidationError

from sen12ts_pipeline.domain.quotas import QUOTAS, Quota
from sen12ts_pipeline.domain.rules import Rules
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.settings.load import list_aois, load_aoi, load_settings
from sen12ts_pipeline.settings.model import AoiSettings, RuleSettings, Settings
from sen12ts_pipeline.settings.reference import page
from tests.settings.examples import CONFIG, ROOT

SIX = {
    "california": ("cdl", "cdl_2020"),
    "iowa": ("cdl", "cdl_2020"),
    "catalonia": ("parcels", "dun_2020"),
    "ethiopia": ("worldcover", "worldcover_2020_v100"),
    "uganda": ("worldcover", "worldcover_2020_v100"),
    "sumatra": ("worldcover", "worldcover_2020_v100"),
}


def keys(values, prefix=""):
    for key, value in values.items():
        yield from keys(value, f"{prefix}{key}.") if isinstance(value, dict) else [f"{prefix}{key}"]


def test_the_default_rules_are_the_contract():
    assert RuleSettings().to_rules() == Rules()
    assert RuleSettings().to_rules(budget_gb=1.5).budget_bytes == 1_500_000_000


def test_settings_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        Settings().seed = 1


def test_the_delivered_file_holds_every_key_at_its_default():
    file = CONFIG / "pipeline.yaml"
    settings = load_settings(file, {})
    assert settings == Settings(store=ROOT / "data/store")
    written = set(keys(yaml.safe_load(file.read_text())))
    assert written | {"workers"} == set(keys(settings.model_dump()))


@pytest.mark.parametrize("name", SIX)
def test_the_papers_areas_are_delivered(name):
    aoi = load_aoi(CONFIG / "aois" / f"{name}.yaml", {})
    assert (aoi.year, aoi.budget_gb, (aoi.labels.source, aoi.labels.name)) == (2020, 320, SIX[name])
    assert (aoi.catalogue.root, aoi.dem.path, aoi.labels.path) == (None, None, None)
    assert aoi.boundary.is_file()


def test_the_demo_lies_under_the_project():
    demo = load_aoi(CONFIG / "aois/demo.yaml", {})
    base = ROOT / ".sen12ts/demo"
    assert (demo.boundary, demo.catalogue.root) == (base / "aoi/demo.geojson", base / "archive")
    assert (demo.dem.path, demo.dem.vertical) == (base / "dem/dem.tif", "ellipsoidal")
    assert (demo.labels.path, demo.year) == (base / "labels/labels.tif", 2023)


def test_seven_areas_are_delivered():
    assert {file.stem for file in list_aois([CONFIG / "aois"])} == {*SIX, "demo"}


@pytest.mark.parametrize("model", [Settings, AoiSettings])
def test_every_field_is_explained(model):
    for name, field in model.model_fields.items():
        assert field.description, name
        inner = field.annotation
        if hasattr(inner, "model_fields"):
            test_every_field_is_explained(inner)


def test_the_configuration_page_is_fresh():
    command = "python -m sen12ts_pipeline.settings.reference > docs/configuration.md"
    assert (ROOT / "docs/configuration.md").read_text() == page(), f"stale: run {command}"


def test_a_quota_is_that_of_general_users_but_for_what_is_set(tmp_path):
    file = tmp_path / "pipeline.yaml"
    file.write_text("quotas: {cdse: {connections: 20, gb_per_30_days: 50000}}")
    settings = load_settings(file, {"SEN12TS__QUOTAS__ASF__REQUESTS_PER_MINUTE": "60"})
    assert settings.quota_of("cdse") == Quota(20, 2000, 50 * 10**12)
    assert settings.quota_of("asf") == dataclasses.replace(QUOTAS["asf"], requests_per_minute=60)
    assert settings.quota_of("aws") == QUOTAS["aws"]


@pytest.mark.parametrize("text", ["quotas: {scihub: {connections: 2}}", "quotas: {cdse: {connections: 0}}"])
def test_a_quota_is_of_a_provider_that_is_known_and_admits_something(tmp_path, text):
    (tmp_path / "pipeline.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=r"pipeline\.yaml: quotas\."):
        load_settings(tmp_path / "pipeline.yaml", {})


def test_settings_are_light():
    program = (
        "import sys, sen12ts_pipeline.settings.load, sen12ts_pipeline.settings.model\n"
        "heavy = {'numba', 'rasterio', 'geopandas', 'shapely', 'pyproj', 'numpy', 'pyarrow', 'sqlalchemy', 'airflow'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, timeout=60)
