"""Files of a product: in a folder and in a zip alike, and never anything outside of it."""

import resource
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st

from sen12ts_pipeline.acquisition import folders, names
from sen12ts_pipeline.acquisition.products import FolderProduct, open_product
from sen12ts_pipeline.errors import BadProduct, Retryable

NAME = "S1A_IW_SLC__1SDV_20230108T135249_20230108T135316_046693_0598D3_BA76"
REAL = Path(__file__).parents[1] / "data/sentinel1" / f"{NAME}.SAFE.zip"
METHODS = {"stored": zipfile.ZIP_STORED, "deflated": zipfile.ZIP_DEFLATED, "lzma": zipfile.ZIP_LZMA}
FILES = {"manifest.safe": b"<m/>", "annotation/a.xml": b"<a/>", "annotation/calibration/c.xml": b"<c/>"}


def folder_of(tmp_path, files, name=f"{NAME}.SAFE"):
    for member, body in files.items():
        path = tmp_path / name / member
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return FolderProduct(tmp_path / name)


def zip_of(tmp_path, files, name=f"{NAME}.SAFE.zip", method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(tmp_path / name, "w", method) as container:
        for member, body in files.items():
            container.writestr(member, body)
    return open_product(tmp_path / name)


def rooted(files):
    return {f"{NAME}.SAFE/{member}": body for member, body in files.items()}


def held(product):
    """What is asked when GDAL wants a member."""

    def ask(member):
        with product.held(member) as path:
            return path

    return ask


@pytest.fixture(params=["folder", "zip", "zip without root"])
def product(request, tmp_path):
    if request.param == "folder":
        return folder_of(tmp_path, FILES)
    return zip_of(tmp_path, rooted(FILES) if request.param == "zip" else FILES)


def test_a_product_has_a_name_members_and_contents(product):
    assert product.product == NAME
    assert product.members() == tuple(sorted(FILES))
    assert {member: product.read(member) for member in product.members()} == FILES


@pytest.mark.parametrize("member", ["annotation/b.xml", "annotation", "manifest.safe/x"])
def test_a_missing_member_is_a_bad_product(product, member):
    for ask in (product.read, held(product), lambda member: product.extent(member, 0, 1)):
        with pytest.raises(BadProduct) as caught:
            ask(member)
        assert (caught.value.product, caught.value.member) == (NAME, member)


@pytest.mark.parametrize("member", ["../x", "annotation/../../x", "/etc/passwd", "C:/x", "a\\b", "", "."])
def test_no_question_leaves_the_product(product, member):
    for ask in (product.read, held(product), lambda member: product.extent(member, 0, 1)):
        with pytest.raises(BadProduct):
            ask(member)


LARGE = np.random.default_rng(1).integers(0, 4, 5_000_000, np.uint8).tobytes()


def bytes_of(extent, length):
    path, at = extent
    with path.open("rb") as file:
        file.seek(at)
        return file.read(length)


@pytest.mark.parametrize("kind", ["folder", "stored", "deflated"])
@pytest.mark.parametrize(("start", "length"), [(0, 10), (1234, 4321), (4_999_990, 10), (1_500_000, 3_000_000)])
def test_any_bytes_of_a_member_can_be_had_as_a_file(tmp_path, kind, start, length):
    content = {**FILES, "measurement/m.tiff": LARGE}
    product = folder_of(tmp_path, content) if kind == "folder" else zip_of(tmp_path, content, method=METHODS[kind])
    assert bytes_of(product.extent("measurement/m.tiff", start, length), length) == LARGE[start : start + length]


def test_bytes_in_a_folder_or_stored_in_a_zip_are_where_they_are(tmp_path, spool):
    folder, packed = folder_of(tmp_path, FILES), zip_of(tmp_path, FILES, "a.zip", method=zipfile.ZIP_STORED)
    assert folder.extent("annotation/a.xml", 2, 3) == (folder.path / "annotation/a.xml", 2)
    assert packed.extent("annotation/a.xml", 2, 3)[0] == tmp_path / "a.zip"
    assert not spool.folder.exists()


@pytest.mark.parametrize("method", METHODS)
def test_past_the_end_of_a_packed_member_there_are_fewer_bytes(tmp_path, method):
    product = zip_of(tmp_path, FILES, method=METHODS[method])
    for start, length in ((2, 2), (4, 0), (9, 0)):
        path, at = product.extent("annotation/a.xml", start, length + 50)
        assert path.read_bytes()[at:][:length] == b"<a/>"[start : start + length]


def test_a_local_header_longer_than_the_directory_tells_is_skipped(tmp_path):
    info = zipfile.ZipInfo("annotation/a.xml")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as container:
        container.writestr("manifest.safe", b"<m/>")
        with container.open(info, "w", force_zip64=True) as out:
            out.write(b"<a/>")
    product = open_product(tmp_path / "a.zip")
    assert bytes_of(product.extent("annotation/a.xml", 1, 2), 2) == b"a/"


def test_a_zip_that_was_replaced_is_read_anew(tmp_path):
    product = zip_of(tmp_path, {"manifest.safe": b"old", "a.xml": b"12345"}, "a.zip")
    assert bytes_of(product.extent("a.xml", 1, 3), 3) == b"234"
    zip_of(tmp_path, {"b.xml": b"", "a.xml": b"67890x"}, "a.zip")
    assert product.members() == ("a.xml", "b.xml")
    assert bytes_of(product.extent("a.xml", 1, 3), 3) == b"789"


def test_a_damaged_member_is_bad_and_nothing_of_it_is_kept(tmp_path, spool):
    product = zip_of(tmp_path, {"manifest.safe": b"<m/>", "m.tiff": LARGE}, "a.zip")
    body = bytearray((tmp_path / "a.zip").read_bytes())
    body[600_000:600_400] = bytes(400)
    (tmp_path / "a.zip").write_bytes(body)
    with pytest.raises(BadProduct, match="cannot be unpacked"):
        product.extent("m.tiff", 0, len(LARGE))
    assert not list(spool.folder.iterdir())


def test_a_stored_member_without_its_header_is_bad(tmp_path):
    product = zip_of(tmp_path, {"manifest.safe": b"<m/>"}, "a.zip", zipfile.ZIP_STORED)
    body = bytearray((tmp_path / "a.zip").read_bytes())
    body[:4] = b"none"
    (tmp_path / "a.zip").write_bytes(body)
    with pytest.raises(BadProduct, match="no header where the zip's directory says"):
        product.extent("manifest.safe", 0, 4)


def test_a_full_disk_while_unpacking_is_no_fault_of_the_product(tmp_path, spool):
    product = zip_of(tmp_path, {"m.tiff": LARGE})
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limit[1]))
    try:
        with pytest.raises(Retryable, match="File too large"):
            product.extent("m.tiff", 0, len(LARGE))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)


