"""What geometry says of a tile: angles, zones without sight, areas, and which burst serves, on surfaces made for it."""

import dataclasses
import itertools

import numpy as np
import pytest

from sen12ts_pipeline.domain.lattice import Grid
from sen12ts_pipeline.errors import Rejected
from sen12ts_pipeline.sar.native import geometry
from sen12ts_pipeline.sar.native.lattice import Lattice
from sen12ts_pipeline.sar.native.terrain import (
    EDGE_MARGIN_LINES,
    EDGE_MARGIN_SAMPLES,
    SMALLEST_AREA_SHARE,
    make_terrain,
    serving_burst,
)
from tests.sar.native.surfaces import dem_of, tile_at, towards_far_range

BASE_M = 500.0


@pytest.fixture(scope="module")
def grid():
    return tile_at("IW2").grid


@pytest.fixture(scope="module")
def sight(morocco, grid):
    """Direction (east, north) to far range, and the incidence angle on flat ground."""
    return towards_far_range(morocco, grid, BASE_M)


@pytest.fixture
def seen(morocco, grid, tmp_path):
    """Terrain of the grid over a surface of (east, north) of its centre."""

    def make(surface, over=grid, mask_margin=0, **options):
        return make_terrain(over, morocco, dem_of(tmp_path / "dem.tif", surface, grid, **options), mask_margin)

    return make


def flat(east, north):
    return BASE_M + 0.0 * (east + north)


def along(sight, east, north):
    """Distance from the grid's centre towards far range."""
    return sight[0][0] * east + sight[0][1] * north


def pixels_along(sight, grid):
    """The same for every pixel."""
    east = grid.west + 10.0 * (np.arange(grid.cols) + 0.5) - grid.centre[0]
    north = grid.north - 10.0 * (np.arange(grid.rows) + 0.5) - grid.centre[1]
    return along(sight, east[None], north[:, None])


class TestAngles:
    @pytest.mark.parametrize(("towards", "sideways"), [(0, 0), (20, 0), (-20, 0), (0, 20), (15, -10)])
    def test_of_planes_are_those_of_their_normal(self, seen, sight, grid, towards, sideways):
        (e, n), theta = sight
        p, q = np.tan(np.radians([towards, sideways]))
        rise = (
            -p * e - q * n,
            -p * n + q * e,
        )  # falls towards far range for positive `towards`: faces the sensor's far side
        one = seen(lambda east, north: BASE_M + rise[0] * east + rise[1] * north)
        slope = np.degrees(np.arctan(np.hypot(p, q)))
        inner = (slice(100, 156), slice(100, 156))
        assert one.slope[inner].mean() == pytest.approx(slope, abs=0.02)
        to_sensor = np.array(
            [-np.sin(np.radians(theta)) * e, -np.sin(np.radians(theta)) * n, np.cos(np.radians(theta))]
        )
        normal = np.array([-rise[0], -rise[1], 1.0]) / np.sqrt(1 + rise[0] ** 2 + rise[1] ** 2)
        expected = np.degrees(np.arccos(normal @ to_sensor))
        assert one.incidence[inner].mean() == pytest.approx(expected, abs=0.05)

    def test_a_tilt_along_the_track_is_not_forgotten(self, seen, sight):
        # In the plane of range the projected angle would not change.
        (e, n), theta = sight
        tilt = np.tan(np.radians(25.0))
        one = seen(lambda east, north: BASE_M + tilt * (-n * east + e * north))
        assert one.incidence[128, 128] > theta + 5.0


