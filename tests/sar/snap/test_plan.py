"""What graphs work on is known, or refused, from annotations alone, before gpt starts."""

import dataclasses
import itertools
import re
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import shapely

from sen12ts_pipeline.domain.bursts import BurstId
from sen12ts_pipeline.domain.lattice import Grid, TileId, to_geographic
from sen12ts_pipeline.domain.passes import Pass
from sen12ts_pipeline.errors import BadProduct, ConfigurationError, Rejected
from sen12ts_pipeline.sar.native.scene import open_pass
from sen12ts_pipeline.sar.snap.names import day_of
from sen12ts_pipeline.sar.snap.plan import Region, check_platform, check_readable, plan_pass
from tests import worlds
from tests.sar.native.test_scene import with_bursts
from tests.sar.snap.examples import SNAP_13, SNAP_14
from tests.sentinel1.shelf import Members, Shelf, members_of, slice_of

PRODUCT = "S1A_IW_SLC__1SDV_20230916T063730_20230916T063757_050349_060FCD_6814"
MORNING = datetime(2023, 9, 16, 6, 37, 30, tzinfo=UTC)
BOTH = ("VH", "VV")


class Scene:
    """A pass of slices that hold parts of the real one over Morocco, nine bursts in each subswath."""

    def __init__(self, *parts, places=None, **changes):
        products = [part_of(PRODUCT[:-4] + f"000{k}", part) for k, part in enumerate(parts)]
        slices = [
            dataclasses.replace(
                slice_of(PRODUCT),
                product=product.product,
                start=MORNING + timedelta(seconds=25 * k),
                processed=MORNING + timedelta(hours=3 + k),
                **{name: values[k] for name, values in changes.items()},
            )
            for k, product in enumerate(products)
        ]
        for product, place in zip(products, places or (), strict=False):
            product.held = lambda member, place=place: nullcontext(place.replace("MEMBER", member))
        self.one = Pass(tuple(slices))
        self.opened = open_pass(Pass(tuple(dataclasses.replace(s, orbit="") for s in slices)), Shelf(*products))

    def plan(self, *bursts, polarisations=("VV",), part=None):
        return plan_pass(self.one, self.opened, bursts, polarisations, part)

    def plan_with_parts(self, *bursts):
        """The plan, and what was laid here: bursts by subswath, counted from 0, in order of the slices."""
        laid = []

        def part(files, runs):
            laid.append({name: (run.start, run.stop) for name, run in runs.items()})
            return Path(f"/laid/{files.slice.product}.SAFE")

        return self.plan(*bursts, part=part), laid


def part_of(name, keep):
    bodies = {n: b for n, b in members_of("6814").bodies.items() if "/calibration/" not in n and "-slc-vv-" in n}
    bodies = {n: with_bursts(body, keep) for n, body in bodies.items()}
    return Members(name, {"manifest.safe": b"", **bodies})


WHOLE = slice(0, 9)


@pytest.fixture(scope="module")
def whole():
    return Scene(WHOLE)


@pytest.fixture(scope="module")
def halves():
    return Scene(slice(0, 5), slice(5, 9))


@pytest.fixture(scope="module")
def ids(whole):
    """Bursts of each subswath in the order of time."""
    return {name: sorted(b for b in whole.opened.bursts if b.subswath == name) for name in ("IW1", "IW2", "IW3")}


def numbers(plan):
    return [(s.subswath, s.first, s.last) for s in plan.swaths]


