"""What is fetched besides products: from which addresses, into which folders, and by which names of maps."""

import pytest
from shapely.geometry import box

from sen12ts_pipeline import passing
from sen12ts_pipeline.acquisition.auxiliary import URLS, Auxiliary
from sen12ts_pipeline.acquisition.cache import Cache
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.settings.model import AuxiliarySettings
from tests.acquisition.buckets import Bucket

AREA = box(6.4, 0.4, 6.6, 0.6)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(passing, "FIRST_WAIT_S", 0.001)
    with Bucket() as bucket:
        yield bucket


@pytest.fixture
def fetching(server, tmp_path):
    return Auxiliary(Cache(tmp_path), dict.fromkeys(URLS, server.url))


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("worldcover_2020_v100", "/?prefix=v100/2020/map/"),
        ("worldcover_2020", "/?prefix=v100/2020/map/"),
        ("worldcover_2021_v200", "/?prefix=v200/2021/map/"),
        ("cdl_2020", "/2020_30m_cdls.zip"),
        ("dun_2020", "/b47b0ab9-8324-40c7-b553-1015793a38a4?download=true&filename=Cultius_DUN2020_SHP.zip"),
    ],
)
def test_maps_are_fetched_by_their_names(fetching, server, name, asked):
    with pytest.raises(ConfigurationError):
        fetching.labels(name, AREA)
    assert server.asked == [asked]


@pytest.mark.parametrize("name", ["worldcover_2020_v200", "worldcover_2019", "cdl_2020_v1", "corine_2018"])
def test_other_maps_must_be_given(fetching, server, name):
    with pytest.raises(ConfigurationError, match="to be fetched"):
        fetching.labels(name, AREA)
    assert server.asked == []


def test_who_lets_one_in_is_named(fetching, server):
    with pytest.raises(ConfigurationError, match="earthdata refuses it"):
        fetching.elevation("srtmgl1", AREA)


def test_settings_know_every_address():
    assert AuxiliarySettings(urls=dict.fromkeys(URLS, "http://mirror")).urls.keys() == URLS.keys()
