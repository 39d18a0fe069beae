"""Tokens: one for all processes of a machine, kept in a file that only its owner may read, and renewed before it ends.

Those of an OpenID Connect server (RFC 6749, sections 4.3 and 6) are given for a password, which opens a session; users
have few of these. Those of the Planetary Computer are signatures of addresses, and given to anyone.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import http.client
import json
import logging
import os
import re
import secrets
import ssl
import tempfile
import threading
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from sen12ts_pipeline.acquisition.provider import Credentials, bearer
from sen12ts_pipeline.errors import ConfigurationError, Retryable
from sen12ts_pipeline.passing import PASSING_STATUSES, Passing, wait_named
from sen12ts_pipeline.ports import OPEN_GATE, Gate

log = logging.getLogger(__name__)

FOLDER_VARIABLE = "SEN12TS_TOKENS"
"""Names the folder in which tokens are kept."""
TIMEOUT_S = 60.0
REFRESHED_AT = 0.8
"""Share of a token's life after which a new one is asked for."""
SHORTEST_LIFE_S = 20.0
"""A token that is refused so soon after it was given is not refused for its age."""
LIMIT_BYTES = 2**20
SHOWN_CHARACTERS = 200

_QUERY = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Token:
    """A token and what renews it; times in seconds since 1970.

    Attributes
    ----------
    access, refresh : str
        What is shown to servers, and what is given for new ones; ``refresh`` may be empty.
    given, ends, refresh_ends : float
        When the two were given, and when they end.
    """

    access: str
    refresh: str
    given: float
    ends: float
    refresh_ends: float

    def __repr__(self) -> str:
        return f"Token(given={self.given}, ends={self.ends}, refresh_ends={self.refresh_ends})"

    def is_good(self, now: float) -> bool:
        """Whether it need not be renewed yet."""
        return self.given <= now < self.given + REFRESHED_AT * (self.ends - self.given)