class TestLayoverAndShadow:
    def ridge(self, sight, *, up, down, height):
        """A ridge along the track: slopes towards the sensor and away from it, in degrees; crest in the middle."""
        rise, fall = np.tan(np.radians(up)), np.tan(np.radians(down))

        def surface(east, north):
            s = along(sight, east, north)
            return BASE_M + np.maximum(height - np.where(s < 0, -s * rise, s * fall), 0.0)

        return surface

    def zone(self, flag, s, side):
        """Where a flag begins and ends along the line of sight through the middle of the grid."""
        middle = np.abs(side) < 200.0
        lit = flag & middle
        return s[lit].min(), s[lit].max()

    def test_a_foreslope_steeper_than_the_view_makes_three_zones(self, seen, sight, grid):
        height, theta = 200.0, np.radians(sight[1])
        one = seen(self.ridge(sight, up=50.0, down=15.0, height=height))
        s = pixels_along(sight, grid)
        side = pixels_along(((sight[0][1], -sight[0][0]), 0), grid)
        start, stop = self.zone(one.layover, s, side)
        foot = -height / np.tan(np.radians(50.0))
        # The crest has the range of flat ground nearer by h / tan(theta); the foot that of the back slope.
        assert start == pytest.approx(-height / np.tan(theta), abs=20.0)
        fall = np.tan(np.radians(15.0))
        back = (height * np.cos(theta) + foot * np.sin(theta)) / (np.sin(theta) + fall * np.cos(theta))
        assert stop == pytest.approx(back, abs=20.0)
        inside = (np.abs(side) < 200) & (s > start + 15) & (s < stop - 15)
        assert one.layover[inside].mean() > 0.99
        assert start < foot - 20 < foot < 0 < stop - 20
        assert not one.shadow.any()
        assert not one.valid[inside].any()

    def test_a_back_slope_steeper_than_the_view_hides_the_ground_behind(self, seen, sight, grid):
        height, theta = 200.0, np.radians(sight[1])
        one = seen(self.ridge(sight, up=20.0, down=75.0, height=height))
        s = pixels_along(sight, grid)
        side = pixels_along(((sight[0][1], -sight[0][0]), 0), grid)
        start, stop = self.zone(one.shadow, s, side)
        assert start == pytest.approx(0.0, abs=20.0)
        assert stop == pytest.approx(height * np.tan(theta), abs=20.0)
        assert not one.layover.any()

    def test_a_mountain_outside_the_grid_counts(self, seen, sight, grid):
        # The ground around the grid is flat; the mask is that of a larger grid that holds the mountain.
        e, n = (2200.0 * x for x in sight[0])

        def surface(east, north):
            return BASE_M + np.maximum(1600.0 - 2.0 * np.hypot(east + e, north + n), 0.0)

        alone = seen(surface)
        wide = Grid(grid.epsg, grid.west - 2560, grid.north + 2560, 768, 768)
        within = seen(surface, over=wide, reach_m=9000.0)
        inner = (slice(256, 512), slice(256, 512))
        assert alone.shadow.sum() > 500
        # At the border of a shadow the walks' lines, 5 m apart, may fall differently.
        assert (alone.shadow != within.shadow[inner]).sum() < 0.02 * alone.shadow.sum()
        assert not (alone.layover | within.layover[inner]).any()
        lit = ~(alone.shadow | within.shadow[inner])
        assert (np.abs(alone.factor / within.factor[inner] - 1)[lit] < 1e-2).mean() > 0.995

    def test_may_be_given_a_margin_on_all_sides(self, seen, sight):
        ridge = self.ridge(sight, up=55.0, down=75.0, height=150.0)
        plain, grown = seen(ridge), seen(ridge, mask_margin=2)
        for name in ("shadow", "layover"):
            mask, wide = getattr(plain, name), getattr(grown, name)
            assert mask.any()
            expected = np.zeros_like(mask)
            for row, col in np.argwhere(mask):
                expected[max(row - 2, 0) : row + 3, max(col - 2, 0) : col + 3] = True
            # Beside the grid's edge the margin of what lies outside comes in.
            inner = (slice(2, -2), slice(2, -2))
            np.testing.assert_array_equal(wide[inner], expected[inner])
        np.testing.assert_array_equal(plain.factor, grown.factor)

    def test_flat_ground_has_neither(self, seen):
        one = seen(flat)
        assert not one.shadow.any()
        assert not one.layover.any()
        assert one.valid.all()


