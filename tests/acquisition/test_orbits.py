"""Where orbit files lie, and which one serves a slice."""

import os
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sen12ts_pipeline.acquisition.orbits import OrbitFolder
from sen12ts_pipeline.errors import BadProduct, ConfigurationError
from sen12ts_pipeline.sentinel1.orbit_file import read_orbit_file

DATA = Path(__file__).parents[1] / "data/orbits"
PRECISE = "S1A_OPER_AUX_POEORB_OPOD_20221019T082002_V20220928T225942_20220930T005942"
RESTITUTED = "S1A_OPER_AUX_RESORB_OPOD_20220929T214406_V20220929T181008_20220929T212738"
DURING = datetime(2022, 9, 29, 20, 11, 7, tzinfo=UTC), datetime(2022, 9, 29, 20, 11, 37, tzinfo=UTC)


def plain(root, path, body=b"content"):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(body)


def zipped(root, path, **members):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(root / path, "w", zipfile.ZIP_DEFLATED) as container:
        for name, body in members.items():
            container.writestr(name, body)


@pytest.mark.parametrize("path", [f"{PRECISE}.EOF", f"AUX_POEORB/2022/10/19/{PRECISE}.EOF", f"x/{PRECISE}.eof"])
def test_a_file_is_found_wherever_it_lies(tmp_path, path):
    plain(tmp_path, path)
    folder = OrbitFolder(tmp_path)
    assert folder.find("S1A", *DURING).name == PRECISE
    assert folder.read(PRECISE) == b"content"


@pytest.mark.parametrize("inside", [f"{PRECISE}.EOF", f"some/folder/{PRECISE}.EOF"])
def test_a_zip_holds_the_file(tmp_path, inside):
    zipped(
        tmp_path, f"a/{PRECISE}.EOF.zip", **{inside: b"unpacked", "readme.txt": b"", f"__MACOSX/._{PRECISE}.EOF": b""}
    )
    folder = OrbitFolder(tmp_path)
    assert folder.find("S1A", *DURING).name == PRECISE
    assert folder.read(PRECISE) == b"unpacked"


def test_the_best_of_all_is_found(tmp_path):
    plain(tmp_path, f"{RESTITUTED}.EOF")
    folder = OrbitFolder(tmp_path)
    assert folder.find("S1A", *DURING).kind == "RESORB"
    zipped(tmp_path, f"{PRECISE}.EOF.zip", **{f"{PRECISE}.EOF": b""})
    assert OrbitFolder(tmp_path).find("S1A", *DURING).kind == "POEORB"


def test_no_file_is_found_for_another_time_or_platform(tmp_path):
    plain(tmp_path, f"{PRECISE}.EOF")
    folder = OrbitFolder(tmp_path)
    assert folder.find("S1A", *(t + timedelta(days=1) for t in DURING)) is None
    assert folder.find("S1B", *DURING) is None
    assert (folder.name("S1A", *DURING), folder.name("S1B", *DURING)) == (PRECISE, "")


def test_a_plain_file_goes_before_a_zip_and_then_the_first_path(tmp_path):
    zipped(tmp_path, f"a/{PRECISE}.EOF.zip", **{f"{PRECISE}.EOF": b"zipped"})
    plain(tmp_path, f"c/{PRECISE}.EOF", b"second")
    plain(tmp_path, f"b/{PRECISE}.EOF", b"first")
    assert OrbitFolder(tmp_path).read(PRECISE) == b"first"


def test_other_files_and_hidden_folders_are_left_out(tmp_path):
    for path in (
        f"{PRECISE}.xml",
        PRECISE,
        f"{PRECISE}.zip",
        "notes.EOF",
        f".trash/{PRECISE}.EOF",
        f"__MACOSX/{PRECISE}.EOF",
    ):
        plain(tmp_path, path)
    assert OrbitFolder(tmp_path).find("S1A", *DURING) is None


def test_links_are_followed_and_circles_end(tmp_path):
    plain(tmp_path, f"disk/x/{PRECISE}.EOF")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/linked").symlink_to(tmp_path / "disk/x")
    (tmp_path / "disk/x/circle").symlink_to(tmp_path / "root")
    assert OrbitFolder(tmp_path / "root").read(PRECISE) == b"content"


def test_the_folder_is_walked_once(tmp_path, monkeypatch):
    plain(tmp_path, f"{PRECISE}.EOF")
    walks = []
    walk = os.walk
    monkeypatch.setattr(os, "walk", lambda *a, **k: walks.append(a) or walk(*a, **k))
    folder = OrbitFolder(tmp_path)
    assert walks == []
    folder.find("S1A", *DURING)
    folder.find("S1B", *DURING)
    folder.read(PRECISE)
    assert len(walks) == 1


def test_a_file_that_is_not_there_is_a_bad_product(tmp_path):
    with pytest.raises(BadProduct, match="there is none") as caught:
        OrbitFolder(tmp_path).read(PRECISE)
    assert caught.value.product == PRECISE


def test_a_file_that_went_away_is_a_bad_product(tmp_path):
    plain(tmp_path, f"{PRECISE}.EOF")
    folder = OrbitFolder(tmp_path)
    assert folder.find("S1A", *DURING)
    (tmp_path / f"{PRECISE}.EOF").unlink()
    with pytest.raises(BadProduct, match="must be a readable file") as caught:
        folder.read(PRECISE)
    assert caught.value.product == PRECISE


@pytest.mark.parametrize("members", [{}, {"a.EOF": b"", "b.EOF": b""}], ids=["none", "two"])
def test_a_zip_without_one_orbit_file_is_a_bad_product(tmp_path, members):
    zipped(tmp_path, f"{PRECISE}.EOF.zip", **members)
    with pytest.raises(BadProduct, match=f"one .EOF file; it holds {len(members)}"):
        OrbitFolder(tmp_path).read(PRECISE)


def test_a_damaged_zip_is_a_bad_product(tmp_path):
    plain(tmp_path, f"{PRECISE}.EOF.zip", b"PK nothing")
    with pytest.raises(BadProduct, match="must be a zip") as caught:
        OrbitFolder(tmp_path).read(PRECISE)
    assert caught.value.product == PRECISE


def test_a_root_that_is_no_folder_is_a_wrong_setting(tmp_path):
    with pytest.raises(ConfigurationError, match="must be a folder of orbit files"):
        OrbitFolder(tmp_path / "nowhere").find("S1A", *DURING)


def test_a_real_folder_serves_a_real_slice():
    folder = OrbitFolder(DATA)
    file = folder.find("S1A", *DURING)
    epoch = datetime(2022, 9, 29, tzinfo=UTC)
    start_s, stop_s = ((t - epoch).total_seconds() for t in DURING)
    orbit = read_orbit_file(folder.read(file.name), name=file.name, epoch=epoch, during=(start_s, stop_s))
    assert (file.name, orbit.kind) == (PRECISE, "POEORB")
    assert orbit.covers(start_s - 60.0, stop_s + 60.0)
