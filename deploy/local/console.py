"""What a run tells people, apart from what it writes into its log."""

from __future__ import annotations

import logging
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class Console:
    """Lines for people on standard output, and in the log; all other output of the process goes to the log alone.

    Parameters
    ----------
    log : Path
        The run log, made anew.
    """

    def __init__(self, log: Path) -> None:
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        self.file = log.open("ab", buffering=0)
        self._out = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8", errors="replace")
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(self.file.fileno(), 1)
        os.dup2(self.file.fileno(), 2)

    def say(self, text: str = "") -> None:
        """Print lines, and write them into the log."""
        self.file.write(f"{text}\n".encode())
        self._out.write(f"{text}\n")
        self._out.flush()

    def watch(self, logger: str) -> None:
        """Write a package's events into the log, with their identities."""
        handler = logging.StreamHandler(os.fdopen(os.dup(self.file.fileno()), "a", buffering=1))
        handler.setFormatter(_Events())
        root = logging.getLogger(logger)
        root.setLevel(logging.INFO)
        root.addHandler(handler)
        root.propagate = False
        root.disabled = False


class _Events(logging.Formatter):
    """An event as one line: time, level, text, then the fields that came with it."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = "".join(f" {k}={v!r}" for k, v in vars(record).items() if k not in _STANDARD)
        text = f"{moment} {record.levelname} {record.name}: {record.getMessage()}{fields}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text