class SharedToken(ABC):
    """Implements `Access` by a token that all processes of a machine share.

    Parameters
    ----------
    url : str
        Of the server's token endpoint.
    whose : str
        What tells its user from others at the same server.
    folder : Path
        Where the token is kept for all processes of the machine; made if it is not there.
    gate : Gate
        At which questions for tokens queue.
    clock : callable
        Seconds since 1970.
    """

    def __init__(self, url: str, whose: str, folder: Path, gate: Gate, clock: Callable[[], float]) -> None:
        self._url, self._gate, self._clock = url, gate, clock
        name = hashlib.sha256(f"{url}\0{whose}".encode()).hexdigest()[:20]
        self._path, self._thread_lock = Path(folder) / f"token-{name}.json", threading.Lock()
        self._token: Token | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._url!r})"

    def credentials(self) -> Credentials:
        """The token that all processes share, renewed when most of its life is over.

        Raises
        ------
        Passing
            When the server is busy.
        ConfigurationError
            When it does not accept the password: it is not asked again with the same one.
        """
        token = self._token
        if token is None or not token.is_good(self._clock()):
            with self._alone():
                token = self._token = self._renewed()
        return self._shown(token)

    def refused(self, credentials: Credentials) -> bool:
        """Renew a token that a server refused, unless another process has done so; if it was quite new, see below."""
        with self._alone():
            kept = self._kept()
            if kept and self._shown(kept) == credentials:
                if self._clock() - kept.given < SHORTEST_LIFE_S:
                    return self._refused_at_once()
                self._token = self._ask_for_another(kept)
            else:
                self._token = kept
            return True

    def kept_until(self) -> datetime | None:
        """When the token ends that is kept for this machine, UTC; None if there is none. Nothing is asked."""
        kept = self._kept()
        return datetime.fromtimestamp(kept.ends, UTC) if kept and kept.ends > self._clock() else None

    @abstractmethod
    def _shown(self, token: Token) -> Credentials:
        """What a token looks like in a request."""

    @abstractmethod
    def _ask_for_another(self, old: Token | None) -> Token:
        """A new token; it is written to the file."""

    @abstractmethod
    def _refused_at_once(self) -> bool:
        """What to do about a token that is not too old: whether to ask again; Passing where the server is at fault."""

    def _renewed(self) -> Token:
        """The token of the file, or a new one; while no other process asks."""
        kept = self._kept()
        return kept if kept and kept.is_good(self._clock()) else self._ask_for_another(kept)

    def _answer(self, request: urllib.request.Request, refusal: Callable[[urllib.error.HTTPError], Exception]) -> Any:  # noqa: ANN401 - JSON
        """The server's answer; what was sent is in no message."""
        request.add_header("Accept", "application/json")
        with self._gate.turn() as turn:
            try:
                with _OPENER.open(request, timeout=TIMEOUT_S) as answer:
                    body = answer.read(LIMIT_BYTES)
                turn.received(len(body))
                return _parsed(body, self._url)
            except urllib.error.HTTPError as error:
                with error:
                    if error.code in PASSING_STATUSES:
                        said = f"{self._url} answered {error.code} {error.reason}"
                        raise Passing(said, wait_named(error.headers)) from None
                    raise refusal(error) from None
            except (OSError, http.client.HTTPException) as error:
                reason = getattr(error, "reason", error)
                if isinstance(reason, ssl.SSLCertVerificationError):
                    rule = "must have a certificate that is trusted"
                    raise ConfigurationError("provider", self._url, rule, str(reason)) from None
                raise Passing(f"{self._url} broke off ({type(error).__name__}: {reason})") from None

    def _kept(self) -> Token | None:
        """The token of the file; None if there is none, or none that can be read."""
        try:
            return Token(**self._read()["token"])
        except (KeyError, TypeError):
            return None

    def _read(self) -> dict[str, Any]:
        try:
            content = json.loads(self._path.read_text())
        except (FileNotFoundError, ValueError):  # none yet, or one that was cut off
            return {}
        return content if isinstance(content, dict) else {}

    def _write(self, content: Mapping[str, object]) -> None:
        """Replace the file, which from its first byte only its owner may read."""
        try:
            place, name = tempfile.mkstemp(dir=self._path.parent, prefix=".token-")
            with os.fdopen(place, "w") as file:
                json.dump(content, file)
            Path(name).replace(self._path)
        except OSError as error:
            raise Retryable(f"{self._path.parent} cannot keep a token: {error.strerror}") from error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other threads, and processes of this machine, from asking at the same time."""
        with self._thread_lock:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                lock = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
            except OSError as error:
                rule = f"must be a folder that can be written, to keep a token in: {error.strerror}"
                raise ConfigurationError("environment", FOLDER_VARIABLE, rule, str(self._path.parent)) from error
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
            finally:
                os.close(lock)


class TokenAccess(SharedToken):
    """Implements `Access` by tokens that a user's name and password are exchanged for.

    A token that is refused though it is quite new is not refused for its age: nothing is asked again.

    Parameters
    ----------
    url : str
        Of the server's token endpoint.
    client_id : str
        Name of the program at the server, for example ``cdse-public``.
    user, password : str
        Of an account without a second factor, which no program could type in.
    folder : Path
        Where the token is kept for all processes of the machine; made if it is not there.
    gate : Gate, optional
        At which questions for tokens queue.
    variables : str
        What a person sets, for messages.
    clock : callable
        Seconds since 1970.
    """

    def __init__(
        self,
        url: str,
        client_id: str,
        user: str,
        password: str,
        folder: Path,
        *,
        gate: Gate = OPEN_GATE,
        variables: str = "user and password",
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(url, f"{client_id}\0{user}", folder, gate, clock)
        self._client_id, self._user, self._password = client_id, user, password
        self._variables = variables

    def _shown(self, token: Token) -> Credentials:
        return bearer(token.access)

    def _refused_at_once(self) -> bool:
        return False

    def _ask_for_another(self, old: Token | None) -> Token:
        """A token for the old one's refresh token, or else for the password."""
        if old and old.refresh and self._clock() < old.refresh_ends:
            with suppress(_Denied):  # ended before its time
                return self._granted(grant_type="refresh_token", refresh_token=old.refresh)
        self._require_not_denied()
        try:
            return self._granted(grant_type="password", username=self._user, password=self._password)
        except _Denied as denied:
            if denied.password:
                self._write({"denied": self._fingerprint(secrets.token_hex(16)), "said": str(denied)})
            raise self._wrong(str(denied)) from None

    def _granted(self, **form: str) -> Token:
        asked = self._clock()
        sent = urlencode({"client_id": self._client_id, **form}).encode()
        answer = self._answer(urllib.request.Request(self._url, sent), self._refusal)  # noqa: S310 - https, see providers
        try:
            access, life_s = str(answer["access_token"]), float(answer["expires_in"])
            refresh, refresh_life_s = str(answer.get("refresh_token", "")), float(answer.get("refresh_expires_in", 0))
        except (KeyError, TypeError, ValueError):
            raise Passing(f"{self._url} answered without a token and its time") from None
        token = Token(access, refresh, asked, asked + life_s, asked + (refresh_life_s or life_s))
        self._write({"token": asdict(token)})
        log.info("token granted", extra={"server": self._url, "by": form["grant_type"], "life_s": life_s})
        return token

    def _refusal(self, error: urllib.error.HTTPError) -> Exception:
        told: dict[str, Any] = {}
        with suppress(OSError, http.client.HTTPException, Passing):
            told = _parsed(error.read(2**14), self._url)
        said = str(told.get("error_description") or told.get("error") or error.reason).replace(self._password, "***")
        password = error.code == HTTPStatus.UNAUTHORIZED or told.get("error") == "invalid_grant"
        return _Denied(f"answer {error.code}: {said[:SHOWN_CHARACTERS]}", password=password)

    def _require_not_denied(self) -> None:
        """Refuse a password that the server has refused: accounts are locked after some tries."""
        content = self._read()
        denied = content.get("denied")
        if isinstance(denied, list) and denied and hmac.compare_digest(self._fingerprint(denied[0])[1], denied[1]):
            said = f"{content.get('said')}, to an earlier try; to have it tried again, remove {self._path}"
            raise self._wrong(said)

    def _wrong(self, said: str) -> ConfigurationError:
        rule = f"must be the user and password of an account of {urlsplit(self._url).netloc}, without a second factor"
        return ConfigurationError("environment", self._variables, rule, said)

    def _fingerprint(self, salt: str) -> list[str]:
        """Salt, and what tells a password again without telling it."""
        return [salt, hashlib.scrypt(self._password.encode(), salt=salt.encode(), n=2**14, r=8, p=1).hex()]


