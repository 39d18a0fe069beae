"""Makes one SQLite file serve several of Airflow's processes; Airflow imports this module by its name.

A transaction that reads first and writes later fails at once ("database is locked") when another process has written in
between, however long the timeout: so a transaction takes the right to write when it begins, and waits for it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, event

__all__ = ["CONNECT_ARGUMENTS"]

CONNECT_ARGUMENTS = {"timeout": 60, "isolation_level": "IMMEDIATE"}


@event.listens_for(Engine, "savepoint")
def begin_before_savepoint(connection: Connection, _name: Any) -> None:
    """Begin a transaction for writing where a savepoint would begin one for reading."""
    if connection.dialect.name == "sqlite" and connection.dialect.driver == "pysqlite":
        raw = connection.connection.dbapi_connection
        if raw is not None and not raw.in_transaction:
            raw.execute("BEGIN IMMEDIATE")
