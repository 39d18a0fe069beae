"""Archives tell where a product lies, by its exact name, in one request; what they told is remembered."""

import copy
import json
from datetime import UTC, datetime

import pytest

from sen12ts_pipeline import passing
from sen12ts_pipeline.catalogues import places
from sen12ts_pipeline.catalogues.registry import Addresses
from sen12ts_pipeline.errors import BadProduct, ConfigurationError, Retryable
from tests.catalogues import recorded
from tests.catalogues.entries import l2a_name, odata_granule, odata_slice, slc_name, stac_item, umm_slice
from tests.catalogues.servers import Cmr, JsonServer, OData, Stac

START = datetime(2020, 5, 11, 13, 51, 17, tzinfo=UTC)
SLICE, GRANULE = slc_name(START), l2a_name(START)
S3_PATH = f"/eodata/Sentinel-1/SAR/IW_SLC__1S/2020/05/11/{SLICE}.SAFE"


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(passing, "FIRST_WAIT_S", 0.001)


def odata(**changes):
    return odata_slice(START, S3Path=S3_PATH, ContentLength=7_790_000_000, **changes)


def cog_item(product=GRANULE, endings=(".tif",)):
    """An item made after the recorded one of Earth Search, which lists its images both as GeoTIFF and JPEG 2000."""
    item = copy.deepcopy(recorded.answers("earth_search/multiple_collections.json")[0]["features"][0])
    made = stac_item(START, **{"s2:product_uri": f"{product}.SAFE"})
    item["geometry"], item["properties"]["datetime"] = made["geometry"], made["properties"]["datetime"]
    item["properties"]["s2:product_uri"] = f"{product}.SAFE"
    item["assets"] = {k: a for k, a in item["assets"].items() if a["href"].endswith(endings)}
    return item


def of_server(archive, server, folder=None):
    key = {"cdse": "cdse_odata"}.get(archive, archive)
    return places.connect(archive, Addresses({key: server.url}, {}), folder)


class TestCdse:
    def test_tells_the_path_in_its_bucket_and_the_address_of_the_whole(self):
        with JsonServer(OData([odata(), odata_slice(START.replace(hour=1))])) as server:
            found = of_server("cdse", server).place(SLICE)
        assert found.url == f"s3:/{S3_PATH}"
        assert found.zip_url == f"{places.DOWNLOAD_URL}/Products(id of {SLICE})/$value"
        assert (found.product, found.archive, found.zip_bytes) == (SLICE, "cdse", 7_790_000_000)

    def test_has_granules_too(self):
        with JsonServer(OData([odata_granule(START, S3Path=f"/eodata/L2A_N0500/{GRANULE}.SAFE")])) as server:
            assert of_server("cdse", server).place(GRANULE).url == f"s3://eodata/L2A_N0500/{GRANULE}.SAFE"

    def test_listed_twice_tells_the_newest_that_is_online(self):
        entries = [
            odata(PublicationDate="2020-05-12T00:00:00Z") | {"S3Path": "/eodata/old"},
            odata(PublicationDate="2023-05-12T00:00:00Z") | {"S3Path": "/eodata/new"},
            odata(PublicationDate="2024-05-12T00:00:00Z") | {"S3Path": "/eodata/off", "Online": False},
        ]
        assert places.cdse_place(SLICE, entries).url == "s3://eodata/new"

    @pytest.mark.parametrize(
        ("entries", "found"), [([], "is not listed"), ([odata(Online=False)], "is listed and not online")]
    )
    def test_says_what_it_does_not_have(self, entries, found):
        with JsonServer(OData(entries)) as server, pytest.raises(BadProduct, match=found):
            of_server("cdse", server).place(SLICE)

    def test_is_not_asked_for_names_that_could_be_something_else(self):
        with JsonServer(OData([])) as server:
            with pytest.raises(BadProduct, match="must be named as"):
                of_server("cdse", server).place("x' or 'a' eq 'a")
            assert server.asked == []

    def test_serves_both_missions(self):
        with JsonServer(OData([])) as server:
            assert of_server("cdse", server).serves(SLICE)
            assert of_server("cdse", server).serves(GRANULE)


class TestAsf:
    def test_tells_the_zip_its_size_and_checksum(self):
        product = recorded.answer("asf/slc_granule_umm.json")["umm"]["GranuleUR"].removesuffix("-SLC")
        with JsonServer(Cmr([recorded.answer("asf/slc_granule_umm.json"), umm_slice(START)])) as server:
            found = of_server("asf", server).place(product)
        assert found.url.startswith("https://datapool.asf.alaska.edu/SLC/")
        assert found.url.endswith(f"/{product}.zip")
        assert (found.zip_url, len(found.zip_md5)) == (found.url, 32)
        assert 3e9 < found.zip_bytes < 6e9

    def test_says_what_it_does_not_have(self):
        with JsonServer(Cmr([])) as server, pytest.raises(BadProduct, match="must be at asf; it is not listed"):
            of_server("asf", server).place(SLICE)
        entry = umm_slice(START)
        entry["umm"]["RelatedUrls"] = [u for u in entry["umm"]["RelatedUrls"] if u["URL"].startswith("s3")]
        with pytest.raises(BadProduct, match="its entry tells none"):
            places.asf_place(SLICE, [entry])

    def test_serves_radar_alone(self):
        with JsonServer(Cmr([])) as server:
            found = of_server("asf", server)
        assert (found.serves(SLICE), found.serves(GRANULE)) == (True, False)