class TestBursts:
    def test_are_counted_from_one_in_their_subswath(self, whole, ids):
        assert numbers(whole.plan(*ids["IW2"][2:5])) == [("IW2", 3, 5)]
        assert numbers(whole.plan(*ids["IW2"])) == [("IW2", 1, 9)]

    def test_may_be_a_single_one(self, whole, ids):
        plan = whole.plan(ids["IW3"][8])
        assert numbers(plan) == [("IW3", 9, 9)]
        assert plan.swaths[0].bursts == 1

    def test_of_several_subswaths_come_from_near_to_far(self, whole, ids):
        assert numbers(whole.plan(ids["IW2"][4], ids["IW1"][3], ids["IW1"][4])) == [("IW1", 4, 5), ("IW2", 5, 5)]

    def test_are_split_with_those_between_them(self, whole, ids):
        assert numbers(whole.plan(ids["IW2"][1], ids["IW2"][3])) == [("IW2", 2, 4)]

    def test_are_the_same_ground_in_a_pass_that_was_cut_elsewhere(self, whole, ids):
        later = Scene(slice(2, 9))
        first, second = (scene.plan(*ids["IW2"][3:5]) for scene in (whole, later))
        assert (numbers(first), numbers(second)) == ([("IW2", 4, 5)], [("IW2", 2, 3)])

    def test_begin_when_the_annotation_of_the_first_one_says(self, whole, ids):
        body = next(b for n, b in members_of("6814").bodies.items() if "-iw2-slc-vv-" in n and "/cal" not in n)
        times = re.findall(rb"<burst>\s*<azimuthTime>([^<]+)", body)
        wanted = datetime.fromisoformat(times[2].decode()).replace(tzinfo=UTC)
        assert abs(whole.plan(*ids["IW2"][2:5]).swaths[0].first_line - wanted) < timedelta(microseconds=2)

    def test_that_the_pass_lacks_are_named(self, whole, ids):
        with pytest.raises(BadProduct, match=r"S1A_060FCD has no burst 000007_iw2"):
            whole.plan(ids["IW2"][0], BurstId(7, "IW2"))

    def test_that_the_pass_lacks_between_others_are_named(self, ids):
        torn = Scene(slice(0, 3), slice(4, 9))
        with pytest.raises(BadProduct, match=f"has no burst {ids['IW2'][3]}"):
            torn.plan(ids["IW2"][2], ids["IW2"][4])


class TestSlices:
    def test_are_no_more_than_needed(self, halves, ids):
        first, second = halves.plan(*ids["IW2"][1:4]), halves.plan(*ids["IW2"][6:8])
        assert (len(first.products), len(second.products)) == (1, 1)
        assert (numbers(first), numbers(second)) == ([("IW2", 2, 4)], [("IW2", 2, 3)])
        assert first.products != second.products

    def test_that_hold_bursts_together_are_put_together_and_counted_through(self, halves, ids):
        plan = halves.plan(*ids["IW2"][3:7], *ids["IW1"][5:6])
        assert len(plan.products) == 2
        assert numbers(plan) == [("IW1", 6, 6), ("IW2", 4, 7)]

    def test_that_hold_everything_twice_serve_once_the_newest(self, ids):
        twice = Scene(WHOLE, WHOLE)
        assert [p.parent.name for p in twice.plan(*ids["IW2"][3:6]).products] == [PRODUCT[:-4] + "0001"]

    def test_that_repeat_a_burst_cannot_be_put_together(self, ids):
        overlapping = Scene(slice(0, 6), slice(5, 9))
        with pytest.raises(BadProduct, match=r"must hold bursts .* once each and in order"):
            overlapping.plan(*ids["IW2"][3:8])

    def test_of_two_processors_cannot_be_put_together(self, ids):
        mixed = Scene(slice(0, 5), slice(5, 9), ipf=[(2, 84), (3, 61)])
        with pytest.raises(BadProduct, match=r"one processor version; .*0000: 2\.84 and 3\.61"):
            mixed.plan(*ids["IW2"][3:7])
        assert len(mixed.plan(*ids["IW2"][3:5]).products) == 1

    def test_need_the_polarisations_that_are_read(self, whole, ids):
        # gpt would take those that are there.
        with pytest.raises(BadProduct, match="must have VH and VV, has VV"):
            whole.plan(ids["IW2"][3], polarisations=BOTH)


class TestSubswaths:
    def test_one_and_two_are_what_split_asks_for_unless_it_is_told(self, whole, ids):
        assert not whole.plan(ids["IW2"][0]).part
        lacking = Scene(WHOLE)
        (files,) = {placed.files for placed in lacking.opened.bursts.values()}
        del files._annotations["IW1", "VV"]
        assert lacking.plan(ids["IW2"][0]).part

    def test_that_are_annotated_without_bursts_are_lacking(self, ids):
        empty = Scene(WHOLE)
        (files,) = {placed.files for placed in empty.opened.bursts.values()}
        swath = files.swath("IW1", "VV")
        files._parsed[swath.member] = dataclasses.replace(swath, bursts=())
        assert empty.plan(ids["IW2"][0]).part


