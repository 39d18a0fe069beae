"""The ledger's schema through time: Alembic revisions, applied by `upgrade` when a ledger is opened."""

from __future__ import annotations

import re
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

HEAD = "0006"
"""Newest revision: a ledger that stands there is opened without Alembic. A test keeps it equal to `versions`."""

FIRST = "0001"
"""Revision of a ledger that has its tables but no note of a revision."""
TABLES = frozenset({"candidates", "triplets", "quarantine", "events"})
VERSION_TABLE = "alembic_version"


def revision_of(connection: Connection) -> str | None:
    """Revision at which a database stands; None if it has no note of one."""
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(sa.text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608 - a constant


def is_ours(revision: str) -> bool:
    """Whether a revision is numbered as ours are; other programs that use Alembic have hexadecimal ones."""
    return re.fullmatch(r"\d{4}", revision) is not None


def upgrade(connection: Connection) -> None:
    """Bring a ledger to the newest revision, within the connection's transaction.

    A database with the ledger's tables and no note of a revision is taken to stand at the first.
    """
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    if revision_of(connection) is None and set(sa.inspect(connection).get_table_names()) >= TABLES:
        command.stamp(config, FIRST)
    command.upgrade(config, "head")
