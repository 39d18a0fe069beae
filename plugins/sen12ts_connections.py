"""Credentials from Airflow's connections, for tasks: so they stay encrypted in its database, or in a secrets backend.

``SEN12TS_STORE_CONNECTION`` names a connection of the type ``aws`` for the object store, ``SEN12TS_LEDGER_CONNECTION``
one of the type ``postgres`` for the ledger. What a connection says goes over the environment, in the task's process
alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from sqlalchemy.engine import URL

DRIVER = "postgresql+psycopg"
_EXTRAS = {
    "endpoint_url": "AWS_ENDPOINT_URL",
    "region_name": "AWS_DEFAULT_REGION",
    "aws_session_token": "AWS_SESSION_TOKEN",
}


def of_store(connection: Any) -> dict[str, str]:
    """Variables of boto3 from a connection of the type ``aws``, with the provider's names of extras."""
    extra: Mapping[str, Any] = connection.extra_dejson
    found = {"AWS_ACCESS_KEY_ID": connection.login, "AWS_SECRET_ACCESS_KEY": connection.password}
    found |= {variable: extra.get(name) for name, variable in _EXTRAS.items()}
    return {variable: str(value) for variable, value in found.items() if value}


def of_ledger(connection: Any) -> dict[str, str]:
    """The ledger's URL from a connection of the type ``postgres``."""
    url = URL.create(
        DRIVER,
        username=connection.login,
        password=connection.password,
        host=connection.host,
        port=connection.port,
        database=connection.schema,
        query={name: str(value) for name, value in connection.extra_dejson.items()},
    )
    return {"SEN12TS__LEDGER": url.render_as_string(hide_password=False)}


CONNECTIONS: dict[str, Callable[[Any], dict[str, str]]] = {
    "SEN12TS_STORE_CONNECTION": of_store,
    "SEN12TS_LEDGER_CONNECTION": of_ledger,
}


def use(environ: MutableMapping[str, str] = os.environ) -> None:
    """Put what the named connections say into the environment; nothing happens where none is named."""
    from airflow.sdk import Connection

    for variable, variables in CONNECTIONS.items():
        if environ.get(variable):
            environ.update(variables(Connection.get(environ[variable])))
