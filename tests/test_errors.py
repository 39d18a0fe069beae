"""Errors say what to do about them, and survive the way between processes."""

import copy
import pickle

import pytest

from sen12ts_pipeline.errors import (
    BadProduct,
    ConfigurationError,
    EngineFailure,
    Rejected,
    Retryable,
    Sen12tsError,
)

EXAMPLES = [
    Rejected("s1_invalid", "31_-40_1803 S2A_20200615T105031_31TDG 88", "700 of 65536 pixels, limit 655"),
    Rejected(rule="series_gap", subject="S1A_03C421", detail="none"),
    Retryable("disk full: 3 GB needed"),
    BadProduct("S1A_IW_SLC__1SDV_20200615", "annotation/iw1.xml", "zero bytes"),
    BadProduct(product="S2A_MSIL2A_20200615", member="", reason="no such product"),
    EngineFailure("gpt", "insar_ifg", "band 'i_ifg' is missing"),
    ConfigurationError("config/aois/iowa.yaml", "budget.bytes", "must be positive", -1),
    ConfigurationError(source="SEN12TS_STORE", key="store", rule="must not be empty", value=None),
]
FIELDS = ("rule", "subject", "detail", "product", "member", "reason", "engine", "source", "key", "value")

examples = pytest.mark.parametrize("error", EXAMPLES, ids=lambda e: type(e).__name__)


@examples
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_they_cross_processes(error, protocol):
    assert_same(pickle.loads(pickle.dumps(error, protocol)), error)


@examples
def test_they_can_be_copied(error):
    assert_same(copy.copy(error), error)
    assert_same(copy.deepcopy(error), error)


def test_a_subclass_stays_itself():
    class NoOrbit(BadProduct):
        """A subclass somebody may write."""

    cls, arguments = NoOrbit("S1A", "", "no orbit").__reduce__()
    assert type(cls(*arguments)) is NoOrbit


@examples
def test_they_have_one_root(error):
    assert isinstance(error, Sen12tsError)


def test_whoever_catches_one_kind_does_not_catch_another():
    kinds = (Rejected, Retryable, BadProduct, EngineFailure, ConfigurationError)
    for kind in kinds:
        assert not any(issubclass(kind, other) for other in kinds if other is not kind)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            Rejected("s1_invalid", "31_-40_1803", "700 of 65536"),
            "31_-40_1803: refused by rule s1_invalid: 700 of 65536",
        ),
        (BadProduct("S1A_X", "manifest.safe", "zero bytes"), "S1A_X/manifest.safe: zero bytes"),
        (BadProduct("S1A_X", "", "gone"), "S1A_X: gone"),
        (EngineFailure("gpt", "insar_ifg", "band missing"), "gpt failed on insar_ifg: band missing"),
        (ConfigurationError("a.yaml", "year", "must be a year", "20"), "a.yaml: year: must be a year; got '20'"),
    ],
)
def test_the_text_names_subject_rule_and_finding(error, text):
    assert str(error) == text


def assert_same(twin, error):
    assert type(twin) is type(error)
    assert str(twin) == str(error)
    assert [getattr(twin, f, None) for f in FIELDS] == [getattr(error, f, None) for f in FIELDS]
