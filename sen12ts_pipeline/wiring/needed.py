"""What settings must name, and must be there."""

from __future__ import annotations

from pathlib import Path

from sen12ts_pipeline.errors import ConfigurationError


def needed(source: str, key: str, path: Path | None) -> Path:
    """A path that must be there; ConfigurationError with where it is set and by which key."""
    if path is None:
        raise ConfigurationError(source, key, "must be set, in the area's file or the environment", None)
    if not path.exists():
        raise ConfigurationError(source, key, "must be an existing file or folder", str(path))
    return path
