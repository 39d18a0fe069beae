"""Names of crops as files have them: capitals, accents, broken encodings; one code for each."""

import pytest

from sen12ts_pipeline.dataset.classes import table
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.labels.names import Codes, dun_codes, plain


@pytest.mark.parametrize(
    "spelling",
    [
        "ALBERGÍNIA",
        "Albergínia",
        "  ALBERGÍNIA ",
        "ALBERGINIA",
        "ALBERGI\u0301NIA",
        "ALBERGÍNIA".encode().decode("latin-1"),
        "ALBERG?NIA",
        "ALBERG??NIA",
        "ALBERG\ufffdNIA",
    ],
    ids=["as told", "lower", "spaces", "no accent", "decomposed", "misread", "lost", "lost bytes", "replaced"],
)
def test_one_name_in_many_spellings_has_one_code(spelling):
    assert dun_codes().find(spelling) == 2


def test_spaces_quotes_and_slashes_do_not_matter():
    assert plain("'algarroba'  herbàcia SIE") == "ALGARROBA HERBACIA SIE"
    assert plain("GUARET NO SIE/ SUP.  LLIURE") == plain("Guaret no SIE / Sup. lliure")


def test_a_lost_letter_that_may_be_two_is_not_guessed():
    codes = Codes({"BLAT": 1, "BLET": 2})
    assert codes.find("BL?T") is None
    assert Codes({"BLAT": 1, "BLET": 1}).find("BL?T") == 1


def test_one_name_with_two_codes_is_refused():
    with pytest.raises(ConfigurationError, match=r"labels\.classes: must give one code to the name 'blàt'.*\[1, 2\]"):
        Codes({"BLAT": 1, "blàt": 2})


def test_unknown_names_are_listed():
    assert dun_codes().unknown(["ORDI", "Xyz", "ABC", "Xyz"]) == ["ABC", "Xyz"]


def test_the_user_s_codes_go_before_the_delivered_ones():
    both = dun_codes() | Codes({"Ordi": 7, "Xyz": 8})
    assert (both.find("ORDI"), both.find("xyz"), both.find("CIVADA"), dun_codes().find("ORDI")) == (7, 8, 35, 110)


class TestDun:
    """The delivered table of Catalan crop names."""

    def test_every_published_code_has_a_name(self):
        assert set(range(171)) <= set(dun_codes().table.values())

    def test_every_code_is_in_the_class_table(self):
        assert set(dun_codes().table.values()) == set(table("sigpac"))

    def test_the_traps_of_translation_are_avoided(self):
        """The key is the Catalan name: Dactylis is no date, millet no mill, and the raspberry no blueberry."""
        names = ("DÀCTIL (DACTYLIS)", "MILL", "MESTALL", "GERDS", "NABIU", "PÈSOL I ORDI SIE")
        assert [dun_codes().find(name) for name in names] == [46, 100, 99, 72, 103, 115]

    @pytest.mark.parametrize(
        ("before", "name", "code", "after"),
        [
            ("COGOMBRE", "COL I COLIFLOR", 40, "COLZA"),
            ("COLZA", "CONREU DE FRUITS DEL BOSC", 42, "CORIANDRE"),
            ("MAGRANER", "MANDARINER", 93, "MANDARINER HÍBRID"),
            ("MANDARINER", "MANDARINER HÍBRID", 94, "MARDUIX"),
        ],
    )
    def test_the_four_names_of_our_own_assignment_stand_where_the_order_of_names_wants_them(
        self, before, name, code, after
    ):
        assert [dun_codes().find(one) for one in (before, name, after)] == [code - 1, code, code + 1]
        assert sorted((before, name, after), key=lambda one: one.encode("ascii", "replace")) == [before, name, after]

    def test_campaigns_that_name_a_crop_in_the_singular_agree(self):
        for singular, plural in (("OLIVERA", "OLIVERES"), ("VINYA", "VINYES"), ("POMERA", "POMERES")):
            assert dun_codes().find(singular) == dun_codes().find(plural)

    def test_a_pulse_is_not_taken_for_its_focus_area_variants(self):
        assert len({dun_codes().find(name) for name in ("CIGRÓ", "CIGRONS SIE", "CIGRONS NO SIE")}) == 3

    def test_the_published_order_is_that_of_names_with_lost_letters(self):
        """The published codes count names whose letters beyond ASCII became question marks; ours reproduce them."""
        names = {"CÀNEM": 21, "CACAUET SIE": 22, "PÈSOLS SIE": 117, "PASTANAGA": 118, "TÒFONA": 147, "TABAC": 148}
        assert sorted(names, key=lambda name: name.encode("ascii", "replace")) == list(names)
        assert [dun_codes().find(name) for name in names] == list(names.values())
