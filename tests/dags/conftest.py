"""Airflow for the tests of the DAG files: a home of its own, set before Airflow is imported for the first time."""

import importlib
import os
import sys
import tempfile
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WATCH = "sen12ts_watch"


@pytest.fixture(scope="session")
def airflow_home():
    with tempfile.TemporaryDirectory() as home:
        os.environ.update(
            AIRFLOW_HOME=home,
            AIRFLOW__CORE__LOAD_EXAMPLES="False",
            AIRFLOW__CORE__DAGS_FOLDER=str(ROOT / "dags"),
            AIRFLOW__CORE__PLUGINS_FOLDER=str(ROOT / "plugins"),
        )
        assert "airflow" not in sys.modules
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import airflow.dag_processing.dagbag  # noqa: F401 - sets the process up
        yield Path(home)
        from airflow import settings

        settings.dispose_orm(do_log=False)


def read():
    """The DAGs of the project, as they are under the present environment."""
    from airflow.dag_processing.dagbag import DagBag

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEN12TS_CONFIG", str(ROOT / "config" / "pipeline.yaml"))
        return DagBag(dag_folder=ROOT / "dags")


@pytest.fixture
def bag(airflow_home):
    return read


@pytest.fixture(scope="session")
def dags(airflow_home):
    """The DAGs of the configured areas."""
    return {name: dag for name, dag in read().dags.items() if name != WATCH}


@pytest.fixture
def dag_file(dags, monkeypatch):
    """The module that makes the DAGs."""
    monkeypatch.syspath_prepend(str(ROOT / "dags"))
    return importlib.import_module("sen12ts")
