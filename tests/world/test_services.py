"""Where users sign in and download: what is given, to whom, and how it is refused otherwise."""

import base64
import io
import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from lxml import etree

from sen12ts_pipeline.sentinel1.orbit_file import OrbitFile, read_orbit_file
from tests.world import archive_world, stac
from tests.world.archive_world import EARTHDATA, KEY, PASSWORD, SECRET, USER


def got(url, body=None, headers=None, method=None):
    """Status, headers and body of an answer; redirections are not followed."""
    request = urllib.request.Request(url, body, headers or {}, method=method)
    try:
        with _OPENER.open(request, timeout=10) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


_OPENER = urllib.request.build_opener(_Stay)


def grant(world, **form):
    """Status and answer of the token service."""
    body = urllib.parse.urlencode({"client_id": "cdse-public"} | form).encode()
    status, _, said = got(world.token_url, body)
    return status, json.loads(said)


def signed_in(world):
    return grant(world, grant_type="password", username=USER, password=PASSWORD)[1]


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


class TestTokens:
    def test_a_password_opens_a_session_and_a_refresh_token_prolongs_it(self, world):
        before = world.identity.sessions
        first = signed_in(world)
        status, second = grant(world, grant_type="refresh_token", refresh_token=first["refresh_token"])
        assert status == 200
        assert world.identity.sessions == before + 1
        assert world.identity.admits(second["access_token"])
        assert (first["expires_in"], first["refresh_expires_in"]) == (600, 3600)

    def test_a_refresh_token_serves_once(self, world):
        used = signed_in(world)["refresh_token"]
        grant(world, grant_type="refresh_token", refresh_token=used)
        status, said = grant(world, grant_type="refresh_token", refresh_token=used)
        assert (status, said["error"]) == (400, "invalid_grant")

    def test_a_wrong_password_is_refused(self, world):
        status, said = grant(world, grant_type="password", username=USER, password="wrong")
        assert (status, said["error"]) == (401, "invalid_grant")

    def test_too_many_sessions_are_refused(self, world, monkeypatch):
        monkeypatch.setattr(world.identity, "most_sessions", world.identity.sessions)
        status, said = grant(world, grant_type="password", username=USER, password=PASSWORD)
        assert (status, said["code"]) == (429, "DAT-ZIP-100")


class TestDownloads:
    @pytest.fixture
    def held(self, world):
        return next(h for h in world.held if not h.is_slice)

    def test_a_product_comes_as_a_stored_zip_and_ranges_are_not_regarded(self, world, held):
        shown = bearer(signed_in(world)["access_token"]) | {"Range": "bytes=5-9"}
        status, headers, body = got(f"{world.download_url}/Products({held.id})/$value", None, shown)
        assert (status, headers["Content-Type"], headers["Accept-Ranges"]) == (200, "application/zip", None)
        with zipfile.ZipFile(io.BytesIO(body)) as packed:
            assert {i.compress_type for i in packed.infolist()} == {zipfile.ZIP_STORED}
            for name in held.files:
                assert packed.read(f"{held.safe}/{name}") == (held.folder / name).read_bytes()

    def test_a_file_of_a_product(self, world, held):
        shown = bearer(signed_in(world)["access_token"])
        nodes = f"Nodes({held.safe})/Nodes(manifest.safe)"
        status, _, body = got(f"{world.download_url}/Products({held.id})/{nodes}/$value", None, shown)
        assert (status, body) == (200, (held.folder / "manifest.safe").read_bytes())

    @pytest.mark.parametrize(
        ("path", "token", "expected"),
        [
            ("Products({id})/$value", None, (401, "DAT-ZIP-604")),
            ("Products({id})/$value", "stale", (401, "DAT-ZIP-109")),
            ("Products('{id}')/$value", "good", (400, "DAT-ZIP-104")),
            ("Products(00000000-0000-0000-0000-000000000000)/$value", "good", (404, "DAT-ZIP-101")),
        ],
        ids=["no token", "stale token", "quoted", "unknown"],
    )
    def test_refusals(self, world, held, path, token, expected):
        tokens = {"stale": "stale", "good": signed_in(world)["access_token"]}
        headers = bearer(tokens[token]) if token else {}
        status, _, body = got(f"{world.download_url}/{path.format(id=held.id)}", None, headers)
        assert (status, json.loads(body)["code"]) == expected

    def test_tokens_grow_old(self, world, held):
        token = signed_in(world)["access_token"]
        world.identity.expire()
        assert got(f"{world.download_url}/Products({held.id})/$value", None, bearer(token))[0] == 401