class TestPlatform:
    def test_d_is_known_from_14_on(self, whole):
        late = Pass(tuple(dataclasses.replace(part, platform="S1D") for part in whole.one.slices))
        check_platform(late, SNAP_14)
        with pytest.raises(Rejected, match=r"snap_platform: SNAP 13\.0\.4 does not know Sentinel-1D"):
            check_platform(late, SNAP_13)

    @pytest.mark.parametrize("name", ["S1A", "S1B", "S1C"])
    def test_a_to_c_are_known_to_every_release_that_is_used(self, whole, name):
        check_platform(Pass(tuple(dataclasses.replace(part, platform=name) for part in whole.one.slices)), SNAP_13)


class TestPlaces:
    def test_are_manifests_of_folders(self, whole, ids):
        (place,) = whole.plan(ids["IW2"][0]).products
        assert place == Path(f"/products/{PRODUCT[:-4]}0000/manifest.safe")

    def test_are_zips_as_they_lie(self, ids):
        packed = Scene(WHOLE, places=["/vsizip/{/archive/a b.zip}/X.SAFE/MEMBER"])
        assert packed.plan(ids["IW2"][0]).products == (Path("/archive/a b.zip"),)

    def test_on_a_server_are_refused(self, ids):
        with pytest.raises(ConfigurationError, match="SNAP reads products of this machine only"):
            Scene(WHOLE, places=[SERVER]).plan(ids["IW2"][0])


SERVER = "/spool/3f9a"


class TestPartsOfSlicesAfar:
    """Of what is not on this machine the needed bursts are laid here, and counted in what was laid."""

    def test_are_the_bursts_between_the_first_and_the_last(self, ids):
        plan, laid = Scene(WHOLE, places=[SERVER]).plan_with_parts(ids["IW2"][2], ids["IW2"][4], ids["IW1"][3])
        assert laid == [{"IW1": (3, 4), "IW2": (2, 5)}]
        assert numbers(plan) == [("IW1", 1, 1), ("IW2", 1, 3)]
        assert plan.products == (Path(f"/laid/{PRODUCT[:-4]}0000.SAFE/manifest.safe"),)

    def test_begin_when_the_slice_s_bursts_do(self, whole, ids):
        plan, _ = Scene(WHOLE, places=[SERVER]).plan_with_parts(*ids["IW2"][2:5])
        assert plan.swaths[0].first_line == whole.plan(*ids["IW2"][2:5]).swaths[0].first_line

    def test_lack_subswaths_and_split_is_told_so(self, ids):
        far = Scene(WHOLE, places=[SERVER])
        assert far.plan_with_parts(ids["IW2"][2])[0].part
        assert not far.plan_with_parts(ids["IW1"][2], ids["IW2"][2])[0].part

    def test_meet_where_two_slices_meet(self, ids):
        far = Scene(slice(0, 5), slice(5, 9), places=[SERVER, SERVER])
        plan, laid = far.plan_with_parts(*ids["IW2"][3:7])
        assert laid == [{"IW2": (3, 5)}, {"IW2": (0, 2)}]
        assert numbers(plan) == [("IW2", 1, 4)]

    @pytest.mark.parametrize(
        ("burst", "laid", "number"),
        [(1, [(1, 5), (0, 1)], ("IW1", 1, 1)), (7, [(4, 5), (0, 3)], ("IW1", 4, 4))],
        ids=["of the first", "of the second"],
    )
    def test_keep_a_burst_of_each_subswath_in_every_slice(self, ids, burst, laid, number):
        # SNAP puts slices together subswath by subswath: each must be there, and up to where the other begins.
        far = Scene(slice(0, 5), slice(5, 9), places=[SERVER, SERVER])
        plan, found = far.plan_with_parts(*ids["IW2"][4:6], ids["IW1"][burst])
        assert [run["IW1"] for run in found] == laid
        assert numbers(plan) == [number, ("IW2", 1, 2)]

    def test_are_laid_of_all_slices_when_one_of_them_is_afar(self, ids):
        mixed = Scene(slice(0, 5), slice(5, 9), places=["/here/X.SAFE", SERVER])
        plan, laid = mixed.plan_with_parts(*ids["IW2"][3:7])
        assert len(laid) == 2
        assert all(path.parts[1] == "laid" for path in plan.products)

    def test_are_not_laid_of_slices_that_are_here(self, whole, ids):
        plan, laid = whole.plan_with_parts(ids["IW2"][2])
        assert laid == []
        assert plan == whole.plan(ids["IW2"][2])


