"""Images that are damaged, or are not what the metadata say; and what is read of whole ones."""

import shutil

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.errors import NotGeoreferencedWarning

from sen12ts_pipeline.acquisition.products import FolderProduct
from sen12ts_pipeline.domain.lattice import Grid
from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.sentinel2.images import Image
from sen12ts_pipeline.sentinel2.scene import open_scene
from tests.sentinel2.conftest import numbers
from tests.sentinel2.products import GRANULE, image_member, read_stack, stack_of, write_jp2, write_safe

B04 = image_member("B04", 10)
GRID = Grid(32631, 499_980.0, 4_700_040.0, 20, 20)


def image(files, member=B04, size=1020, **changes):
    expected = {"shape": (size, size), "corner_m": (499_980, 4_700_040), "resolution_m": 10, "dtype": "uint16"}
    return Image(files, member, **(expected | changes))


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_windows_equal_the_whole(northern, data):
    top, left = data.draw(st.integers(0, 1019)), data.draw(st.integers(0, 1019))
    bottom, right = data.draw(st.integers(top + 1, 1020)), data.draw(st.integers(left + 1, 1020))
    rows, cols = np.mgrid[top:bottom, left:right]
    with image(northern) as opened:
        np.testing.assert_array_equal(opened.read((top, bottom), (left, right)), numbers("B04", 10, rows, cols))


def test_each_block_is_decoded_once_from_north_to_south(northern, monkeypatch):
    decoded = []
    with image(northern) as opened:
        read = opened._dataset.read

        class Counting:
            dtypes = opened._dataset.dtypes

            def read(self, layer, window):
                decoded.append((window.row_off, window.col_off))
                return read(layer, window=window)

            def close(self):
                pass

        dataset, opened._dataset = opened._dataset, Counting()
        for top in range(0, 1020 - 100, 100):
            for left in range(0, 1020 - 100, 100):
                opened.read((top, top + 100), (left, left + 100))
        dataset.close()
    assert len(decoded) == len(set(decoded))


def test_a_window_outside_is_the_callers_fault(northern):
    with image(northern) as opened, pytest.raises(ValueError, match="outside"):
        opened.read((0, 1021), (0, 10))


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    return write_safe(tmp_path_factory.mktemp("whole"), numbers, pixels=600)


@pytest.fixture
def product(whole, tmp_path):
    """A product to damage."""
    return FolderProduct(shutil.copytree(whole.path, tmp_path / whole.path.name))


@pytest.mark.parametrize("share", [0.02, 0.5, 0.999])
def test_a_truncated_image_is_refused_even_where_its_beginning_is_whole(product, share):
    path = product.path / B04
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(BadProduct, match="must be") as caught:
        read_stack(product, GRID)
    assert (caught.value.product, caught.value.member) == (product.product, B04)


def test_a_damaged_block_is_refused_and_never_filled_from_memory(product):
    path = product.path / B04
    body = bytearray(path.read_bytes())
    starts = [k for k in range(len(body) - 1) if body[k : k + 4] == b"\xff\x90\x00\x0a"]
    body[starts[1] : starts[1] + 12] = bytes(12)  # the header of the second of nine blocks
    path.write_bytes(body)
    with open_scene([product]) as scene, pytest.raises(BadProduct, match="must be complete; rows"):
        stack_of(scene, Grid(32631, 499_980.0, 4_700_040.0, 600, 600))


@pytest.mark.parametrize("body", [b"", b"not an image"])
def test_what_is_no_image_is_refused(product, body):
    (product.path / B04).write_bytes(body)
    with pytest.raises(BadProduct, match="must be a JPEG 2000 image") as caught:
        read_stack(product, GRID)
    assert caught.value.member == B04


@pytest.mark.parametrize(
    ("size", "dtype", "corner", "rule"),
    [
        (540, np.uint16, (499_980, 4_700_040), "1 layer of 600 x 600 uint16.* got 1 of 540 x 540"),
        (600, np.uint8, (499_980, 4_700_040), "got 1 of 600 x 600 uint8"),
        (600, np.uint16, (499_990, 4_700_040), "must lie on the metadata's grid"),
    ],
    ids=["size", "type", "place"],
)
def test_an_image_that_the_metadata_do_not_describe_is_refused(product, size, dtype, corner, rule):
    ulx, uly = corner
    write_jp2(product.path / B04, np.ones((size, size), dtype), epsg=32631, ulx=ulx, uly=uly, resolution=10)
    with pytest.raises(BadProduct, match=rule):
        read_stack(product, GRID)


def test_a_scene_classification_of_another_size_is_refused(product):
    member = image_member("SCL", 20)
    small = np.full((290, 290), 4, np.uint8)
    write_jp2(product.path / member, small, epsg=32631, ulx=499_980, uly=4_700_040, resolution=20)
    with pytest.raises(BadProduct, match="must have 1 layer of 300 x 300 uint8, as the metadata say") as caught:
        read_stack(product, GRID)
    assert caught.value.member == member


def test_an_image_without_a_place_of_its_own_takes_the_metadatas(product):
    path = product.path / B04
    rows, cols = np.mgrid[:600, :600]
    plain = {"epsg": 32631, "ulx": 499_980, "uly": 4_700_040, "resolution": 10, "GMLJP2": "NO", "GEOJP2": "NO"}
    write_jp2(path, numbers("B04", 10, rows, cols).astype(np.uint16), **plain)
    path.with_suffix(".jp2.aux.xml").unlink()
    with pytest.warns(NotGeoreferencedWarning), rasterio.open(path) as file:
        assert file.transform.is_identity
    with open_scene([product]) as scene:
        assert stack_of(scene, GRID)[3, 0, 1] == numbers("B04", 10, 0, 1)


def test_images_are_closed_even_after_an_error(product):
    opened = []

    def read():
        with open_scene([product]) as scene:
            stack_of(scene, GRID)
            opened.extend(scene.parts[0]._open.values())
            stack_of(scene, Grid(32632, 0.0, 0.0, 1, 1))

    with pytest.raises(ValueError, match="lie inside"):
        read()
    assert len(opened) == 13
    assert all(image._dataset.closed for image in opened)


def test_a_missing_image_is_refused_by_name(product):
    (product.path / GRANULE / "IMG_DATA" / "R20m" / "T31TDG_20200511T105031_SCL_20m.jp2").unlink()
    with pytest.raises(BadProduct, match="SCL_20m"), open_scene([product]):
        pass
