"""`run`, `plan`, `why`, `verify` over a simulated archive."""

import pytest

from tests import worlds

NAME = "lat_37.9306_lon_-4.8206_s1date_2023-09-18_s2date_2023-09-17_s1track_75_s1lookpass_RD"


@pytest.fixture
def made(sen12ts, store):
    """A finished partition, and what the run printed."""
    code, out, err = sen12ts("run", "tiny", "--season", "fall")
    assert code == 0, err
    return store, out, err


def test_from_run_to_verify(made, sen12ts, capsys):
    store, out, err = made
    assert out.startswith("tiny/2023-fall: 2 triplets of 1 tiles finished; 1 tiles, 2 candidates\n")
    steps = [line.split()[0] for line in err.splitlines()]
    assert steps == [
        *("search", "match", "screen_optical", "screen_radar", "select"),
        *("optical", "radar", "labels", "assemble", "publish", "report"),
    ]
    tile = str(worlds.TINY.tiles[0])

    code, out, _ = sen12ts("verify", store / "tiny")
    assert (code, out) == (0, f"{store / 'tiny'}: 2 triplets, 0 findings\n")

    label = f"{store}/tiny/labels/lat_37.9306_lon_-4.8206_date_2023_lulc_label.tif"
    for subject in (tile, NAME, f"{NAME}.tif", f"store/tiny/metadata/{NAME}.json", label):
        code, out, err = sen12ts("why", subject)
        assert code == 0, err
        assert f"tile {tile}: 2 candidates" in out
        assert out.count("finished") == 2
        assert "2023-09-17" in out
        assert "75D" in out
    assert sen12ts("why", tile, "--aoi", "tiny")[0] == 0
    code, _, err = sen12ts("why", tile, "--aoi", "other")
    assert code == 2
    assert err.startswith("error: TILE: tile: must be a tile of which a partition was screened")

    before = worlds.files_of(store, "tiny")
    assert sen12ts("run", "tiny", "--season", "fall", "--year", 2023)[0] == 0
    assert worlds.files_of(store, "tiny") == before

    path = store / "tiny" / "s2" / f"{NAME}.tif"
    path.write_bytes(path.read_bytes()[:-1])
    code, out, _ = sen12ts("verify", store / "tiny")
    assert code == 1
    assert f"s2/{NAME}.tif: digest: " in out
    assert "2 triplets, " in out


def test_plan_writes_nothing_that_a_run_would_read(sen12ts, store):
    code, out, _ = sen12ts("plan", "tiny", "--season", "fall")
    assert code == 0
    assert out.startswith("tiny/2023-fall: 1 tiles\n")
    assert "at most 2, 0.01 GB raw" in out
    assert not (store / "tiny").exists()
    assert {p.name for p in (store / "_work").rglob("*") if p.is_file()} <= {"ledger.sqlite", "ledger.sqlite.lock"}


def test_an_empty_season_is_no_error(sen12ts, store):
    code, out, _ = sen12ts("run", "tiny", "--season", "winter")
    assert code == 0
    assert "nothing to make: 0 granules and 0 slices in the season" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "tyny", "--season", "fall"), "area: must be one of tiny; did you mean 'tiny'?; got 'tyny'"),
        (("why", "31_01_2"), "TILE: tile: must be ZZ_COLUMN_ROW, for example 31_-40_1803"),
        (("why", "31_1_2"), "TILE: tile: must be a tile of which a partition was screened"),
        (("verify", "nowhere"), "FOLDER: folder: must be the folder of a data set, STORE/<aoi>; got 'nowhere'"),
        (("verify", "aois"), "FOLDER: folder: must be the folder of a data set, STORE/<aoi>; got 'aois'"),
        (("simulate", "out", "--place", "moon"), "--place: place: must be one of ascending, demo, southern, tiny"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(arguments, message, sen12ts, store):
    code, out, err = sen12ts(*arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert message in err


def test_a_year_that_no_satellite_saw_is_wrong_usage(sen12ts, store):
    code, _, err = sen12ts("run", "tiny", "--season", "fall", "--year", 23)
    assert code == 2
    assert "2015" in err


def test_an_archive_without_anything_over_the_area_is_status_2(sen12ts, store, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("SEN12TS__AOI__TINY__CATALOGUE__ROOT", str(tmp_path / "empty"))
    code, _, err = sen12ts("run", "tiny", "--season", "fall")
    assert code == 2
    message = err.splitlines()[-1]
    assert f"{tmp_path / 'empty'}: catalogue.root: must hold Sentinel-1 IW SLC and Sentinel-2 L2A products" in message
    assert not (store / "tiny").exists()


def test_a_missing_elevation_model_is_found_before_work_begins(sen12ts, store, monkeypatch):
    monkeypatch.setenv("SEN12TS__AOI__TINY__DEM__PATH", "/nowhere/dem.tif")
    code, _, err = sen12ts("run", "tiny", "--season", "fall")
    assert code == 2
    assert "area tiny: dem.path: must be an existing file or folder; got '/nowhere/dem.tif'" in err
    assert not store.exists()
