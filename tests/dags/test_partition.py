"""Which partition a run makes."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from sen12ts_pipeline.settings.load import load_aoi

pytestmark = pytest.mark.filterwarnings("ignore")
LABEL = datetime(2020, 12, 1, tzinfo=UTC)


@pytest.fixture
def partition(dag_file):
    return dag_file.partition_of(load_aoi(Path(__file__).parents[2] / "config/aois/demo.yaml", {}))


def run(run_type, conf, logical_date=LABEL):
    return SimpleNamespace(run_type=run_type, conf=conf, logical_date=logical_date)


@pytest.mark.parametrize(
    ("dag_run", "expected"),
    [
        (run("manual", {"year": 2021, "season": "summer"}), "demo/2021-summer"),
        (run("manual", {"season": "summer"}), "demo/2023-summer"),
        (run("manual", {"year": 2021, "season": "summer"}, None), "demo/2021-summer"),
        (run("manual", {}), "demo/2020-winter"),
        (run("manual", None), "demo/2020-winter"),
        (run("scheduled", None), "demo/2020-winter"),
        (run("backfill", {"year": 2021, "season": "summer"}), "demo/2020-winter"),
        (run("backfill", {}, datetime(2020, 3, 1, tzinfo=UTC)), "demo/2020-spring"),
    ],
)
def test_the_configuration_of_a_manual_run_decides_and_else_the_label(partition, dag_run, expected):
    assert partition(dag_run) == expected


def test_a_run_that_says_nothing_is_refused(partition):
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException, match="year and a season"):
        partition(run("manual", {}, None))


def test_what_no_retry_can_help_is_not_retried_and_all_is_noted(dag_file, tmp_path, monkeypatch):
    from airflow.sdk.exceptions import AirflowFailException

    from sen12ts_pipeline import wiring
    from sen12ts_pipeline.domain.seasons import Partition
    from sen12ts_pipeline.errors import BadProduct, ConfigurationError, Retryable

    monkeypatch.setenv("SEN12TS__STORE", str(tmp_path))
    one = "demo/2023-fall"

    def work(partition, error):
        raise error

    task = dag_file.stage()(work).function
    for error in (ConfigurationError("f", "k", "must", 1), BadProduct("p", "m", "why")):
        with pytest.raises(AirflowFailException) as caught:
            task(one, error)
        assert str(caught.value) == str(error)
    with pytest.raises(Retryable):
        task(one, error=Retryable("busy"))
    noted = [(event.stage, event.message) for event in wiring.ledger().events(Partition.parse(one))]
    assert [stage for stage, _ in noted] == ["work"] * 3
    assert noted[-1][1] == "failed: Retryable: busy"
