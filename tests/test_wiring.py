"""Connecting the ports: what must be there before work begins, and what is read once."""

import pytest

from sen12ts_pipeline import ports, wiring
from sen12ts_pipeline.acquisition.products import open_product
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.errors import BadProduct, ConfigurationError
from sen12ts_pipeline.settings.load import write_aoi
from sen12ts_pipeline.settings.model import CatalogueSettings, Settings
from tests import worlds


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Archive of one tile and two candidates."""
    return worlds.world("tiny", tmp_path_factory.getbasetemp())


@pytest.fixture
def environ(tiny, tmp_path, monkeypatch):
    """Environment in which the area tiny is configured, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    write_aoi(worlds.area_of(tiny, budget_gb=1.0), tmp_path / "aois")
    return {"SEN12TS_AOIS": str(tmp_path / "aois"), "SEN12TS__STORE": str(tmp_path / "store")}


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


def test_snap_can_lay_parts_of_products_that_are_not_here(environ, tiny, tmp_path):
    (tmp_path / "gpt").write_text("")
    (tmp_path / "gpt").chmod(0o700)
    snap = {"SEN12TS__ENGINE": "snap", "SEN12TS__SNAP__GPT": str(tmp_path / "gpt")}
    engine = wiring.connect("tiny", environ | snap).engine
    files = open_product(worlds.products_of(tiny, "S1")[0])
    laid = engine.lay(files, {"IW1": range(1)}, ("VV",), tmp_path / "bursts")
    assert [file.name[:14] for file in laid.glob("annotation/*.xml")] == ["s1a-iw1-slc-vv"]


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


def test_products_are_given_by_path(tiny):
    products = worlds.products_of(tiny, "S1")
    engine, passes = wiring.science(tiny / "dem/dem.tif", "ellipsoidal", None, [[products[0]], [products[1]]])
    assert [p.products for p in passes] == [(products[0].stem,), (products[1].stem,)]
    assert engine.bursts(passes[0]) == engine.bursts(passes[1])
    with pytest.raises(ConfigurationError, match="slices given together must be of one datatake"):
        wiring.science(tiny / "dem/dem.tif", "ellipsoidal", None, [products[:2]])
    with pytest.raises(BadProduct, match="must be named as an IW SLC product"):
        wiring.science(tiny / "dem/dem.tif", "ellipsoidal", None, [[tiny / "archive"]])


def test_the_ledger_is_the_store_s_own_or_the_one_that_is_set(environ, tmp_path, monkeypatch):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    wiring.ledger()
    assert (tmp_path / "store/_work/ledger.sqlite").is_file()
    monkeypatch.setenv("SEN12TS__LEDGER", f"sqlite:///{tmp_path}/other.sqlite")
    wiring.ledger()
    assert (tmp_path / "other.sqlite").is_file()


class TestLiveArchives:
    """An area may be searched in a live archive; its products are read from the folder all the same."""

    def services(self, tiny, tmp_path, **catalogue):
        area = worlds.area_of(tiny)
        kept = area.catalogue.model_dump() | catalogue
        return worlds.services_of(tiny, tmp_path, area=area.model_copy(update={"catalogue": CatalogueSettings(**kept)}))

    def test_are_connected_by_name(self, tiny, tmp_path):
        services = self.services(tiny, tmp_path, kind="chain", chain=("cdse", "asf"))
        assert type(services.catalogue.catalogue).__name__ == "ChainCatalogue"
        assert services.searched == "catalogue.kind"
        assert services.notes() == []
        assert type(services.source).__name__ == "ArchiveSource"

    def test_that_do_not_exist_are_named(self, tiny, tmp_path):
        with pytest.raises(ConfigurationError, match=r"catalogue\.chain.*cdse.*nowhere"):
            self.services(tiny, tmp_path, kind="chain", chain=("nowhere",))

    def test_at_an_address_that_is_missing_are_named(self, tiny, tmp_path):
        with pytest.raises(ConfigurationError, match="dhus"):
            self.services(tiny, tmp_path, kind="dhus")


def test_a_failure_of_a_stage_is_noted_in_the_ledger_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.setenv("SEN12TS__STORE", str(tmp_path))
    partition = Partition.parse("nevada/2023-fall")
    with pytest.raises(BadProduct), wiring.failures_noted(str(partition), "radar"):
        raise BadProduct("S1A", "noise.xml", "is too short")
    [event] = wiring.ledger().events(partition)
    assert (event.stage, event.message) == ("radar", "failed: BadProduct: S1A/noise.xml: is too short")


def test_a_ledger_that_is_down_hides_no_failure(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SEN12TS__STORE", str(tmp_path / "file"))
    with pytest.raises(BadProduct), wiring.failures_noted("nevada/2023-fall", "radar"):
        raise BadProduct("S1A", "noise.xml", "is too short")
