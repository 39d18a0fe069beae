"""GeoTIFFs: what goes in comes out, in the layout each profile promises, byte for byte the same again."""

import hashlib
import struct
import subprocess
import sys

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from rasterio.io import MemoryFile

from sen12ts_pipeline.dataset.geotiff import Profile, decode, encode, encode_label, encode_s1, encode_s2
from sen12ts_pipeline.domain.lattice import Grid, TileId
from sen12ts_pipeline.domain.layers import LABEL_LAYERS, NODATA, S1_LAYERS, S1_UNITS, S2_LAYERS
from sen12ts_pipeline.errors import BadProduct
from tests.dataset.examples import ETHIOPIAN_TILE, a_label, an_s1_stack, an_s2_stack

PROFILES = list(Profile)
GRID = ETHIOPIAN_TILE.grid


def directory(body):
    """Offset of a classic TIFF's only directory, and its tags: (type, values)."""
    order, magic, start = struct.unpack("<2sHI", body[:8])
    assert (order, magic) == (b"II", 42)
    (count,) = struct.unpack_from("<H", body, start)
    tags = {}
    for k in range(count):
        tag, kind, number, value = struct.unpack_from("<HHI4s", body, start + 2 + 12 * k)
        form = {1: "B", 2: "c", 3: "H", 4: "I", 12: "d"}[kind]
        size = struct.calcsize(f"<{number}{form}")
        at = start + 2 + 12 * k + 8 if size <= 4 else struct.unpack("<I", value)[0]
        tags[tag] = struct.unpack_from(f"<{number}{form}", body, at)
    (following,) = struct.unpack_from("<I", body, start + 2 + 12 * count)
    assert following == 0
    return start, tags


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    ("encoder", "array", "layers", "dtype"),
    [
        (encode_s1, an_s1_stack(ETHIOPIAN_TILE), S1_LAYERS, np.float32),
        (encode_s2, an_s2_stack(), S2_LAYERS, np.int16),
        (encode_label, a_label(ETHIOPIAN_TILE), LABEL_LAYERS, np.int16),
    ],
    ids=["s1", "s2", "label"],
)
def test_a_file_says_all_that_the_contract_asks(profile, encoder, array, layers, dtype):
    body = encoder(array, GRID, profile=profile, tags={"TILE": str(ETHIOPIAN_TILE)})
    with MemoryFile(body) as memory, memory.open() as file:
        assert (file.count, file.height, file.width) == (len(layers), 256, 256)
        assert set(file.dtypes) == {np.dtype(dtype).name}
        assert set(file.nodatavals) == {NODATA}
        assert file.crs.to_epsg() == 32637
        assert tuple(file.transform)[:6] == (10, 0, 333_600, 0, -10, 1_108_480)
        assert file.descriptions == layers
        assert file.tags() == {"TILE": str(ETHIOPIAN_TILE), "AREA_OR_POINT": "Area"}
        np.testing.assert_array_equal(file.read(), array if array.ndim == 3 else array[None])


@pytest.mark.parametrize("encoder", [encode_s1, encode_s2])
def test_the_cog_profile_is_a_cloud_optimised_geotiff(encoder):
    """One directory, before the data; tiles of 256 in the order of the layers."""
    body = encoder(an_s1_stack(ETHIOPIAN_TILE) if encoder is encode_s1 else an_s2_stack(), GRID, profile=Profile.COG)
    start, tags = directory(body)
    assert start == 8
    assert tags[322] == tags[323] == (256,), "tile width and length"
    assert tags[259] == (50000,), "ZSTD"
    assert tags[317] == ((3,) if encoder is encode_s1 else (2,)), "predictor"
    assert tags[284] == (2,), "layer by layer"
    offsets, sizes = tags[324], tags[325]
    assert list(offsets) == sorted(offsets)
    assert offsets[0] > start
    assert offsets[-1] + sizes[-1] <= len(body)


