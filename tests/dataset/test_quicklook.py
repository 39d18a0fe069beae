"""Pictures: they hold what they should, and the same triplet gives the same bytes."""

import io

import numpy as np
import pytest
from PIL import Image

from sen12ts_pipeline.dataset import colours
from sen12ts_pipeline.dataset.quicklook import View, contact_sheet, quicklook
from sen12ts_pipeline.dataset.triplet import name_of
from sen12ts_pipeline.domain.layers import NODATA
from tests.dataset.examples import ETHIOPIAN_TILE, a_candidate, a_label, an_s1_stack, an_s2_stack


def a_view(**changes):
    values = {
        "name": name_of(a_candidate()),
        "tile": str(ETHIOPIAN_TILE),
        "s1": an_s1_stack(ETHIOPIAN_TILE),
        "s2": an_s2_stack(),
        "label": a_label(ETHIOPIAN_TILE),
    }
    return View(**(values | changes))


def opened(body):
    image = Image.open(io.BytesIO(body))
    assert image.format == "PNG"
    return np.asarray(image)


def shows(page, picture):
    """Whether a page holds a picture, pixel by pixel, somewhere."""
    height, width, _ = picture.shape
    corners = np.argwhere((page[: 1 - height, : 1 - width] == picture[0, 0]).all(axis=-1))
    return any(np.array_equal(page[r : r + height, c : c + width], picture) for r, c in corners)


def test_a_quicklook_shows_five_layers_at_full_size():
    view = a_view()
    page = opened(quicklook(view, title="ethiopia"))
    assert page.shape[2] == 3
    for picture in (
        colours.backscatter(view.s1[0], view.s1[1]),
        colours.coherence(view.s1[2]),
        colours.phase(view.s1[3]),
        colours.true_colour(view.s2),
    ):
        assert shows(page, picture)


def test_the_same_triplet_gives_the_same_bytes():
    assert quicklook(a_view()) == quicklook(a_view())
    assert contact_sheet([a_view()], title="x") == contact_sheet([a_view()], title="x")


def test_title_tile_and_dates_are_written():
    one, other = (opened(quicklook(a_view(), title=title))[:60] for title in ("ethiopia", "iowa"))
    assert (one != other).any()


def test_a_sheet_grows_with_its_rows():
    heights = [opened(contact_sheet([a_view()] * n, title="t", subtitle="s")).shape[0] for n in (0, 1, 2, 12)]
    assert heights == sorted(heights)
    assert heights[2] - heights[1] == 198


@pytest.mark.parametrize("codes", [[NODATA], list(range(0, 60, 2)), [32_767, -5]])
def test_any_label_can_be_drawn(codes):
    label = np.resize(np.int16(codes), (256, 256))
    assert quicklook(a_view(label=label))
    assert contact_sheet([a_view(label=label)], title="labels")


def test_a_tile_of_another_size_is_scaled_not_cut():
    part = a_view()
    half = View(part.name, part.tile, part.s1[:, :128, :128], part.s2[:, :128, :128], part.label[:128, :128])
    page = opened(quicklook(half))
    assert shows(page, colours.coherence(half.s1[2]).repeat(2, axis=0).repeat(2, axis=1))
