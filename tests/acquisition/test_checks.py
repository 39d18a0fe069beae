"""A file that was fetched is kept when it has the size, the beginning and the checksum that it should have."""

import hashlib
import io
import json
import lzma
from pathlib import Path

import pytest

from sen12ts_pipeline.acquisition.checks import Expected, fault, in_manifest, of_multihash
from sen12ts_pipeline.acquisition.products import open_product
from sen12ts_pipeline.acquisition.spool import Spool
from sen12ts_pipeline.errors import BadProduct, Retryable
from tests.acquisition.test_products import NAME, REAL, held
from tests.acquisition.test_remote import MEMBERS, manifest_of
from tests.catalogues import recorded

SENTINEL2 = Path(__file__).parents[1] / "data/sentinel2/manifest_N0509.safe.xz"
IMAGE = "annotation/a.xml"


@pytest.fixture
def file(tmp_path):
    """What makes an open file of bytes."""

    def make(body):
        (tmp_path / "file").write_bytes(body)
        return (tmp_path / "file").open("rb", buffering=0)

    return make


BEGINNINGS = {
    "a.tiff": [b"II*\0...", b"MM\0*...", b"II+\0..."],
    "a.tif": [b"II*\0..."],
    "a.jp2": [b"\0\0\0\x0cjP  \r\n\x87\n...", b"\xff\x4f\xff\x51..."],
    "a.zip": [b"PK\3\4..."],
    "manifest.safe": [b"<?xml version='1.0'?><a/>", b"\xef\xbb\xbf\n<a/>"],
    "a.xml": [b"<a/>"],
    "item.json": [b'{"type": "Feature"}'],
    "a.png": [b"anything"],
}


@pytest.mark.parametrize("name", BEGINNINGS)
def test_a_file_begins_as_its_kind_does(file, name):
    for body in BEGINNINGS[name]:
        with file(body) as held:
            assert fault(held, name, Expected(len(body))) is None


@pytest.mark.parametrize("name", sorted(BEGINNINGS))
def test_a_page_of_the_server_is_no_file(file, name):
    page = b"<html><head><title>502 Bad Gateway</title></head></html>" * 20
    with file(page) as held:
        found = fault(held, name, Expected())
    assert found.of_server
    assert "an answer of 1 kB that begins with '<html><head><title>502" in found.found


@pytest.mark.parametrize(
    "message",
    [b'<?xml version="1.0"?>\n<Error><Code>SlowDown</Code></Error>', b'{"code": "DAT-ZIP-100"}', b"<!doctype HTML>"],
    ids=["s3", "odata", "html"],
)
def test_messages_of_servers_are_known(file, message):
    with file(message) as held:
        assert fault(held, "a.tiff", Expected()).of_server


def test_sizes_and_checksums_are_compared(file):
    body = b"<a>text</a>"
    for algorithm, function in (("md5", hashlib.md5), ("sha3_256", hashlib.sha3_256), ("sha256", hashlib.sha256)):
        with file(body) as held:
            assert fault(held, IMAGE, Expected(len(body), algorithm, function(body).hexdigest())) is None
            found = fault(held, IMAGE, Expected(len(body), algorithm, function(b"other").hexdigest(), "manifest.safe"))
        assert f"{algorithm.upper().replace('_', '-')} {function(body).hexdigest()}, where manifest.safe" in found.found
    with file(body) as held:
        assert "an answer of 11 bytes that begins with '<a>text</a>' instead of 12 bytes" in str(
            fault(held, IMAGE, Expected(12))
        )


def test_a_real_manifest_of_sentinel_1_publishes_md5():
    files = open_product(REAL)
    published = in_manifest(files.read("manifest.safe"), NAME, "manifest.safe")
    (annotation,) = (m for m in files.members() if m.startswith("annotation/s1a"))
    assert len(published) == 33
    assert {p.algorithm for p in published.values()} == {"md5"}
    body = files.read(annotation)
    assert published[annotation] == Expected(len(body), "md5", hashlib.md5(body).hexdigest(), "manifest.safe")


def test_a_real_manifest_of_sentinel_2_publishes_sha3():
    published = in_manifest(lzma.decompress(SENTINEL2.read_bytes()), "P", "manifest.safe")
    assert len(published) == 86
    assert {(p.algorithm, len(p.digest)) for p in published.values()} == {("sha3_256", 64)}
    assert published["MTD_MSIL2A.xml"].size == 54685