def test_the_compat_profile_is_laid_out_as_the_published_files():
    body = encode_s1(an_s1_stack(ETHIOPIAN_TILE), GRID, profile=Profile.COMPAT)
    _, tags = directory(body)
    assert 322 not in tags, "strips, not tiles"
    assert tags[259] == (1,), "no compression"
    assert tags[284] == (1,), "pixel by pixel"
    assert 19 * 4 * 65536 < len(body) < 19 * 4 * 65536 + 8000


@pytest.mark.parametrize("profile", PROFILES)
def test_the_same_array_gives_the_same_bytes_in_another_process(profile):
    program = (
        "import hashlib\n"
        "from tests.dataset.examples import *\n"
        "stack = an_s1_stack(ETHIOPIAN_TILE)\n"
        f"body = encode_s1(stack, ETHIOPIAN_TILE.grid, profile=Profile({profile.value!r}), tags={{'A': 'b'}})\n"
        "print(len(body), hashlib.sha256(body).hexdigest())\n"
    )
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    body = encode_s1(an_s1_stack(ETHIOPIAN_TILE), GRID, profile=profile, tags={"A": "b"})
    assert other.split() == [str(len(body)), hashlib.sha256(body).hexdigest()]


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(["float32", "int16"]).flatmap(
        lambda dtype: arrays.arrays(
            dtype,
            st.tuples(st.integers(1, 4), st.integers(1, 20), st.integers(1, 20)),
            elements=st.floats(width=32, allow_nan=False, allow_infinity=False) if dtype == "float32" else None,
        )
    ),
    st.integers(-180, 179),
    st.integers(-79, 83),
    st.sampled_from(PROFILES),
)
def test_decode_undoes_encode(array, longitude, latitude, profile):
    tile = TileId.at(longitude, latitude).grid
    grid = Grid(tile.epsg, tile.west, tile.north, *array.shape[1:])
    layers = [f"layer {k}" for k in range(len(array))]
    units = ["1"] * len(array)
    tags = {"NOTE": "x"}
    body = encode(array, grid, layers=layers, units=units, dtype=str(array.dtype), profile=profile, tags=tags)
    found = decode(body)
    np.testing.assert_array_equal(found.array.view(np.int16), array.view(np.int16))
    assert (found.grid, found.layers, found.units, found.tags) == (grid, tuple(layers), tuple(units), tags)
    assert found.nodata == NODATA


def test_units_are_kept():
    found = decode(encode_s1(an_s1_stack(ETHIOPIAN_TILE), GRID, profile=Profile.COG))
    assert found.units == S1_UNITS


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_never_reaches_a_file(bad):
    stack = an_s1_stack(ETHIOPIAN_TILE)
    stack[3, 4, 5] = bad
    with pytest.raises(ValueError, match="1 values are NaN or infinite"):
        encode_s1(stack, GRID, profile=Profile.COG)


def test_other_shapes_and_types_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        encode_s2(an_s2_stack()[:13], GRID, profile=Profile.COG)
    with pytest.raises(ValueError, match="type int16 is expected"):
        encode_s2(an_s2_stack().astype(np.int32), GRID, profile=Profile.COG)


@pytest.mark.parametrize("body", [b"", b"text", encode_s2(an_s2_stack(), GRID, profile=Profile.COG)[:5000]])
def test_what_is_no_geotiff_is_refused_by_name(body):
    with pytest.raises(BadProduct, match=r"s2/x\.tif: must be a readable GeoTIFF"):
        decode(body, name="s2/x.tif")


def test_a_raster_without_a_place_is_refused(tmp_path):
    path = tmp_path / "turned.tif"
    profile = {"driver": "GTiff", "count": 1, "height": 2, "width": 2, "dtype": "uint8"}
    with rasterio.open(path, "w", **profile, crs="EPSG:32637", transform=rasterio.Affine(10, 1, 0, 0, -10, 0)) as file:
        file.write(np.zeros((1, 2, 2), np.uint8))
    with pytest.raises(BadProduct, match="must be north-up"):
        decode(path.read_bytes())
