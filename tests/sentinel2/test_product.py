"""What a product says of itself, and what is refused when it says nonsense."""

import math
from datetime import UTC, datetime

import numpy as np
import pytest

from sen12ts_pipeline.acquisition.products import open_product
from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.domain.layers import S2_BANDS, S2_NATIVE_M
from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.sentinel2.bands import row_col, source_index
from sen12ts_pipeline.sentinel2.description import BAND_IDS
from sen12ts_pipeline.sentinel2.product import read_granule, read_product
from tests.sentinel2.products import DATA, GRANULE, general_xml, image_member, memory_product, tile_xml

REAL = {
    "S2A_MSIL2A_20190212T192651_N0212_R013_T07HFE_20201007T160857": ((2, 12), 32707, 600000, 6500020, 51.580326, 0),
    "S2B_MSIL2A_20210122T133229_N0214_R081_T22HBD_20210122T155500": ((2, 14), 32722, 199980, 5900020, 0.447807, 0),
    "S2B_MSIL2A_20220413T150759_N0400_R025_T33XWJ_20220414T082126": ((4, 0), 32633, 499980, 8900040, 98.944211, -1000),
    "S2A_MSIL2A_20230821T221941_N0509_R029_T01KAB_20230822T021825": ((5, 9), 32701, 99960, 8200000, 59.050727, -1000),
    "S2A_MSIL2A_20220401T083601_N0400_R064_T34LBQ_20220401T110010": ((4, 0), 32734, 199980, 8900020, 92.696983, -7000),
}


def with_images(files):
    """The files of a real product, with the images that its metadata list and the repository left out."""
    names = [image_member(band, r) for band in S2_BANDS for r in (10, 20, 60)] + [image_member("SCL", 20)]

    class Listed:
        product, read = files.product, files.read

        def members(self):
            return tuple(sorted((*files.members(), *names)))

    return Listed()


@pytest.mark.parametrize("name", REAL)
def test_real_products_are_read(name):
    baseline, epsg, ulx, uly, cloud, offset = REAL[name]
    product = read_product(with_images(open_product(DATA / f"{name}.SAFE.zip")))
    granule = product.granule
    assert (granule.product, granule.baseline, granule.epsg) == (name, baseline, epsg)
    assert (granule.ulx_m, granule.uly_m, granule.size_m) == (ulx, uly, 109_800)
    assert granule.datastrip.startswith(f"{name[:3]}_OPER_MSI_L2A_DS_")
    assert granule.cloud_percent == cloud
    assert product.offsets == dict.fromkeys(BAND_IDS, offset)
    assert product.quantification == 10_000
    assert product.sizes == {10: (10980, 10980), 20: (5490, 5490), 60: (1830, 1830)}


def test_the_name_tells_mission_orbit_tile_and_the_start_of_the_datatake():
    granule = read_granule(open_product(DATA / "S2A_MSIL2A_20230821T221941_N0509_R029_T01KAB_20230822T021825.SAFE.zip"))
    assert granule.datatake_start == datetime(2023, 8, 21, 22, 19, 41, tzinfo=UTC)
    assert (granule.mission, granule.relative_orbit, granule.mgrs) == ("S2A", 29, "01KAB")
    assert granule.discriminator == "20230822T021825"


def test_a_granule_needs_no_images():
    files = memory_product()
    for member in [m for m in files.content if m.endswith(".jp2")]:
        del files.content[member]
    assert read_granule(files).mgrs == "31TDG"
    with pytest.raises(BadProduct, match=r"must hold one image .*B01_60m\.jp2"):
        read_product(files)


def test_images_go_by_name_and_native_resolution():
    product = read_product(memory_product())
    assert product.image("B01") == image_member("B01", 60)
    assert product.image("B02") == image_member("B02", 10)
    assert product.image("B8A") == image_member("B8A", 20)
    assert product.image("SCL") == image_member("SCL", 20)


