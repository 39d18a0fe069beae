"""The squares of granules follow from the names of their tiles."""

import re
import zipfile
from pathlib import Path

import pytest

from sen12ts_pipeline.catalogues.mgrs import Square, square_of
from tests.catalogues import recorded

PRODUCTS = sorted((Path(__file__).parents[1] / "data/sentinel2").glob("*.zip"))


@pytest.mark.parametrize("path", [p for p in PRODUCTS if "T34LBQ" not in p.name], ids=lambda p: p.name[38:44])
def test_real_products_lie_in_the_square_of_their_tile(path):
    with zipfile.ZipFile(path) as product:
        told = product.read(next(n for n in product.namelist() if n.endswith("MTD_TL.xml"))).decode()
    epsg, ulx, uly = (re.search(pattern, told)[1] for pattern in (r"EPSG:(\d+)", r"<ULX>(\d+)", r"<ULY>(\d+)"))
    assert square_of(re.search(r"_T(\w{5})_", path.name)[1]) == Square(int(epsg), float(ulx), float(uly))


def test_a_renamed_product_gives_itself_away():
    # The tile of this test file is another one than its name says: its images are those of 34LBP.
    assert square_of("34LBP") == Square(32734, 199980.0, 8900020.0)
    assert square_of("34LBQ").uly_m - square_of("34LBP").uly_m == pytest.approx(100_000, abs=60)


def test_recorded_items_lie_in_the_square_of_their_tile():
    cdse = recorded.answer("cdse_stac/search_s2_l2a_202007_post.json")["features"]
    cdse.append(recorded.answer("cdse_stac/item_s2_l2a_2020_N0500.json"))
    cdse += recorded.answer("planetary_computer/s2_l2a_datetime_search.json")["features"]
    items = [(re.search(r"_T(\w{5})_", i["id"])[1], i["assets"]) for i in cdse]
    items.append(("13TDE", recorded.answers("earth_search/multiple_collections.json")[0]["features"][0]["assets"]))
    items.append(("27VWK", recorded.answer("earth_search/eodag_s2_l1c_search_1item.json")["features"][0]["assets"]))
    for tile, assets in items:
        transform = next(a["proj:transform"] for k, a in assets.items() if k in ("B02_10m", "B02", "blue"))
        assert (square_of(tile).ulx_m, square_of(tile).uly_m) == (transform[2], transform[5])
    assert len(items) == 11


@pytest.mark.parametrize("tile", ["31TZZ", "61TDG", "00TDG", "31TAA"])
def test_there_are_no_other_tiles(tile):
    with pytest.raises(ValueError, match=r"no zone and band of MGRS has a square|has no squares in row"):
        square_of(tile)
