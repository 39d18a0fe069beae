"""Products given by path or URL: each is found by its name, and the command line takes both."""

import pytest

from sen12ts_pipeline.acquisition.paths import PathSource
from sen12ts_pipeline.acquisition.products import is_url
from sen12ts_pipeline.cli.main import app
from sen12ts_pipeline.errors import BadProduct, ConfigurationError
from tests import worlds
from tests.acquisition.servers import WebServer
from tests.acquisition.test_products import FILES, NAME, folder_of, rooted, zip_of

GRID = worlds.TINY.tiles[0].grid
SMALL = f"{GRID.epsg},{GRID.west + 600:.0f},{GRID.north - 600:.0f},20,80"


def test_products_are_opened_by_name_wherever_they_lie(tmp_path, web):
    folder = folder_of(tmp_path, FILES)
    other = zip_of(tmp_path, rooted(FILES), "S1A_OTHER.zip")
    url = web.put("S1A_THIRD.zip", (tmp_path / "S1A_OTHER.zip").read_bytes())
    source = PathSource([folder.path, tmp_path / "S1A_OTHER.zip", url])
    for name in (NAME, "S1A_OTHER", "S1A_THIRD"):
        assert source.open(name).product == name
        assert source.open(name).members() == other.members()
    assert source.at(url) is source.open("S1A_THIRD")
    with pytest.raises(BadProduct, match="not among the products given"):
        source.open("S1A_FOURTH")


def test_a_path_is_no_url(tmp_path):
    assert not is_url(tmp_path)
    assert not is_url("relative/a.SAFE")
    assert is_url("HTTPS://h/a.SAFE")
    with pytest.raises(ConfigurationError, match="must begin with http, https, s3 or be a path; got 'file:///a'"):
        is_url("file:///a")


def test_the_command_line_reads_a_product_from_a_server_as_from_its_folder(tmp_path, tmp_path_factory, capsys):
    world = worlds.world("tiny", tmp_path_factory.getbasetemp())
    product = worlds.products_of(world, "S1")[4]
    rest = ["--dem", world / "dem/dem.tif", "--dem-vertical", "ellipsoidal", "--grid", SMALL, "--out"]

    def layers(location, out):
        with pytest.raises(SystemExit) as ended:
            app([str(a) for a in ("backscatter", location, *rest, out)])
        assert not ended.value.code, capsys.readouterr().err
        return out.read_bytes()

    with WebServer(product.parent) as web:
        assert layers(f"{web.url}/{product.name}/", tmp_path / "a.tif") == layers(product, tmp_path / "b.tif")
        with pytest.raises(SystemExit):
            app(["backscatter", f"{web.url}/gone/{product.name}", *map(str, rest), str(tmp_path / "c.tif")])
        assert f"error: {product.stem}/manifest.safe: cannot be had from {web.url}/gone" in capsys.readouterr().err