@pytest.mark.parametrize(
    "early",
    ["L2A_T31TDG_20170511T105031", "S2A_USER_MSI_L2A_TL_SGS__20161206T134023_A007620_T31TDG"],
    ids=["2017", "2016"],
)
def test_images_of_early_layouts_are_found_by_band_and_resolution(early):
    def path(member):
        return member.replace("T31TDG_20200511T105031_B", f"{early}_B")

    files = memory_product()
    files.content = {path(member): body for member, body in files.content.items()}
    product = read_product(files)
    assert all(product.image(band) == path(image_member(band, S2_NATIVE_M[band])) for band in S2_BANDS)


def test_masks_are_no_images():
    files = memory_product()
    files.content[f"{GRANULE}/QI_DATA/MSK_DETFOO_B02_10m.jp2"] = b""
    assert read_product(files).image("B02") == image_member("B02", 10)


def test_two_images_of_one_band_are_refused():
    files = memory_product()
    files.content[image_member("B02", 10).replace("T31TDG_", "T31TDG_copy_")] = b""
    with pytest.raises(BadProduct, match="must be the only image of B02"):
        read_product(files)


def test_metadata_are_found_in_any_case():
    files = memory_product()
    files.content["MTD_MSIL2a.xml"] = files.content.pop("MTD_MSIL2A.xml")
    assert read_granule(files).cloud_percent == 3.5


def test_offsets_go_by_band_id():
    offsets = {k: -100 * k for k in reversed(range(13))}
    found = read_product(memory_product(general=general_xml(offsets=offsets))).offsets
    assert (found["B01"], found["B8A"], found["B09"], found["B11"], found["B12"]) == (0, -800, -900, -1100, -1200)


def test_a_product_without_the_list_has_no_offset():
    assert read_product(memory_product()).offsets == dict.fromkeys(BAND_IDS, 0)


@pytest.mark.parametrize(("baseline", "refused"), [("0400", True), ("0510", True), ("0301", False), ("9999", False)])
def test_a_product_that_should_have_the_list_and_has_none_is_refused_unless_others_than_esa_made_it(baseline, refused):
    files = memory_product()
    files.product = files.product.replace("N0214", f"N{baseline}")
    if refused:
        with pytest.raises(BadProduct, match="must have BOA_ADD_OFFSET_VALUES_LIST"):
            read_product(files)
    else:
        assert read_product(files).offsets == dict.fromkeys(BAND_IDS, 0)


def test_the_list_counts_whatever_the_baseline():
    found = read_product(memory_product(general=general_xml(offsets=dict.fromkeys(range(13), -1000)))).offsets
    assert found == dict.fromkeys(BAND_IDS, -1000)


@pytest.mark.parametrize(("epsg", "tile"), [(32632, "31TDG"), (32731, "31TDG"), (32631, "31LDG")])
def test_the_tile_of_the_name_must_lie_where_the_metadata_say(epsg, tile):
    files = memory_product(tile=tile_xml(epsg=epsg))
    files.product = files.product.replace("31TDG", tile)
    with pytest.raises(BadProduct, match=f"its tile {tile} lies in EPSG:.*; its metadata say EPSG:{epsg}"):
        read_granule(files)


@pytest.mark.parametrize("name", REAL)
def test_20_and_60_m_pixels_of_real_products_hold_whole_pixels_of_10_m_in_every_tile(name):
    product = read_product(with_images(open_product(DATA / f"{name}.SAFE.zip")))
    granule = product.granule
    first = TileId(
        granule.epsg % 100, math.ceil((granule.ulx_m - 500_000) / 2560), math.floor(granule.north_m / 2560) - 1
    )
    phases = set()
    for tile in (TileId(first.zone, first.column + c, first.row - r) for c in range(3) for r in range(3)):
        row, col = row_col(product, tile.grid)
        phases.add(((tile.grid.west - granule.ulx_m) % 60, (granule.north_m - tile.grid.north) % 60))
        for resolution in (20, 60):
            north = granule.uly_m - resolution * source_index(row, 256, resolution)
            west = granule.ulx_m + resolution * source_index(col, 256, resolution)
            south_of_tile = 10_000_000 * (granule.epsg > 32700)
            centres_north = tile.grid.north + south_of_tile - 10 * np.arange(256) - 5
            centres_east = tile.grid.west + 10 * np.arange(256) + 5
            assert ((centres_north < north) & (centres_north > north - resolution)).all()
            assert ((centres_east > west) & (centres_east < west + resolution)).all()
    assert len(phases) == 9


