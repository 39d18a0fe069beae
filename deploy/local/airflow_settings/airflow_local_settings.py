"""Makes one SQLite file serve several of Airflow's processes; Airflow imports this module by its name.

A transaction that reads first and writes later fails at once ("database is locked") when another process has written in
between, however long the timeout: so a transaction takes the right to write when it begins, and waits for it. It ends
without waiting for the disk, which can stall for many seconds while a run writes its gigabytes: a power cut may cost
the last transactions, never the file, and a run goes on from what the store and its ledger hold.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from sqlalchemy import Connection, Engine, event

__all__ = ["CONNECT_ARGUMENTS"]


class File(sqlite3.Connection):
    """Airflow's database, opened so that the disk is waited for at checkpoints alone."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.execute("PRAGMA synchronous = NORMAL").close()


CONNECT_ARGUMENTS = {"timeout": 60, "isolation_level": "IMMEDIATE", "factory": File}


@event.listens_for(Engine, "savepoint")
def begin_before_savepoint(connection: Connection, _name: Any) -> None:
    """Begin a transaction for writing where a savepoint would begin one for reading."""
    if connection.dialect.name == "sqlite" and connection.dialect.driver == "pysqlite":
        raw = connection.connection.dbapi_connection
        if raw is not None and not raw.in_transaction:
            raw.execute("BEGIN IMMEDIATE")