def test_a_manifest_may_publish_nothing():
    body = b"<a><dataObject><byteStream><fileLocation href='./a.xml'/></byteStream></dataObject><dataObject/></a>"
    assert in_manifest(body, "P", "manifest.safe") == {"a.xml": Expected(by="manifest.safe")}


def test_checksums_of_items_are_read_where_their_form_is_known():
    assets = recorded.answer("cdse_stac/item_s2_l2a_2020_N0500.json")["assets"]
    image = of_multihash(assets["SCL_20m"]["file:size"], assets["SCL_20m"]["file:checksum"], "the item")
    assert image == Expected(941999, "sha3_256", assets["SCL_20m"]["file:checksum"][4:], "the item")
    product = of_multihash(1, assets["Product"]["file:checksum"], "the item")
    assert (product.algorithm, len(product.digest)) == ("md5", 32)
    wrong = json.loads(json.dumps(assets["product_metadata"]))["file:checksum"]
    assert wrong.startswith("d50120")
    assert of_multihash(None, wrong, "the item") == Expected(by="the item")


class TestAWrongFile:
    """What is kept of a file that a server gives wrong."""

    @pytest.fixture
    def product(self, web):
        for name, body in {**MEMBERS, "manifest.safe": manifest_of(MEMBERS)}.items():
            web.put(f"{NAME}.SAFE/{name}", body)
        files = open_product(f"{web.url}/{NAME}.SAFE")
        assert files.read(IMAGE) == MEMBERS[IMAGE]
        return files

    def test_once_is_not_noticed(self, web, product):
        member = "annotation/calibration/c.xml"
        web.faults.extend([None, answering(b"<x/>")])
        assert product.read(member) == MEMBERS[member]
        assert len(web.fetched("c.xml")) == 2

    def test_of_the_same_bytes_each_time_is_a_bad_product(self, web, product, spool):
        before = {p.name for p in spool.folder.iterdir()}
        web.put(f"{NAME}.SAFE/annotation/calibration/c.xml", b"<x/>")
        with pytest.raises(BadProduct, match=r"c\.xml: must be whole and unchanged; .*'<x/>'.* MD5 .*, 2 times"):
            product.read("annotation/calibration/c.xml")
        assert {p.name for p in spool.folder.iterdir()} == before

    def test_of_other_bytes_each_time_may_be_right_later(self, web, product):
        web.faults.extend([None, answering(b"<x/>"), answering(b"<y/>")])
        with pytest.raises(Retryable, match=r"c\.xml gave .*, 2 times; try again later"):
            product.read("annotation/calibration/c.xml")

    def test_that_is_a_message_may_be_right_later(self, web, product):
        page = b"<html>busy</html>"
        web.put(f"{NAME}.SAFE/annotation/calibration/c.xml", page)
        with pytest.raises(Retryable, match="an answer of 17 bytes that begins with '<html>busy</html>'"):
            held(product)("annotation/calibration/c.xml")


def answering(body):
    """An answer with other bytes of the length asked for, at the place asked for."""

    def answer(handler):
        handler.send_response(206)
        size, changed = handler.file.stat().st_size, handler.file.stat().st_mtime_ns
        handler.send_header("Content-Range", f"bytes 0-{size - 1}/{size}")
        handler.send_header("Content-Length", str(size))
        handler.send_header("ETag", f'"{size:x}-{changed:x}"')
        handler.end_headers()
        handler.web.note(handler, 0, size)
        handler.wfile.write(body.ljust(size)[:size])

    return answer


def test_whole_files_of_a_folder_and_their_parts_are_entries_of_their_own(web, spool, tmp_path):
    url = web.put("P.SAFE/manifest.safe", manifest_of({"a.xml": b"<a/>"}))
    web.put("P.SAFE/a.xml", b"<a/>")
    product = open_product(url.rpartition("/")[0], Spool(tmp_path / "other"))
    path, at = product.extent("a.xml", 1, 2)
    assert product.read("a.xml") == b"<a/>"
    assert io.BytesIO(path.read_bytes()).read()[at:] == b"a/"
