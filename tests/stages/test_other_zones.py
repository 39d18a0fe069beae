"""Tiles that no granule of their own zone contains on a date: left out, or made of a neighbouring zone's."""

import dataclasses
import json
import shutil
from datetime import UTC, datetime

import numpy as np
import pytest
import rasterio
from pyproj import Proj

from sen12ts_pipeline.dataset.verify import verify
from sen12ts_pipeline.domain.layers import S2_BANDS
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.simulate.place import places
from sen12ts_pipeline.stages.match import plan_of, scenes_over
from tests import worlds
from tests.domain.examples import a_scene
from tests.sentinel2.products import write_safe

(TILE,) = places()["tiny"].tiles
EAST, NORTH = Proj(proj="utm", zone=29, ellps="WGS84")(*TILE.centre_lonlat)
PIXELS = 420
CORNER = round((EAST - 5 * PIXELS) / 60) * 60, round((NORTH + 5 * PIXELS) / 60) * 60


def lonlat(zone, corner, resolution, rows, cols):
    easting, northing = corner[0] + (cols + 0.5) * resolution, corner[1] - (rows + 0.5) * resolution
    return Proj(proj="utm", zone=zone, ellps="WGS84")(easting, northing, inverse=True)


def ramp(lon, lat):
    lon0, lat0 = TILE.centre_lonlat
    return 3000 + 20_000 * (lon - lon0) + 15_000 * (lat - lat0)


def stored(band, resolution, rows, cols):
    if band == "SCL":
        return np.where(np.hypot(rows - 105, cols - 105) < 6, 3, 4)
    return np.rint(ramp(*lonlat(29, CORNER, resolution, rows, cols))).astype(int)


@pytest.fixture(scope="module")
def seam(tiny, tmp_path_factory):
    """The archive of `tiny`, whose second optical date was seen by a granule of zone 29 alone."""
    folder = worlds.copy(tiny, tmp_path_factory.mktemp("seam") / "tiny")
    gone = worlds.products_of(folder, "S2B")[0]
    name = gone.name.removesuffix(".SAFE")[:39] + "29SQC" + gone.name.removesuffix(".SAFE")[44:]
    shutil.rmtree(gone)
    write_safe(gone.parent, stored, epsg=32629, ulx=CORNER[0], uly=CORNER[1], pixels=PIXELS, name=name)
    return folder


def area(folder, on):
    return worlds.area_of(folder, optical={"other_zones": on})


@pytest.fixture(scope="module")
def made(seam, tmp_path_factory):
    """Stores with the option off and on."""
    stores = {on: tmp_path_factory.mktemp("stores") / str(on) for on in (False, True)}
    for on, store in stores.items():
        worlds.run(worlds.services_of(seam, store, area=area(seam, on)))
    return stores


def of_kind(store, kind):
    return {k: v for k, v in worlds.files_of(store, "tiny").items() if k.startswith(kind)}


def test_without_the_option_no_stack_is_warped(made):
    assert [name for name in of_kind(made[False], "s2/") if "2023-09-20" in name] == []
    assert len(of_kind(made[False], "s2/")) == 1


def test_a_stack_of_a_neighbouring_zone_is_the_ground_under_the_tile_s_own_pixels(made):
    (path,) = (made[True] / "tiny" / "s2").glob("*s2date_2023-09-20*")
    with rasterio.open(path) as file:
        layers, crs = file.read(), file.crs
    rows, cols = np.mgrid[:256, :256]
    expected = ramp(*lonlat(30, (TILE.grid.west, TILE.grid.north), 10, rows, cols))
    assert crs.to_epsg() == 32630
    for k, band in enumerate(S2_BANDS):
        assert np.abs(layers[k] - expected).max() < 1.1, band
    assert set(np.unique(layers[12])) == {3, 4}
    np.testing.assert_array_equal(layers[13] == 0, layers[12] == 3)


def test_its_provenance_says_that_it_is_warped_and_from_where(made):
    said = {
        path.stem: json.loads(path.read_bytes())["properties"]["sen12ts:provenance"]["scene"].get("warped")
        for path in (made[True] / "tiny" / "metadata").glob("*.json")
    }
    assert [said[name] for name in sorted(said, key=lambda n: "2023-09-20" in n)] == [
        None,
        {"from": "EPSG:32629", "bands": "bilinear", "classes": "nearest"},
    ]


def test_stacks_of_the_tile_s_own_zone_keep_their_bytes_and_their_recipes(made):
    off, on = (of_kind(made[which], "s2/") for which in (False, True))
    assert off.items() < on.items()
    kept, more = ({p.name for p in (made[w] / "_work" / "optical").rglob("*") if p.is_file()} for w in (False, True))
    assert kept < more


@pytest.mark.parametrize("on", [False, True])
def test_the_data_set_is_found_good(made, on):
    assert verify(made[on] / "tiny") == []


def test_a_store_that_was_begun_without_is_not_gone_on_with(seam, made):
    services = worlds.services_of(seam, made[False], area=area(seam, True))
    with pytest.raises(ConfigurationError, match=r"optical\.other_zones: must stay None, .* use a new store"):
        worlds.run(services)


def test_a_granule_of_the_tile_s_own_zone_comes_first_even_one_too_cloudy_for_rule_1(seam, made):
    services = worlds.services_of(seam, made[True], area=area(seam, True))
    plan = plan_of(Partition.parse(worlds.partition_of(services)), services)
    across = next(s for s in plan.scenes if s.granules[0].epsg == 32629)
    day = datetime.combine(across.date, datetime.min.time(), UTC)
    own = {"epsg": 32630, "ulx_m": TILE.grid.west - 6000, "uly_m": TILE.grid.north + 6000}
    cloudy = a_scene(day, mgrs="30SUH", cloud_percent=50.0, **own)
    assert scenes_over(TILE, (across,), services) == (across.id,)
    assert scenes_over(TILE, (across, cloudy), services) == (cloudy.id,)
    assert scenes_over(TILE, (across,), dataclasses.replace(services, other_zones=False)) == ()
