"""Where products lie in an archive."""

import zipfile
from pathlib import Path

import pytest

from sen12ts_pipeline.acquisition import archive
from sen12ts_pipeline.acquisition.archive import ArchiveSource
from sen12ts_pipeline.acquisition.products import FolderProduct, ZipProduct
from sen12ts_pipeline.errors import BadProduct, ConfigurationError

SLICE = "S1A_IW_SLC__1SDV_20230108T135249_20230108T135316_046693_0598D3_BA76"
OLD = "S1A_IW_SL1__1_SH_20141031T095929_20141031T100002_003072_003842_91FC"
GRANULE = "S2B_MSIL2A_20231009T182011_N0509_R127_T11SNB_20231009T222011"


def folder(root, path):
    (root / path / "annotation").mkdir(parents=True)
    (root / path / "manifest.safe").write_bytes(b"")
    return root / path


def zipped(root, path):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(root / path, "w") as container:
        container.writestr("manifest.safe", b"")
    return root / path


@pytest.mark.parametrize(
    "path",
    [
        f"Sentinel-1/SAR/SLC/2023/01/08/{SLICE}.SAFE",
        f"{SLICE}.SAFE",
        f"downloads/{SLICE}/{SLICE}.SAFE",
        f"s1/{SLICE}.safe",
    ],
)
def test_a_folder_is_found_wherever_it_lies(tmp_path, path):
    place = folder(tmp_path, path)
    source = ArchiveSource(tmp_path)
    assert source.products() == (SLICE,)
    assert source.place(SLICE) == place
    assert isinstance(source.open(SLICE), FolderProduct)


@pytest.mark.parametrize("ending", [".SAFE.zip", ".zip"])
def test_a_zip_is_a_product_too(tmp_path, ending):
    zipped(tmp_path, f"a/{SLICE}{ending}")
    source = ArchiveSource(tmp_path)
    assert source.products() == (SLICE,)
    assert isinstance(source.open(SLICE), ZipProduct)


def test_only_slices_and_level_2a_granules_are_wanted(tmp_path):
    wanted = {SLICE, OLD, GRANULE}
    others = [
        "S1A_IW_GRDH_1SDV_20150203T043109_20150203T043134_004454_00574F_6D00",
        "S1A_EW_SLC__1SDH_20210403T122536_20210403T122630_037286_046484_8152",
        "S2B_MSIL1C_20231009T182011_N0509_R127_T11SNB_20231009T222011",
        "S1A_OPER_AUX_POEORB_OPOD",
    ]
    for name in [*wanted, *others]:
        folder(tmp_path, f"{name}.SAFE")
    (tmp_path / f"{SLICE}.txt").write_bytes(b"")
    assert set(ArchiveSource(tmp_path).products()) == wanted


def test_products_are_sorted_and_nothing_inside_of_them_is_looked_at(tmp_path):
    outer = folder(tmp_path, f"z/{SLICE}.SAFE")
    folder(outer, f"{OLD}.SAFE")
    folder(tmp_path, f"a/{GRANULE}.SAFE")
    assert ArchiveSource(tmp_path).products() == (SLICE, GRANULE)


def test_a_folder_goes_before_a_zip_and_then_the_first_path(tmp_path):
    zipped(tmp_path, f"a/{SLICE}.zip")
    folder(tmp_path, f"c/{SLICE}.SAFE")
    first = folder(tmp_path, f"b/{SLICE}.SAFE")
    assert ArchiveSource(tmp_path).place(SLICE) == first


def test_links_are_followed_and_circles_end(tmp_path):
    folder(tmp_path / "disk2", f"x/{SLICE}.SAFE")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/linked").symlink_to(tmp_path / "disk2/x")
    (tmp_path / "disk2/x/circle").symlink_to(tmp_path / "root")
    (tmp_path / "root" / f"{GRANULE}.SAFE").symlink_to(folder(tmp_path / "disk3", GRANULE))
    assert ArchiveSource(tmp_path / "root").products() == (SLICE, GRANULE)


def test_hidden_folders_are_left_out(tmp_path):
    folder(tmp_path, f".trash/{SLICE}.SAFE")
    folder(tmp_path, f"__MACOSX/{GRANULE}.SAFE")
    assert ArchiveSource(tmp_path).products() == ()


def test_the_archive_is_walked_once(tmp_path, monkeypatch):
    folder(tmp_path, f"{SLICE}.SAFE")
    source = ArchiveSource(tmp_path)
    assert source.products() == (SLICE,)
    monkeypatch.setattr(archive, "_walk", None)
    assert source.products() == (SLICE,)
    assert source.open(SLICE).members() == ("manifest.safe",)


def test_a_product_that_is_not_there_is_bad(tmp_path):
    place = folder(tmp_path, f"{SLICE}.SAFE")
    source = ArchiveSource(tmp_path)
    with pytest.raises(BadProduct, match="there is none"):
        source.open(GRANULE)
    source.products()
    place.rename(tmp_path / "elsewhere")
    with pytest.raises(BadProduct, match="not there any more"):
        source.open(SLICE)


def test_a_missing_archive_is_a_wrong_setting():
    with pytest.raises(ConfigurationError, match=r"catalogue\.root"):
        ArchiveSource(Path("/nowhere/at/all")).products()
