"""Names of products and of the files inside them: what is one, and what could lead out of it."""

from __future__ import annotations

import re
from pathlib import PurePath

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
