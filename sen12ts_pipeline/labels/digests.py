"""What a label source is, by its content: not by where it lies."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from sen12ts_pipeline.errors import ConfigurationError


def digest_of(files: Iterable[Path]) -> str:
    """SHA-256 of a file; of several, that of the list of their digests and names."""
    parts = {one.name: one for one in files}
    if len(parts) == 1:
        return _digest(*parts.values())
    lines = "".join(f"{_digest(parts[name])}  {name}\n" for name in sorted(parts))
    return hashlib.sha256(lines.encode()).hexdigest()


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ConfigurationError("labels", "labels.path", f"must be readable, file {path}", error.strerror) from error