class TestImages:
    """Archives of granules as GeoTIFF."""

    def test_are_told_with_the_item_by_band(self):
        others = [cog_item(l2a_name(START, mgrs="11SNU")), stac_item(START)]
        with JsonServer(Stac([*others, cog_item()], tells_total=True)) as server:
            found = of_server("earth_search", server).place(GRANULE)
        assert sorted(found.hrefs) == [*(f"B{n:02d}.tif" for n in (*range(1, 10), 11, 12)), "B8A.tif", "SCL.tif"]
        assert found.hrefs["B8A.tif"].endswith("/B8A.tif")
        assert json.loads(found.item) == cog_item()
        assert (found.url, found.zip_url) == ("", "")

    def test_of_the_planetary_computer_are_found_though_its_identities_differ(self):
        item = copy.deepcopy(recorded.answer("planetary_computer/s2_l2a_datetime_search.json")["features"][0])
        product = item["properties"]["s2:product_uri"].removesuffix(".SAFE")
        assert item["id"] != product
        with JsonServer(Stac([item])) as server:
            found = of_server("planetary_computer", server).place(product)
        assert found.hrefs["SCL.tif"] == item["assets"]["SCL"]["href"]

    def test_are_asked_for_in_few_items(self):
        question = places.item_question(GRANULE, ("a", "b"), 100)
        assert (question["collections"], question["datetime"]) == (
            ["a", "b"],
            "2020-05-11T13:51:17Z/2020-05-11T14:51:17Z",
        )
        lons, lats = zip(*question["intersects"]["coordinates"][0], strict=True)
        assert max(lons) - min(lons) < 1.3
        assert max(lats) - min(lats) < 1.1

    def test_that_are_no_geotiff_are_not_there(self):
        with pytest.raises(BadProduct, match="must be at earth_search; must have GeoTIFF images of all bands"):
            places.item_place(GRANULE, "earth_search", [cog_item(endings=(".jp2",))])
        assert places.item_place(GRANULE, "earth_search", [cog_item(endings=(".jp2",)), cog_item()]).hrefs


class TestMemory:
    @pytest.fixture
    def server(self):
        with JsonServer(OData([odata()])) as server:
            yield server

    def test_asks_once_and_for_other_processes_too(self, server, tmp_path):
        first = of_server("cdse", server, tmp_path)
        assert first.place(SLICE) == first.place(SLICE) == of_server("cdse", server, tmp_path).place(SLICE)
        assert len(server.asked) == 1

    def test_forgets_when_asked_anew(self, server, tmp_path):
        known = of_server("cdse", server, tmp_path)
        known.place(SLICE)
        server.archive.products = [odata() | {"S3Path": "/eodata/moved"}]
        assert known.place(SLICE, anew=True).url == "s3://eodata/moved"
        assert of_server("cdse", server, tmp_path).place(SLICE).url == "s3://eodata/moved"
        server.archive.products = []
        for _ in range(2):
            with pytest.raises(BadProduct):
                known.place(SLICE, anew=True)
        with pytest.raises(BadProduct):
            of_server("cdse", server, tmp_path).place(SLICE)

    @pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b'{"product": "x", "archive": "cdse"}', b"\xff"])
    def test_that_is_damaged_is_none(self, server, tmp_path, body):
        (tmp_path / "cdse").mkdir()
        (tmp_path / f"cdse/{SLICE}.json").write_bytes(body)
        assert of_server("cdse", server, tmp_path).place(SLICE).product == SLICE

    def test_that_cannot_be_written_is_no_fault(self, server, tmp_path):
        (tmp_path / "cdse").write_bytes(b"")
        assert of_server("cdse", server, tmp_path).place(SLICE).product == SLICE


def test_a_busy_archive_is_asked_again_and_then_left_to_a_later_try():
    with JsonServer(OData([odata()])) as server:
        server.faults.extend([503] * (passing.TRIES - 1))
        assert of_server("cdse", server).place(SLICE).product == SLICE
        server.faults.extend([503] * passing.TRIES)
        with pytest.raises(Retryable, match=f"cdse: where {SLICE} lies: answered 503"):
            of_server("cdse", server).place(SLICE)


@pytest.mark.parametrize("archive", ["asf", "cdse", "earth_search", "planetary_computer"])
def test_an_answer_of_another_form_is_left_to_a_later_try(archive):
    class Wrong:
        def reply(self, path, values, body):
            return 200, {"items": 3, "value": None, "features": {}}

    product = SLICE if archive in ("asf", "cdse") else GRANULE
    with JsonServer(Wrong()) as server, pytest.raises(Retryable, match="sent an answer without"):
        of_server(archive, server).place(product)


def test_an_archive_whose_products_cannot_be_fetched_is_a_wrong_setting():
    with pytest.raises(
        ConfigurationError, match=r"acquisition\.providers: must name archives .*or set catalogue\.root"
    ):
        places.connect("dhus", Addresses({}, {}))


def test_interfaces_of_one_service_have_one_provider():
    names = ["cdse", "cdse_odata", "cdse_stac", "asf", "earth_search"]
    assert [places.provider_of(name) for name in names] == ["cdse", "cdse", "cdse", "asf", "earth_search"]
