"""Stacks of scenes: what is counted, the lattice of 20 m that maskers see, halves of one granule put together."""

import numpy as np
import pytest

from sen12ts_pipeline.domain.lattice import Grid
from sen12ts_pipeline.domain.layers import NODATA, S2_BANDS
from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.sentinel2.bands import open_granule
from sen12ts_pipeline.sentinel2.masks import SceneMask, SclMasker, pixel_mask, valid_pixels
from sen12ts_pipeline.sentinel2.scene import open_scene
from tests.sentinel2.conftest import numbers
from tests.sentinel2.products import read_stack, stack_of, write_safe

OFFSETS = dict.fromkeys(range(13), -1000)


def test_numbers_below_zero_and_saturated_ones_are_counted_by_band(tmp_path):
    def stored(band, resolution, rows, cols):
        values = np.full(rows.shape, 4 if band == "SCL" else 3000)
        if band == "B04":
            values[0, :3], values[1, :2], values[5, 0] = 940, 65_535, 0
        if band == "B09":
            values[0, 0] = 999
        return values

    files = write_safe(tmp_path, stored, pixels=60, offsets=OFFSETS)
    grid = Grid(32631, 499_980.0, 4_700_040.0, 60, 60)
    with open_scene([files]) as scene:
        stack = scene.stack(grid, pixel_mask(scene, SclMasker()))
    assert stack.notes == {"negative": {"B04": 3, "B09": 1}, "saturated": {"B04": 2}}
    assert stack.layers[3, 0, :4].tolist() == [0, 0, 0, 2000]
    assert stack.layers[3, 1, :3].tolist() == [10_000, 10_000, 2000]
    assert stack.layers[13, :2, :4].all(), "clipped and saturated numbers are data"
    assert (stack.layers[3, 5, 0], stack.layers[13, 5, 0]) == (NODATA, 0)


def test_at_20_m_ten_metre_bands_are_rounded_means_and_coarse_ones_are_repeated(northern):
    rows, cols = (30, 41), (7, 25)
    with open_granule(northern) as granule:
        blue, red_edge, aerosol, classes = (granule.at_20m(b, rows, cols) for b in ("B02", "B05", "B01", "SCL"))
    for r in range(*rows):
        for c in range(*cols):
            here = r - rows[0], c - cols[0]
            fine = [int(numbers("B02", 10, np.array(2 * r + i), np.array(2 * c + j))) for i in (0, 1) for j in (0, 1)]
            expected = NODATA if 0 in fine else min((sum(fine) + 2) // 4, 10_000)
            assert blue[here] == expected
            for layer, band, step in ((red_edge, "B05", 1), (aerosol, "B01", 3)):
                stored = int(numbers(band, 20 * step, np.array(r // step), np.array(c // step)))
                assert layer[here] == (NODATA if stored == 0 else min(stored, 10_000)), band
            assert classes[here] == numbers("SCL", 20, np.array(r), np.array(c))


class TestSplitDatastrips:
    """Two products of one granule: each has data where the other may have none."""

    GRID = Grid(32631, 499_980.0, 4_700_040.0, 60, 60)

    @pytest.fixture
    def parts(self, tmp_path):
        def north(band, resolution, rows, cols):
            value = np.where(rows * resolution < 360, 4 if band == "SCL" else 1000, 0)
            if band == "B05":
                value[(rows < 2) & (cols < 2)] = 0
            if band == "SCL":
                value[(rows < 4) & (cols >= 26)] = 0
            return value

        def south(band, resolution, rows, cols):
            return np.where(rows * resolution >= 240, 5 if band == "SCL" else 2000, 0) + (
                0 if band == "SCL" else 3000 * (rows * resolution < 60)
            )

        return [write_safe(tmp_path / str(k), s, pixels=60) for k, s in enumerate((north, south))]

    def test_first_part_with_data_counts(self, parts):
        with open_scene(parts) as scene:
            stack = stack_of(scene, self.GRID)
            np.testing.assert_array_equal(stack[12], scene.scl(self.GRID))
        assert stack[3, 10:36].tolist() == [[1000] * 60] * 26
        assert stack[3, 36:].tolist() == [[2000] * 60] * 24
        assert set(stack[12, 8:36].ravel().tolist()) == {4}
        assert set(stack[12, 36:].ravel().tolist()) == {5}
        assert (stack[13, 10:] == 1).all()

    def test_a_layer_without_data_is_filled_from_the_next_part(self, parts):
        stack, alone = read_stack(parts, self.GRID), read_stack(parts[0], self.GRID)
        b05 = S2_BANDS.index("B05")
        assert (alone[b05, :4, :4] == NODATA).all()
        assert (alone[13, :4, :4] == 0).all()
        assert (stack[b05, :4, :4] == 3000).all()
        assert (stack[13, :4, :4] == 1).all()

    def test_a_pixel_that_the_classification_does_not_know_comes_from_a_part_that_does_or_stays(self, parts):
        stack = read_stack(parts, self.GRID)
        assert (stack[12, :8, 52:] == 0).all()
        assert (stack[3, :8, 52:] == 1000).all(), "-3000 only where the stored number is 0"
        assert (stack[13, :8, 52:] == 0).all()

    def test_one_part_is_the_granule_itself(self, parts):
        with open_granule(parts[0]) as north:
            np.testing.assert_array_equal(read_stack(parts[:1], self.GRID)[3], north.layer("B04", self.GRID).values)

    def test_the_mask_is_that_of_the_parts_put_together(self, parts):
        with open_scene(parts) as scene, open_scene(parts[:1]) as alone:
            masks = [SceneMask(s.parts[0].product, valid_pixels(s, SclMasker(dilation_m=40))) for s in (scene, alone)]
            together, half = (mask(self.GRID) for mask in masks)
        assert together.tolist()[12:] == [[True] * 60] * 48
        assert not half[36:].any()

    def test_halves_on_different_grids_are_refused(self, parts, tmp_path):
        moved = write_safe(tmp_path / "moved", lambda b, r, rows, cols: 0 * rows, pixels=60, ulx=500_040)
        with pytest.raises(BadProduct, match="must lie on the grid of its other half"), open_scene([parts[0], moved]):
            pass
