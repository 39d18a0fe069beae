"""Parts of a data set: no ground of one part is seen in another."""

from collections import Counter

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from sen12ts_pipeline.domain.lattice import TileId, tiles_of, to_geographic
from sen12ts_pipeline.domain.splits import Split, split_of, split_of_ground

TILES = st.builds(TileId, st.integers(1, 60), st.integers(-120, 120), st.integers(-3400, 3400))


@settings(max_examples=200, deadline=None)
@given(TILES, st.floats(0, 1), st.floats(0, 1))
def test_all_ground_of_a_tile_is_in_the_tiles_part(tile, x, y):
    grid, part = tile.grid, split_of(tile)
    east, north = grid.west + x * (grid.east - grid.west), grid.south + y * (grid.north - grid.south)
    if part is not Split.BORDER:
        assert split_of_ground(*to_geographic(grid.epsg).transform(east, north)) is part


def test_tiles_of_two_zones_that_share_ground_are_in_one_part():
    area = shapely.box(11.9, 45.0, 12.1, 48.0)  # zones 32 and 33 meet at 12 degrees
    outlines = [(t, shapely.box(*_bounds(t))) for t in tiles_of(area)]
    shared = 0
    tree = shapely.STRtree([o for _, o in outlines])
    for k, (tile, outline) in enumerate(outlines):
        for j in tree.query(outline, predicate="overlaps"):
            other = outlines[j][0]
            parts = {split_of(tile), split_of(other)} - {Split.BORDER}
            shared += other.zone != tile.zone
            assert len(parts) < 2 or not outline.intersection(outlines[j][1]).area > 1e-9, (k, j)
    assert shared > 100


def _bounds(tile):
    grid = tile.grid
    corners = [
        to_geographic(grid.epsg).transform(x, y) for x in (grid.west, grid.east) for y in (grid.south, grid.north)
    ]
    longitudes, latitudes = zip(*corners, strict=True)
    return min(longitudes), min(latitudes), max(longitudes), max(latitudes)


def test_most_tiles_are_for_training_and_few_on_the_border():
    tiles = list(tiles_of(shapely.box(-96.0, 41.0, -91.0, 43.5)))
    count = Counter(split_of(t) for t in tiles)
    assert len(tiles) > 15_000
    for part, (least, most) in {
        Split.TRAIN: (0.5, 0.8), Split.VALIDATION: (0.07, 0.25), Split.TEST: (0.05, 0.25), Split.BORDER: (0.04, 0.14),
    }.items():  # fmt: skip
        assert least < count[part] / len(tiles) < most, part


@pytest.mark.parametrize(
    ("tile", "part"),
    [("47_12_-40", "train"), ("31_-7_1614", "validation"), ("31_-7_1796", "test"), ("31_-7_1621", "border")],
)
def test_the_parts_of_some_tiles_never_change(tile, part):
    assert split_of(TileId.parse(tile)) == part


def test_the_antimeridian_is_no_edge():
    for latitude in (-17.1, 10.1, 66.6):
        assert split_of_ground(180.0, latitude) == split_of_ground(-180.0, latitude)
