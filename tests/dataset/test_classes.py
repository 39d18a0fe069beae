"""Class tables and colours."""

import pytest

from sen12ts_pipeline.dataset.classes import TABLES, LandClass, classes_of, rgb_of_code, table


@pytest.mark.parametrize(("name", "size"), [("worldcover", 12), ("cdl", 134), ("sigpac", 171), ("scl", 12)])
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
