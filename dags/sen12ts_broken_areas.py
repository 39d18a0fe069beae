"""Shows areas whose settings file is broken as an import error of Airflow; makes no DAG.

Apart from `sen12ts.py`, because the import error of a DAG file hides all its DAGs.
"""

from __future__ import annotations

from airflow.sdk import get_parsing_context


def broken() -> list[str]:
    """What is wrong with the areas' settings files: file, key, rule and value, a line each."""
    from sen12ts_pipeline.errors import ConfigurationError
    from sen12ts_pipeline.settings.load import aoi_folders, list_aois, load_aoi

    found = []
    for path in list_aois(aoi_folders()):
        try:
            load_aoi(path)
        except ConfigurationError as error:
            found.append(str(error))
    return found


if get_parsing_context().dag_id is None and (errors := broken()):
    raise ValueError("\n".join(["areas without a DAG:", *errors]))