class TestEoData:
    def client(self, world, key=KEY, secret=SECRET):
        config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
        session = boto3.session.Session(key, secret, region_name="default")
        return session.client("s3", endpoint_url=world.url("eodata"), config=config)

    def test_files_of_a_product_are_listed_and_read_by_ranges(self, world):
        held, client = world.held[0], self.client(world)
        prefix = held.s3_path.removeprefix("/eodata/") + "/"
        pages = client.get_paginator("list_objects_v2").paginate(
            Bucket="eodata", Prefix=prefix, PaginationConfig={"PageSize": 5}
        )
        sizes = {o["Key"].removeprefix(prefix): o["Size"] for page in pages for o in page["Contents"]}
        assert sizes == {name: (held.folder / name).stat().st_size for name in held.files}
        name = next(n for n in held.files if n.startswith("measurement/"))
        answer = client.get_object(Bucket="eodata", Key=prefix + name, Range="bytes=30000-30099")
        assert answer["Body"].read() == (held.folder / name).read_bytes()[30000:30100]
        assert answer["ETag"].endswith('-1"')
        told = answer["ResponseMetadata"]["HTTPHeaders"]
        assert told["x-ratelimit-limit"] == "2000, 2000;w=60"
        assert int(told["x-ratelimit-remaining"]) < 2000

    @pytest.mark.parametrize(
        ("key", "secret", "code"),
        [("other", SECRET, "InvalidAccessKeyId"), (KEY, "other", "SignatureDoesNotMatch")],
        ids=["key", "secret"],
    )
    def test_others_are_refused(self, world, key, secret, code):
        with pytest.raises(ClientError) as refused:
            self.client(world, key, secret).get_object(Bucket="eodata", Key="Sentinel-1/x")
        assert refused.value.response["Error"]["Code"] == code
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403

    def test_nobody_gets_in_without_a_signature(self, world):
        assert got(f"{world.url('eodata')}/eodata/Sentinel-1/x")[0] == 403

    def test_a_key_that_is_not_there(self, world):
        with pytest.raises(ClientError) as refused:
            self.client(world).get_object(Bucket="eodata", Key="Sentinel-1/it's not/there")
        assert refused.value.response["Error"]["Code"] == "NoSuchKey"


class TestAsf:
    @pytest.fixture
    def held(self, world):
        return next(h for h in world.held if h.is_slice)

    def test_a_zip_lies_behind_a_signed_address_that_wants_no_token(self, world, held):
        url = f"{world.url('datapool')}/SLC/SA/{held.name}.zip"
        assert got(url)[0] == 401
        status, headers, _ = got(url, None, bearer(EARTHDATA))
        assert status == 303
        assert urllib.parse.urlsplit(headers["Location"]).netloc != urllib.parse.urlsplit(url).netloc
        status, there, body = got(headers["Location"], None, {"Range": "bytes=0-3"})
        assert (status, body) == (206, b"PK\x03\x04")
        assert got(headers["Location"], None, bearer(EARTHDATA))[0] == 400
        assert got(re.sub("Signature=.*", "Signature=no", headers["Location"]))[0] == 400
        assert there["Content-Range"] == f"bytes 0-3/{world.datapool.zips(held).stat().st_size}"

    def test_a_burst_is_cut_out_while_one_waits(self, world, held):
        (burst,) = (b for b in held.bursts if (b.id.subswath, b.polarisation, b.index) == ("IW1", "VV", 1))
        url = f"{world.url('bursts')}/{held.name}/IW1/VV/1.tiff"
        assert got(url)[0] == 401
        assert got(url, None, bearer(EARTHDATA))[0] == 202
        status, headers, body = got(url, None, bearer(EARTHDATA))
        assert status == 200
        whole = (held.folder / burst.measurement).read_bytes()
        assert whole[burst.offset : burst.offset + burst.size] in body
        assert (
            f"_IW1_{burst.azimuth_time:%Y%m%dT%H%M%S}_VV_{held.name[-4:]}-BURST.tiff" in headers["Content-Disposition"]
        )

    def test_another_burst_on_demand(self, world, held):
        url = f"{world.url('bursts')}/{held.name}/IW1/VH/0.tiff"
        got(url, None, bearer(EARTHDATA))
        world.bursts.others = 1
        delivered = [got(url, None, bearer(EARTHDATA)) for _ in range(2)]
        assert delivered[0][1]["Content-Disposition"] != delivered[1][1]["Content-Disposition"]
        assert delivered[0][2] != delivered[1][2]

    def test_the_metadata_of_a_slice_in_one_document(self, world, held):
        url = f"{world.url('bursts')}/{held.name}/IW1/VV/0.xml"
        got(url, None, bearer(EARTHDATA))
        root = etree.fromstring(got(url, None, bearer(EARTHDATA))[2])
        parts = root.find("metadata")
        assert [p.tag for p in parts] == ["calibration"] * 2 + ["noise"] * 2 + ["product"] * 2
        assert {p.findtext("polarisation") for p in parts} == {"VV"}
        assert root.find("manifest")[0].tag.endswith("XFDU")
        (annotation,) = (p for p in parts if p.tag == "product" and p.findtext("swath") == "IW1")
        assert len(annotation.findall("content/swathTiming/burstList/burst")) == 2


