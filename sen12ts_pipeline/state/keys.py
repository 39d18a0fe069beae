"""Keys of objects: which are allowed, and which objects are hidden."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sen12ts_pipeline.ports import ObjectKey, ObjectStore


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """An object as a listing shows it.

    Attributes
    ----------
    key : ObjectKey
        Its key.
    size : int
        Bytes.
    written : datetime
        UTC time of its last write, by the clock of the machine that keeps it.
    """

    key: ObjectKey
    size: int
    written: datetime


class ListedStore(ObjectStore, Protocol):
    """An object store that can be looked through, as those who keep it in order need it."""

    def entries(self, prefix: str) -> list[Entry]:
        """Objects below a prefix ending in ``/``, by key."""
        ...

    def folders(self) -> list[str]:
        """First parts of the keys that have more than one, sorted."""
        ...

    def remove_unfinished(self, before: datetime) -> int:
        """Remove what writers that were killed before a time left half written; how many."""
        ...


def checked(key: str) -> str:
    """The key; ValueError if it could leave the store, or names what the store keeps for itself."""
    parts = key.split("/")
    if any(not part or part.startswith(".") or "\\" in part or "\0" in part for part in parts):
        rule = "an object key is parts joined by '/', none of them empty or beginning with a dot"
        raise ValueError(f"{rule}; got {key!r}")
    return key


def checked_prefix(prefix: str) -> str:
    """The prefix; ValueError unless it is empty or a key that ends in ``/``."""
    if not prefix:
        return prefix
    if not prefix.endswith("/"):
        raise ValueError(f"a prefix ends in '/'; got {prefix!r}")
    return f"{checked(prefix[:-1])}/"


def hidden(key: str) -> bool:
    """Whether a name in a listing is no object: a part of it begins with a dot or is empty."""
    return any(not part or part.startswith(".") for part in key.split("/"))
