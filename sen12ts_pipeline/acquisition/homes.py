"""Where the user's own files lie."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

CACHE_VARIABLE = "XDG_CACHE_HOME"


def user_cache(environ: Mapping[str, str]) -> Path:
    """Folder of this program in the user's cache (XDG Base Directory Specification)."""
    return Path(environ.get(CACHE_VARIABLE) or "~/.cache").expanduser() / "sen12ts"
