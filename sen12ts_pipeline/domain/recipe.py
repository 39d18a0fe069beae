"""Recipes: everything that decides a result's bytes, and the digest that names the result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


def canonical_json(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """JSON with sorted keys and no spaces; floats as Python prints them; NaN refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True).encode()


@dataclass(frozen=True, slots=True)
class Recipe:
    """What an artifact is made of.

    Attributes
    ----------
    kind : str
        ``terrain``, ``frame``, ``optical``, ``label`` and so on; a folder of the store.
    inputs : mapping
        JSON values: identities of products, bursts, grids, parameters, engine and versions. No path, host or time.
    """

    kind: str
    inputs: Mapping[str, Any] = field(hash=False)

    def __post_init__(self) -> None:
        if "kind" in self.inputs:
            raise ValueError("an input of a recipe may not be called 'kind': it would hide the recipe's own")

    @property
    def digest(self) -> str:
        """First 32 hexadecimal digits of the SHA-256 of the recipe's canonical JSON."""
        return hashlib.sha256(canonical_json({"kind": self.kind, **self.inputs})).hexdigest()[:32]

    @property
    def key(self) -> str:
        """Name of the artifact in the store."""
        return f"_work/{self.kind}/{self.digest[:2]}/{self.digest}"
