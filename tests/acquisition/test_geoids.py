"""The geoid EGM2008 from PROJ's distribution: a world grid that is what it says."""

from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from sen12ts_pipeline import passing
from sen12ts_pipeline.acquisition.cache import Cache
from sen12ts_pipeline.acquisition.geoids import EGM2008_FILE, check_egm2008, fetch_egm2008
from sen12ts_pipeline.errors import BadProduct, Retryable
from sen12ts_pipeline.terrain.geoid import load_geoid
from tests.acquisition.buckets import Bucket

DATA = Path(__file__).parents[1] / "data/dem"


@pytest.fixture(scope="session")
def world_grid(tmp_path_factory):
    """A world grid of 3', EGM96 interpolated to it, as the one of EGM2008 is laid out."""
    with rasterio.open(str(resources.files("sen12ts_pipeline.terrain") / "us_nga_egm96_15.tif")) as source:
        coarse = source.read(1)
    step = 1 / 20
    fine = np.repeat(np.repeat(coarse, 5, axis=0)[: 180 * 20 + 1], 5, axis=1)[:, : 360 * 20]
    path = tmp_path_factory.mktemp("geoid") / "world.tif"
    profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "crs": "EPSG:4326", "tiled": True}
    profile |= {"compress": "deflate", "zlevel": 1, "height": fine.shape[0], "width": fine.shape[1]}
    transform = Affine(step, 0, -180 - step / 2, 0, -step, 90 + step / 2)
    with rasterio.open(path, "w", transform=transform, **profile) as target:
        target.write(fine, 1)
    return path


@pytest.fixture
def server(monkeypatch, world_grid):
    monkeypatch.setattr(passing, "FIRST_WAIT_S", 0.001)
    with Bucket({EGM2008_FILE: world_grid.read_bytes()}) as bucket:
        yield bucket


def fetch(server, tmp_path):
    return fetch_egm2008(Cache(tmp_path / "c"), f"{server.url}/{EGM2008_FILE}")


def test_is_fetched_once(server, tmp_path):
    path = fetch(server, tmp_path)
    assert fetch(server, tmp_path) == path
    assert server.keys_asked() == [EGM2008_FILE]
    geoid = load_geoid("egm2008", path)
    assert geoid.is_global
    assert geoid.undulation(np.array([-118.0]), np.array([34.0]))[0] == pytest.approx(-34.16, abs=0.5)


def test_a_regional_grid_is_refused():
    with pytest.raises(ValueError, match=r"a grid of the world of 2\.5'; it has 11 x 11 posts"):
        check_egm2008(DATA / "geoid_egm2008_los_angeles.tif")


def test_a_coarse_grid_is_refused():
    with pytest.raises(ValueError, match="it has 721 x 1440 posts"):
        check_egm2008(Path(str(resources.files("sen12ts_pipeline.terrain") / "us_nga_egm96_15.tif")))


def test_a_grid_of_other_values_is_refused(world_grid, tmp_path):
    other = tmp_path / "other.tif"
    with rasterio.open(world_grid) as source, rasterio.open(other, "w", **source.profile) as target:
        target.write(-source.read(1), 1)
    with pytest.raises(ValueError, match="within some metres of EGM96"):
        check_egm2008(other)


def test_a_grid_that_is_cut_short_is_asked_for_again_and_then_left(server, tmp_path):
    server.faults += [lambda handler: handler.answer(cut=1000)]
    assert fetch(server, tmp_path).exists()


def test_half_a_grid_is_not_kept(server, tmp_path):
    server.objects[EGM2008_FILE] = server.objects[EGM2008_FILE][:100_000]
    with pytest.raises(BadProduct, match="is not the file"):
        fetch(server, tmp_path)
    server.faults += [503] * 5
    with pytest.raises(Retryable):
        fetch(server, tmp_path)
    assert not (tmp_path / "c" / EGM2008_FILE).exists()
