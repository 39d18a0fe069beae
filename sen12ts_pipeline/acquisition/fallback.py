"""A slice from the places that have it whole, and burst by burst where these fail."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

from sen12ts_pipeline.errors import BadProduct, ConfigurationError, Retryable
from sen12ts_pipeline.ports import ProductFiles

T = TypeVar("T")

MANIFEST = "manifest.safe"
"""Without this file there is no product."""

Open = Callable[[str], ProductFiles]
"""Opens a product by its name."""


class FilesOrBursts:
    """Implements `ports.ProductFiles`: files of a slice, or its bursts from a service that cuts them out.

    The service is asked when there is no such product, or its server does not answer however patiently it is asked.
    From then on all that is read of the slice comes from the service. A wrong setting and a broken file are errors.

    Parameters
    ----------
    product : str
        Name of the slice.
    opened, bursts : callable
        Files of the product in archives, and at the service.
    note : callable
        Is told that the slice comes from the service, and why.

    Raises
    ------
    BadProduct
        When neither has it.
    Retryable
        When one that may have it does not answer, and the other does not have it.
    """

    def __init__(self, product: str, opened: Open, bursts: Open, note: Callable[[str], None]) -> None:
        self.product = product
        self._bursts, self._note = bursts, note
        self._resorted, self._resorting = False, threading.Lock()
        try:
            self._files = opened(product)
        except (Retryable, BadProduct) as fault:
            self._resort(fault)

    def __repr__(self) -> str:
        return f"FilesOrBursts({self._files!r})"

    def members(self) -> tuple[str, ...]:
        """Paths of the files inside the product, with ``/``, sorted."""
        return self._tried(lambda files: files.members())

    def read(self, member: str) -> bytes:
        """Whole content of a small file; BadProduct if it is missing or wrong."""
        return self._tried(lambda files: files.read(member))

    @contextmanager
    def held(self, member: str) -> Iterator[str]:
        """Path under which GDAL opens all of a member; BadProduct if it is missing or wrong."""
        with ExitStack() as holding:
            yield self._tried(lambda files: holding.enter_context(files.held(member)))

    def extent(self, member: str, start: int, length: int) -> tuple[Path, int]:
        """A file of this machine with these bytes, and their place in it; BadProduct if the member is missing."""
        return self._tried(lambda files: files.extent(member, start, length))

    def _tried(self, ask: Callable[[ProductFiles], T]) -> T:
        files = self._files
        try:
            return ask(files)
        except (Retryable, BadProduct) as fault:
            of_a_file = isinstance(fault, BadProduct) and fault.member not in ("", MANIFEST)
            if of_a_file or (self._resorted and files is self._files):
                raise
            self._resort(fault)
        return ask(self._files)

    def _resort(self, fault: Retryable | BadProduct) -> None:
        """Take the slice from the service; if that does not have it, the error tells of both."""
        with self._resorting:
            if self._resorted:
                return
            try:
                bursts = self._bursts(self.product)
                bursts.members()
            except (Retryable, BadProduct, ConfigurationError) as other:
                raise _neither(self.product, fault, other) from other
            self._files, self._resorted = bursts, True
        self._note(f"{self.product} comes from ASF's burst service: {_said(fault)}")


def _neither(product: str, fault: Retryable | BadProduct, other: Exception) -> Retryable | BadProduct:
    both = f"{_said(fault)}; nor does it come from ASF's burst service: {_said(other)}"
    if isinstance(fault, Retryable) or isinstance(other, Retryable):
        return Retryable(both)
    return BadProduct(product, "", both)


def _said(fault: Exception) -> str:
    return fault.reason if isinstance(fault, BadProduct) else str(fault)
