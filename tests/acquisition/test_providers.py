"""Providers are connected by their names, with credentials that are values and never shown."""

import pytest

from sen12ts_pipeline.acquisition.provider import Anyone, Bearer, Credentials, bearer
from sen12ts_pipeline.acquisition.providers import PROVIDERS, connect
from sen12ts_pipeline.acquisition.tokens import SignedAddresses, TokenAccess
from sen12ts_pipeline.domain.quotas import QUOTAS
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.ports import OPEN_GATE

SECRET = "not-to-be-shown"
CDSE = {
    "SEN12TS_CDSE_USER": "somebody",
    "SEN12TS_CDSE_PASSWORD": SECRET,
    "SEN12TS_CDSE_S3_KEY": "key",
    "SEN12TS_CDSE_S3_SECRET": SECRET,
}


def test_every_provider_has_a_quota_and_may_be_connected_without_credentials(tmp_path):
    assert set(PROVIDERS) == set(QUOTAS)
    for name in PROVIDERS:
        one = connect(name, {}, folder=tmp_path)
        assert (one.name, one.gate) == (name, OPEN_GATE)
        if name != "planetary_computer":
            assert one.access.credentials() == Credentials()


def test_addresses_of_the_planetary_computer_are_signed(tmp_path):
    one = connect("planetary_computer", {}, folder=tmp_path)
    assert isinstance(one.access, SignedAddresses)
    service = "https://planetarycomputer.microsoft.com/api/sas/v1/token/sentinel-2-l2a"
    assert repr(one.access) == f"SignedAddresses({service!r})"


def test_the_data_space_is_spoken_to_as_it_wants(tmp_path):
    one = connect("cdse", CDSE, OPEN_GATE, tmp_path)
    assert isinstance(one.access, TokenAccess)
    assert one.s3.endpoint == "https://eodata.dataspace.copernicus.eu"
    assert (one.s3.region, one.s3.addressing, one.s3.unsigned) == ("default", "path", False)
    assert (one.s3.key, one.s3.secret) == ("key", SECRET)
    assert SECRET not in repr(one)
    assert not list(tmp_path.iterdir())


def test_earthdata_takes_a_token_and_open_buckets_take_nothing(tmp_path):
    environ = {"SEN12TS_EARTHDATA_TOKEN": f" {SECRET}\n", "SEN12TS_HTTP_TOKEN": "of another server"}
    asf = connect("asf", environ, folder=tmp_path)
    assert isinstance(asf.access, Bearer)
    assert asf.access.credentials() == bearer(SECRET)
    assert SECRET not in repr(asf)
    aws = connect("aws", environ, folder=tmp_path)
    assert isinstance(aws.access, Anyone)
    assert aws.s3.unsigned


def test_tokens_are_kept_where_the_environment_says(tmp_path):
    places = {"SEN12TS_TOKENS": str(tmp_path / "a")}, {"XDG_CACHE_HOME": str(tmp_path / "b")}
    kept = [connect("cdse", CDSE | place).access._path.parent for place in places]
    assert kept == [tmp_path / "a", tmp_path / "b/sen12ts/tokens"]


@pytest.mark.parametrize("missing", sorted(CDSE))
def test_half_of_a_pair_of_credentials_is_a_wrong_setting(missing, tmp_path):
    environ = {name: value for name, value in CDSE.items() if name != missing}
    with pytest.raises(ConfigurationError, match=f"environment: {missing}: must be set where SEN12TS_CDSE_.* is"):
        connect("cdse", environ, folder=tmp_path)


def test_a_provider_that_is_not_known_is_a_wrong_setting(tmp_path):
    with pytest.raises(ConfigurationError, match="must be one of asf, aws, cdse, earth_search, planetary_computer"):
        connect("scihub", {}, folder=tmp_path)
