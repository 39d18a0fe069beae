"""All of a file afar, or of a member of a zip, in the spool: it gets there only when it is right."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sen12ts_pipeline.acquisition.checks import NOTHING_KNOWN, Expected, Fault, fault, unsound
from sen12ts_pipeline.acquisition.names import refuse_large
from sen12ts_pipeline.acquisition.spool import Identity, Spool, read_extent

log = logging.getLogger(__name__)

TRIES = 2
"""How often a file that turns out wrong is fetched."""


@dataclass(frozen=True, slots=True, eq=False)
class WholeFile:
    """One file.

    Attributes
    ----------
    spool : Spool
        Where it is kept.
    product, member : str
        What errors name; the ending of the member tells how the file must begin.
    place : str
        Where it comes from, for people.
    identity : sequence
        Everything that decides its bytes.
    size : int
        Bytes.
    copy : callable
        Writes all of it to an empty file.
    expected : Expected
        What is known of it besides.
    """

    spool: Spool
    product: str
    member: str
    place: str
    identity: Identity
    size: int
    copy: Callable[[BinaryIO], None]
    expected: Expected = NOTHING_KNOWN

    def held(self) -> AbstractContextManager[Path]:
        """Its path in the spool; it stays there while the context lasts.

        Raises
        ------
        BadProduct
            When it is wrong each time it is fetched.
        Retryable
            When a server does not give it now, or gives something else instead.
        """
        return self.spool.held(self.identity, self.size, self._fill)

    def read(self) -> bytes:
        """Its content, of a small file; errors as above."""
        refuse_large(self.product, self.member, self.size)
        return read_extent(lambda: (self.spool.keep(self.identity, self.size, self._fill), 0), self.size)

    def _fill(self, out: BinaryIO) -> None:
        faults: list[Fault] = []
        while len(faults) < TRIES:
            self.copy(out)
            out.flush()
            found = self._fault(out)
            if found is None:
                return
            log.warning("wrong file fetched", extra={"place": self.place, "found": found.found})
            faults.append(found)
            out.seek(0)
            out.truncate(0)
        raise unsound(self.product, self.member, self.place, faults)

    def _fault(self, out: BinaryIO) -> Fault | None:
        announced = Expected(self.size, by=self.place)
        return fault(out, self.member, announced) or fault(out, self.member, self.expected)
