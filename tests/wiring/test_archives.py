"""Archives that products are searched and fetched in, and the gate that all workers share."""

import pytest

from sen12ts_pipeline import wiring
from sen12ts_pipeline.acquisition.spool import Spool
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.settings.model import CatalogueSettings, Settings
from tests import worlds


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