class TestOrbit:
    def test_is_the_annotated_one_where_a_pass_names_none(self, whole, ids):
        assert whole.plan(ids["IW2"][0]).orbit == ""

    def test_is_the_file_that_all_slices_name(self, ids):
        assert Scene(slice(0, 5), slice(5, 9), orbit=["FILE", "FILE"]).plan(ids["IW2"][0]).orbit == "FILE"

    def test_is_one_for_all_slices_or_none_can_be_applied(self, ids):
        with pytest.raises(BadProduct, match="must share an orbit file"):
            Scene(slice(0, 5), slice(5, 9), orbit=["FILE", "OTHER"]).plan(ids["IW2"][0])


class TestFiles:
    def test_that_are_whole_are_readable(self, tiny):
        opened = tiny.engine().opened(tiny.passes[2])
        check_readable(opened, opened.bursts, BOTH)

    @pytest.mark.parametrize(
        "pattern",
        ["measurement/*iw1-slc-vh*.tiff", "annotation/calibration/noise*iw1*vh*", "annotation/calibration/cal*iw1*vh*"],
    )
    def test_that_are_cut_off_are_named_before_gpt_starts(self, tiny, tmp_path, pattern):
        world = tiny.copy(tmp_path / "world")
        path = world.file(pattern)
        worlds.rewrite(path, path.read_bytes()[: path.stat().st_size // 3])
        opened = world.engine().opened(world.passes[2])
        check_readable(opened, opened.bursts, ("VV",))
        with pytest.raises(BadProduct) as caught:
            check_readable(opened, opened.bursts, BOTH)
        assert (caught.value.product, Path(caught.value.member).name) == (world.passes[2].products[0], path.name)


class TestDays:
    @pytest.mark.parametrize(
        ("moment", "name"),
        [
            (datetime(2020, 1, 4, 17, tzinfo=UTC), "04Jan2020"),
            (datetime(2020, 3, 31, tzinfo=UTC), "31Mar2020"),
            (datetime(2020, 10, 5, tzinfo=UTC), "05Oct2020"),
            (datetime(2019, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), "31Dec2019"),
        ],
    )
    def test_are_written_as_english_dates_of_the_first_line(self, moment, name):
        assert day_of(moment) == name


TILE = TileId(31, 3, 1803)


class TestRegion:
    def test_is_the_same_for_every_tile_of_its_block(self):
        tiles = [TileId(31, column, row) for column in range(8) for row in range(1800, 1808)]
        assert {Region.around(tile.grid) for tile in tiles} == {
            Region(32631, 496_000.0, 4_604_000.0, 524_480.0, 4_632_480.0)
        }
        assert Region.around(TileId(31, 8, 1800).grid) != Region.around(TileId(31, 7, 1800).grid)

    @pytest.mark.parametrize(
        "grid", [TILE.grid, TileId(56, -3, -1500).grid, Grid(32631, 470_000, 4_500_000, 6000, 5000)]
    )
    def test_holds_a_grid_with_a_margin_and_has_the_lattice_s_edges(self, grid):
        region = Region.around(grid)
        assert region.west + 4000 <= grid.west < grid.east <= region.east - 4000
        assert region.south + 4000 <= grid.south < grid.north <= region.north - 4000
        assert all(edge % 10 == 0 for edge in (region.west, region.south, region.east, region.north))

    def test_is_an_outline_in_degrees_whose_sides_are_as_straight_as_the_map_s(self):
        region = Region.around(TILE.grid)
        outline = shapely.from_wkt(region.wkt)
        assert outline.is_valid
        to_degrees = to_geographic(region.epsg)
        edges = [region.west, (region.west + region.east) / 2, region.east], [region.south, region.north]
        for east, north in itertools.product(*edges):
            # A millionth of a degree is 0.1 m; a straight line in degrees bends by 1 m in 5 km of map.
            assert outline.boundary.distance(shapely.Point(to_degrees.transform(east, north))) < 1.5e-5
