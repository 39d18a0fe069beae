"""Cloud-optimised copies give the stacks of their products, whether their numbers hold the offset or not."""

import copy
import json

import numpy as np
import pytest

from sen12ts_pipeline.acquisition.products import FolderProduct
from sen12ts_pipeline.domain.lattice import Grid
from sen12ts_pipeline.domain.layers import S2_BANDS
from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.sentinel2.cogs import check_offset, offset_in
from sen12ts_pipeline.sentinel2.product import read_granule, read_product
from tests import worlds
from tests.catalogues import recorded
from tests.sentinel2.copies import copy_of
from tests.sentinel2.products import read_stack, write_safe

EARTH_SEARCH = recorded.answers("earth_search/multiple_collections.json")[0]["features"][0]
PLANETARY_COMPUTER = recorded.answer("planetary_computer/s2_l2a_datetime_search.json")["features"][0]
BASELINE = (5, 9)
LAND = (0.01, 0.02, 0.15, 0.3)
SNOW = (0.7, 0.8)


class Described:
    """A copy with an item and empty images."""

    def __init__(self, item, images=(*S2_BANDS, "SCL")):
        self.product = item["properties"]["s2:product_uri"].removesuffix(".SAFE")
        self._item, self._images = item, images

    def members(self):
        return tuple(sorted(("item.json", *(f"{band}.tif" for band in self._images))))

    def read(self, member):
        assert member == "item.json"
        return self._item if isinstance(self._item, bytes) else json.dumps(self._item).encode()


def changed(item, **properties):
    other = copy.deepcopy(item)
    other["properties"] |= properties
    return other


def numbers(reflectance, *, offset):
    """Stored numbers of reflectances with noise, as a product with or without its offset has them."""
    rng = np.random.default_rng(7)
    noisy = rng.choice(reflectance, 100_000) + rng.normal(0, 0.003, 100_000)
    return np.maximum(np.rint(noisy * 10_000) - offset, 1).astype(np.uint16)


@pytest.fixture(scope="module")
def safe(tmp_path_factory):
    """Simulated product whose numbers hold the offset."""
    folder = worlds.world("tiny", tmp_path_factory.getbasetemp())
    (path,) = [p for p in worlds.products_of(folder, "S2A") if "_N0509_" in p.name]
    return FolderProduct(path)


@pytest.fixture(scope="module")
def lakes(tmp_path_factory):
    """Product with dark water, which tells the offset."""
    offsets = dict.fromkeys(range(13), -1000)

    def stored(band, resolution, rows, cols):
        return np.where(rows < 10, 6, 4) if band == "SCL" else np.where(rows < 10, 1100, 3000 + cols)

    name = "S2A_MSIL2A_20230511T105031_N0509_R051_T31TDG_20230511T134023"
    return write_safe(tmp_path_factory.mktemp("lakes"), stored, pixels=120, offsets=offsets, name=name)


