"""Cloud maskers, and the masks of scenes that they make."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sen12ts_pipeline.domain.lattice import Grid
from sen12ts_pipeline.domain.layers import NODATA
from sen12ts_pipeline.ports import EngineIdentity
from sen12ts_pipeline.sentinel2 import masks
from sen12ts_pipeline.sentinel2.masks import Consensus, SceneMask, SclMasker, dilated, pixel_mask, valid_pixels
from sen12ts_pipeline.sentinel2.scene import open_scene
from tests.sentinel2.products import image_member, write_safe

CLASSES = np.arange(12, dtype=np.int16).reshape(3, 4)


class Brightness:
    """A masker that calls what is bright in the mean of its surroundings cloud."""

    bands, context = ("B02",), 2
    identity = EngineIdentity("brightness", "1", {})

    def valid(self, bands):
        blue = np.pad(bands["B02"].astype(np.int64), 2, mode="edge")
        rows, cols = bands["B02"].shape
        near = sum(blue[r : r + rows, c : c + cols] for r in range(5) for c in range(5))
        return (near < 25 * 4000) & (bands["B02"] != NODATA)


def wavy(band, resolution, rows, cols):
    """Waves of brightness, and classes that go with the place."""
    if band == "SCL":
        return np.where((rows // 7 + cols // 5) % 9 == 0, 9, 4)
    return 4000 + (3000 * np.sin(rows / 9) * np.cos(cols / 11)).astype(int)


@pytest.fixture(scope="module")
def waves(tmp_path_factory):
    return write_safe(tmp_path_factory.mktemp("waves"), wavy, pixels=600)


class TestSceneClasses:
    def test_cloud_shadow_cloud_cirrus_and_no_data_are_invalid_and_nothing_else(self):
        valid = SclMasker().valid({"SCL": CLASSES})
        assert (valid.dtype, valid.shape) == (bool, CLASSES.shape)
        assert CLASSES[~valid].tolist() == [0, 3, 8, 9, 10]

    def test_nothing_is_dilated_unless_asked_for(self):
        classes = np.full((5, 5), 4, np.int16)
        classes[2, 2] = 9
        assert int((~SclMasker().valid({"SCL": classes})).sum()) == 1
        assert int((~SclMasker(dilation_m=20).valid({"SCL": classes})).sum()) == 5

    def test_no_data_do_not_grow(self):
        classes = np.full((5, 5), 4, np.int16)
        classes[:, 0] = 0
        assert (~SclMasker(dilation_m=40).valid({"SCL": classes})).sum(axis=0).tolist() == [5, 0, 0, 0, 0]

    def test_the_identity_tells_what_decides_the_mask(self):
        assert SclMasker().identity.as_json() == {
            "name": "scl",
            "version": "1",
            "parameters": {"invalid": [0, 3, 8, 9, 10], "dilation_m": 0},
        }
        assert SclMasker(dilation_m=60).identity != SclMasker().identity

    def test_each_pixel_is_judged_by_itself_unless_clouds_grow(self):
        assert masks.by_pixel(SclMasker())
        assert not masks.by_pixel(SclMasker(dilation_m=20))
        assert SclMasker(dilation_m=70).context == 3


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 130), st.integers(0, 2**32 - 1))
def test_clouds_grow_by_discs(distance_m, seed):
    marked = np.random.default_rng(seed).random((17, 13)) < 0.02
    places = np.argwhere(marked)
    slow = [
        [any(20 * math.dist((r, c), place) <= distance_m for place in places) for c in range(13)] for r in range(17)
    ]
    np.testing.assert_array_equal(dilated(marked, distance_m), slow)


class TestMasksOfScenes:
    GRID = Grid(32631, 500_020.0, 4_699_990.0, 77, 301)

    @pytest.mark.parametrize("masker", [SclMasker(dilation_m=70), Brightness()], ids=["grown classes", "brightness"])
    def test_strips_with_context_equal_the_whole(self, waves, masker, monkeypatch):
        with open_scene([waves]) as scene:
            rows, cols = scene.shape_20m
            whole = masker.valid(scene.at_20m(masker.bands, (0, rows), (0, cols)))
            monkeypatch.setattr(masks, "STRIP", 64)
            np.testing.assert_array_equal(valid_pixels(scene, masker), whole)
        assert 0.1 < whole.mean() < 0.9

    def test_each_block_is_decoded_once_though_strips_overlap(self, northern, monkeypatch):
        monkeypatch.setattr(masks, "STRIP", 128)
        decoded = []
        with open_scene([northern]) as scene:
            image = scene.parts[0]._image("B02")
            dataset, before = image._dataset, set(image._blocks)

            class Counting:
                dtypes = dataset.dtypes

                def read(self, layer, window):
                    decoded.append((window.row_off // image._block_shape[0], window.col_off // image._block_shape[1]))
                    return dataset.read(layer, window=window)

            image._dataset = Counting()
            valid_pixels(scene, Brightness())
            image._dataset = dataset
        assert len(set(decoded)) == len(decoded)
        assert {row for row, _ in {*decoded, *before}} == {0, 1, 2, 3}

    def test_a_grid_shows_the_pixel_of_20_m_that_holds_its_centre(self, waves):
        with open_scene([waves]) as scene:
            whole = SceneMask(scene.parts[0].product, valid_pixels(scene, SclMasker()))
            np.testing.assert_array_equal(whole(self.GRID), pixel_mask(scene, SclMasker())(self.GRID))
            assert 0 < whole(self.GRID).mean() < 1

    def test_only_the_bands_of_the_masker_are_opened(self, waves):
        with open_scene([waves]) as scene:
            valid_pixels(scene, Brightness())
            assert [image.member for image in scene.parts[0]._open.values()] == [image_member("B02", 10)]

    def test_pixels_without_data_in_any_band_are_invalid_whatever_the_masker_says(self, tmp_path):
        def hole(band, resolution, rows, cols):
            return np.where((band == "B12") & (rows < 3), 0, 4)

        with open_scene([write_safe(tmp_path, hole, pixels=60)]) as scene:
            grid = Grid(32631, 499_980.0, 4_700_040.0, 60, 60)
            layers = scene.stack(grid, lambda grid: np.ones(grid.shape, bool)).layers
        assert layers[13].sum(axis=1).tolist() == [0] * 6 + [60] * 54


class TestConsensus:
    MEMBERS = (SclMasker(), SclMasker([9]), SclMasker([8, 9]))

    @pytest.mark.parametrize(("votes", "invalid"), [(1, [0, 3, 8, 9, 10]), (2, [8, 9]), (3, [9])])
    def test_enough_votes_make_a_pixel_invalid(self, votes, invalid):
        assert CLASSES[~Consensus(self.MEMBERS, votes).valid({"SCL": CLASSES})].tolist() == invalid

    def test_it_reads_what_its_members_read_with_the_widest_context(self):
        both = Consensus([SclMasker(dilation_m=100), Brightness(), SclMasker()], 1)
        assert (both.bands, both.context) == (("SCL", "B02"), 5)

    def test_its_identity_holds_those_of_its_members(self):
        members = [m["name"] for m in Consensus([SclMasker(), Brightness()], 1).identity.parameters["members"]]
        assert members == ["scl", "brightness"]

    @pytest.mark.parametrize(("members", "votes"), [((SclMasker(),), 1), (MEMBERS, 0), (MEMBERS, 4)])
    def test_votes_must_be_possible(self, members, votes):
        with pytest.raises(ValueError, match="votes must be 1 to the number of members"):
            Consensus(members, votes)