class TestCopies:
    def test_blobs_need_a_signature(self, world):
        held = next(h for h in world.held if not h.is_slice)
        url = world.url("blobs") + archive_world._blob_key(held, "SCL")
        assert got(url)[0] == 403
        answer = got(f"{world.url('planetary_computer')}/api/sas/v1/token/{stac.COLLECTION}")
        token = json.loads(answer[2])["token"]
        assert got(f"{url}?{token}")[0] == 200
        world.signatures.forget()
        assert got(f"{url}?{token}")[0] == 403

    def test_the_offset_is_taken_off_where_the_item_says_so(self, world):
        import rasterio

        body = json.dumps({"limit": 10}).encode()
        found = json.loads(got(f"{world.urls['earth_search']}/search", body)[2])["features"]
        flags = {i["properties"]["s2:processing_baseline"]: i for i in found}
        assert flags["05.09"]["properties"]["earthsearch:boa_offset_applied"]
        assert not flags["03.01"]["properties"]["earthsearch:boa_offset_applied"]
        numbers = {}
        for host in ("earth_search", "planetary_computer"):
            path = world.urls[host] + "/search"
            item = next(i for i in json.loads(got(path, body)[2])["features"] if "20230917" in i["id"])
            asset = item["assets"]["red" if host == "earth_search" else "B04"]
            token = json.loads(got(f"{world.url('planetary_computer')}/api/sas/v1/token/{stac.COLLECTION}")[2])["token"]
            content = got(f"{asset['href']}?{token}")[2]
            with rasterio.MemoryFile(content).open() as image:
                assert list(image.transform)[:6] == asset["proj:transform"]
                assert image.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
                numbers[host] = image.read(1).astype(int)
        assert set((numbers["planetary_computer"] - numbers["earth_search"]).ravel()) == {1000}


def test_a_hub_has_users(world):
    url = f"{world.url('hub')}/dhus/search"
    assert got(url)[0] == 401
    assert got(url, None, {"Authorization": "Basic " + base64.b64encode(b"a:b").decode()})[0] == 401


class TestOpenBuckets:
    def test_orbit_files_are_read_as_real_ones_are(self, world):
        held = next(h for h in world.held if h.is_slice)
        key = next(k for k in world._orbits if f"V{held.start:%Y%m}" in k or "V20230731" in k)
        status, _, body = got(f"{world.url('orbits')}/{key}")
        assert status == 200
        name = OrbitFile.parse(key.rpartition("/")[2])
        assert name.room_s(held.slice.start, held.slice.stop) > 60
        epoch = held.slice.start
        orbit = read_orbit_file(body, name=name.name, epoch=epoch, during=(0.0, 7.0))
        assert orbit is not None

    def test_elevation_has_a_list_and_hides_what_is_not_there(self, world):
        import rasterio

        listed = got(f"{world.url('glo30')}/tileList.txt")[2].decode().split()
        assert listed == ["Copernicus_DSM_COG_10_N45_00_E000_00_DEM"]
        body = got(f"{world.url('glo30')}/{listed[0]}/{listed[0]}.tif")[2]
        with rasterio.MemoryFile(body).open() as tile:
            assert tile.shape == (3600, 3600)
            assert tile.bounds.left == pytest.approx(-0.5 / 3600)
        missing = listed[0].replace("E000", "W031")
        assert got(f"{world.url('glo30')}/{missing}/{missing}.tif")[0] == 403

    def test_land_cover_is_that_of_the_place(self, world):
        import rasterio

        key = "v100/2020/map/ESA_WorldCover_10m_2020_v100_N45E000_Map.tif"
        body = got(f"{world.url('worldcover')}/{key}")[2]
        with rasterio.MemoryFile(body).open() as tile, rasterio.open(world.folder / "labels/labels.tif") as labels:
            assert tile.shape == (36_000, 36_000)
            window = tile.window(*labels.bounds)
            assert (tile.read(1, window=window.round_offsets().round_lengths()) == labels.read(1)).all()

    def test_the_geoid_covers_the_globe(self, world):
        import rasterio

        body = got(f"{world.url('geoid')}/us_nga_egm08_25.tif")[2]
        with rasterio.MemoryFile(body).open() as grid:
            assert grid.bounds.right - grid.bounds.left == pytest.approx(360)


def test_every_exchange_is_written_down(world):
    before = len(world.journal.exchanges)
    _, _, body = got(f"{world.url('orbits')}/?prefix=AUX", None, {"X-Mine": "shown"})
    (exchange,) = world.journal.exchanges[before:]
    deadline = time.monotonic() + 5
    while exchange.sent < len(body) and time.monotonic() < deadline:
        time.sleep(0.001)
    assert (exchange.request.host, exchange.status, exchange.sent) == ("orbits", 200, len(body))
    assert exchange.request.headers["x-mine"] == "shown"
    assert exchange.request.query == {"prefix": "AUX"}
