"""An S3 server as the store sees it: how it is reached, asked again, and what its refusals mean."""

from __future__ import annotations

import functools
import importlib
import logging
import math
import os
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from sen12ts_pipeline.errors import ConfigurationError, Retryable, Sen12tsError

log = logging.getLogger(__name__)

T = TypeVar("T")

CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 10.0, 60.0
CONNECTIONS = 32
LONGEST_WAIT_S = 30.0
WAITS_S = (1.0, 2.0, 4.0, 8.0, 16.0, LONGEST_WAIT_S, LONGEST_WAIT_S, LONGEST_WAIT_S)
"""Waits between the tries of a request, each cut by up to a half at random: a server may stop for a minute."""

_PASSING_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
_PASSING_CODES = frozenset(
    {
        *("SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "Throttling", "ThrottlingException"),
        *("ConditionalRequestConflict", "OperationAborted"),
    }
)
_FULL_CODES = frozenset({"QuotaExceeded", "InsufficientStorage", "XMinioStorageFull"})


@dataclass(frozen=True, slots=True)
class S3Options:
    """How a server is spoken to. Credentials are not among it: boto3 finds them (``AWS_*``, profile, role of the pod).

    Attributes
    ----------
    endpoint : str
        URL of the server; boto3's own setting (``AWS_ENDPOINT_URL``), else Amazon's, where it is empty.
    region : str
        Region; boto3's own setting where it is empty.
    addressing : str
        ``path`` puts the bucket into the path of a URL, as most servers but Amazon's want it, ``virtual`` into the
        host; ``auto`` leaves it to boto3.
    checksums : str
        ``when_required`` for servers that do not know the checksum headers which boto3 sends and checks by default.
    conditional_writes : bool or None
        Whether the server keeps ``If-None-Match``; None finds out.
    encryption : str
        Encryption at rest that each write asks for: ``AES256``, ``aws:kms`` or ``aws:kms:dsse``; ``bucket`` leaves it
        to the bucket's own setting.
    kms_key : str
        Key of ``aws:kms``; the account's default key where empty.
    """

    endpoint: str = ""
    region: str = ""
    addressing: Literal["auto", "path", "virtual"] = "auto"
    checksums: Literal["when_supported", "when_required"] = "when_supported"
    conditional_writes: bool | None = None
    encryption: Literal["bucket", "AES256", "aws:kms", "aws:kms:dsse"] = "bucket"
    kms_key: str = ""

    @property
    def at_rest(self) -> dict[str, str]:
        """What a write says of encryption."""
        if self.encryption == "bucket":
            return {}
        key = {"SSEKMSKeyId": self.kms_key} if self.kms_key else {}
        return {"ServerSideEncryption": self.encryption, **key}


class Refused(Sen12tsError):
    """An answer that would be the same if it were asked again: absent, not as demanded, not known to the server.

    Parameters
    ----------
    place : str
        What was asked for.
    status : int
        Of HTTP.
    code : str
        Of S3.
    """

    def __init__(self, place: str, status: int, code: str) -> None:
        super().__init__(f"{place}: answer {status} {code}")
        self.place, self.status, self.code = place, status, code

    def __reduce__(self) -> tuple[type[Refused], tuple[str, int, str]]:
        return type(self), (self.place, self.status, self.code)


class _Passing(Exception):
    """A fault that may pass; the wait that the server names, if it does."""

    def __init__(self, fault: str, wait_s: float | None = None) -> None:
        super().__init__(fault)
        self.wait_s = wait_s


class Server:
    """Asks a server, again and again while a fault may pass; may be used by threads, and after a fork."""

    def __init__(self, options: S3Options) -> None:
        self.options = options

    def ask(self, place: str, question: Callable[[Any], T], until: float = math.inf) -> T:
        """What a question to boto3's client gives.

        Parameters
        ----------
        place : str
            What is asked for, for messages.
        question : callable
            Takes the client; reads all that it returns, as connections break while they are read, too.
        until : float
            Time of `time.monotonic` after which it is not asked again.

        Raises
        ------
        Refused
            For an answer that stays: 404, 412, 501 and the like.
        ConfigurationError
            When boto3 is not installed, or credentials are missing or not enough.
        Retryable
            When the fault has not passed after two minutes, or the server is full.
        """
        for tried, wait_s in enumerate((*WAITS_S, math.inf), 1):
            try:
                return _asked(self.options, place, question)
            except _Passing as fault:
                shortened = wait_s * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
                pause = shortened if fault.wait_s is None else min(fault.wait_s, LONGEST_WAIT_S)
                if wait_s == math.inf or time.monotonic() + pause > until:
                    raise Retryable(f"{place}: {fault}, {tried} times") from fault
                log.info("asked again", extra={"place": place, "fault": str(fault)})
                time.sleep(pause)
        raise AssertionError("the last try returns or raises")


def _asked(options: S3Options, place: str, question: Callable[[Any], T]) -> T:
    client = _client(options, os.getpid())
    faults, broken = importlib.import_module("botocore.exceptions"), importlib.import_module("urllib3.exceptions")
    try:
        return question(client)
    except faults.ClientError as error:
        raise _meaning(place, error.response) from None
    except (faults.NoCredentialsError, faults.PartialCredentialsError, faults.CredentialRetrievalError) as error:
        raise ConfigurationError("environment", "AWS_*", f"must let us use {place}", str(error)) from None
    except (
        *(faults.HTTPClientError, faults.ConnectionError, faults.IncompleteReadError, faults.FlexibleChecksumError),
        *(broken.HTTPError, OSError),
    ) as error:
        raise _Passing(f"broke off ({type(error).__name__}: {error})") from None


def _meaning(place: str, answer: Mapping[str, Any]) -> Exception:
    """The error that an answer other than success stands for."""
    code, status = str(answer["Error"].get("Code")), int(answer["ResponseMetadata"]["HTTPStatusCode"])
    if code in _FULL_CODES or status == 507:
        return Retryable(
            f"the object store is full: {place}: answer {status} {code}. Free some space or raise the quota"
        )
    if code in _PASSING_CODES or status in _PASSING_STATUSES:
        return _Passing(f"answered {status} {code}", _wait_s(answer["ResponseMetadata"].get("HTTPHeaders", {})))
    if code == "NoSuchBucket":
        return ConfigurationError("settings", "store", "its bucket must be there", f"{place}: {code}")
    if status in (401, 403):
        return ConfigurationError("environment", "AWS_*", f"must let us use {place}", f"answer {status} {code}")
    return Refused(place, status, code)


def _wait_s(headers: Mapping[str, str]) -> float | None:
    with suppress(ValueError):
        return max(0.0, float(headers.get("retry-after", "none")))
    return None


@functools.lru_cache(maxsize=8)
def _client(options: S3Options, process: int) -> Any:  # noqa: ANN401, ARG001 - no forked process shares connections
    try:
        boto3, config = importlib.import_module("boto3"), importlib.import_module("botocore.config")
    except ImportError as error:
        rule = "a store in S3 needs boto3: pip install 'sen12ts-pipeline[s3]'"
        raise ConfigurationError("settings", "store", rule, str(error)) from error
    wanted = config.Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        max_pool_connections=CONNECTIONS,
        retries={"total_max_attempts": 1},
        s3={"addressing_style": options.addressing},
        request_checksum_calculation=options.checksums,
        response_checksum_validation=options.checksums,
    )
    place = {"endpoint_url": options.endpoint or None, "region_name": options.region or None}
    return boto3.session.Session().client("s3", config=wanted, **place)
