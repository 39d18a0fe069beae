"""The radar stack: order of layers, cells, clipping, nodata, and the one rule of the mask."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sen12ts_pipeline.dataset.stacks import repeat_cells, s1_stack, valid_pixels
from sen12ts_pipeline.domain.lattice import Grid
from sen12ts_pipeline.domain.layers import NODATA, S1_LAYERS
from tests.dataset.examples import a_frame, a_terrain

GRID = Grid(32637, 0.0, 0.0, 8, 12)


def frames_of(grid=GRID):
    return [a_frame(grid, k) for k in range(4)]


def test_layers_are_four_frames_newest_first_then_incidence_slope_mask():
    frames, terrain = frames_of(), a_terrain(GRID)
    stack = s1_stack(frames, terrain)
    assert (stack.dtype, stack.shape) == (np.float32, (19, 8, 12))
    for k, when in enumerate(("t", "t-1", "t-2", "t-3")):
        for name, expected in (
            ("vh", frames[k].vh),
            ("vv", frames[k].vv),
            ("coherence", repeat_cells(frames[k].coherence)),
            ("phase", repeat_cells(frames[k].phase)),
        ):
            np.testing.assert_array_equal(stack[S1_LAYERS.index(f"{name}_{when}")], expected)
    np.testing.assert_array_equal(stack[16], terrain.incidence)
    np.testing.assert_array_equal(stack[17], terrain.slope)
    assert (stack[18] == 1).all()


def test_a_cell_of_20_m_is_two_by_two_pixels():
    assert repeat_cells(np.float32([[1, 2]])).tolist() == [[1, 1, 2, 2], [1, 1, 2, 2]]


def test_backscatter_is_clipped_to_its_range():
    frame = a_frame(GRID, vh=np.full(GRID.shape, -55, np.float32), vv=np.full(GRID.shape, 41, np.float32))
    stack = s1_stack([frame] * 4, a_terrain(GRID))
    assert (stack[0] == -40).all()
    assert (stack[1] == 30).all()


def slow_stack(frames, terrain):
    """Pixel by pixel, by the words of the contract."""
    stack = np.empty((19, *terrain.grid.shape), np.float32)
    for row, col in np.ndindex(terrain.grid.shape):
        cell = row // 2, col // 2
        values = []
        for frame in frames:
            values += [np.clip(frame.vh[row, col], -40, 30), np.clip(frame.vv[row, col], -40, 30)]
            values += [frame.coherence[cell], frame.phase[cell]]
        values += [terrain.incidence[row, col], terrain.slope[row, col]]
        complete = not any(np.isnan(v) for v in values)
        hidden = terrain.shadow[row, col] or terrain.layover[row, col]
        stack[:, row, col] = [NODATA if np.isnan(v) else v for v in values] + [complete and not hidden]
    return stack


FRAME_GAPS = ("vh", "vv", "coherence", "phase")
TERRAIN_GAPS = ("incidence", "slope")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 7), st.sampled_from(FRAME_GAPS + TERRAIN_GAPS), st.integers(0, 95)), max_size=12),
    st.sets(st.integers(0, 95), max_size=10),
    st.sets(st.integers(0, 95), max_size=10),
)
def test_mask_and_nodata_follow_the_contract(gaps, shadow, layover):
    frames, terrain = frames_of(), a_terrain(GRID)
    for which, name, place in gaps:
        values = getattr(terrain if name in TERRAIN_GAPS else frames[which % 4], name)
        values.ravel()[place % values.size] = np.nan
    terrain.shadow.ravel()[list(shadow)] = True
    terrain.layover.ravel()[list(layover)] = True
    stack = s1_stack(frames, terrain)
    np.testing.assert_array_equal(stack, slow_stack(frames, terrain))
    np.testing.assert_array_equal(valid_pixels(stack), stack[18] == 1)


def test_layers_keep_their_values_in_shadow_and_layover():
    everywhere = np.ones(GRID.shape, bool)
    stack = s1_stack(frames_of(), a_terrain(GRID, shadow=everywhere, layover=everywhere))
    assert (stack[:18] != NODATA).all()
    assert (stack[18] == 0).all()


def test_inputs_are_left_as_they_are():
    frames, terrain = frames_of(), a_terrain(GRID)
    frames[0].vh[0, 0] = np.nan
    s1_stack(frames, terrain)
    assert np.isnan(frames[0].vh[0, 0])


def test_what_does_not_belong_together_is_refused():
    with pytest.raises(ValueError, match="made of 4 frames"):
        s1_stack(frames_of()[:3], a_terrain(GRID))
    elsewhere = replace(GRID, west=10.0)
    with pytest.raises(ValueError, match="one grid"):
        s1_stack(frames_of(), a_terrain(elsewhere))
    wrong = a_frame(GRID, coherence=np.zeros(GRID.shape, np.float32))
    with pytest.raises(ValueError, match="other shapes"):
        s1_stack([wrong] * 4, a_terrain(GRID))
