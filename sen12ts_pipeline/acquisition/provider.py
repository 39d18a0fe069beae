"""Who serves files: how one is let in, and how much may be asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from sen12ts_pipeline.ports import OPEN_GATE, Gate


class Access(Protocol):
    """How a server lets one in."""

    def headers(self) -> Mapping[str, str]:
        """Headers to send with a request; never shown, and sent to no other server than the one meant."""
        ...

    def refused(self, headers: Mapping[str, str]) -> bool:
        """Note that a server did not accept headers (401, 403); True if it is worth asking again with new ones."""
        ...


class Anyone:
    """Implements `Access` where nothing has to be shown."""

    def headers(self) -> Mapping[str, str]:
        """None."""
        return {}

    def refused(self, headers: Mapping[str, str]) -> bool:  # noqa: ARG002 - of the protocol
        """It is not worth asking again."""
        return False


@dataclass(frozen=True, slots=True)
class S3Access:
    """How a server of buckets is spoken to; what is empty is left to boto3's own variables.

    Attributes
    ----------
    endpoint, region : str
        URL of the server, and name of its region.
    addressing : str
        ``path``, ``virtual`` or ``auto``.
    key, secret : str
        Credentials; never shown.
    unsigned : bool
        Whether nothing is signed: for buckets that are open to all.
    """

    endpoint: str = ""
    region: str = ""
    addressing: str = "auto"
    key: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    unsigned: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Provider:
    """A server, or several that share one quota.

    Attributes
    ----------
    name : str
        For messages, for example ``cdse``.
    access : Access
        How HTTP requests are let in.
    s3 : S3Access
        How buckets are spoken to.
    gate : Gate
        At which every request queues.
    """

    name: str = ""
    access: Access = field(default_factory=Anyone)
    s3: S3Access = field(default_factory=S3Access)
    gate: Gate = OPEN_GATE


ANYBODY = Provider()
"""A server of which nothing is known."""
