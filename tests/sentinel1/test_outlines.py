"""Bursts over a place, by the annotated grid."""

import numpy as np
import pytest
from shapely.geometry import Point, box

from sen12ts_pipeline.sentinel1.outlines import MARGIN_DEG, bursts_over
from tests.sentinel1.slices import annotation


def over(one, area):
    return bursts_over(one.swath, one.grid, area)


def middle_of(one, index):
    """A point in the middle of a burst."""
    rows = [one.grid.line == k * one.swath.lines_per_burst for k in (index, index + 1)]
    lon, lat = (np.mean([np.median(values[row]) for row in rows]) for values in (one.grid.longitude, one.grid.latitude))
    return Point(lon, lat)


@pytest.mark.parametrize("index", [0, 4, 7])
def test_a_place_in_the_middle_of_a_burst_needs_that_one(index):
    one = annotation("6814", "IW2")
    assert over(one, middle_of(one, index)) == range(index, index + 1)


def test_a_place_on_a_seam_needs_both():
    one = annotation("6814", "IW2")
    row = one.grid.line == 4 * one.swath.lines_per_burst
    seam = Point(np.median(one.grid.longitude[row]), np.median(one.grid.latitude[row]))
    assert over(one, seam) == range(3, 5)


def test_an_area_needs_all_between():
    one = annotation("6814", "IW2")
    first, last = middle_of(one, 2), middle_of(one, 5)
    assert over(one, first.union(last)) == range(2, 6)
    assert over(one, box(-180, -90, 180, 90)) == range(9)


def test_a_place_beside_the_swath_needs_none():
    one = annotation("6814", "IW2")
    edge = one.grid.longitude.max()
    assert over(one, Point(edge + 3 * MARGIN_DEG, one.grid.latitude.mean())) == range(0)


def test_a_swath_across_the_antimeridian_is_found_on_both_sides():
    one = annotation("2250", "IW1")
    index = 5
    assert list(over(one, middle_of(one, index))) == [index]
    assert over(one, box(-180, -90, 180, 90)) == range(len(one.swath.bursts))
    assert over(one, Point(0.0, one.grid.latitude.mean())) == range(0)
