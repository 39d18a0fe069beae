"""Connecting the ports: what must be there before work begins, and what is read once."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from sen12ts_pipeline import ports, wiring
from sen12ts_pipeline.acquisition.products import open_product
from sen12ts_pipeline.acquisition.spool import Spool
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.errors import BadProduct, ConfigurationError
from sen12ts_pipeline.settings.load import write_aoi
from sen12ts_pipeline.settings.model import CatalogueSettings, Settings
from sen12ts_pipeline.state.tables import timings
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
    """An area may be searched in a live archive; its products are read from the folder, where one is set."""

    def services(self, tiny, tmp_path, acquisition=None, **catalogue):
        area = worlds.area_of(tiny)
        kept = area.catalogue.model_dump() | catalogue
        area = area.model_copy(update={"catalogue": CatalogueSettings(**kept)})
        return worlds.services_of(tiny, tmp_path, area=area, acquisition=acquisition or {})

    def test_are_connected_by_name(self, tiny, tmp_path):
        services = self.services(tiny, tmp_path, kind="chain", chain=("cdse", "asf"))
        assert type(services.catalogue.catalogue).__name__ == "ChainCatalogue"
        assert services.searched == "catalogue.kind"
        assert services.notes() == []
        assert type(services.source.source).__name__ == "ArchiveSource"

    def test_without_a_folder_are_fetched_from(self, tiny, tmp_path, monkeypatch):
        monkeypatch.delenv("SEN12TS_SPOOL")
        how = {"mode": "product", "cache": tmp_path / "cache", "cache_gb": 2, "products_gb": 30}
        services = self.services(tiny, tmp_path, how, kind="chain", chain=("cdse_odata", "asf", "cdse_stac"), root=None)
        assert services.engine.source is services.source
        assert [s.places.archive for s in services.source.source._sources] == ["cdse", "asf"]
        first = services.source.source._sources[0]
        assert (first._spool, first._whole) == (Spool(tmp_path / "cache", 2 * 10**9), True)
        assert first._downloads == Spool(tmp_path / "cache/products", 30 * 10**9)
        assert (services.origin, services.fetched()) == ("chain", [])
        assert not (tmp_path / "cache").exists()

    def test_may_be_others_than_those_that_are_searched(self, tiny, tmp_path):
        how = {"providers": ["earth_search", "asf"]}
        services = self.services(tiny, tmp_path, how, kind="cdse", root=None)
        assert [s.places.archive for s in services.source.source._sources] == ["earth_search", "asf"]

    @pytest.mark.parametrize(("providers", "kind"), [((), "dhus"), (("nowhere",), "cdse")])
    def test_from_which_nothing_can_be_fetched_are_named(self, tiny, tmp_path, providers, kind):
        catalogue = {"kind": kind, "urls": {"dhus": "https://hub.example.org"}, "root": None}
        with pytest.raises(ConfigurationError, match=r"acquisition\.providers: must name archives"):
            self.services(tiny, tmp_path, {"providers": providers}, **catalogue)

    def test_that_do_not_exist_are_named(self, tiny, tmp_path):
        with pytest.raises(ConfigurationError, match=r"catalogue\.chain.*cdse.*nowhere"):
            self.services(tiny, tmp_path, kind="chain", chain=("nowhere",))

    def test_at_an_address_that_is_missing_are_named(self, tiny, tmp_path):
        with pytest.raises(ConfigurationError, match="dhus"):
            self.services(tiny, tmp_path, kind="dhus")


LABELS = Path(__file__).parent / "data/labels"


class TestLabels:
    """Which source the settings of labels name, with its classes and its year."""

    @pytest.fixture
    def connect(self, tiny, tmp_path):
        def services_of(**labels):
            settings = {"name": "any", "allow_other_year": True, **labels}
            return worlds.services_of(tiny, tmp_path / "store", area=worlds.area_of(tiny, labels=settings))

        return services_of

    @pytest.mark.parametrize(
        ("source", "file", "kind", "classes", "year"),
        [
            ("worldcover", "worldcover_2021_sao_tome.tif", "WorldCoverLabels", "worldcover", 2021),
            ("cdl", "cdl_2021_kansas.tif", "CdlLabels", "cdl", 2021),
            ("parcels", "dun_2023_sample.gpkg", "ParcelLabels", "sigpac", 2023),
            ("raster", "cdl_2021_kansas.tif", "RasterLabels", "", None),
        ],
    )
    def test_are_connected_by_their_source(self, connect, source, file, kind, classes, year):
        services = connect(source=source, path=str(LABELS / file))
        assert isinstance(services.labels, ports.LabelSource)
        assert (type(services.labels).__name__, services.label_classes, services.label_year) == (kind, classes, year)
        assert services.other_label_year

    def test_of_a_raster_have_the_table_that_their_name_begins_with(self, connect):
        services = connect(source="raster", name="cdl_2021", path=str(LABELS / "cdl_2021_kansas.tif"), year=2021)
        assert (services.label_classes, services.label_year) == ("cdl", 2021)

    def test_of_one_s_own_classes_have_their_table(self, connect, tmp_path):
        (tmp_path / "own.csv").write_text("code,name,color\n1,Agrostis,#010203\n2,Albercoquer,\n2,Fruit,\n")
        own = {"path": str(LABELS / "dun_2023_sample.gpkg"), "classes": str(tmp_path / "own.csv")}
        vector = connect(source="vector", column="cultiu", **own)
        assert {code: one.name for code, one in vector.label_classes.items()} == {1: "Agrostis", 2: "Albercoquer"}
        parcels = connect(source="parcels", **own)
        assert parcels.label_classes[2].name == "Albercoquer"
        assert parcels.label_classes[110].name == "Barley"
        assert (
            parcels.labels.identity["sha256"] != connect(source="parcels", path=own["path"]).labels.identity["sha256"]
        )

    def test_whose_files_tell_another_year_than_the_settings_are_refused(self, connect):
        with pytest.raises(ConfigurationError, match=r"labels\.year: must be the year of the files, 2021; got 2020"):
            connect(source="cdl", path=str(LABELS / "cdl_2021_kansas.tif"), year=2020)

    def test_of_polygons_need_a_column(self, connect):
        with pytest.raises(ConfigurationError, match=r"labels\.column: must be given for a vector"):
            connect(source="vector", path=str(LABELS / "dun_2023_sample.gpkg"))


def test_an_area_may_have_a_masker_of_its_own(tiny, tmp_path):
    area, settings = worlds.area_of(tiny), {"store": tmp_path, "clouds": {"dilation_m": 40, "members": ["scl", "scl"]}}
    assert wiring.assemble(Settings(**settings), area).masker.identity.parameters["dilation_m"] == 40
    own = area.model_copy(update={"masker": "consensus"})
    identity = wiring.assemble(Settings(**settings), own).masker.identity
    assert (identity.name, len(identity.parameters["members"])) == ("consensus", 2)


def test_a_masker_without_what_it_needs_is_refused_before_anything_is_made(tiny, tmp_path):
    area = worlds.area_of(tiny)
    with pytest.raises(ConfigurationError, match=r"clouds\.weights: must name files of weights"):
        wiring.assemble(Settings(store=tmp_path, masker="omnicloudmask"), area)


def test_a_provider_has_the_gate_that_all_workers_share_and_the_quota_that_is_set(tmp_path):
    settings = Settings(store=tmp_path / "store", quotas={"cdse": {"connections": 1}})
    one, other = (wiring.provider("cdse", settings, {"XDG_CACHE_HOME": str(tmp_path)}) for _ in range(2))
    with one.gate.turn():
        state = next(s for s in wiring.quotas_of(settings).states() if s.provider == "cdse")
        assert (state.connections, state.quota.connections) == (1, 1)
    with other.gate.turn():
        pass
    assert one.access.credentials().headers == {}


def test_a_provider_that_is_not_known_is_a_wrong_setting(tmp_path):
    with pytest.raises(ConfigurationError, match="provider: name: must be one of asf, aws, cdse"):
        wiring.provider("scihub", Settings(store=tmp_path / "store"), {})


def test_a_failure_of_a_stage_is_noted_in_the_ledger_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.setenv("SEN12TS__STORE", str(tmp_path))
    partition = Partition.parse("nevada/2023-fall")
    with pytest.raises(BadProduct), wiring.noted(str(partition), "radar"):
        raise BadProduct("S1A", "noise.xml", "is too short")
    [event] = wiring.ledger().events(partition)
    assert (event.stage, event.message) == ("radar", "failed: BadProduct: S1A/noise.xml: is too short")


def test_what_a_task_took_is_noted(tmp_path, monkeypatch):
    monkeypatch.setenv("SEN12TS__STORE", str(tmp_path))
    with wiring.noted("nevada/2023-fall", "radar"):
        time.sleep(0.05)
        size = 200_000_000
        bytearray(size)[::4096] = bytes(len(range(0, size, 4096)))
    with wiring.ledger().reading() as connection:
        [row] = connection.execute(sa.select(timings)).mappings()
    assert (row["aoi"], row["season"], row["stage"]) == ("nevada", "fall", "radar")
    assert 0.05 <= row["seconds"] < 5
    assert size < row["peak_bytes"] < 100 * size


def test_the_memory_of_a_child_counts(tmp_path):
    before = wiring.peak_bytes()
    program = f"a = bytearray({before + 50_000_000}); a[::4096] = bytes(len(a[::4096]))"
    subprocess.run([sys.executable, "-c", program], check=True)
    assert wiring.peak_bytes() > before + 50_000_000


def test_a_ledger_that_is_down_hides_no_failure(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SEN12TS__STORE", str(tmp_path / "file"))
    with pytest.raises(BadProduct), wiring.noted("nevada/2023-fall", "radar"):
        raise BadProduct("S1A", "noise.xml", "is too short")
