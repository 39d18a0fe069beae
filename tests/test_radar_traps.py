"""The page of radar traps is complete, and every test that it names is there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs/radar-traps.md"
TRAPS = 58

ROW = re.compile(r"\| (\d+) \| (.+) \| (.+) \| (.+) \|")
NAME = re.compile(r"`([\w/]+\.py)::([\w:]+)`")


def rows():
    """Number, what goes wrong, rule and test of every row."""
    return [m.groups() for m in map(ROW.fullmatch, PAGE.read_text().splitlines()) if m]


@cache
def names_in(path):
    """Names of the tests of a file, ``test_x`` or ``TestX::test_y``."""
    found = set()
    for node in ast.parse((TESTS / path).read_text()).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)}
    return {name for name in found if name.rsplit("::", 1)[-1].startswith("test_")}


def test_every_trap_has_a_row_in_order():
    assert [int(number) for number, *_ in rows()] == list(range(1, TRAPS + 1))


def test_traps_come_in_five_groups():
    assert re.findall(r"^## ([A-E])\. ", PAGE.read_text(), re.MULTILINE) == list("ABCDE")


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_the_tests_of_a_row_exist(row):
    _number, wrong, rule, tests = row
    assert wrong != rule
    named = [NAME.fullmatch(part) for part in tests.split(", ")]
    assert all(named), f"not the name of a test: {tests}"
    for match in named:
        assert match[2] in names_in(match[1]), match[0]
