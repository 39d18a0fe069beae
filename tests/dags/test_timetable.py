"""When runs are made, and which partition each of them labels."""

import importlib
from datetime import UTC, datetime

import pytest

from sen12ts_pipeline.domain.seasons import Partition, due

pytestmark = pytest.mark.filterwarnings("ignore")
LABELS = [(3, "spring"), (6, "summer"), (9, "fall"), (12, "winter")]


@pytest.fixture
def timetable(dags):
    return importlib.import_module("sen12ts_timetable").SeasonTimetable


@pytest.fixture
def next_run(airflow_home):
    from airflow.timetables.base import DataInterval, TimeRestriction

    def ask(timetable, *, last=None, earliest=None, latest=None, catchup=True):
        interval = DataInterval(last.data_interval.start, last.data_interval.end) if last else None
        restriction = TimeRestriction(earliest, latest, catchup)
        return timetable.next_dagrun_info(last_automated_data_interval=interval, restriction=restriction)

    return ask


def moment(*parts):
    return datetime(*parts, tzinfo=UTC)


def test_four_labels_a_year_each_due_when_its_orbits_are_out(timetable, next_run):
    run, seen = None, []
    for _ in range(5):
        run = next_run(timetable(2020), last=run, earliest=moment(2020, 1, 1))
        seen.append(run)
    assert [r.logical_date for r in seen] == [
        *(moment(2020, month, 1) for month, _ in LABELS),
        moment(2021, 3, 1),
    ]
    for r in seen:
        partition = Partition.of_label("iowa", r.logical_date.date())
        assert r.run_after == due(partition.year, partition.season)
    assert [Partition.of_label("iowa", r.logical_date.date()).season for r in seen[:4]] == [s for _, s in LABELS]
    assert seen[3].run_after == moment(2021, 1, 24)


def test_the_ends_of_a_restriction_belong_to_it(timetable, next_run):
    assert next_run(timetable(2020), earliest=moment(2020, 6, 1)).logical_date == moment(2020, 6, 1)
    assert next_run(timetable(2020), earliest=moment(2020, 6, 1, 0, 0, 1)).logical_date == moment(2020, 9, 1)
    first = next_run(timetable(2020), earliest=moment(2020, 6, 1), latest=moment(2020, 9, 1))
    second = next_run(timetable(2020), last=first, earliest=moment(2020, 6, 1), latest=moment(2020, 9, 1))
    assert second.logical_date == moment(2020, 9, 1)
    assert next_run(timetable(2020), last=second, latest=moment(2020, 11, 30)) is None


def at(monkeypatch, timetable, now):
    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return now

    monkeypatch.setattr(importlib.import_module(timetable.__module__), "datetime", Clock)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (moment(2020, 6, 23), moment(2020, 3, 1)),
        (moment(2020, 6, 25), moment(2020, 3, 1)),
        (moment(2020, 9, 25), moment(2020, 6, 1)),
        (moment(2021, 1, 23), moment(2020, 9, 1)),
        (moment(2021, 1, 25), moment(2020, 12, 1)),
        (moment(2021, 6, 25), None),
    ],
)
def test_a_new_installation_starts_with_the_newest_season_of_the_areas_year(
    timetable, next_run, monkeypatch, now, expected
):
    at(monkeypatch, timetable, now)
    run = next_run(timetable(2020), earliest=moment(2020, 1, 1), catchup=False)
    assert (run and run.logical_date) == expected


def test_runs_go_on_season_by_season_to_the_end_of_the_year(timetable, next_run, monkeypatch):
    at(monkeypatch, timetable, moment(2020, 7, 1))
    run, seen = None, []
    while run := next_run(timetable(2020), last=run, earliest=moment(2015, 1, 1), catchup=False):
        seen.append(run.logical_date)
    assert seen == [moment(2020, month, 1) for month, _ in LABELS]


def test_a_year_long_gone_is_never_started_by_itself(dags):
    from airflow.serialization.serialized_objects import DagSerialization

    serialised = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dags["iowa"]))
    assert not serialised.catchup
    assert serialised.next_dagrun_info(last_automated_run_info=None) is None


@pytest.mark.parametrize("area", ["demo", "iowa"])
@pytest.mark.parametrize("year", [2020, 2023])
def test_a_backfill_over_a_year_makes_its_four_partitions(dags, area, year):
    from airflow.models.backfill import _get_info_list
    from airflow.serialization.serialized_objects import DagSerialization

    serialised = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dags[area]))
    runs = _get_info_list(from_date=moment(year, 1, 1), to_date=moment(year, 12, 31), reverse=False, dag=serialised)
    partitions = [str(Partition.of_label(area, run.logical_date.date())) for run in runs]
    assert partitions == [f"{area}/{year}-{season}" for _, season in LABELS]
    assert serialised.timetable.periodic


def test_a_backfill_leaves_out_what_is_not_due(dags):
    from airflow.models.backfill import _get_info_list
    from airflow.serialization.serialized_objects import DagSerialization

    serialised = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dags["demo"]))
    assert (
        _get_info_list(from_date=moment(2090, 1, 1), to_date=moment(2090, 12, 31), reverse=False, dag=serialised) == []
    )


def test_the_scheduler_finds_the_timetable_through_the_plugin(timetable):
    plugin = importlib.import_module("sen12ts_timetable").SeasonPlugin
    assert plugin.timetables == [timetable]
    assert timetable.deserialize(timetable(2031).serialize()).year == 2031


def test_a_run_that_somebody_starts_needs_no_interval(timetable):
    import pendulum

    now = pendulum.datetime(2026, 5, 5)
    assert timetable(2020).infer_manual_data_interval(run_after=now) == (now, now)