class TestItems:
    def test_one_of_earth_search_says_that_the_offset_was_taken_off(self):
        product = read_product(Described(EARTH_SEARCH))
        granule = product.granule
        assert (granule.product[:15], granule.baseline, granule.epsg) == ("S2A_MSIL2A_2023", BASELINE, 32613)
        assert (granule.ulx_m, granule.uly_m, granule.size_m) == (399_960, 4_500_000, 109_800)
        assert granule.datastrip.startswith("S2A_OPER_MSI_L2A_DS_2APS_2023")
        assert granule.cloud_percent == 0.000299
        assert set(product.offsets.values()) == {0}
        assert (product.image("B8A"), product.sizes[60]) == ("B8A.tif", (1830, 1830))

    def test_one_of_the_planetary_computer_of_an_early_baseline_has_no_offset(self):
        product = read_product(Described(PLANETARY_COMPUTER))
        assert product.granule.baseline == (2, 12)
        assert (set(product.offsets.values()), product.doubtful) == ({0}, False)

    def test_without_a_word_of_it_the_offset_is_still_in_the_numbers(self):
        item = copy.deepcopy(EARTH_SEARCH)
        del item["properties"]["earthsearch:boa_offset_applied"]
        assert set(read_product(Described(item)).offsets.values()) == {-1000}

    def test_a_granule_needs_no_images(self):
        assert read_granule(Described(EARTH_SEARCH, images=())).mgrs == "13TDE"
        with pytest.raises(BadProduct, match=r"must hold a GeoTIFF of each band; there is none of \['B01'"):
            read_product(Described(EARTH_SEARCH, images=()))

    @pytest.mark.parametrize(
        ("change", "rule"),
        [
            (lambda item: item.update(assets={}), "must have GeoTIFF images of all bands"),
            (lambda item: item["assets"]["scl"].update({"proj:shape": [5490, 5489]}), "SCL must lie on a square grid"),
            (lambda item: item["assets"]["scl"].pop("proj:transform"), "SCL must lie on a square grid of 20 m"),
            (lambda item: item["assets"]["nir"].update({"proj:shape": [5490, 5490]}), "must cover the same square"),
            (lambda item: item["properties"].update({"proj:epsg": 32713}), "its tile 13TDE lies in EPSG:32613"),
            (lambda item: item["properties"].update({"eo:cloud_cover": 101}), "0 to 100 percent; got 101"),
        ],
        ids=["assets", "shape", "transform", "square", "zone", "cloud"],
    )
    def test_that_contradict_themselves_are_refused(self, change, rule):
        item = copy.deepcopy(EARTH_SEARCH)
        change(item)
        with pytest.raises(BadProduct, match=rule):
            read_product(Described(item))

    @pytest.mark.parametrize("body", [b"", b"{}", b"[1]"])
    def test_that_are_none_are_refused(self, body):
        files = Described(EARTH_SEARCH)
        files._item = body
        with pytest.raises(BadProduct, match="must be a STAC item"):
            read_granule(files)

    def test_of_another_product_are_refused(self):
        files = Described(EARTH_SEARCH)
        files.product = files.product.replace("T13TDE", "T13TDF")
        with pytest.raises(BadProduct, match="must be the item of this product"):
            read_granule(files)


class TestOffsets:
    @pytest.mark.parametrize("offset", [0, -1000])
    def test_show_in_the_pixels(self, offset):
        assert offset_in(numbers(LAND, offset=offset), BASELINE) == offset

    @pytest.mark.parametrize(
        "stored",
        [numbers(SNOW, offset=0), numbers(SNOW, offset=-1000), np.zeros(9, np.uint16)],
        ids=["snow, taken off", "snow, left in", "no data"],
    )
    def test_do_not_show_over_snow_and_without_data(self, stored):
        assert offset_in(stored, BASELINE) is None
        check_offset(read_product(Described(EARTH_SEARCH)), stored)

    def test_do_not_show_where_a_few_numbers_are_low_beside_dark_ones(self):
        stored = numbers(LAND, offset=-1000)
        stored[: stored.size // 200] = 500
        assert offset_in(stored, BASELINE) is None

    def test_are_none_in_early_baselines(self):
        assert offset_in(numbers(LAND, offset=-1000), (2, 14)) == 0


class TestCopies:
    @pytest.mark.parametrize("taken_off", [True, False], ids=["offset taken off", "offset left in"])
    def test_give_the_stacks_of_their_product(self, safe, taken_off, tmp_path):
        grid = worlds.TINY.tiles[0].grid
        copied = copy_of(safe, tmp_path, taken_off=taken_off)
        assert read_granule(copied) == read_granule(safe)
        np.testing.assert_array_equal(read_stack(copied, grid), read_stack(safe, grid))

    @pytest.mark.parametrize("taken_off", [True, False], ids=["offset taken off", "offset left in"])
    def test_whose_item_is_wrong_about_the_offset_are_refused(self, lakes, taken_off, tmp_path):
        grid = Grid(32631, 499_980.0, 4_700_040.0, 20, 20)
        np.testing.assert_array_equal(
            read_stack(copy_of(lakes, tmp_path / "right", taken_off=taken_off), grid), read_stack(lakes, grid)
        )
        wrong = copy_of(lakes, tmp_path / "wrong", taken_off=taken_off, says=not taken_off)
        with pytest.raises(BadProduct, match="is to be added to its numbers, and they show") as caught:
            read_stack(wrong, grid)
        assert caught.value.member == "B11.tif"

    def test_that_are_truncated_are_refused(self, lakes, tmp_path):
        copied = copy_of(lakes, tmp_path, taken_off=False)
        image = copied.path / "B04.tif"
        image.write_bytes(image.read_bytes()[:-200])
        with pytest.raises(BadProduct, match=r"B04.tif: must be"):
            read_stack(copied, Grid(32631, 499_980.0, 4_700_040.0, 120, 120))
