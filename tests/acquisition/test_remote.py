"""Products on a web server: the same files as in a folder, and no byte more than is needed."""

import hashlib
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio

from sen12ts_pipeline.acquisition import files, names, zips
from sen12ts_pipeline.acquisition.products import open_product
from sen12ts_pipeline.errors import BadProduct, ConfigurationError
from tests.acquisition.test_products import NAME, held, tiff

LARGE = b"II*\0" + np.random.default_rng(1).integers(0, 4, 8_999_996, np.uint8).tobytes()
MEMBERS = {
    "annotation/a.xml": b"<a/>" * 100,
    "annotation/calibration/c.xml": b"<c/>",
    "measurement/m.tiff": LARGE,
    "preview/a picture.png": b"png",
}


def manifest_of(members, name="MD5", function=hashlib.md5):
    """A manifest with sizes and checksums, as products have one."""
    objects = "".join(
        f"<dataObject><byteStream mimeType='x' size='{len(body)}'><fileLocation locatorType='URL' href='./{member}'/>"
        f"<checksum checksumName='{name}'>{function(body).hexdigest()}</checksum></byteStream></dataObject>"
        for member, body in members.items()
    )
    head = "<xfdu:XFDU xmlns:xfdu='urn:ccsds:schema:xfdu:1'><dataObjectSection>"
    return f"{head}{objects}</dataObjectSection></xfdu:XFDU>".encode()


MANIFEST = manifest_of(MEMBERS)
FILES = {**MEMBERS, "manifest.safe": MANIFEST}
KINDS = ["folder", "stored", "deflated"]


def served(web, kind, content=FILES):
    """URL of the product on the server."""
    if kind == "folder":
        for name, body in content.items():
            web.put(f"a/{NAME}.SAFE/{name}", body)
        return f"{web.url}/a/{NAME}.SAFE"
    method = zipfile.ZIP_STORED if kind == "stored" else zipfile.ZIP_DEFLATED
    url = web.put(f"a/{NAME}.zip", b"")
    with zipfile.ZipFile(web.folder / f"a/{NAME}.zip", "w", method) as container:
        for name, body in content.items():
            container.writestr(f"{NAME}.SAFE/{name}", body)
    return url


@pytest.fixture(params=KINDS)
def product(request, web):
    return open_product(served(web, request.param))


def bytes_of(extent, length):
    path, at = extent
    with path.open("rb") as file:
        file.seek(at)
        return file.read(length)


def test_a_product_has_a_name_members_and_contents(product):
    assert product.product == NAME
    assert product.members() == tuple(sorted(FILES))
    assert {member: product.read(member) for member in product.members()} == FILES


@pytest.mark.parametrize(("start", "length"), [(0, 10), (1234, 4321), (8_999_990, 10), (2_500_000, 3_000_000)])
def test_any_bytes_can_be_had_as_a_file_of_this_machine(product, start, length):
    extent = product.extent("measurement/m.tiff", start, length)
    assert bytes_of(extent, length) == LARGE[start : start + length]


def test_past_the_end_of_a_member_there_are_fewer_bytes(product):
    path, at = product.extent("measurement/m.tiff", len(LARGE) - 4, 100)
    assert bytes_of((path, at), 100) == LARGE[-4:]


@pytest.mark.parametrize("member", ["annotation/b.xml", "annotation", "../x", "measurement"])
def test_a_missing_member_is_a_bad_product(product, member):
    for ask in (product.read, held(product), lambda member: product.extent(member, 0, 1)):
        with pytest.raises(BadProduct) as caught:
            ask(member)
        assert (caught.value.product, caught.value.member) == (NAME, member)


def test_a_member_too_large_to_be_metadata_is_not_read_whole(product, web, monkeypatch):
    monkeypatch.setattr(names, "READ_LIMIT_BYTES", 2000)
    product.members()
    web.asked.clear()
    with pytest.raises(BadProduct, match="at most 2000 bytes"):
        product.read("measurement/m.tiff")
    assert not web.fetched("")


def test_nothing_is_asked_before_it_is_needed(web):
    open_product(served(web, "folder"))
    open_product(served(web, "stored"))
    assert not web.asked


