"""`fetch`: a product with just some bursts, from a folder, a server, or ASF's burst service."""

import re

import pytest

from sen12ts_pipeline import passing
from sen12ts_pipeline.acquisition import asf_server
from sen12ts_pipeline.acquisition.products import open_product
from sen12ts_pipeline.sentinel1.manifest import read_slice
from tests import worlds
from tests.acquisition.burst_service import BurstService
from tests.acquisition.servers import WebServer

TILE = worlds.TINY.tiles[0]
SECOND = ("--subswath", "IW1", "--bursts", "2")
SAID = re.compile(r"(out/S1A_IW_SLC__1S\w+\.SAFE): (.*)\nread (\d+\.\d) MB of (\d+\.\d) MB \((\d+\.\d) %\)\n")


@pytest.fixture(scope="session")
def product(tiny):
    return worlds.products_of(tiny, "S1")[0]


def made(answer):
    """Path, bursts, megabytes read and of the whole, from what a call printed."""
    code, out, err = answer
    assert (code, err) == (0, "")
    match = SAID.fullmatch(out)
    assert match, out
    return match[1], match[2], float(match[3]), float(match[4])


def files_of(path):
    return {str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def test_it_writes_a_product_and_tells_what_was_read_of_the_whole(sen12ts, product, tmp_path):
    path, bursts, read, whole = made(sen12ts("fetch", product, "out", *SECOND))
    assert bursts == "IW1 bursts 2 to 2"
    assert 0.3 < read / whole < 0.35
    found = read_slice(open_product(tmp_path / path))
    assert found.polarisations == ("VH", "VV")
    assert [p.name for p in (tmp_path / "out").iterdir()] == [path.removeprefix("out/")]


def test_a_second_time_it_reads_no_samples(sen12ts, product):
    first, _, read, _ = made(sen12ts("fetch", product, "out", *SECOND))
    again, _, less, _ = made(sen12ts("fetch", product, "out", *SECOND))
    assert again == first
    assert less < read / 10


def test_several_subswaths_and_one_polarisation_may_be_named(sen12ts, product, tmp_path):
    more = ("--subswath", "iw2", "--bursts", "1-2", "--polarisation", "vv")
    path, bursts, *_ = made(sen12ts("fetch", product, "out", *SECOND, *more))
    assert bursts == "IW1 bursts 2 to 2, IW2 bursts 1 to 2"
    assert read_slice(open_product(tmp_path / path)).polarisations == ("VV",)


def test_bursts_may_be_those_over_a_tile_or_an_area(sen12ts, product, tiny):
    over_tile = made(sen12ts("fetch", product, "out", "--tile", TILE))
    over_area = made(sen12ts("fetch", product, "out", "--aoi", next((tiny / "aoi").glob("*.geojson"))))
    assert over_tile[:2] == over_area[:2]
    assert over_tile[1] == "IW1 bursts 1 to 2"


def test_a_product_on_a_server_gives_the_same(sen12ts, product, tmp_path, monkeypatch):
    monkeypatch.setenv("SEN12TS_SPOOL", str(tmp_path / "spool"))
    local = tmp_path / made(sen12ts("fetch", product, "out", *SECOND))[0]
    with WebServer(product.parent) as web:
        code, out, err = sen12ts("fetch", f"{web.url}/{product.name}", "far", *SECOND)
    assert (code, err) == (0, "")
    (far,) = (tmp_path / "far").iterdir()
    assert files_of(far) == files_of(local)
    assert out.startswith(f"far/{local.name}: IW1 bursts 2 to 2\n")
    assert sum(a.length for a in web.asked) < sum(len(body) for body in files_of(far).values()) + 2_000_000


def test_bursts_come_from_asf_by_the_name_of_a_product(sen12ts, product, tmp_path, monkeypatch):
    monkeypatch.setenv("SEN12TS_SPOOL", str(tmp_path / "spool"))
    for module in (asf_server, passing):
        monkeypatch.setattr(module, "FIRST_WAIT_S", 0.001)
    (tmp_path / "work").mkdir()
    with BurstService([product], tmp_path / "work") as service:
        asf = ("--asf", "--asf-address", service.address)
        path, bursts, *_ = made(sen12ts("fetch", product.stem, "out", *SECOND, *asf))
        assert len(service.served("tiff")) == 2
    assert bursts == "IW1 bursts 2 to 2"
    local = made(sen12ts("fetch", product, "out", *SECOND))[0]
    names = [set(files_of(tmp_path / p)) for p in (path, local)]
    assert names[0] == names[1]
    for name in names[0]:
        if name.endswith(".tiff"):
            assert (tmp_path / path / name).read_bytes() == (tmp_path / local / name).read_bytes()


WRONG = {
    "no bursts": ((), "must be given in pairs, --subswath IW2 --bursts 3-5"),
    "one of a pair": (("--subswath", "IW1"), "must be given in pairs"),
    "both ways": ((*SECOND, "--tile", str(TILE)), "must be given in pairs"),
    "twice": ((*SECOND, *SECOND), "--subswath: must be given once each"),
    "no subswath": (("--subswath", "IW4", "--bursts", "1"), "--subswath: must be IW1, IW2 or IW3; got 'IW4'"),
    "nought": (("--subswath", "IW1", "--bursts", "0"), "--bursts: must be a number from 1, or two as in 3-5; got '0'"),
    "backwards": (("--subswath", "IW1", "--bursts", "2-1"), "--bursts: must be a number from 1"),
    "too many": (("--subswath", "IW1", "--bursts", "2-3"), "must be some of the 2 bursts, 1 to 2"),
    "no tile": (("--tile", "here"), "--tile: a tile is written ZZ_COLUMN_ROW"),
    "far tile": (("--tile", "31_4_5"), "bursts: area: must meet a burst of S1A"),
    "polarisation": ((*SECOND, "--polarisation", "HH"), "polarisations: must be VV, or VH and VV"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_wishes_are_named(name, sen12ts, product, tmp_path):
    arguments, message = WRONG[name]
    code, out, err = sen12ts("fetch", product, "out", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert message in err
    assert not list(tmp_path.glob("out/*.SAFE"))


def test_a_product_that_is_not_there_is_named(sen12ts):
    code, _, err = sen12ts("fetch", "S1A.SAFE", "out", *SECOND)
    assert code == 2
    assert "PRODUCT: path: must be an existing file or folder; got 'S1A.SAFE'" in err
