"""The ledger's schema through time: Alembic revisions, applied by `upgrade` when a ledger is opened."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import Connection

HEAD = "0001"
"""Newest revision: a ledger that stands there is opened without Alembic. A test keeps it equal to `versions`."""


def upgrade(connection: Connection) -> None:
    """Bring a ledger to the newest revision, within the connection's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
