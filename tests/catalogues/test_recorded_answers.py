"""Recorded answers of the real archives, each file read to the values that it means."""

import itertools
from collections import Counter
from datetime import timedelta

import pytest
import shapely

from sen12ts_pipeline.acquisition.orbit_lists import orbit_files_of_bucket, orbit_files_of_odata
from sen12ts_pipeline.catalogues import asf, odata, stac
from sen12ts_pipeline.catalogues.asf import AsfInterface, burst_of_feature
from sen12ts_pipeline.catalogues.bursts import BurstRecord
from sen12ts_pipeline.catalogues.odata import ODataInterface
from sen12ts_pipeline.catalogues.stac import StacInterface
from sen12ts_pipeline.domain.bursts import BurstId
from sen12ts_pipeline.domain.granules import Granule
from sen12ts_pipeline.domain.passes import Slice
from sen12ts_pipeline.errors import BadProduct
from tests.catalogues import recorded
from tests.domain.examples import utc

ALASKA = "POLYGON ((-150.172562 65.53125, -149.246063 63.942123, -144.136368 64.386414, -144.751495 65.99025"


class TestSlicesOfAsf:
    def test_the_single_one(self):
        found = AsfInterface().slice_of(recorded.answer("asf/slc_granule_umm.json"))
        assert found == Slice(
            start=utc("2021-01-02T03:20:31.092706"),
            stop=utc("2021-01-02T03:20:58.059549"),
            platform="S1B",
            datatake=0x2F8C3,
            relative_orbit=94,
            direction="A",
            polarisations=("VH", "VV"),
            processed=utc("2021-01-02T12:40:19.324537"),  # its production time repeats the sensing time
            ipf=(3, 31),
            product="S1B_IW_SLC__1SDV_20210102T032031_20210102T032058_024970_02F8C3_C081",
            footprint=found.footprint,
        )
        expected = shapely.from_wkt(f"{ALASKA}, -150.172562 65.53125))")
        assert shapely.from_wkt(found.footprint).symmetric_difference(expected).area < 1e-9

    def test_three_of_a_stack_are_twelve_days_apart(self):
        found = sorted(AsfInterface().slice_of(e) for e in recorded.answer("asf/slc_stack_umm.json"))
        assert [s.platform for s in found] == ["S1B"] * 3
        assert {(s.relative_orbit, s.direction) for s in found} == {(94, "A")}
        for one, other in itertools.pairwise(found):
            assert abs(other.start - one.start - timedelta(days=12)) < timedelta(seconds=10)

    def test_a_whole_answer_with_its_hits(self):
        items = recorded.answer("asf/slc_stack_umm.json")
        answer = asf.read_answer({"hits": 3, "took": 9, "items": items}, limit=10)
        assert (len(answer.records), answer.total) == (3, 3)


class TestBurstsOfAsf:
    BURST = BurstId(372326, "IW3")

    def test_the_single_one(self):
        found = AsfInterface().burst_of(recorded.answer("asf/slc_burst_granule_umm.json"))
        assert found == BurstRecord(
            start=utc("2018-08-15T15:15:59.530553"),
            burst=self.BURST,
            polarisation="VV",
            product="S1B_IW_SLC__1SDV_20180815T151543_20180815T151610_012275_0169E6_6BD3",
            pass_id="S1B_0169E6",
            relative_orbit=174,
            offset=736186703,
            length=1519 * 24229 * 4,
            index=5,
            ipf=(2, 91),
            footprint=found.footprint,
        )
        assert found.burst.track == found.relative_orbit

    def test_thirty_of_a_stack_are_one_burst(self):
        found = [AsfInterface().burst_of(e) for e in recorded.answer("asf/slc_burst_stack_30.json")]
        assert len({b.pass_id for b in found}) == 30
        assert {(b.burst, b.polarisation) for b in found} == {(self.BURST, "VV")}
        assert all(b.length % (1519 * 4) == 0 for b in found)

    def test_the_whole_stack_from_2014_to_2021(self):
        found = sorted(burst_of_feature(f) for f in recorded.answer("asf/slc_burst_stack_all_properties.json"))
        assert len(found) == 166
        assert {b.burst for b in found} == {self.BURST}
        in_2020 = [b for b in found if b.start.year == 2020]
        assert Counter(b.product[:3] for b in in_2020) == {"S1B": 31}
        assert {b.ipf for b in in_2020} == {(3, 10), (3, 20), (3, 30), (3, 31)}
        assert Counter(b.index for b in found) == {5: 149, 3: 16, 8: 1}


