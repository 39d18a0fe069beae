"""One DAG per area of interest: the stages of the pipeline as tasks.

A run makes one partition, an area's season of a year. Tasks do nothing but call their stage; they hand on references,
never data. An area whose settings file is broken has no DAG; `sen12ts_broken_areas.py` shows what is wrong with it.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import sen12ts_connections
from airflow.sdk import DAG, Param, chain, get_current_context, get_parsing_context, task
from airflow.sdk.exceptions import AirflowFailException
from sen12ts_alerts import Alert, deadline
from sen12ts_timetable import SeasonTimetable

if TYPE_CHECKING:
    from sen12ts_pipeline.settings.model import AoiSettings
    from sen12ts_pipeline.stages.services import Services

SEASONS = ["winter", "spring", "summer", "fall"]
RETRIES = 2
RUNS_PER_AREA = int(os.environ.get("SEN12TS_RUNS_PER_AREA", "1"))
RETRY_DELAY = timedelta(seconds=float(os.environ.get("SEN12TS_RETRY_DELAY_S", "300")))
LONGEST = timedelta(hours=12)
RADAR_QUEUE = {"queue": os.environ["SEN12TS_RADAR_QUEUE"]} if os.environ.get("SEN12TS_RADAR_QUEUE") else {}
"""Where radar frames are made: by workers with SNAP, or with more memory than the others."""
FAILED = "sen12ts: run {{ run_id }} of {{ dag.dag_id }} has failed: {{ reason or 'see its tasks' }}"
PARTITION = "{{ partition(dag_run) }}"
REFRESH = "{{ params.refresh }}"
AGAIN = "{{ params.again }}"


def stage(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Task of a stage: an error that no retry can help fails it at once."""

    def decorate(call: Callable[..., Any]) -> Any:
        @functools.wraps(call)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            from sen12ts_pipeline import wiring
            from sen12ts_pipeline.errors import BadProduct, ConfigurationError, EngineFailure

            sen12ts_connections.use()
            try:
                with wiring.noted(kwargs.get("partition") or args[0], call.__name__):
                    return call(*args, **kwargs)
            except (BadProduct, ConfigurationError, EngineFailure) as error:
                raise AirflowFailException(str(error)) from error

        return task(**options)(wrapped)

    return decorate


