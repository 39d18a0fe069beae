"""Files in an S3 bucket, by way of boto3; what a provider leaves open, boto3 takes from its own variables."""

from __future__ import annotations

import functools
import importlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from email.message import Message
from typing import Any, TypeVar

from sen12ts_pipeline.acquisition.files import Version
from sen12ts_pipeline.acquisition.http import received
from sen12ts_pipeline.acquisition.provider import Provider, S3Access
from sen12ts_pipeline.errors import BadProduct, ConfigurationError, Retryable
from sen12ts_pipeline.passing import PASSING_STATUSES, Passing, patiently, wait_named
from sen12ts_pipeline.ports import Turn

CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 10.0, 60.0

POOL_CONNECTIONS = 16
"""Connections that a client keeps open at most; how many are used at a time is the gate's to say."""

T = TypeVar("T")
Question = Callable[[Any, Turn], T]
"""What is asked of a client of boto3, in a turn."""

_PASSING_CODES = {"SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "Throttling"}


class S3File:
    """An object.

    Parameters
    ----------
    bucket, key : str
        Where it lies.
    product, member : str
        What errors name.
    known : Version, optional
        Size and tag where a listing has told them.
    provider : Provider, optional
        Who serves it; by default the server that boto3's variables name.
    """

    def __init__(
        self,
        bucket: str,
        key: str,
        product: str,
        member: str,
        known: Version | None = None,
        provider: Provider | None = None,
    ) -> None:
        self._bucket, self._key, self._product, self._member, self._known = bucket, key, product, member, known
        self._provider = provider or Provider()

    def __repr__(self) -> str:
        return f"S3File({self.place!r})"

    @property
    def place(self) -> str:
        """``s3://bucket/key``."""
        return f"s3://{self._bucket}/{self._key}"

    @property
    def identity(self) -> str:
        """Endpoint, bucket and key."""
        return f"{_client(os.getpid(), self._provider.s3).meta.endpoint_url}\0{self.place}"

    def version(self) -> Version:
        """Size and tag."""
        if self._known is not None:
            return self._known
        answer = self._ask(lambda client, _: client.head_object(Bucket=self._bucket, Key=self._key))
        return _version(int(answer["ContentLength"]), answer)

    def fetch(self, start: int, length: int, expected: Version) -> bytes:
        """Just these bytes of this version."""
        asked = f"bytes={start}-{start + length - 1}"

        def get(client: Any, turn: Turn) -> bytes:  # noqa: ANN401
            answer = client.get_object(Bucket=self._bucket, Key=self._key, Range=asked)
            with closing(answer["Body"]) as stream:  # entered itself, it would hide what breaks off
                if "ContentRange" not in answer:
                    raise Passing("answered something else than the bytes asked for")
                size = answer["ContentRange"].rpartition("/")[2]
                if not size.isdecimal() or _version(int(size), answer) != expected:
                    raise Retryable(f"{self.place} has changed while it was read")
                return received(stream, length, turn)

        return self._ask(get)

    def _ask(self, question: Question[T]) -> T:
        return _asked(self._provider, self._product, self._member, self.place, question)


def listed(bucket: str, prefix: str, product: str, provider: Provider | None = None) -> dict[str, S3File]:
    """Objects below a prefix that ends in ``/``, by their names after it; each page of the listing is a request.

    Raises
    ------
    BadProduct
        When there is none.
    """
    asked, place = provider or Provider(), f"s3://{bucket}/{prefix}"
    found = {}
    for item in _pages(asked, bucket, prefix, product):
        name = item["Key"].removeprefix(prefix)
        if name and not name.endswith("/"):
            known = _version(int(item["Size"]), item)
            found[name] = S3File(bucket, item["Key"], product, name, known, asked)
    if not found:
        raise BadProduct(product, "", f"must be there; nothing lies under {place}")
    return found


def _version(size: int, told: Mapping[str, Any]) -> Version:
    """Size and tag; some servers quote a tag in answers and not in listings."""
    return Version(size, str(told.get("ETag", "")).strip('"'))


def _pages(provider: Provider, bucket: str, prefix: str, product: str) -> Iterator[Any]:
    place = f"s3://{bucket}/{prefix}"
    after: dict[str, str] = {}
    while True:
        question = functools.partial(_page, {"Bucket": bucket, "Prefix": prefix, **after})
        page = patiently(place, functools.partial(_asked, provider, product, "", place, question))
        yield from page.get("Contents", ())
        if not page.get("IsTruncated"):
            return
        after = {"ContinuationToken": page["NextContinuationToken"]}


def _page(asked: Mapping[str, str], client: Any, _: Turn) -> Any:  # noqa: ANN401
    return client.list_objects_v2(**asked)


def _asked(provider: Provider, product: str, member: str, place: str, question: Question[T]) -> T:
    """The answer to a question; faults are told apart by what is to be done about them."""
    client = _client(os.getpid(), provider.s3)
    faults = importlib.import_module("botocore.exceptions")
    variables = provider.s3.variables
    with provider.gate.turn() as turn:
        try:
            return question(client, turn)
        except faults.ClientError as error:
            raise _refused(product, member, place, error.response, variables) from None
        except (faults.NoCredentialsError, faults.PartialCredentialsError, faults.InvalidRegionError) as error:
            raise ConfigurationError("environment", variables, f"must let {place} be read", str(error)) from None
        except (faults.HTTPClientError, faults.ConnectionError, faults.IncompleteReadError, OSError) as error:
            raise Passing(f"broke off ({type(error).__name__}: {error})") from None


def _refused(product: str, member: str, place: str, answer: Any, variables: str) -> Exception:  # noqa: ANN401
    code, status = str(answer["Error"].get("Code")), int(answer["ResponseMetadata"]["HTTPStatusCode"])
    if status in PASSING_STATUSES or code in _PASSING_CODES:
        headers = _headers(answer["ResponseMetadata"].get("HTTPHeaders", {}))
        return Passing(f"answered {status} {code}", wait_named(headers))
    if status in (401, 403):
        return ConfigurationError("environment", variables, f"must let {place} be read", f"answer {status} {code}")
    if status == 416:
        return Retryable(f"{place} has changed while it was read")
    return BadProduct(product, member, f"cannot be had from {place}: answer {status} {code}")


def split(url: str) -> tuple[str, str]:
    """Bucket and key of ``s3://bucket/key``; ConfigurationError if it has no such form."""
    match = re.match(r"^s3://([^/]+)/(.+)$", url)
    if not match:
        raise ConfigurationError("product", "address", "must be s3://BUCKET/KEY", url)
    return match[1], match[2]


def _headers(given: Mapping[str, str]) -> Message:
    """Headers that are found in any case."""
    found = Message()
    for name, value in given.items():
        found[name] = str(value)
    return found


@functools.lru_cache(maxsize=8)
def _client(process: int, access: S3Access) -> Any:  # noqa: ANN401, ARG001 - connections are not shared with forks
    try:
        boto3, botocore = importlib.import_module("boto3"), importlib.import_module("botocore")
        config = importlib.import_module("botocore.config")
    except ImportError as error:
        rule = "needs boto3: pip install 'sen12ts-pipeline[s3]'"
        raise ConfigurationError("product", "s3://", rule, str(error)) from error
    options = config.Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        retries={"total_max_attempts": 1},
        max_pool_connections=POOL_CONNECTIONS,
        s3={"addressing_style": access.addressing},
        signature_version=botocore.UNSIGNED if access.unsigned else None,
        request_checksum_calculation="when_required",  # stores that are not Amazon's refuse headers they do not know
        response_checksum_validation="when_required",
    )
    return boto3.session.Session().client(
        "s3",
        endpoint_url=access.endpoint or None,
        region_name=access.region or None,
        aws_access_key_id=access.key or None,
        aws_secret_access_key=access.secret or None,
        config=options,
    )