class SignedAddresses(SharedToken):
    """Implements `Access` by the Planetary Computer's signatures, which are added to the addresses of its blobs.

    Whatever is wrong with a signature is the service's own fault and may pass: it gives them to anyone. It has given
    some that did not let one in, and has not known its own collections for a while.

    Parameters
    ----------
    url : str
        Which gives signatures of a collection: ``<service>/token/<collection>``.
    folder : Path
        Where the signature is kept for all processes of the machine; made if it is not there.
    gate : Gate, optional
        At which questions for signatures queue.
    clock : callable
        Seconds since 1970.
    """

    def __init__(
        self, url: str, folder: Path, *, gate: Gate = OPEN_GATE, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(url, "", folder, gate, clock)

    def _shown(self, token: Token) -> Credentials:
        return Credentials(query=token.access)

    def _ask_for_another(self, old: Token | None) -> Token:  # noqa: ARG002 - nothing renews it
        asked = self._clock()
        answer = self._answer(urllib.request.Request(self._url), self._refusal)  # noqa: S310 - https, see providers
        try:
            query, ends = str(answer["token"]), datetime.fromisoformat(str(answer["msft:expiry"])).timestamp()
        except (KeyError, ValueError):
            raise Passing(f"{self._url} answered without a signature and its time") from None
        if not _QUERY.fullmatch(query) or ends <= asked:
            raise Passing(f"{self._url} gave a signature that is none, or is too old already")
        token = Token(query, "", asked, ends, 0.0)
        self._write({"token": asdict(token)})
        log.info("signature given", extra={"server": self._url, "life_s": round(ends - asked)})
        return token

    def _refused_at_once(self) -> bool:
        self._token = None
        self._write({})
        raise Passing(f"did not accept a signature that {self._url} had just given")

    def _refusal(self, error: urllib.error.HTTPError) -> Exception:
        return Passing(f"{self._url} answered {error.code} {error.reason}")


class _Denied(Exception):
    """The server does not accept what it was shown: the password or token itself, or something else."""

    def __init__(self, said: str, *, password: bool) -> None:
        super().__init__(said)
        self.password = password


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A password goes to the server that it was meant for, and nowhere else."""

    def redirect_request(self, *_: object, **__: object) -> None:
        """None: the redirection is an error."""


_OPENER = urllib.request.build_opener(_NoRedirects)


def _parsed(body: bytes, url: str) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        raise Passing(f"{url} sent {len(body)} bytes that are not JSON") from None
    if not isinstance(value, dict):
        raise Passing(f"{url} sent JSON that is not an object")
    return value
