"""What archives are asked covers what is looked for, in few words."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import MultiPoint, MultiPolygon, Point, box

from sen12ts_pipeline.catalogues.questions import FIRST_PRODUCT, LONGEST_QUESTION, Kind, outlines, questions
from sen12ts_pipeline.domain.seasons import Interval
from tests.domain.examples import utc

AREA = box(-117.2, 34.8, -117.0, 35.0)

places = st.tuples(st.floats(-179, 179), st.floats(-80, 80))


@given(st.lists(places, min_size=3, max_size=12))
def test_an_outline_holds_the_whole_area(drawn):
    area = MultiPoint(drawn).buffer(0.5)
    parts = outlines(area)
    assert shapely.union_all(parts).buffer(1e-9).covers(area.intersection(box(-180, -90, 180, 90)))
    assert all(part.exterior.is_ccw and part.equals(part.convex_hull) for part in parts)


@pytest.mark.parametrize("radius", [0.01, 1.0, 20.0])
def test_an_outline_has_few_corners_and_is_not_much_larger(radius):
    area = Point(20, 10).buffer(radius, quad_segs=500)
    (outline,) = outlines(area)
    assert len(outline.wkt) < 2500
    assert outline.within(area.buffer(0.09))


def test_an_area_of_both_ends_of_the_world_is_asked_for_at_both():
    west, east = outlines(MultiPolygon([box(179.0, 50.0, 180.0, 51.0), box(-180.0, 50.0, -179.0, 51.0)]))
    assert west.bounds[2] < -178.9
    assert east.bounds[0] > 178.9


def test_questions_follow_each_other_without_a_gap_and_none_is_long():
    during = Interval(utc("2019-11-01"), utc("2021-02-01"))
    asked = [q.during for q in questions("a", Kind.SLICE, AREA, during, timedelta(minutes=1))]
    assert asked[0].start == during.start - timedelta(minutes=1)
    assert asked[-1].end == during.end + timedelta(minutes=1)
    assert all(one.end == other.start for one, other in itertools.pairwise(asked))
    assert all(one.end - one.start <= LONGEST_QUESTION for one in asked)


def test_a_season_s_passes_are_one_question():
    during = Interval(utc("2020-01-10"), utc("2020-06-04"))
    assert len(list(questions("a", Kind.SLICE, AREA, during, timedelta(minutes=1)))) == 1


@pytest.mark.parametrize("kind", list(Kind))
def test_nothing_is_asked_of_times_without_satellites(kind):
    first, later = FIRST_PRODUCT[kind], datetime.now(UTC) + timedelta(days=3)
    for during in (Interval(first - timedelta(days=900), first), Interval(later, later + timedelta(days=9))):
        assert list(questions("a", kind, AREA, during, timedelta(0))) == []


def test_halves_meet():
    (one,) = questions("a", Kind.SLICE, AREA, Interval(utc("2020-01-10"), utc("2020-06-04")), timedelta(0))
    early, late = one.halves
    assert (early.during.start, late.during.end) == (one.during.start, one.during.end)
    assert early.during.end == late.during.start