class TestODataOfTheCopernicusDataSpace:
    def test_a_burst(self):
        found = ODataInterface().burst_of(recorded.answer("cdse_odata/burst_entity.json"))
        assert found == BurstRecord(
            start=utc("2024-08-02T06:07:23.426535"),
            burst=BurstId(15805, "IW1"),
            polarisation="VH",
            product="S1A_IW_SLC__1SDV_20240802T060719_20240802T060746_055030_06B44E_E7CC",
            pass_id="S1A_06B44E",  # the entry's own datatake number, 40352, is another one
            relative_orbit=8,
            offset=138832827,
            length=1508 * 22998 * 4,
            index=None,
            ipf=(0, 0),
            footprint=found.footprint,
        )
        assert found.burst.track == 8

    def test_the_five_pages_of_a_query_hold_the_products_that_its_count_announced(self):
        pages = [recorded.answer(f"cdse_odata/s1_odata_page_{n}.json") for n in range(1, 6)]
        assert pages[0]["@odata.count"] == len({e["Id"] for page in pages for e in page["value"]}) == 47
        first = odata.read_answer(pages[0], limit=10)
        assert (len(first.records), first.total, first.overflows) == (10, 47, True)
        orbits = [file for page in pages for file in orbit_files_of_odata(page)]
        assert orbits
        assert {(o.platform, o.kind) for o in orbits} == {("S1A", "POEORB")}
        assert all(o.valid_to - o.valid_from == timedelta(hours=26) for o in orbits)

    def test_no_slice_is_seen_in_products_that_are_none(self):
        pages = [recorded.answer(f"cdse_odata/s1_odata_page_{n}.json") for n in range(1, 6)]
        pages.append(recorded.answer("cdse_odata/s1_grd_2026_expand_all.json"))
        entries = [entry for page in pages for entry in page["value"]]
        assert len(entries) == 67
        assert not any(ODataInterface().slice_of(entry) or ODataInterface().granule_of(entry) for entry in entries)

    def test_slices_have_the_attributes_that_ground_range_products_have(self):
        entry = recorded.answer("cdse_odata/s1_grd_2026_expand_all.json")["value"][0]
        told = [a | {"Value": "IW_SLC__1S"} if a["Name"] == "productType" else a for a in entry["Attributes"]]
        name = entry["Name"].replace("GRDH_1S", "SLC__1S")
        found = ODataInterface().slice_of(entry | {"Name": name, "Attributes": told})
        assert found == Slice(
            start=utc("2026-01-01T00:10:52.074"),
            stop=utc("2026-01-01T00:11:17.073"),
            platform="S1C",
            datatake=46676,
            relative_orbit=106,
            direction="A",
            polarisations=("VH", "VV"),
            processed=utc("2026-01-01T01:05:26.275"),
            ipf=(4, 2),
            product="S1C_IW_SLC__1SDV_20260101T001052_20260101T001117_005702_00B654_ABF9",
            footprint=found.footprint,
        )
        assert shapely.from_wkt(found.footprint).bounds == (-76.217506, -54.588707, -71.694534, -52.295692)

    def test_the_attribute_tells_the_same_datatake_as_the_name(self):
        for entry in recorded.answer("cdse_odata/s1_grd_2026_expand_all.json")["value"]:
            assert odata.attributes(entry)["datatakeID"] == int(entry["Name"].split("_")[-2], 16)

    def test_granules_have_the_attributes_that_top_of_atmosphere_products_have(self):
        entry = recorded.answer("cdse_odata/s2_l1c_expand_attributes_assets.json")["value"][0]
        found = ODataInterface().granule_of(entry | {"Name": entry["Name"].replace("MSIL1C", "MSIL2A")})
        assert found == Granule(
            datatake_start=utc("2020-08-08T01:03:11"),
            mgrs="54PXA",
            product="S2A_MSIL2A_20200808T010311_N0500_R045_T54PXA_20230413T212505",
            mission="S2A",
            relative_orbit=45,
            baseline=(5, 0),
            discriminator="20230413T212505",
            datastrip="S2A_OPER_MSI_L1C_DS_S2RP_20230413T212505_S20200808T010314_N05.00",
            cloud_percent=pytest.approx(95.136736479015),
            epsg=32654,
            ulx_m=600000.0,
            uly_m=1600020.0,
            size_m=109800.0,
        )