class TestAreaFactor:
    def test_of_flat_ground_is_the_tangent_of_the_incidence_angle(self, seen):
        one = seen(flat)
        off = 10 * np.log10(one.factor / np.tan(np.radians(one.incidence)))
        assert abs(off.mean()) < 0.02
        assert np.ptp(off) < 0.15

    @pytest.mark.parametrize("subswath", ["IW1", "IW3"])
    def test_of_flat_ground_is_so_in_the_other_subswaths(self, morocco, tmp_path, subswath):
        over = tile_at(subswath).grid
        one = make_terrain(over, morocco, dem_of(tmp_path / "d.tif", flat, over))
        assert {b.subswath for b in one.bursts} == {subswath}
        off = 10 * np.log10(one.factor / np.tan(np.radians(one.incidence)))
        assert abs(off.mean()) < 0.02

    @pytest.mark.parametrize("tilt", [-25.0, -10.0, 10.0, 25.0])
    def test_of_planes_follows_their_area(self, seen, sight, tilt):
        # Area of a sample over what it sees: sin(theta - tilt) for the ground's share of range, cos for its direction.
        (e, n), _ = sight
        rise = np.tan(np.radians(tilt))
        one = seen(lambda east, north: BASE_M + rise * (e * east + n * north))
        inner = (slice(64, 192), slice(64, 192))
        incidence = np.radians(one.incidence[inner])
        off = 10 * np.log10(one.factor[inner] / np.tan(incidence))
        assert abs(off.mean()) < 0.03
        assert np.ptp(off) < 0.25

    def test_of_a_cliff_stays_small(self, seen, sight, grid):
        one = seen(lambda east, north: BASE_M + np.where(along(sight, east, north) < 0, 300.0, 0.0), step_m=10.0)
        flat_factor = np.tan(np.radians(sight[1]))
        gain = 10 * np.log10(one.factor[np.isfinite(one.factor)] / flat_factor)
        assert gain.max() <= -10 * np.log10(SMALLEST_AREA_SHARE) + 0.1
        assert one.shadow.any()
        # Brighter than 30 dB would need ground of more than 17 dB.
        assert gain.max() < 30.0 - 13.0

    def test_is_bounded_where_nothing_is_seen(self, seen, sight, grid):
        one = seen(lambda east, north: BASE_M + np.where(along(sight, east, north) < 0, 800.0, 0.0), step_m=10.0)
        s = pixels_along(sight, grid)
        deep = one.shadow & (s > 250) & (s < 400)
        assert deep.sum() > 500
        bound = np.tan(np.radians(sight[1])) / SMALLEST_AREA_SHARE
        assert (np.abs(one.factor[deep] / bound - 1.0) < 0.1).mean() > 0.95
        assert not one.valid[deep].any()


class TestVoids:
    def holed(self, tmp_path, grid, size):
        def surface(east, north):
            inside = (np.abs(east) < size / 2) & (np.abs(north) < size / 2)
            return np.where(inside, -32768.0, BASE_M + 20.0 * np.sin(east / 300.0))

        return dem_of(tmp_path / "holed.tif", surface, grid, step_m=30.0, nodata=-32768.0)

    def test_take_with_them_what_they_must_and_no_more(self, morocco, grid, tmp_path):
        one = make_terrain(grid, morocco, self.holed(tmp_path, grid, 90.0))
        whole = make_terrain(
            grid,
            morocco,
            dem_of(tmp_path / "w.tif", lambda e, n: BASE_M + 20.0 * np.sin(e / 300.0) + 0 * n, grid, step_m=30.0),
        )
        lost = ~one.valid
        rows, cols = np.nonzero(lost)
        # 90 m, two cells of interpolation around, three nodes of area, and 40 m of height to either side of it.
        assert 100 < lost.sum() < 1000
        assert np.abs(np.concatenate([rows, cols]) - 127.5).max() * 10.0 < 260.0
        np.testing.assert_allclose(one.factor[~lost], whole.factor[~lost], rtol=1e-5)
        np.testing.assert_allclose(one.incidence[~lost], whole.incidence[~lost], atol=1e-4)
        assert one.notes["void_nodes"] > 0

    def test_everywhere_refuse_the_grid(self, morocco, grid, tmp_path):
        with pytest.raises(Rejected) as caught:
            make_terrain(grid, morocco, self.holed(tmp_path, grid, 20_000.0))
        assert caught.value.rule == "dem_void"


