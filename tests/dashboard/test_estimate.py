"""Throughput and end: right for an even pace, unsure for an uneven one, silent where nothing can be told."""

from datetime import UTC, datetime, timedelta

import pytest

from sen12ts_pipeline.dashboard.estimate import estimate

NOW = datetime(2023, 9, 30, 12, tzinfo=UTC)


def every(minutes, count, triplets=10.0):
    return [(NOW - timedelta(minutes=minutes * k), triplets) for k in range(1, count + 1)]


def test_an_even_pace_goes_on():
    found = estimate(NOW, 1200, every(30, 24))
    assert found.per_hour == pytest.approx(20.0)
    assert found.end == NOW + timedelta(hours=60)
    assert found.earliest == found.latest == found.end


def test_an_uneven_pace_widens_the_bounds_around_the_same_end():
    uneven = [(at, 20.0 * (k < 12)) for k, (at, _) in enumerate(every(30, 24))]
    found = estimate(NOW, 1200, [(NOW - timedelta(hours=12), 0.0), *uneven])
    assert found.earliest < found.end < found.latest
    assert found.low_per_hour < 20.0 < found.high_per_hour


def test_what_lies_before_the_window_does_not_count():
    assert estimate(NOW, 5, [(NOW - timedelta(hours=25), 100.0)]).per_hour == 0.0


def test_without_work_no_end_can_be_told():
    assert estimate(NOW, 5, []).end is None


def test_two_shards_tell_a_pace_but_not_how_sure_it_is():
    found = estimate(NOW, 20, every(30, 2))
    assert found.end == NOW + timedelta(hours=1)
    assert (found.earliest, found.latest, found.low_per_hour) == (None, None, None)
