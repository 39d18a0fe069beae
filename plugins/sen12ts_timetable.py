"""When a partition is made: the timetable of the areas' DAGs, and the plugin through which Airflow finds it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time
from typing import Any

import pendulum
from airflow.plugins_manager import AirflowPlugin
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable

from sen12ts_pipeline.domain.seasons import Season, due, label_date

FIRST_YEAR, LAST_YEAR = 2015, 2100
_BY_LABEL = (Season.SPRING, Season.SUMMER, Season.FALL, Season.WINTER)


class SeasonTimetable(Timetable):
    """Four runs a year, one per season, each due when its last radar passes have their precise orbits.

    A run's logical date labels its partition: 1 March, 1 June, 1 September and, for the winter, 1 December of its own
    year. The data interval goes from there to the moment at which the partition is due; tasks take their time
    intervals from year and season instead, since a winter has two.

    Parameters
    ----------
    year : int
        Year of the area's data set. Runs are scheduled for partitions of this year alone, and with ``catchup`` off
        only for the newest that is due, so that a new installation does not start on the past by itself. A backfill
        may ask for any year.
    """

    description = "Each season, once its precise orbits are out"

    def __init__(self, year: int) -> None:
        self.year = year

    @property
    def summary(self) -> str:
        """Text of the schedule in the user interface."""
        return f"seasons of {self.year}"

    def serialize(self) -> dict[str, Any]:
        """Parameters as JSON."""
        return {"year": self.year}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> SeasonTimetable:
        """Timetable of parameters that were written by `serialize`."""
        return cls(data["year"])

    def infer_manual_data_interval(self, *, run_after: pendulum.DateTime) -> DataInterval:
        """Interval of a run that somebody started; a moment, because nothing is derived from it."""
        return DataInterval.exact(run_after)

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Next run: the first label after the last run's, and not outside the restriction."""
        last = last_automated_data_interval.start if last_automated_data_interval else None
        scheduled = not restriction.catchup
        newest = max((d.start for d in _intervals(LAST_YEAR) if d.end <= datetime.now(UTC)), default=None)
        for interval in _intervals(self.year if scheduled else LAST_YEAR):
            if restriction.latest and interval.start > restriction.latest:
                return None
            if last and interval.start <= last:
                continue
            if restriction.earliest and interval.start < restriction.earliest:
                continue
            if scheduled and newest and interval.start < newest:
                continue
            return DagRunInfo.interval(interval.start, interval.end)
        return None


def _intervals(last_year: int) -> Iterator[DataInterval]:
    """From label to due date, of all partitions in order of time."""
    for year in range(FIRST_YEAR, last_year + 1):
        for season in _BY_LABEL:
            label = datetime.combine(label_date(year, season), time(), tzinfo=UTC)
            yield DataInterval(pendulum.instance(label), pendulum.instance(due(year, season)))


class SeasonPlugin(AirflowPlugin):
    """Makes the timetable known to the scheduler."""

    name = "sen12ts_timetable"
    timetables = [SeasonTimetable]  # noqa: RUF012 - as Airflow wants it