class TestBurstChoice:
    def positions(self, one, terrain):
        """Line and sample of every lattice point in each burst of the terrain, on flat ground."""
        lattice = Lattice.of(terrain.grid)
        heights = np.full(lattice.shape, BASE_M)
        box = geometry.Box.around(terrain.grid.epsg, lattice.easting, lattice.northing, heights)
        time, distance = geometry.fit(geometry.survey(box), one.orbit).time_range(
            lattice.easting, lattice.northing, heights
        )
        return [one.bursts[b].line_sample(time, distance) for b in terrain.bursts]

    def margins(self, one, terrain):
        found = []
        for burst_id, (line, sample) in zip(terrain.bursts, self.positions(one, terrain), strict=True):
            b = one.bursts[burst_id].burst
            azimuth = np.minimum(line - b.first_line, b.last_line - line) - EDGE_MARGIN_LINES
            distance = np.minimum(sample - b.first_valid, b.last_valid - sample) - EDGE_MARGIN_SAMPLES
            found.append((azimuth, distance))
        return found

    def test_in_the_middle_of_a_burst_it_is_alone(self, morocco, seen):
        one = seen(flat)
        assert len(one.bursts) == 1
        assert one.bursts[0].subswath == "IW2"
        assert (one.choice == 0).all()

    def seam_north(self, one, grid):
        """Metres north of the grid's centre to the middle between two bursts; the pass flies south at 6.8 km/s."""
        easting, northing = (np.array([x]) for x in grid.centre)
        point = geometry.earth_fixed(grid.epsg, easting, northing, np.array([BASE_M]))
        time, _ = geometry.solve(point, geometry.localise(one.orbit, point[0]))
        swath = next(b.swath for b in one.bursts.values() if b.swath.subswath == "IW2")
        seams = [
            (a.start_s + a.last_line * swath.line_interval_s + b.start_s + b.first_line * swath.line_interval_s) / 2
            for a, b in itertools.pairwise(swath.bursts)
        ]
        return min(seams - time[0], key=abs) * -6800.0

    def test_across_a_seam_the_larger_azimuth_margin_serves(self, morocco, grid, tmp_path):
        over = dataclasses.replace(grid, north=grid.north + 10.0 * round(self.seam_north(morocco, grid) / 10.0))
        one = make_terrain(over, morocco, dem_of(tmp_path / "d.tif", flat, over))
        assert [b.subswath for b in one.bursts] == ["IW2", "IW2"]
        assert one.bursts[1].number == one.bursts[0].number + 1
        (first, _), (second, _) = self.margins(morocco, one)
        assert (np.maximum(first, second) >= 0).all()
        np.testing.assert_array_equal(one.choice, np.where(second > first, 1, 0))
        assert 0.02 < one.choice.mean() < 0.98

    def test_between_subswaths_the_larger_range_margin_serves(self, morocco, tmp_path):
        over = tile_at("IW2", column=0).grid
        one = make_terrain(over, morocco, dem_of(tmp_path / "d.tif", flat, over))
        names = [b.subswath for b in one.bursts]
        assert set(names) == {"IW1", "IW2"}
        margins = self.margins(morocco, one)
        best = {
            name: np.max(
                [np.where(azimuth >= 0, d, -1) for n, (azimuth, d) in zip(names, margins, strict=True) if n == name],
                axis=0,
            )
            for name in ("IW1", "IW2")
        }
        served = np.array([*(n == "IW2" for n in names)])[np.minimum(one.choice, len(names) - 1)]
        known = one.choice != 255
        np.testing.assert_array_equal(served[known], (best["IW2"] > best["IW1"])[known])
        assert 0.02 < served.mean() < 0.98

    def test_outside_the_valid_samples_nothing_serves(self, morocco, tmp_path):
        first = tile_at("IW1", column=0).grid  # a descending pass: near range is in the east
        over = dataclasses.replace(first, west=first.west + 2000.0)
        one = make_terrain(over, morocco, dem_of(tmp_path / "d.tif", flat, over))
        outside = one.choice == 255
        assert 0.01 < outside.mean() < 0.99
        for (line, sample), burst_id in zip(self.positions(morocco, one), one.bursts, strict=True):
            burst = morocco.bursts[burst_id].burst
            inside = (
                (line >= burst.first_line + EDGE_MARGIN_LINES)
                & (line <= burst.last_line - EDGE_MARGIN_LINES)
                & (sample >= burst.first_valid + EDGE_MARGIN_SAMPLES)
                & (sample <= burst.last_valid - EDGE_MARGIN_SAMPLES)
            )
            assert not (inside & outside).any()
        assert not one.valid[(one.choice_at_pixels == 255).any(axis=-1)].any()

    def test_of_a_point_is_that_of_the_lattice(self, morocco, tmp_path):
        over = tile_at("IW2", column=0).grid
        one = make_terrain(over, morocco, dem_of(tmp_path / "d.tif", flat, over))
        lattice = Lattice.of(over)
        for row, col in ((5, 10), (130, 260), (200, 500), (260, 40)):
            point = geometry.earth_fixed(
                over.epsg, lattice.easting[col : col + 1], lattice.northing[row : row + 1], np.array([BASE_M])
            )
            time, distance = geometry.solve(point, geometry.localise(morocco.orbit, point[0]))
            index = one.choice[row, col]
            expected = None if index == 255 else one.bursts[index]
            assert serving_burst(morocco, float(time[0]), float(distance[0])) == expected

    def test_of_a_grid_elsewhere_is_refused(self, morocco, grid, tmp_path):
        far = dataclasses.replace(grid, north=grid.north + 2560.0 * 200)
        with pytest.raises(Rejected) as caught:
            make_terrain(far, morocco, dem_of(tmp_path / "d.tif", flat, far))
        assert caught.value.rule == "no_burst"


def test_notes_tell_where_geometry_came_from(morocco, seen):
    one = seen(flat)
    assert one.notes["reference_pass"] == morocco.id == "S1A_060FCD"
    assert one.notes["orbit"] == "annotation"
    assert one.notes["void_nodes"] == 0
