"""Products under watch: which one is being read is noted before it is read, and some are not opened at all."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.ports import ProductFiles, Source


class WatchedSource:
    """Implements `ports.Source` in front of another one.

    Parameters
    ----------
    source : Source
        Where products are.
    known : callable
        Products that must not be opened, with the reason; asked once, before the first product is opened.

    Attributes
    ----------
    source : Source
        Where products are.
    touched : callable
        Is told a product's name before each look into one of its files.
    refused : dict
        More products that must not be opened, with the reason.
    """

    def __init__(self, source: Source, known: Callable[[], Mapping[str, str]] = dict) -> None:
        self.source, self._known = source, known
        self.touched: Callable[[str], object] = _nobody
        self.refused: dict[str, str] = {}

    def open(self, product: str) -> ProductFiles:
        """Files of a product; BadProduct if it is not there any more, or must not be opened."""
        reason = self.refused.get(product) or self._refused.get(product)
        if reason:
            raise BadProduct(product, "", reason)
        return _WatchedFiles(self.source.open(product), self)

    @functools.cached_property
    def _refused(self) -> Mapping[str, str]:
        return self._known()


class _WatchedFiles:
    """Implements `ports.ProductFiles`."""

    def __init__(self, files: ProductFiles, source: WatchedSource) -> None:
        self._files, self._source = files, source

    @property
    def product(self) -> str:
        return self._files.product

    def members(self) -> tuple[str, ...]:
        return self._files.members()

    def read(self, member: str) -> bytes:
        self._source.touched(self.product)
        return self._files.read(member)

    def held(self, member: str) -> AbstractContextManager[str]:
        self._source.touched(self.product)
        return self._files.held(member)

    def extent(self, member: str, start: int, length: int) -> tuple[Path, int]:
        self._source.touched(self.product)
        return self._files.extent(member, start, length)


def _nobody(_product: str) -> None:
    """Nobody watches."""
