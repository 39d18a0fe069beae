"""Class tables and colours."""

from xml.etree import ElementTree

import numpy as np
import pytest
from affine import Affine
from rasterio.io import MemoryFile

from sen12ts_pipeline.dataset.classes import (
    TABLES,
    LandClass,
    classes_of,
    csv_of,
    named,
    read_classes,
    rgb_of_code,
    style_of,
    table,
    table_from,
    table_of,
)
from sen12ts_pipeline.errors import ConfigurationError


@pytest.mark.parametrize(("name", "size"), [("worldcover", 12), ("cdl", 134), ("sigpac", 261), ("scl", 12)])
def test_tables_are_complete(name, size):
    classes = table(name)
    assert len(classes) == size
    assert all(code == one.code and one.name for code, one in classes.items())
    assert name in TABLES


def test_codes_that_users_know():
    assert table("worldcover")[95] == LandClass(95, "Mangroves", "#00cf75")
    assert table("cdl")[5] == LandClass(5, "Soybeans", "#256f00")
    assert table("sigpac")[0].name == "Agrostis"
    assert table("scl")[9].name == "Cloud High Probability"


def test_a_table_cannot_be_changed_and_an_unknown_one_is_named():
    with pytest.raises(TypeError):
        table("scl")[0] = None
    with pytest.raises(KeyError, match="corine"):
        table("corine")


def test_worldcover_is_recognised_by_its_codes():
    assert classes_of([40, 10, 10])[10].name == "Tree cover"
    assert classes_of([10, 11])[10].name == "code 10"
    assert classes_of([10, 11], "cdl")[11].name == "Tobacco"
    assert classes_of([999], "cdl")[999].name == "code 999"
    assert classes_of([]) == {}


def test_every_code_has_a_colour_of_its_own_that_never_changes():
    assert LandClass(10, "Tree cover", "#006400").rgb == (0, 100, 0)
    assert len({rgb_of_code(code) for code in range(171)}) == 171
    assert rgb_of_code(7) == LandClass(7, "x", "").rgb


def test_the_published_codes_of_catalonia_come_before_our_own():
    codes = list(table("sigpac"))
    assert codes == [*range(171), *range(1001, 1091)]


def test_a_table_is_found_by_the_beginning_of_a_source_s_name():
    assert (table_of("cdl_2020"), table_of("worldcover_2020_v100"), table_of("demo")) == ("cdl", "worldcover", "")
    assert named("scl") is table("scl")
    assert named("") == {}


class TestOwnTables:
    """Class tables of a user's own, as CSV files."""

    @pytest.fixture
    def file(self, tmp_path):
        def write(text, encoding="utf-8"):
            path = tmp_path / "classes.csv"
            path.write_text(text, encoding)
            return path

        return write

    def test_are_read_whatever_the_order_of_their_columns(self, file):
        path = file("name,color,code,remark\n Maïs ,#FFd300,1,x\nWood,,-5,y\n", "utf-8-sig")
        assert read_classes(path) == (LandClass(1, "Maïs", "#ffd300"), LandClass(-5, "Wood", ""))

    def test_may_give_one_code_to_several_names(self, file):
        found = read_classes(file("code,name,color\n1,Wheat,#112233\n1,Barley,\n"))
        assert table_from(found) == {1: LandClass(1, "Wheat", "#112233")}
        assert classes_of([1, 2], table_from(found))[2].name == "code 2"

    @pytest.mark.parametrize(
        ("text", "rule"),
        [
            ("code,name\n1,Corn\n", "must have the columns code,name,color"),
            ("code,name,color\n", "must have the columns code,name,color and rows"),
            ("code,name,color\n32768,Corn,\n", "line 2: code must be a whole number from -32768 to 32767"),
            ("code,name,color\n1,Corn,\n-3000,None,\n", "line 3: code must be .* and not -3000"),
            ("code,name,color\n1.5,Corn,\n", "line 2: code must be a whole number"),
            ("code,name,color\n1,,\n", "line 2: name must not be empty"),
            ("code,name,color\n1,Corn,yellow\n", "line 2: color must be #rrggbb or empty; got 'yellow'"),
        ],
        ids=["columns", "rows", "int16", "nodata", "fraction", "name", "colour"],
    )
    def test_are_refused_with_the_line_that_is_wrong(self, file, text, rule):
        with pytest.raises(ConfigurationError, match=rf"classes\.csv: labels\.classes: .*{rule}"):
            read_classes(file(text))

    def test_all_faults_are_told_at_once(self, file):
        with pytest.raises(ConfigurationError, match=r"line 2: color .*line 3: code"):
            read_classes(file("code,name,color\n1,Corn,red\nx,Rice,\n"))

    def test_that_are_not_there_or_not_in_utf8_are_refused(self, file, tmp_path):
        with pytest.raises(ConfigurationError, match="must be a readable CSV file in UTF-8"):
            read_classes(file("code,name,color\n1,Maïs,\n", "latin-1"))
        with pytest.raises(ConfigurationError, match="must be a readable CSV file in UTF-8"):
            read_classes(tmp_path / "none.csv")


class TestFilesOfATable:
    """The class table as it lies beside the labels."""

    def test_the_csv_is_read_back(self, tmp_path):
        (tmp_path / "classes.csv").write_bytes(csv_of(table("cdl").values()))
        found = table_from(read_classes(tmp_path / "classes.csv"))
        assert {code: one.rgb for code, one in found.items()} == {code: one.rgb for code, one in table("cdl").items()}

    def test_the_style_has_an_entry_for_each_class_in_its_colour(self):
        root = ElementTree.fromstring(style_of([LandClass(2, 'Rye & "oat"', ""), LandClass(1, "Corn", "#ffd300")]))
        entries = [(e.get("value"), e.get("color"), e.get("label")) for e in root.iter("paletteEntry")]
        colour = "#{:02x}{:02x}{:02x}".format(*rgb_of_code(2))
        assert entries == [("1", "#ffd300", "Corn"), ("2", colour, 'Rye & "oat"')]
        assert root.find("pipe/rasterrenderer").get("type") == "paletted"

    @pytest.mark.parametrize(("dtype", "carried"), [("uint8", [255, 211, 0]), ("int16", [])])
    def test_only_unsigned_geotiffs_can_carry_colours(self, dtype, carried):
        """Why a label comes with a style of QGIS: its codes need a sign for -3000."""
        options = {"driver": "GTiff", "count": 1, "height": 2, "width": 2, "dtype": dtype, "crs": "EPSG:32631"}
        with MemoryFile() as memory:
            with memory.open(**options, transform=Affine(10, 0, 0, 0, -10, 0)) as file:
                file.write(np.ones((1, 2, 2), dtype))
                file.write_colormap(1, {1: (255, 211, 0, 255)})
            with MemoryFile(memory.read()) as alone, alone.open() as file:
                try:
                    colours = list(file.colormap(1)[1][:3])
                except ValueError:
                    colours = []
        assert colours == carried
