"""Requests that write take turns in the api-server, where Airflow's database is one SQLite file.

Airflow's log of who did what is committed by the thread of the event loop. If another request's transaction is open
then, the loop waits for SQLite's one writer, and the writer for the loop, which is to end its request: both stand still
until SQLite gives up, and the first one fails ("database is locked"). Other databases lock rows, and need no turns.
"""

from __future__ import annotations

import asyncio
from typing import Any

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

READING = {"GET", "HEAD", "OPTIONS"}


class Turns:
    """ASGI middleware: a request of a method that may write begins when the one before has ended."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.turn = asyncio.Lock()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a request, or start the app."""
        if scope["type"] == "lifespan":
            _tidy_tokens()
        if scope["type"] != "http" or scope["method"] in READING:
            return await self.app(scope, receive, send)
        async with self.turn:
            return await self.app(scope, receive, send)


def _tidy_tokens() -> None:
    """Let Airflow delete expired tokens now: else the first request does it, and in the event loop as well."""
    from airflow.models.revoked_token import RevokedToken

    RevokedToken.is_revoked("")


class SqlitePlugin(AirflowPlugin):
    """Makes the middleware known to the api-server."""

    name = "sen12ts_sqlite"
    fastapi_root_middlewares = (
        [{"name": "turns", "middleware": Turns}]
        if conf.get("database", "sql_alchemy_conn").startswith("sqlite")
        else []
    )
