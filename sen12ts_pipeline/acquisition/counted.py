"""How much of a product is read."""

from __future__ import annotations

from contextlib import AbstractContextManager

from sen12ts_pipeline.acquisition.spool import Extent
from sen12ts_pipeline.ports import ProductFiles


class Counted:
    """Implements `ports.ProductFiles` by another one, and counts the bytes that are asked for, each once."""

    def __init__(self, files: ProductFiles) -> None:
        self._files = files
        self._asked: dict[tuple[str, int], int] = {}

    @property
    def product(self) -> str:
        """Name without ``.SAFE``."""
        return self._files.product

    @property
    def asked_bytes(self) -> int:
        """How many were asked for."""
        return sum(self._asked.values())

    def members(self) -> tuple[str, ...]:
        """Paths of the files inside the product."""
        return self._files.members()

    def read(self, member: str) -> bytes:
        """Whole content of a small file."""
        body = self._files.read(member)
        self._asked[member, 0] = len(body)
        return body

    def held(self, member: str) -> AbstractContextManager[str]:
        """Path under which GDAL opens the file; what it reads is not counted."""
        return self._files.held(member)

    def extent(self, member: str, start: int, length: int) -> Extent:
        """A local file with these bytes."""
        self._asked[member, start] = max(length, self._asked.get((member, start), 0))
        return self._files.extent(member, start, length)
