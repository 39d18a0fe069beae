"""Products as SNAP writes them, laid out by the stand-in's writer and by hand."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

from sen12ts_pipeline.domain.lattice import Grid
from sen12ts_pipeline.errors import EngineFailure
from sen12ts_pipeline.sar.snap.dimap import check_whole, open_product, read_bands
from tests.sar.snap import standin_dimap
from tests.sar.snap.standin_operators import Band

GRID = Grid(32630, 340_000.0, 4_200_040.0, 4, 3)
VALUES = np.arange(12, dtype=np.float32).reshape(4, 3)


@pytest.fixture
def product(tmp_path):
    """Write a product on the map: layers by name."""

    def write(grid=GRID, name="made", **layers):
        bands = tuple(Band(key, "intensity", lambda _: None) for key in layers)
        scene = SimpleNamespace(folder=tmp_path)
        empty = dict.fromkeys(("safes", "strips", "others", "steps"), ())
        about = SimpleNamespace(bands=bands, grid=grid, scene=scene, notes={}, **empty)
        dim = tmp_path / f"{name}.dim"
        standin_dimap.write(about, dim, list(zip(bands, layers.values(), strict=True)))
        return dim

    return write


def edit(path, pattern, replacement):
    text, count = re.subn(pattern, replacement, path.read_text(), flags=re.DOTALL)
    assert count
    path.write_text(text)


class TestAProduct:
    def test_tells_its_bands_size_and_place(self, product):
        found = open_product(product(Gamma0_VV=VALUES, Gamma0_VH=VALUES))
        assert [band.name for band in found.bands] == ["Gamma0_VV", "Gamma0_VH"]
        assert found.shape == (4, 3)
        assert found.transform == (10.0, 0.0, 340_000.0, 0.0, -10.0, 4_200_040.0)
        assert "32630" in found.crs

    def test_has_no_place_in_radar_geometry(self, product):
        dim = product(i_VV=VALUES)
        edit(dim, "<Geoposition>.*</Geoposition>", "")
        edit(dim, "<Coordinate_Reference_System>.*</Coordinate_Reference_System>", "")
        assert (open_product(dim).transform, open_product(dim).crs) == (None, "")
        with pytest.raises(EngineFailure, match="must lie on a map"):
            read_bands(dim, ["i_VV"])

    def test_leaves_out_bands_that_are_only_an_expression(self, product):
        dim = product(i_VV=VALUES)
        expression = "<Spectral_Band_Info><BAND_INDEX>1</BAND_INDEX><BAND_NAME>Intensity_VV</BAND_NAME>"
        expression += "<VIRTUAL_BAND>true</VIRTUAL_BAND><EXPRESSION>i_VV ^ 2</EXPRESSION></Spectral_Band_Info>"
        edit(dim, "</Image_Interpretation>", expression + "</Image_Interpretation>")
        assert [band.name for band in open_product(dim).bands] == ["i_VV"]

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            ("", "is empty"),
            ("<Dimap_Document><Data_Access>", "must be well-formed XML"),
            ("<Dimap_Document/>", "must have Raster_Dimensions/NROWS"),
            ('<!DOCTYPE d [<!ENTITY a "b">]><d>&a;</d>', "must not declare a document type"),
        ],
    )
    def test_that_is_cut_off_or_no_product_is_refused(self, tmp_path, content, words):
        dim = tmp_path / "broken.dim"
        dim.write_text(content)
        with pytest.raises(EngineFailure, match=words):
            open_product(dim)

    def test_that_is_not_there_is_refused(self, tmp_path):
        with pytest.raises(EngineFailure, match=r"none\.dim: must be a readable product"):
            open_product(tmp_path / "none.dim")


class TestReading:
    def test_gives_layers_in_the_order_of_the_patterns(self, product):
        raster = read_bands(product(Gamma0_IW1_VH=VALUES + 1, Gamma0_IW1_VV=VALUES), [r"Gamma0_\w*VV", r"Gamma0_\w*VH"])
        np.testing.assert_array_equal(raster.layers[0][1:], VALUES[1:])
        np.testing.assert_array_equal(raster.layers[1], VALUES + 1)
        assert {layer.dtype for layer in raster.layers} == {np.dtype(np.float32)}
        assert raster.grid == GRID

    def test_has_nan_where_the_band_has_no_data(self, product):
        dim = product(Gamma0_VV=VALUES)
        assert np.isnan(read_bands(dim, ["Gamma0_VV"]).layers[0][0, 0])
        edit(dim, "<NO_DATA_VALUE_USED>true", "<NO_DATA_VALUE_USED>false")
        assert read_bands(dim, ["Gamma0_VV"]).layers[0][0, 0] == 0

    def test_takes_the_place_from_the_product_and_not_from_the_rounded_header_of_an_image(self, product):
        dim = product(Gamma0_VV=VALUES)
        header = dim.with_suffix(".data") / "Gamma0_VV.hdr"
        edit(header, r"340000\.0", "340000.004")
        assert read_bands(dim, ["Gamma0_VV"]).grid == GRID
        edit(header, r"340000\.004", "340005.0")
        with pytest.raises(EngineFailure, match="the header of band Gamma0_VV puts it at"):
            read_bands(dim, ["Gamma0_VV"])

    @pytest.mark.parametrize(
        ("pattern", "count"), [("Gamma0", 0), ("Sigma0_VV", 0), (r"Gamma0_V[VH]", 2)], ids=["part", "other", "both"]
    )
    def test_refuses_a_pattern_that_means_no_band_or_two(self, product, pattern, count):
        dim = product(Gamma0_VV=VALUES, Gamma0_VH=VALUES)
        words = re.escape(f"must have one band {pattern!r}, found {count}; its bands: Gamma0_VV, Gamma0_VH")
        for read in (read_bands, check_whole):
            with pytest.raises(EngineFailure, match=words):
                read(dim, [pattern])

    @pytest.mark.parametrize(
        ("numbers", "words"),
        [
            ("10.0,0.0,0.0,-20.0,340000.0,4200040.0", "north-up with square pixels"),
            ("10.0,1.0,0.0,-10.0,340000.0,4200040.0", "north-up with square pixels"),
            ("10.0,0.0,0.0,-10.0", "six numbers"),
        ],
    )
    def test_refuses_another_lattice_than_one_of_squares(self, product, numbers, words):
        dim = product(Gamma0_VV=VALUES)
        edit(dim, "<IMAGE_TO_MODEL_TRANSFORM>[^<]*", f"<IMAGE_TO_MODEL_TRANSFORM>{numbers}")
        with pytest.raises(EngineFailure, match=words):
            read_bands(dim, ["Gamma0_VV"])

    def test_refuses_a_map_system_without_a_code(self, product):
        dim = product(Gamma0_VV=VALUES)
        edit(dim, "<WKT>[^<]*", "<WKT>PROJCS[")
        with pytest.raises(EngineFailure, match="must have a map system with an EPSG code"):
            read_bands(dim, ["Gamma0_VV"])


class TestAnotherGrid:
    @pytest.fixture
    def raster(self, product):
        return read_bands(product(Gamma0_VV=VALUES + 1), ["Gamma0_VV"])

    def test_takes_the_part_that_they_share(self, raster):
        (layer,) = raster.on(Grid(32630, 340_010.0, 4_200_050.0, 3, 4))
        expected = np.full((3, 4), np.nan, np.float32)
        expected[1:, :2] = (VALUES + 1)[:2, 1:]
        np.testing.assert_array_equal(layer, expected)

    def test_that_lies_elsewhere_gets_nothing(self, raster):
        (layer,) = raster.on(Grid(32630, 350_000.0, 4_200_050.0, 2, 2))
        assert np.isnan(layer).all()

    @pytest.mark.parametrize(
        "other",
        [
            Grid(32630, 340_005.0, 4_200_040.0, 2, 2),
            Grid(32630, 340_000.0, 4_200_045.0, 2, 2),
            Grid(32629, 340_000.0, 4_200_040.0, 2, 2),
            Grid(32630, 340_000.0, 4_200_040.0, 2, 2, 20.0),
        ],
        ids=["east", "north", "zone", "spacing"],
    )
    def test_of_another_lattice_is_refused(self, raster, other):
        with pytest.raises(ValueError, match="must be of one lattice"):
            raster.on(other)


class TestChecking:
    def test_accepts_a_whole_product(self, product):
        check_whole(product(Gamma0_VV=VALUES), ["Gamma0_VV"])

    def test_refuses_an_image_that_ends_before_its_last_line(self, product):
        dim = product(Gamma0_VV=VALUES)
        image = dim.with_suffix(".data") / "Gamma0_VV.img"
        image.write_bytes(image.read_bytes()[:-4])
        for read in (check_whole, read_bands):
            with pytest.raises(EngineFailure, match="is not whole: 44 bytes, 4 x 3 instead of 48 bytes, 4 x 3"):
                read(dim, ["Gamma0_VV"])

    def test_refuses_an_image_or_header_that_is_not_there(self, product):
        for suffix in (".img", ".hdr"):
            dim = product(name=suffix[1:], Gamma0_VV=VALUES)
            (dim.with_suffix(".data") / f"Gamma0_VV{suffix}").unlink()
            with pytest.raises(EngineFailure, match="the image of band Gamma0_VV must be readable"):
                check_whole(dim, ["Gamma0_VV"])

    @pytest.mark.parametrize("value", [0.0, np.nan], ids=["zeros", "nan"])
    def test_refuses_a_full_size_image_that_holds_nothing(self, product, value):
        dim = product(Gamma0_VV=VALUES, Gamma0_VH=np.full((4, 3), value, np.float32))
        check_whole(dim, ["Gamma0_VV"])
        with pytest.raises(EngineFailure, match="band Gamma0_VH holds nothing but zeros and no-data"):
            check_whole(dim, ["Gamma0_V[V]", "Gamma0_VH"])

    def test_lets_a_mask_be_empty(self, product):
        check_whole(product(layoverShadowMask=np.zeros((4, 3), np.int8)), ["layoverShadowMask"])
