"""Connecting an area: what must be there before work begins, and what is read once."""

import pytest

from sen12ts_pipeline import ports, wiring
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.settings.model import Settings
from tests import worlds


def test_an_area_is_connected_by_its_name(environ, tmp_path, tiny):
    services = wiring.connect("tiny", environ)
    assert (services.aoi, services.label_name, services.label_year) == ("tiny", "worldcover_2020", None)
    assert services.origin == str(tiny / "archive")
    assert services.rules.budget_bytes == 10**9
    assert services.store.location(ports.ObjectKey("tiny")) == str(tmp_path / "store/tiny")
    assert isinstance(services.engine, ports.SarEngine)
    assert services.engine.source is services.source
    assert services.artifacts.store is services.store
    assert services.area.bounds[0] == pytest.approx(worlds.TINY.longitude, abs=0.05)
    assert services.broken() == {}
    assert not services.dry


def test_an_area_is_connected_once_per_environment(environ):
    first = wiring.connect("tiny", environ)
    assert wiring.connect("tiny", dict(environ, PATH="/elsewhere")) is first
    assert wiring.connect("tiny", dict(environ, SEN12TS__SEED="8")) is not first


def test_settings_reach_the_services(environ):
    changes = {"SEN12TS__SEED": "11", "SEN12TS__TILE_ORDER": "burst", "SEN12TS__PROFILE": "compat"}
    services = wiring.connect("tiny", environ | changes | {"SEN12TS__WORKERS": "3"})
    assert (services.seed, services.tile_order, services.profile, services.workers) == (11, "burst", "compat", 3)


@pytest.mark.parametrize(
    ("section", "key"), [("catalogue", "root"), ("dem", "path"), ("labels", "path")], ids=lambda x: str(x)
)
@pytest.mark.parametrize("value", [None, "/nowhere/at-all"])
def test_what_is_needed_is_checked_before_anything_is_made(section, key, value, tiny, tmp_path):
    area = worlds.area_of(tiny)
    part = getattr(area, section).model_copy(update={key: value and tmp_path / "absent"})
    rule = "must be an existing file or folder" if value else "must be set, in the area's file or the environment"
    with pytest.raises(ConfigurationError, match=rf"area tiny: {section}\.{key}: {rule}"):
        wiring.assemble(Settings(store=tmp_path / "store"), area.model_copy(update={section: part}))
    assert not (tmp_path / "store").exists()


def test_an_elevation_model_that_is_no_raster_is_refused(tiny, tmp_path):
    (tmp_path / "dem.tif").write_text("heights")
    area = worlds.area_of(tiny, dem={"path": str(tmp_path / "dem.tif"), "vertical": "ellipsoidal"})
    with pytest.raises(ConfigurationError, match=r"dem\.path: must be a readable raster"):
        wiring.assemble(Settings(store=tmp_path / "store"), area)
    assert not (tmp_path / "store").exists()
