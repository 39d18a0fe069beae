"""Object store in a bucket: any server of S3's interface, by way of boto3."""

from __future__ import annotations

import functools
import math
import mimetypes
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from datetime import datetime
from typing import Any

from sen12ts_pipeline.errors import ConfigurationError, Retryable, Sen12tsError
from sen12ts_pipeline.ports import ObjectKey, Put
from sen12ts_pipeline.state.keys import Entry, checked, checked_prefix, hidden
from sen12ts_pipeline.state.s3_claims import claimed
from sen12ts_pipeline.state.s3_server import Refused, S3Options, Server

OWN = "_work/.s3/"
"""What the store keeps for itself, below its prefix; hidden, as a part of the name begins with a dot."""
LARGE_BYTES = 64 * 2**20
"""Above this a body is sent in parts."""
PART_BYTES = 32 * 2**20
"""Of 10,000 parts, the most that there may be, 335 GB."""

TRIES = 5
"""Of writing what another deletes before it can be compared."""

_ABSENT, _NOT_MET = 404, 412

Make = Callable[..., object]


class S3Store:
    """Implements `ports.ObjectStore`; safe for any number of threads, processes and machines.

    An object is there at once and as a whole: S3 shows neither a body that is being sent nor parts that are not joined.
    The first writer wins by a conditional write (``If-None-Match: *``). Whether the server keeps the condition is found
    out at the first write, by an object that must not be written twice; where it does not, writers of one key take
    turns (`s3_claims`). So all writers of a store must use one server, or be told by the options.

    Parameters
    ----------
    url : str
        ``s3://bucket`` or ``s3://bucket/prefix``.
    options : S3Options
        How the server is spoken to.

    Raises
    ------
    ConfigurationError
        When the URL has another form, boto3 is missing, or the bucket is not there or cannot be listed.
    Retryable
        When the server does not answer.
    """

    def __init__(self, url: str, options: S3Options | None = None) -> None:
        self._bucket, self._prefix = split(url)
        self._options = options or S3Options()
        self._server = Server(self._options)
        self._keeps: dict[bool, bool] = {}
        self._finding_out = threading.Lock()
        try:
            self._ask("", lambda client: client.head_bucket(Bucket=self._bucket))
        except Refused as refused:
            rule = "must be a bucket that is there, in the region and at the endpoint that are set"
            raise ConfigurationError("settings", "store", rule, str(refused)) from None

    def put_if_absent(self, key: ObjectKey, body: bytes) -> Put:
        """Write unless the key is there; DIFFERENT, and nothing written, if it holds other bytes."""
        name = self._name(key)
        for _ in range(TRIES):
            with self._prepared(name, body) as make:
                if self._made(name, make, conditional=self._keeps_conditions(large=len(body) > LARGE_BYTES)):
                    return Put.WRITTEN
            with suppress(KeyError):  # deleted by another in the meantime
                return self._compare(key, body)
        raise Retryable(f"{self.location(key)}: can be neither written nor read, {TRIES} times")

    def replace(self, key: ObjectKey, body: bytes) -> None:
        """Write whatever is there: only for what is derived from other objects."""
        with self._prepared(self._name(key), body) as make:
            make()

    def get(self, key: ObjectKey) -> bytes:
        """Content; KeyError if absent."""
        name = self._name(key)

        def whole(client: Any) -> bytes:  # noqa: ANN401
            answer = client.get_object(Bucket=self._bucket, Key=name)
            with closing(answer["Body"]) as stream:  # entered itself, it would hide what breaks off
                body: bytes = stream.read()
                return body

        with _absence(key):
            return bytes(self._ask(name, whole))

    def exists(self, key: ObjectKey) -> bool:
        """Whether the key is there."""
        try:
            self._head(self._name(key))
        except KeyError:
            return False
        return True

    def keys(self, prefix: str) -> Iterator[ObjectKey]:
        """Keys that begin with a prefix ending in ``/`` (or with the empty prefix), sorted."""
        yield from (entry.key for entry in self.entries(prefix))

    def entries(self, prefix: str) -> list[Entry]:
        """Objects below a prefix ending in ``/`` (or the empty prefix), by key."""
        below = self._prefix + checked_prefix(prefix)
        found = (
            Entry(ObjectKey(item["Key"].removeprefix(self._prefix)), int(item["Size"]), item["LastModified"])
            for page in self._pages("list_objects_v2", Prefix=below)
            for item in page.get("Contents", ())
        )
        return sorted(entry for entry in found if not hidden(entry.key))

    def folders(self) -> list[str]:
        """First parts of the keys that have more than one, sorted."""
        pages = self._pages("list_objects_v2", Prefix=self._prefix, Delimiter="/")
        names = (item["Prefix"].removeprefix(self._prefix)[:-1] for p in pages for item in p.get("CommonPrefixes", ()))
        return sorted(name for name in names if not hidden(name))

    def delete(self, key: ObjectKey) -> None:
        """Remove a key; nothing happens if it is absent."""
        name = self._name(key)
        with suppress(KeyError), _absence(key):
            self._ask(name, lambda client: client.delete_object(Bucket=self._bucket, Key=name))

    def location(self, key: ObjectKey) -> str:
        """URL ``s3://bucket/...`` of the object."""
        return f"s3://{self._bucket}/{self._name(key)}"

    def remove_unfinished(self, before: datetime) -> int:
        """Abort uploads that were begun before a time and never ended; how many."""
        begun = [
            upload
            for page in self._pages("list_multipart_uploads", Prefix=self._prefix)
            for upload in page.get("Uploads", ())
            if upload["Initiated"] < before
        ]
        for upload in begun:
            self._abort(upload["Key"], upload["UploadId"])
        return len(begun)

    def _name(self, key: str) -> str:
        return self._prefix + checked(key)

    def _ask(self, name: str, question: Callable[[Any], Any], until: float = math.inf) -> Any:  # noqa: ANN401 - boto3's
        return self._server.ask(f"s3://{self._bucket}/{name}", question, until)

    def _pages(self, operation: str, **arguments: str) -> Iterator[dict[str, Any]]:
        """Answers of a listing, each asked for by itself so that a fault costs no more than its page."""
        following: dict[str, str] = {}
        while True:
            asked = {"Bucket": self._bucket, **arguments, **following}
            page = self._ask(arguments["Prefix"], functools.partial(_listed, operation, asked))
            yield page
            if not page.get("IsTruncated"):
                return
            if operation == "list_objects_v2":
                following = {"ContinuationToken": page["NextContinuationToken"]}
            else:
                following = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}

    def _head(self, name: str, until: float = math.inf) -> int:
        """Bytes of an object; KeyError if absent."""
        with _absence(name):
            answer = self._ask(name, lambda client: client.head_object(Bucket=self._bucket, Key=name), until)
        return int(answer["ContentLength"])

    def _compare(self, key: ObjectKey, body: bytes) -> Put:
        same = self._head(self._name(key)) == len(body) and self.get(key) == body
        return Put.SAME if same else Put.DIFFERENT

    def _made(self, name: str, make: Make, *, conditional: bool) -> bool:
        """Make an object that is absent; whether it was."""
        if conditional:
            return _first(lambda: make(IfNoneMatch="*"))
        with claimed(self._server, self._bucket, f"{self._prefix}{OWN}claims/", name) as until:
            try:
                self._head(name, until)
            except KeyError:
                return _first(lambda: make(until=until))
            return False

    def _keeps_conditions(self, *, large: bool) -> bool:
        """Whether the server refuses a conditional write of what is there, in one piece or in parts."""
        if self._options.conditional_writes is not None:
            return self._options.conditional_writes
        with self._finding_out:
            if large not in self._keeps:
                self._keeps[large] = self._refuses_a_second(large=large)
            return self._keeps[large]

    def _refuses_a_second(self, *, large: bool) -> bool:
        probe = f"{self._prefix}{OWN}probe"
        for _ in range(2):  # the first may find nothing there yet
            try:
                with (self._in_parts if large else self._in_one)(probe, b"must not be written twice") as make:
                    make(IfNoneMatch="*")
            except Refused as refused:
                return refused.status == _NOT_MET
        return False

    def _prepared(self, name: str, body: bytes) -> AbstractContextManager[Make]:
        return (self._in_parts if len(body) > LARGE_BYTES else self._in_one)(name, body)

    def _described(self, name: str) -> dict[str, str]:
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return {"Bucket": self._bucket, "Key": name, "ContentType": kind, **self._options.at_rest}

    @contextmanager
    def _in_one(self, name: str, body: bytes) -> Iterator[Make]:
        """The request that makes an object in one piece."""
        known = self._described(name)

        def put(until: float = math.inf, **more: str) -> None:
            self._ask(name, lambda client: client.put_object(Body=body, **known, **more), until)

        yield put

    @contextmanager
    def _in_parts(self, name: str, body: bytes) -> Iterator[Make]:
        """The request that joins the parts of an object, which were sent before; they go if it is not made."""
        begun = self._ask(name, lambda client: client.create_multipart_upload(**self._described(name)))
        upload = {"Bucket": self._bucket, "Key": name, "UploadId": begun["UploadId"]}
        done = False

        def join(until: float = math.inf, **more: str) -> None:
            nonlocal done
            whole = {"MultipartUpload": {"Parts": parts}, **upload, **more}
            self._ask(name, lambda client: client.complete_multipart_upload(**whole), until)
            done = True

        try:
            parts = [self._part(upload, name, number, body) for number in range(1, -(-len(body) // PART_BYTES) + 1)]
            yield join
        finally:
            if not done:
                with suppress(Sen12tsError):
                    self._abort(name, upload["UploadId"])

    def _part(self, upload: dict[str, str], name: str, number: int, body: bytes) -> dict[str, Any]:
        piece = memoryview(body)[(number - 1) * PART_BYTES : number * PART_BYTES]
        sent = self._ask(name, lambda c: c.upload_part(Body=bytes(piece), PartNumber=number, **upload))
        return {"PartNumber": number, "ETag": sent["ETag"]}

    def _abort(self, name: str, upload: str) -> None:
        with suppress(Refused):  # it was ended by another try
            gone = {"Bucket": self._bucket, "Key": name, "UploadId": upload}
            self._ask(name, lambda client: client.abort_multipart_upload(**gone))


def split(url: str) -> tuple[str, str]:
    """Bucket and prefix of ``s3://bucket/prefix``; the prefix is empty or ends in ``/``. ConfigurationError."""
    match = re.fullmatch(r"s3://([a-z0-9][a-z0-9._-]{1,61}[a-z0-9])(?:/(.*?))?/?", url)
    try:
        if match:
            return match[1], checked_prefix(f"{match[2]}/" if match[2] else "")
    except ValueError:
        pass
    raise ConfigurationError("settings", "store", "must be s3://bucket or s3://bucket/prefix", url)


def _listed(operation: str, asked: dict[str, str], client: Any) -> Any:  # noqa: ANN401
    return getattr(client, operation)(**asked)


def _first(make: Callable[[], object]) -> bool:
    """Whether a write was made; not if the key is taken, is being deleted, or an earlier try had ended the upload."""
    try:
        make()
    except Refused as refused:
        if refused.status in (_NOT_MET, _ABSENT):
            return False
        raise
    return True


@contextmanager
def _absence(key: str) -> Iterator[None]:
    try:
        yield
    except Refused as refused:
        if refused.status != _ABSENT:
            raise
        raise KeyError(key) from None
