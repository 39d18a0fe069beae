"""Files in an S3 bucket, by way of boto3, which takes endpoint, region and credentials from its own variables."""

from __future__ import annotations

import functools
import importlib
import os
import re
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any, TypeVar

from sen12ts_pipeline.acquisition.files import Version
from sen12ts_pipeline.acquisition.retry import patiently
from sen12ts_pipeline.errors import BadProduct, ConfigurationError, Retryable
from sen12ts_pipeline.passing import PASSING_STATUSES, Passing

CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 10.0, 60.0

T = TypeVar("T")

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
    """

    def __init__(self, bucket: str, key: str, product: str, member: str, known: Version | None = None) -> None:
        self._bucket, self._key, self._product, self._member, self._known = bucket, key, product, member, known

    @property
    def place(self) -> str:
        """``s3://bucket/key``."""
        return f"s3://{self._bucket}/{self._key}"

    @property
    def identity(self) -> str:
        """Endpoint, bucket and key."""
        return f"{_client(os.getpid()).meta.endpoint_url}\0{self.place}"

    @property
    def gdal_path(self) -> str:
        """The object for GDAL, which asks the server itself, with endpoint and credentials from ``AWS_*``."""
        return f"/vsis3/{self._bucket}/{self._key}"

    def version(self) -> Version:
        """Size and tag."""
        if self._known is not None:
            return self._known
        answer = self._ask(lambda client: client.head_object(Bucket=self._bucket, Key=self._key))
        return Version(int(answer["ContentLength"]), answer.get("ETag", ""))

    def fetch(self, start: int, length: int, expected: Version) -> bytes:
        """Just these bytes of this version."""
        asked = f"bytes={start}-{start + length - 1}"

        def get(client: Any) -> tuple[Any, bytes]:  # noqa: ANN401
            answer = client.get_object(Bucket=self._bucket, Key=self._key, Range=asked)
            with closing(answer["Body"]) as stream:  # entered itself, it would hide what breaks off
                return answer, stream.read(length)

        answer, body = self._ask(get)
        if "ContentRange" not in answer:
            raise Passing("answered something else than the bytes asked for")
        if (answer.get("ETag"), answer["ContentRange"].rpartition("/")[2]) != (expected.tag, str(expected.size)):
            raise Retryable(f"{self.place} has changed while it was read")
        if len(body) != length:
            raise Passing(f"sent {len(body)} of {length} bytes")
        return body

    def _ask(self, question: Callable[[Any], T]) -> T:
        return _asked(self._product, self._member, self.place, question)


def listed(bucket: str, prefix: str, product: str) -> dict[str, S3File]:
    """Objects below a prefix that ends in ``/``, by their names after it.

    Raises
    ------
    BadProduct
        When there is none.
    """
    place = f"s3://{bucket}/{prefix}"

    def pages(client: Any) -> list[Any]:  # noqa: ANN401
        paginator = client.get_paginator("list_objects_v2")
        return [item for page in paginator.paginate(Bucket=bucket, Prefix=prefix) for item in page.get("Contents", ())]

    found = {}
    for item in patiently(place, lambda: _asked(product, "", place, pages)):
        name = item["Key"].removeprefix(prefix)
        if name and not name.endswith("/"):
            found[name] = S3File(bucket, item["Key"], product, name, Version(int(item["Size"]), item["ETag"]))
    if not found:
        raise BadProduct(product, "", f"must be there; nothing lies under {place}")
    return found


def _asked(product: str, member: str, place: str, question: Callable[[Any], T]) -> T:
    """The answer to a question; faults are told apart by what is to be done about them."""
    client = _client(os.getpid())
    faults = importlib.import_module("botocore.exceptions")
    try:
        return question(client)
    except faults.ClientError as error:
        raise _refused(product, member, place, error.response) from None
    except (faults.NoCredentialsError, faults.PartialCredentialsError, faults.InvalidRegionError) as error:
        raise ConfigurationError("environment", "AWS_*", f"must let {place} be read", str(error)) from None
    except (faults.HTTPClientError, faults.ConnectionError, faults.IncompleteReadError, OSError) as error:
        raise Passing(f"broke off ({type(error).__name__}: {error})") from None


def _refused(product: str, member: str, place: str, answer: Any) -> Exception:  # noqa: ANN401
    code, status = str(answer["Error"].get("Code")), int(answer["ResponseMetadata"]["HTTPStatusCode"])
    if status in PASSING_STATUSES or code in _PASSING_CODES:
        headers, wait_s = answer["ResponseMetadata"].get("HTTPHeaders", {}), None
        with suppress(ValueError):
            wait_s = float(headers.get("retry-after") or headers.get("x-ratelimit-reset") or "none")
        return Passing(f"answered {status} {code}", wait_s)
    if status in (401, 403):
        return ConfigurationError("environment", "AWS_*", f"must let {place} be read", f"answer {status} {code}")
    if status == 416:
        return Retryable(f"{place} has changed while it was read")
    return BadProduct(product, member, f"cannot be had from {place}: answer {status} {code}")


def split(url: str) -> tuple[str, str]:
    """Bucket and key of ``s3://bucket/key``; ConfigurationError if it has no such form."""
    match = re.match(r"^s3://([^/]+)/(.+)$", url)
    if not match:
        raise ConfigurationError("product", "address", "must be s3://BUCKET/KEY", url)
    return match[1], match[2]


@functools.lru_cache(maxsize=2)
def _client(process: int) -> Any:  # noqa: ANN401, ARG001 - connections are not shared with forked processes
    try:
        boto3, config = importlib.import_module("boto3"), importlib.import_module("botocore.config")
    except ImportError as error:
        rule = "needs boto3: pip install 'sen12ts-pipeline[s3]'"
        raise ConfigurationError("product", "s3://", rule, str(error)) from error
    options = {"connect_timeout": CONNECT_TIMEOUT_S, "read_timeout": READ_TIMEOUT_S}
    return boto3.session.Session().client("s3", config=config.Config(**options, retries={"total_max_attempts": 1}))
