"""Who serves files: how one is let in, and how much may be asked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from sen12ts_pipeline.ports import OPEN_GATE, Gate

TOKEN_VARIABLE = "SEN12TS_HTTP_TOKEN"  # noqa: S105 - its name only


@dataclass(frozen=True, slots=True)
class Credentials:
    """What is shown to a server with a request: to no other one than the one meant, and never to people.

    Attributes
    ----------
    headers : mapping
        Headers.
    query : str
        Signature of the address, as it is added to it; empty where none is.
    """

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: str = field(default="", repr=False)


class Access(Protocol):
    """How a server lets one in. Both questions may ask a server themselves, and are put while no turn is held."""

    def credentials(self) -> Credentials:
        """What to show with a request.

        Raises
        ------
        Passing
            When who gives them is busy.
        ConfigurationError
            When it gives none, for example for a wrong password.
        """
        ...

    def refused(self, credentials: Credentials) -> bool:
        """Note that a server did not accept credentials (401, 403); True if it is worth asking again with new ones.

        Raises
        ------
        Passing
            When who gives them is at fault.
        """
        ...


def bearer(token: str) -> Credentials:
    """A token as a header (RFC 6750, section 2.1)."""
    return Credentials({"Authorization": f"Bearer {token}"})


class Anyone:
    """Implements `Access` where nothing has to be shown."""

    def credentials(self) -> Credentials:
        """None."""
        return Credentials()

    def refused(self, credentials: Credentials) -> bool:  # noqa: ARG002 - of the protocol
        """It is not worth asking again."""
        return False


class Bearer:
    """Implements `Access` by a token that is given; who asks for a new one is a person."""

    def __init__(self, token: str) -> None:
        self._credentials = bearer(token)

    def credentials(self) -> Credentials:
        """The token."""
        return self._credentials

    def refused(self, credentials: Credentials) -> bool:  # noqa: ARG002 - of the protocol
        """It is not worth asking again."""
        return False


class FromEnvironment:
    """Implements `Access` by the token of a variable, ``SEN12TS_HTTP_TOKEN``, and by nothing where that is not set."""

    def __init__(self, variable: str = TOKEN_VARIABLE) -> None:
        self._variable = variable

    def credentials(self) -> Credentials:
        """The token that is set now."""
        token = os.environ.get(self._variable)
        return bearer(token) if token else Credentials()

    def refused(self, credentials: Credentials) -> bool:  # noqa: ARG002 - of the protocol
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
    variables : str
        What a person sets to be let in, for messages.
    """

    endpoint: str = ""
    region: str = ""
    addressing: str = "auto"
    key: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    unsigned: bool = False
    variables: str = "AWS_*"


@dataclass(frozen=True, slots=True, eq=False)
class Provider:
    """A server, or several that share one quota.

    Attributes
    ----------
    name : str
        For messages, for example ``cdse``.
    access : Access
        How HTTP requests are let in; by default by the token of the environment.
    s3 : S3Access
        How buckets are spoken to.
    gate : Gate
        At which every request queues.
    variables : str
        What a person sets for `access`, for messages.
    """

    name: str = ""
    access: Access = field(default_factory=FromEnvironment)
    s3: S3Access = field(default_factory=S3Access)
    gate: Gate = OPEN_GATE
    variables: str = TOKEN_VARIABLE


ANYBODY = Provider()
"""A server of which nothing is known."""
