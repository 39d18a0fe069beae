"""Figures of the card: well-formed, every tile in its place and colour."""

import re

import pytest
import shapely
from lxml import etree

from sen12ts_pipeline.dataset import figures
from sen12ts_pipeline.domain.seasons import Season

TILES = {
    (2.0 + 0.03 * k, 41.0 + 0.02 * j, 2.03 + 0.03 * k, 41.02 + 0.02 * j): 1 + 4 * j + k
    for k in range(4)
    for j in range(4)
}


def drawn(svg):
    return etree.fromstring(svg.encode())


def cells(svg):
    """Number of tiles in each colour of the scale."""
    found = {p.get("fill"): p.get("d").count("M") for p in drawn(svg).iterfind("{*}path")}
    return [found.get(colour, 0) for colour in figures.STEP_COLOURS]


def test_a_tile_has_the_colour_of_its_number_of_triplets():
    assert cells(figures.tile_map("catalonia", TILES)) == [4, 4, 4, 4]
    assert [figures.step_of(n) for n in (1, 4, 5, 8, 9, 12, 13, 16, 20)] == [0, 0, 1, 1, 2, 2, 3, 3, 3]


def test_north_is_up_and_east_is_right():
    svg = figures.tile_map("x", {(0.0, 0.0, 0.1, 0.1): 1, (0.9, 0.9, 1.0, 1.0): 16})
    paths = {p.get("fill"): p.get("d") for p in drawn(svg).iterfind("{*}path")}
    (left, low), (right, high) = (
        map(float, re.match(r"M([\d.]+) ([\d.]+)", paths[figures.STEP_COLOURS[k]]).groups()) for k in (0, 3)
    )
    assert left < right
    assert high < low


@pytest.mark.parametrize("tall", [(0.0, 0.0, 0.1, 3.0), (0.0, 0.0, 5.0, 0.1), (-70.0, 69.0, -60.0, 72.0)])
def test_any_shape_of_area_fits_on_the_page(tall):
    svg = drawn(figures.tile_map("x", {tall: 3}, shapely.box(*tall)))
    assert int(svg.get("height")) < 760
    numbers = [float(n) for p in svg.iterfind("{*}path") for n in re.findall(r"-?\d+\.\d", p.get("d"))]
    assert 0 <= min(numbers) <= max(numbers) <= max(int(svg.get("height")), int(svg.get("width")))


def test_an_area_without_triplets_is_drawn_too():
    assert cells(figures.tile_map("<&>", {})) == [0, 0, 0, 0]


def test_bars_are_as_tall_as_their_numbers():
    svg = drawn(figures.availability([1, 1, 16, 20], {Season.WINTER: 10, Season.FALL: 5}))
    bars = [(float(r.get("height")), r.get("fill")) for r in svg.iterfind("{*}rect")][1:]
    assert len(bars) == 20 + 4
    assert [round(h) for h, _ in bars[-4:]] == [170, 0, 0, 85]
    assert bars[0][0] == 2 * bars[15][0] == 2 * bars[19][0]
