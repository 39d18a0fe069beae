"""Names of products and of the files inside them: what is one, and what could lead out of it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePath

from sen12ts_pipeline.errors import BadProduct

READ_LIMIT_BYTES = 256 * 2**20
"""Largest member that is read whole; metadata files are a hundred times smaller."""

SAFE_ENDING = re.compile(r"\.safe$", re.IGNORECASE)


def product_name(path: PurePath) -> str:
    """Name of the product at a path: without ``.zip`` and ``.SAFE``."""
    return SAFE_ENDING.sub("", re.sub(r"\.zip$", "", path.name, flags=re.IGNORECASE))


def safe_parts(product: str, member: str) -> tuple[str, ...]:
    """Parts of a member's path; BadProduct if it could lead out of the product."""
    parts = tuple(part for part in member.split("/") if part not in {"", "."})
    drive = re.match(r"^[A-Za-z]:", member)
    if not parts or ".." in parts or member.startswith("/") or "\\" in member or "\0" in member or drive:
        raise BadProduct(product, member, "must be a path inside the product; it leads out of it")
    return parts


def is_litter(name: str) -> bool:
    """Whether a file or folder is one that file managers leave behind, and nothing of the product."""
    return name.startswith(".") or name == "__MACOSX"


def missing(product: str, member: str) -> BadProduct:
    """What is raised for a member that the product does not have."""
    return BadProduct(product, member, "must be a file of the product; it is missing")


def refuse_large(product: str, member: str, size: int) -> None:
    """BadProduct for a member too large to be metadata."""
    if size > READ_LIMIT_BYTES:
        raise BadProduct(product, member, f"must be at most {READ_LIMIT_BYTES} bytes to be read whole; it has {size}")


def walk_once(root: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Folders under a root with the names of folders and of files in them; links are followed, each folder once.

    The list of folders, sorted and without litter, may be cut while walking.
    """
    seen: set[tuple[int, int]] = set()
    for parent, folders, files in os.walk(root, followlinks=True):
        status = Path(parent).stat()
        if (status.st_dev, status.st_ino) in seen:
            folders[:] = []
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not is_litter(name))
        yield Path(parent), folders, files