def shard(pool: str = "default_pool", **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Task of a stage that is mapped over shards; the user interface shows a shard's name instead of its number."""
    return stage(pool=pool, map_index_template="{{ task.op_kwargs['shard'] }}", **options)


def done(work: Callable[[str, str, Services], str], partition: str, shard: str, aoi: str) -> str:
    """Do a shard's work, in a child process where the settings want it."""
    from sen12ts_pipeline import wiring
    from sen12ts_pipeline.stages import isolated

    return isolated.call(lambda services: work(partition, shard, services), wiring.connect(aoi))


def partition_of(aoi: AoiSettings) -> Callable[[Any], str]:
    """Macro that tells a run's partition: from the run's configuration, else from the logical date that labels it."""

    def partition(dag_run: Any) -> str:
        from sen12ts_pipeline.domain.seasons import Partition, Season

        conf = dag_run.conf or {}
        if dag_run.run_type == "manual" and conf.get("season"):
            return str(Partition(aoi.name, int(conf.get("year") or aoi.year), Season(conf["season"])))
        if dag_run.logical_date is None:
            raise AirflowFailException("the run has no logical date: give it a year and a season")
        return str(Partition.of_label(aoi.name, dag_run.logical_date.date()))

    return partition


def build(aoi: AoiSettings) -> DAG:
    """DAG of one area."""
    name = aoi.name
    dag = DAG(
        dag_id=name,
        description=aoi.description or f"Triplets of {name}, {aoi.year}",
        doc_md=_documentation(aoi),
        tags=["sen12ts", aoi.catalogue.kind, str(aoi.year)],
        schedule=SeasonTimetable(aoi.year),
        start_date=datetime(2015, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=RUNS_PER_AREA,
        default_args={
            "retries": RETRIES,
            "retry_delay": RETRY_DELAY,
            "execution_timeout": LONGEST,
            "weight_rule": "upstream",  # what is nearly finished comes first
        },
        params={
            "year": Param(aoi.year, type="integer", minimum=2015, maximum=2100, title="Year"),
            "season": Param("fall", type="string", enum=SEASONS, title="Season"),
            "again": Param(False, type="boolean", title="Try failed ones again", description="What is finished stays."),
            "refresh": Param(False, type="boolean", title="Search again", description="Take what is new."),
        },
        on_failure_callback=Alert(FAILED),
        deadline=deadline(),
        user_defined_macros={"partition": partition_of(aoi)},
    )
    with dag:
        _tasks(name)
    return dag


def _tasks(aoi: str) -> None:  # noqa: C901 - one small function per task
    @stage()
    def search(partition: str, refresh: str) -> str:
        """Ask the catalogue for granules and passes, and freeze the answer."""
        from sen12ts_pipeline import wiring
        from sen12ts_pipeline.stages import search

        return search.run(partition, wiring.connect(aoi), refresh=refresh == "True")

    @stage()
    def match(partition: str, refresh: str) -> str:
        """Pair scenes with radar series, tile by tile."""
        from sen12ts_pipeline import wiring
        from sen12ts_pipeline.stages import match

        return match.run(partition, wiring.connect(aoi), refresh=refresh == "True")

    @stage()
    def screen_optical_shards(partition: str) -> list[str]:
        """List the granules whose cloud masks are wanted."""
        from sen12ts_pipeline import wiring
        from sen12ts_pipeline.stages import screen

        return screen.optical_shards(partition, wiring.connect(aoi))

    @shard("optical")
    def screen_optical(partition: str, shard: str) -> str:
        """Count invalid pixels of the cloud mask; no other band is read."""
        from sen12ts_pipeline.stages import screen

        return done(screen.optical, partition, shard, aoi)

    @stage()
    def screen_radar_shards(partition: str) -> list[str]:
        """List the tracks and burst neighbourhoods whose terrain is wanted."""
        from sen12ts_pipeline import wiring
        from sen12ts_pipeline.stages import screen

        return screen.radar_shards(partition, wiring.connect(aoi))

    @shard("radar")
    def screen_radar(partition: str, shard: str) -> str:
        """Count pixels in shadow and layover, from orbit and DEM; no SLC byte is read."""
        from sen12ts_pipeline.stages import screen

        return done(screen.radar, partition, shard, aoi)

    @stage(trigger_rule="none_failed")
    def select(partition: str, refresh: str, again: str) -> str:
        """Choose candidates under the cap and the budget, and freeze the choice."""
        from sen12ts_pipeline import wiring
        from sen12ts_pipeline.stages import gaps, select

        if again == "True":
            return gaps.try_again(partition, wiring.connect(aoi))
        return select.run(partition, wiring.connect(aoi), refresh=refresh == "True")

    @stage()
    def optical_shards(partition: str) -> list[str]:
        """List the granules that selected tiles need."""
        from sen12ts_pipeline import wiring
        from sen12ts_pipeline.stages import optical

        return optical.shards(partition, wiring.connect(aoi))

    @shard("optical")
    def optical(partition: str, shard: str) -> str:
        """Make the optical stacks of one granule."""
        from sen12ts_pipeline.stages import optical

        return done(optical.run, partition, shard, aoi)

    @stage()
    def radar_shards(partition: str) -> list[str]:
        """List the burst neighbourhoods and series that selected tiles need."""
        from sen12ts_pipeline import wiring
        from sen12ts_pipeline.stages import radar

        return radar.shards(partition, wiring.connect(aoi))

    @shard("radar", **RADAR_QUEUE)
    def radar(partition: str, shard: str) -> str:
        """Make the radar frames of one burst neighbourhood."""
        from sen12ts_pipeline.stages import radar

        return done(radar.run, partition, shard, aoi)

    @stage()
    def labels_shards(partition: str) -> list[str]:
        """List the groups of tiles that need a label."""
        from sen12ts_pipeline import wiring
        from sen12ts_pipeline.stages import labels

        return labels.shards(partition, wiring.connect(aoi))

    @shard()
    def labels(partition: str, shard: str) -> str:
        """Cut the labels of a group of tiles."""
        from sen12ts_pipeline.stages import labels

        return done(labels.run, partition, shard, aoi)

    @stage(trigger_rule="none_failed")
    def assemble_shards(partition: str) -> list[str]:
        """List the groups of tiles to put together."""
        from sen12ts_pipeline import wiring
        from sen12ts_pipeline.stages import assemble

        return assemble.shards(partition, wiring.connect(aoi))

    @shard(**RADAR_QUEUE)
    def assemble(partition: str, shard: str) -> str:
        """Write the triplets of a group of tiles; replace candidates that turn out bad."""
        from sen12ts_pipeline.stages import assemble

        return done(assemble.run, partition, shard, aoi)

    @stage(trigger_rule="none_failed")
    def publish(partition: str) -> str:
        """Write index and catalogue of the partition."""
        from sen12ts_pipeline import wiring
        from sen12ts_pipeline.stages import publish

        return publish.run(partition, wiring.connect(aoi))

    @stage(trigger_rule="none_failed")
    def report(partition: str) -> str:
        """Write what was made and what was refused, with the rule."""
        from sen12ts_pipeline import wiring
        from sen12ts_pipeline.stages import report

        return report.run(partition, wiring.connect(aoi))

    @task(trigger_rule="all_done", retries=0)
    def watcher() -> None:
        """Fail the run if any of its tasks failed, whatever became of the others."""
        run = get_current_context()["ti"]
        failed = run.get_ti_count(dag_id=run.dag_id, run_ids=[run.run_id], states=["failed", "upstream_failed"])
        if failed:
            raise AirflowFailException(f"{failed} tasks of the run failed or could not start")

    searched, matched, selected = (
        search(PARTITION, REFRESH),
        match(PARTITION, REFRESH),
        select(PARTITION, REFRESH, AGAIN),
    )
    assembling, published, reported = assemble_shards(PARTITION), publish(PARTITION), report(PARTITION)

    def over(shards: Any, work: Any) -> Any:
        return work.partial(partition=PARTITION).expand(shard=shards)

    screened = []
    for shards, work in ((screen_optical_shards, screen_optical), (screen_radar_shards, screen_radar)):
        chain(matched, listed := shards(PARTITION))
        screened.append(over(listed, work))
    made = []
    for shards, work in ((optical_shards, optical), (radar_shards, radar), (labels_shards, labels)):
        chain(selected, listed := shards(PARTITION))
        made.append(over(listed, work))
    assembled = over(assembling, assemble)
    chain(searched, matched)
    chain(screened, selected)
    chain(made, assembling)
    chain(assembled, published, reported)
    chain([*screened, *made, assembled, reported], watcher())


def _documentation(aoi: AoiSettings) -> str:
    return f"""### {aoi.name}, {aoi.year}

{aoi.description}

A run makes one season: search, match, screen, select, then optical, radar and labels, then assemble, publish and
report. Trigger it with a year and a season, or make all four seasons of a year:

    airflow backfill create --dag-id {aoi.name} --from-date {aoi.year}-01-01 --to-date {aoi.year}-12-31

What is there already is not made again.
"""


def areas() -> list[AoiSettings]:
    """Areas whose settings can be read; in a task, only the one that is wanted."""
    from sen12ts_pipeline.errors import ConfigurationError
    from sen12ts_pipeline.settings.load import aoi_folders, list_aois, load_aoi

    wanted = get_parsing_context().dag_id
    found = []
    for path in list_aois(aoi_folders()):
        if wanted in (None, path.stem):
            try:
                found.append(load_aoi(path))
            except ConfigurationError:
                continue  # shown by sen12ts_broken_areas.py, without hiding the other areas
    return found


for area in areas():
    globals()[area.name] = build(area)
