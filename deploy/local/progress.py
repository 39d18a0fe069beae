"""Tells of each task as it ends. Imports Airflow: only after its environment is set."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from airflow.listeners import hookimpl

QUIET = "_shards"
"""End of the names of tasks that only list what others are mapped over."""
WATCHER = "watcher"
FINAL = "AirflowFailException"
"""Error that is not retried; its text is the one that speaks to people."""


class Progress:
    """Listener of the task life cycle; the names of its hooks and of their arguments are Airflow's.

    Attributes
    ----------
    failures : list of str
        What the tasks that failed for good said, in order.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._since = time.monotonic()
        self.failures: list[str] = []

    @hookimpl
    def on_task_instance_running(self, task_instance: Any) -> None:  # noqa: ARG002 - Airflow's name
        """Take the time."""
        self._since = time.monotonic()

    @hookimpl
    def on_task_instance_success(self, task_instance: Any) -> None:
        """Say that a task is done."""
        if not task_instance.task_id.endswith(QUIET) and task_instance.task_id != WATCHER:
            self._line(task_instance, "")

    @hookimpl
    def on_task_instance_failed(self, task_instance: Any, error: BaseException | str | None) -> None:
        """Say why a task failed."""
        if task_instance.task_id == WATCHER:
            return
        final = type(error).__name__ == FINAL or task_instance.try_number > task_instance.max_tries
        if final:
            self._line(task_instance, "FAILED")
            self.failures.append(f"{_label(task_instance)}: {_reason(error)}")
        else:
            self._line(task_instance, f"failed, is tried again: {_reason(error)}")

    def _line(self, task_instance: Any, outcome: str) -> None:
        seconds = time.monotonic() - self._since
        now = datetime.now().astimezone().strftime("%H:%M:%S")
        self._say(f"  {now}  {_label(task_instance):<48} {seconds:8.1f} s  {outcome}".rstrip())


def _reason(error: BaseException | str | None) -> str:
    if error is None or isinstance(error, str):
        return error or "no reason given"
    kind = type(error).__name__
    return str(error) if kind == FINAL else f"{kind}: {error}"


def _label(task_instance: Any) -> str:
    """Name of the task, and of its shard."""
    name = str(task_instance.task_id)
    if task_instance.map_index is None or task_instance.map_index < 0:
        return name
    return f"{name} {getattr(task_instance, 'rendered_map_index', None) or task_instance.map_index}"
