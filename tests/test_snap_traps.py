"""The page of SNAP's traps is complete, and every test that it names is there."""

import re
from pathlib import Path

import pytest

from tests.test_radar_traps import NAME, names_in

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs/snap-traps.md"
PACKAGE = TESTS.parent / "sen12ts_pipeline"
NUMBERS = [*map(str, range(1, 22)), "21b", *map(str, range(22, 31))]
ROW = re.compile(r"\| (\d+b?) \| (.+) \| (.+) \| (.+) \|")


def rows():
    """Number, what goes wrong, rule and test of every row."""
    return [m.groups() for m in map(ROW.fullmatch, PAGE.read_text().splitlines()) if m]


def test_every_trap_has_a_row_in_order():
    assert [number for number, *_ in rows()] == NUMBERS
    assert len(NUMBERS) == 31


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_the_tests_of_a_row_exist(row):
    _, wrong, rule, tests = row
    assert wrong != rule
    named = [NAME.fullmatch(part) for part in tests.split(", ")]
    assert all(named), f"not the name of a test: {tests}"
    for match in named:
        assert match[2] in names_in(match[1]), match[0]


def test_nothing_here_uses_snap_s_own_bridge_to_python():
    users = [path.name for path in PACKAGE.rglob("*.py") if re.search(r"\b(esa_snappy|snappy|jpy)\b", path.read_text())]
    assert users == []