def test_of_a_folder_just_what_is_asked_for_is_fetched(web):
    product = open_product(served(web, "folder"))
    product.read("annotation/a.xml")
    product.extent("measurement/m.tiff", 1000, 2000)
    assert web.fetched("manifest.safe") == [(0, len(MANIFEST))]
    assert web.fetched("a.xml") == [(0, 400)]
    assert web.fetched("m.tiff") == [(1000, 3000)]


def test_of_a_stored_zip_its_directory_and_what_is_asked_for_are_fetched(web):
    product = open_product(served(web, "stored"))
    product.read("annotation/a.xml")
    product.extent("measurement/m.tiff", 4_000_000, 2_000_000)
    fetched = sum(stop - start for start, stop in web.fetched(".zip"))
    assert 2_000_000 < fetched < 2_000_000 + 3 * files.HEAD_BYTES


def test_of_a_deflated_zip_a_member_is_fetched_up_to_where_it_is_needed(web, monkeypatch):
    monkeypatch.setattr(files, "STREAM_BYTES", 2**18)
    monkeypatch.setattr(files, "WHOLE_BYTES", 2**18)
    monkeypatch.setattr(zips, "UNPACKED_BYTES", 2**18)
    product = open_product(served(web, "deflated"))
    product.extent("measurement/m.tiff", 0, 3_000_000)
    packed = (web.folder / f"a/{NAME}.zip").stat().st_size
    first = sum(stop - start for start, stop in web.fetched(".zip"))
    assert first < packed / 3 + 2 * files.STREAM_BYTES
    product.extent("measurement/m.tiff", 3_000_000, 3_000_000)
    pieces = web.fetched(".zip")
    assert len(set(pieces)) == len(pieces)
    assert sum(stop - start for start, stop in pieces) < 2 * packed / 3 + 2 * files.STREAM_BYTES


def test_another_process_finds_what_was_fetched(web):
    url = served(web, "stored")
    for _ in range(2):
        assert open_product(url).read("annotation/a.xml") == FILES["annotation/a.xml"]
    pieces = web.fetched(".zip")
    assert len(set(pieces)) == len(pieces)


@pytest.mark.parametrize("kind", KINDS)
def test_gdal_opens_all_of_what_lies_on_a_server(web, tmp_path, spool, kind):
    values = np.arange(20, dtype=np.int16).reshape(4, 5)
    members = {**MEMBERS, "measurement/m.tiff": tiff(tmp_path / "a.tif", values)}
    product = open_product(served(web, kind, {**members, "manifest.safe": manifest_of(members)}))
    with product.held("measurement/m.tiff") as path, rasterio.open(path) as file:
        assert Path(path).parent == spool.folder
        np.testing.assert_array_equal(file.read(1), values)


@pytest.mark.parametrize("name", ["../outside.xml", "/etc/passwd", "a/../../x"])
def test_a_manifest_that_names_a_file_outside_is_refused(web, name):
    body = f"<a><dataObject><byteStream><fileLocation href='{name}'/></byteStream></dataObject></a>".encode()
    product = open_product(served(web, "folder", {"manifest.safe": body}))
    with pytest.raises(BadProduct, match="leads out of it"):
        product.members()


def test_a_product_without_a_manifest_is_bad(web):
    with pytest.raises(BadProduct, match=r"S1A_GONE/manifest\.safe: cannot be had from .*404"):
        open_product(f"{web.url}/S1A_GONE.SAFE").members()


@pytest.mark.parametrize("spoil", [lambda b: b[:200], lambda b: b"", lambda b: b"<html>not found</html>"])
def test_a_damaged_zip_is_a_bad_product(web, spoil):
    url = served(web, "stored")
    web.put(f"a/{NAME}.zip", spoil((web.folder / f"a/{NAME}.zip").read_bytes()))
    with pytest.raises(BadProduct, match="must be a zip"):
        open_product(url).members()


def test_a_password_in_an_address_is_refused_and_not_shown():
    with pytest.raises(ConfigurationError, match="SEN12TS_HTTP_TOKEN; got 'h'") as caught:
        open_product("https://user:secret@h/a.SAFE")
    assert "secret" not in str(caught.value)


def test_an_address_of_another_kind_is_refused():
    with pytest.raises(ConfigurationError, match="must begin with http, https, s3 or be a path"):
        open_product("ftp://h/a.SAFE")