def test_memory_does_not_grow_with_the_member(tmp_path):
    packed = zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1)
    with packed, packed.open("m.tiff", "w") as out:
        for _ in range(256):
            out.write(bytes(2**20))
    product = open_product(tmp_path / "a.zip")
    tracemalloc.start()
    try:
        path, _ = product.extent("m.tiff", 2**20, 250 * 2**20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert path.stat().st_size == 250 * 2**20
    assert peak < 16 * 2**20


@pytest.mark.parametrize("litter", ["__MACOSX/._manifest.safe", ".DS_Store", f"__MACOSX/{NAME}.SAFE/._manifest.safe"])
def test_litter_is_no_member(tmp_path, litter):
    assert zip_of(tmp_path, {**rooted(FILES), litter: b""}).members() == tuple(sorted(FILES))
    assert folder_of(tmp_path, {**FILES, litter: b""}).members() == tuple(sorted(FILES))


@pytest.mark.parametrize(
    "evil", ["../../outside.xml", "/outside.xml", "C:/outside.xml", f"{NAME}.SAFE/../../x", "a\\..\\x"]
)
def test_a_zip_with_a_name_that_leads_out_of_it_is_refused_whole(tmp_path, evil):
    product = zip_of(tmp_path, {**rooted(FILES), evil: b"x"})
    for ask in (product.members, lambda: product.read("manifest.safe"), lambda: held(product)("manifest.safe")):
        with pytest.raises(BadProduct, match="leads out of it"):
            ask()


@given(parts=st.lists(st.sampled_from(["..", ".", "a", "b.xml", "", "C:", "__MACOSX", ".x"]), min_size=1, max_size=5))
def test_whatever_a_zip_names_nothing_outside_is_reached(tmp_path_factory, parts):
    product = zip_of(tmp_path_factory.mktemp("zip"), {"/".join(parts): b"x"} if any(parts) else {"a": b"x"})
    try:
        members = product.members()
    except BadProduct:
        return
    for member in members:
        assert ".." not in member.split("/")
        assert not member.startswith("/")
        assert product.read(member) == b"x"


def test_a_zip_holds_one_product(tmp_path):
    product = zip_of(tmp_path, {**rooted(FILES), "S1A_OTHER.SAFE/manifest.safe": b""})
    with pytest.raises(BadProduct, match="must hold one product"):
        product.members()


def test_a_root_without_safe_in_its_name_is_seen_by_its_manifest(tmp_path):
    assert zip_of(tmp_path, {f"{NAME}/{member}": body for member, body in FILES.items()}).members() == tuple(
        sorted(FILES)
    )


def test_files_beside_the_root_are_not_of_the_product(tmp_path):
    assert zip_of(tmp_path, {**rooted(FILES), "readme.txt": b""}).members() == tuple(sorted(FILES))


@pytest.mark.parametrize("ending", [".SAFE.zip", ".zip", ".safe.ZIP"])
def test_the_name_is_without_endings(tmp_path, ending):
    assert open_product(tmp_path / f"{NAME}{ending}").product == NAME
    assert FolderProduct(tmp_path / f"{NAME}.SAFE").product == NAME


def tiff(path, values):
    options = {"driver": "GTiff", "dtype": values.dtype, "count": 1, "height": 4, "width": 5, "crs": "EPSG:32631"}
    with rasterio.open(path, "w", transform=rasterio.Affine(10, 0, 0, 0, -10, 0), **options) as file:
        file.write(values, 1)
    return path.read_bytes()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_gdal_opens_what_lies_in_a_zip(tmp_path, method):
    values = np.arange(20, dtype=np.int16).reshape(4, 5)
    body = tiff(tmp_path / "a.tif", values)
    product = zip_of(tmp_path, rooted({"measurement/a.tiff": body}), "a folder of {odd} name.zip", method)
    with product.held("measurement/a.tiff") as path, rasterio.open(path) as file:
        np.testing.assert_array_equal(file.read(1), values)


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_what_gdal_cannot_unpack_is_unpacked_for_it(tmp_path, method, spool):
    product = zip_of(tmp_path, rooted(FILES), method=method)
    with product.held("annotation/a.xml") as path:
        assert Path(path).parent == spool.folder
        assert Path(path).read_bytes() == b"<a/>"


def test_a_real_zip_packed_by_lzma_is_read():
    product = open_product(REAL)
    assert product.product == NAME
    assert product.members()[-1] == "manifest.safe"
    assert product.read("manifest.safe").startswith(b"<?xml")


@pytest.mark.parametrize("spoil", [lambda b: b[:200], lambda b: b"", lambda b: b[:60] + bytes(40) + b[100:]])
def test_a_damaged_zip_is_a_bad_product(tmp_path, spoil):
    product = zip_of(tmp_path, rooted({"manifest.safe": bytes(range(256)) * 4}), "a.zip")
    (tmp_path / "a.zip").write_bytes(spoil((tmp_path / "a.zip").read_bytes()))
    with pytest.raises(BadProduct):
        product.read("manifest.safe")


def test_an_encrypted_member_is_a_bad_product(tmp_path):
    product = zip_of(tmp_path, rooted(FILES), "a.zip", method=zipfile.ZIP_STORED)
    body = bytearray((tmp_path / "a.zip").read_bytes())
    body[6] |= 1  # local header
    body[body.index(b"PK\x01\x02") + 8] |= 1  # central directory
    (tmp_path / "a.zip").write_bytes(bytes(body))
    for ask in (product.read, lambda member: product.extent(member, 0, 4)):
        with pytest.raises(BadProduct, match="cannot be unpacked"):
            ask("manifest.safe")


def test_a_member_too_large_to_be_metadata_is_not_read_whole(product, monkeypatch):
    monkeypatch.setattr(names, "READ_LIMIT_BYTES", 3)
    with pytest.raises(BadProduct, match="at most 3 bytes"):
        product.read("manifest.safe")


@pytest.mark.parametrize("kind", [FolderProduct, open_product])
def test_a_product_that_went_away_is_bad(tmp_path, kind):
    with pytest.raises(BadProduct, match="not there any more"):
        kind(tmp_path / "gone").members()


def test_a_fault_of_the_disk_may_pass(tmp_path, monkeypatch):
    product = folder_of(tmp_path, FILES)

    def fail(path):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(folders.Path, "read_bytes", fail)
    with pytest.raises(Retryable, match="Input/output error"):
        product.read("manifest.safe")


def test_linked_files_belong_to_the_product(tmp_path):
    product = folder_of(tmp_path, FILES)
    (product.path / "measurement").symlink_to(REAL.parent)
    assert f"measurement/{REAL.name}" in product.members()