class TestStac:
    def test_granules_of_the_copernicus_data_space(self):
        answer = stac.read_answer(recorded.answer("cdse_stac/search_s2_l2a_202007_post.json"), limit=10)
        assert (len(answer.records), answer.total) == (4, None)
        found = [StacInterface(stac.CDSE).granule_of(item) for item in answer.records.values()]
        assert [(g.mission, g.mgrs, g.cloud_percent) for g in found] == [
            ("S2B", "32TNT", 31.64),
            ("S2B", "32TMT", 11.32),
            ("S2A", "32TNT", 98.39),
            ("S2A", "32TMT", 99.73),
        ]
        assert found[1] == Granule(
            datatake_start=utc("2020-07-05T10:15:59"),
            mgrs="32TMT",
            product="S2B_MSIL2A_20200705T101559_N0500_R065_T32TMT_20230530T175912",
            mission="S2B",
            relative_orbit=65,
            baseline=(5, 0),
            discriminator="20230530T175912",
            datastrip="S2B_OPER_MSI_L2A_DS_S2RP_20230530T175912_S20200705T101917_N05.00",
            cloud_percent=11.32,
            epsg=32632,
            ulx_m=399960.0,
            uly_m=5300040.0,
            size_m=109800.0,
        )

    def test_a_single_item_of_the_copernicus_data_space(self):
        found = StacInterface(stac.CDSE).granule_of(recorded.answer("cdse_stac/item_s2_l2a_2020_N0500.json"))
        assert (found.product, found.cloud_percent) == (
            "S2A_MSIL2A_20200301T090901_N0500_R050_T35UPU_20230630T033416",
            95.42,
        )

    def test_an_answer_without_items(self):
        answer = stac.read_answer(recorded.answer("cdse_stac/search_no_items.json"), limit=10)
        assert (answer.records, answer.total) == ({}, None)

    def test_an_item_of_earth_search_beside_one_that_is_of_another_satellite(self):
        page, last = recorded.answers("earth_search/multiple_collections.json")
        answer = stac.read_answer(page, limit=10)
        assert (len(answer.records), answer.total, answer.overflows) == (
            2,
            2,
            False,
        )  # a next page is linked all the same
        interface = StacInterface(stac.EARTH_SEARCH)
        found = interface.granule_of(answer.records["S2A_13TDE_20231008_0_L2A"])
        assert found.product == "S2A_MSIL2A_20231008T175231_N0509_R141_T13TDE_20231008T233154"
        assert found.datatake_start == utc("2023-10-08T17:52:31")  # ten minutes before the item's own time
        assert (found.baseline, found.cloud_percent) == ((5, 9), 0.000299)
        with pytest.raises(BadProduct, match="LC08_L2SP_033032_20231008_02_T1: its item must tell the product's name"):
            interface.granule_of(answer.records["LC08_L2SP_033032_20231008_02_T1"])
        assert last["features"] == []

    def test_a_page_of_earth_search_s_collection_1_overflows(self):
        answer = stac.read_answer(recorded.answer("earth_search/fields_c1_l2a.json"), limit=10)
        assert (len(answer.records), answer.total, answer.overflows) == (10, 858, True)

    def test_a_top_of_atmosphere_item_of_earth_search_is_passed_over(self):
        item = recorded.answer("earth_search/eodag_s2_l1c_search_1item.json")["features"][0]
        assert StacInterface(stac.EARTH_SEARCH).granule_of(item) is None

    def test_granules_of_the_planetary_computer_have_their_baseline_in_the_product_s_name_alone(self):
        body = recorded.answer("planetary_computer/s2_l2a_datetime_search.json")
        answer = stac.read_answer(body, limit=250)
        found = [StacInterface(stac.PLANETARY_COMPUTER).granule_of(item) for item in answer.records.values()]
        assert found[0].product == "S2A_MSIL2A_20190101T000001_N0212_R116_T60VUK_20201007T214652"
        assert {g.baseline for g in found} == {(2, 12)}
        assert [g.mgrs for g in found] == ["60VUK", "60VUJ", "59VPE", "59VPD"]
        assert {g.datastrip[:24] for g in found} == {"S2A_OPER_MSI_L2A_DS_ESRI"}


class TestOrbitFiles:
    def test_of_the_copernicus_data_space(self):
        precise, restituted = recorded.answers("orbits/cdse_odata_orbit_queries.json")
        (one,), (other,) = orbit_files_of_odata(precise), orbit_files_of_odata(restituted)
        assert (one.platform, one.kind, one.valid_from) == ("S1A", "POEORB", utc("2019-12-30T22:59:42"))
        assert (other.platform, other.kind, other.valid_to) == ("S1A", "RESORB", utc("2025-03-10T21:26:22"))

    @pytest.mark.parametrize(
        ("name", "more"),
        [
            ("AUX_POEORB_page1", True),
            ("AUX_POEORB_page2", False),
            ("AUX_RESORB_page1", True),
            ("AUX_RESORB_page2", True),
            ("AUX_RESORB_page3", False),
        ],
    )
    def test_of_the_public_bucket(self, name, more):
        listing = recorded.text(f"orbits/s1-orbits_list_{name}.xml")
        files, marker = orbit_files_of_bucket(listing, bucket="s1-orbits")
        assert len(files) == listing.count(b"<Key>") == 50
        assert {f.kind for f in files} == {name[4:10]}
        assert bool(marker) is more
        if more:
            assert marker.endswith(f"{files[-1].name}.EOF")