@pytest.mark.parametrize("cloud", [None, " "])
def test_unknown_cloud_cover_is_not_zero(cloud):
    assert read_granule(memory_product(general=general_xml(cloud=cloud))).cloud_percent is None


@pytest.mark.parametrize(
    ("changes", "member", "rule"),
    [
        ({"general": ""}, "MTD_MSIL2A.xml", "empty"),
        ({"general": "<a><b></a>"}, "MTD_MSIL2A.xml", "well-formed"),
        ({"general": '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'}, "MTD_MSIL2A.xml", "DOCTYPE"),
        ({"general": general_xml(quantification="1000")}, "MTD_MSIL2A.xml", "must be 10000; got 1000"),
        ({"general": general_xml(quantification="ten")}, "MTD_MSIL2A.xml", "must be a number; got 'ten'"),
        ({"general": general_xml(cloud="110")}, "MTD_MSIL2A.xml", "0 to 100 percent"),
        ({"general": general_xml(cloud="nan")}, "MTD_MSIL2A.xml", "must be a finite number"),
        ({"general": general_xml(offsets={0: -1000})}, "MTD_MSIL2A.xml", "offset of every band; none for .*'B02'"),
        ({"general": general_xml(offsets={13: -1000})}, "MTD_MSIL2A.xml", "band_id from 0 to 12"),
        ({"tile": tile_xml().replace("HORIZONTAL_CS_CODE", "CODE")}, "MTD_TL.xml", "one element HORIZONTAL_CS_CODE"),
        ({"tile": tile_xml(epsg=4326)}, "MTD_TL.xml", "UTM zone"),
        ({"tile": tile_xml(epsg=32661)}, "MTD_TL.xml", "UTM zone"),
        (
            {"general": general_xml(offsets=dict.fromkeys(range(13), -10_001))},
            "MTD_MSIL2A.xml",
            "within 10000; got -10001",
        ),
        ({"general": general_xml(baseline="04.00")}, "MTD_MSIL2A.xml", "must be 02.14, as the name says; got 04.00"),
        ({"tile": tile_xml(ulx=399970)}, "MTD_TL.xml", "multiples of 20 m"),
        ({"tile": tile_xml(pixels=0)}, "MTD_TL.xml", "must be positive"),
        ({"tile": tile_xml().replace("<NROWS>5490", "<NROWS>5489")}, "MTD_TL.xml", "same square"),
        ({"tile": tile_xml().replace("<ULX>399960", "<ULX>399980", 1)}, "MTD_TL.xml", "same square"),
        ({"tile": tile_xml().replace("<YDIM>-60", "<YDIM>-30")}, "MTD_TL.xml", "XDIM, YDIM 60, -60"),
        ({"tile": tile_xml().replace("<ULY>4700040</ULY>", "", 1)}, "MTD_TL.xml", "one Geoposition.*ULY; found 0"),
        ({"tile": tile_xml().replace("4700040", "4700040.5", 1)}, "MTD_TL.xml", "whole number"),
    ],
)
def test_bad_metadata_are_refused_by_product_member_and_rule(changes, member, rule):
    files = memory_product(**changes)
    with pytest.raises(BadProduct, match=rule) as caught:
        read_product(files)
    assert caught.value.product == files.product
    assert caught.value.member.endswith(member)


@pytest.mark.parametrize("name", ["MTD_MSIL2A.xml", f"{GRANULE}/MTD_TL.xml"])
def test_missing_or_doubled_metadata_are_refused(name):
    files = memory_product()
    body = files.content.pop(name)
    with pytest.raises(BadProduct, match="exactly once; found 0"):
        read_granule(files)
    files.content |= {name: body, f"copy/{name}": body}
    with pytest.raises(BadProduct, match="exactly once; found 2"):
        read_granule(files)


@pytest.mark.parametrize(
    "name",
    ["somewhere", "S2A_MSIL1C_20200511T105031_N0214_R051_T31TDG_x", "S2A_MSIL2A_20209911T105031_N0214_R051_T31TDG_x"],
)
def test_the_name_must_be_a_product(name):
    files = memory_product()
    files.product = name
    with pytest.raises(BadProduct, match="name"):
        read_granule(files)
