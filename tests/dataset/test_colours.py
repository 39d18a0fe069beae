"""Layers to colours."""

import numpy as np

from sen12ts_pipeline.dataset import colours
from sen12ts_pipeline.dataset.classes import classes_of
from sen12ts_pipeline.domain.layers import NODATA
from tests.dataset.examples import an_s2_stack

NOTHING = list(colours.NOTHING)


def test_nodata_has_one_colour_in_every_layer():
    layer = np.float32([[NODATA, 0.5]])
    stack = an_s2_stack()
    stack[1, 0, 0] = NODATA
    for picture in (
        colours.backscatter(layer, layer),
        colours.coherence(layer),
        colours.phase(layer),
        colours.true_colour(stack),
        colours.label(np.int16([[NODATA, 10]]), classes_of([10])),
    ):
        assert picture.dtype == np.uint8
        assert picture[0, 0].tolist() == NOTHING
        assert picture[0, 1].tolist() != NOTHING


def test_phase_closes_its_circle():
    ends = colours.phase(np.float32([[-np.pi, np.pi]]))
    assert ends[0, 0].tolist() == ends[0, 1].tolist() == list(colours.PHASE[0])
    steps = colours.phase(np.linspace(-np.pi, np.pi, 721, dtype=np.float32)[None]).astype(int)
    assert abs(np.diff(steps, axis=1)).max() <= 3, "no jump that is not in the data"


def test_backscatter_channels():
    picture = colours.backscatter(np.float32([[-28, -8]]), np.float32([[-2, -22]]))
    assert picture[0, 0].tolist() == [255, 0, 255]
    assert picture[0, 1].tolist() == [0, 255, 0]


def test_true_colours_keep_their_hue_and_a_tile_without_data_is_drawn():
    stack = np.zeros((14, 4, 4), np.int16)
    stack[3], stack[2], stack[1] = 3000, 2000, 1000
    red, green, blue = colours.true_colour(stack)[0, 0]
    assert red > green > blue
    empty = np.full((14, 4, 4), NODATA, np.int16)
    assert (colours.true_colour(empty) == NOTHING).all()


def test_labels_have_the_colours_of_their_classes():
    picture = colours.label(np.int16([[10, 12345]]), classes_of([10]))
    assert picture[0, 0].tolist() == [0, 100, 0]
    assert picture[0, 1].tolist() == list(colours.rgb_of_code(12345))
