"""One writer at a time for a key, on servers without conditional writes.

A claim is an object of the writer's own below a folder of the key. Whoever has written a claim lists the folder: when
it is alone there, the key is its own until it removes the claim; else it removes its claim, waits a random time and
tries again. Of two writers the one that lists last sees both claims, since S3 shows an object in every listing that
begins after it was written (strong consistency); both may give way, never both go on.

Whoever holds a claim begins no request later than `HOLD_S` after it, and a request ends within minutes. So a claim that
is older than a new one by `DEAD_AFTER` is of a dead process, and counts no more.
"""

from __future__ import annotations

import hashlib
import random
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from sen12ts_pipeline.errors import Retryable
from sen12ts_pipeline.state.s3_server import Server

HOLD_S = 120.0
DEAD_AFTER = timedelta(minutes=10)
PATIENCE_S = 900.0
FIRST_WAIT_S, LONGEST_WAIT_S = 0.02, 5.0


@contextmanager
def claimed(server: Server, bucket: str, folder: str, name: str) -> Iterator[float]:
    """Hold a name of a bucket while nobody else does; yields the time of `time.monotonic` until which it may be used.

    Parameters
    ----------
    server : Server
        Whom to ask.
    bucket, folder : str
        Where claims lie.
    name : str
        Name of the object that is claimed.

    Raises
    ------
    Retryable
        When others hold it for a quarter of an hour.
    """
    own = f"{folder}{hashlib.sha256(name.encode()).hexdigest()[:32]}/"
    mine = f"{own}{uuid.uuid4().hex}"
    ends, wait_s = time.monotonic() + PATIENCE_S, FIRST_WAIT_S
    try:
        while not _alone(server, bucket, own, mine, until := time.monotonic() + HOLD_S):
            _remove(server, bucket, mine)
            if time.monotonic() > ends:
                raise Retryable(f"s3://{bucket}/{name} has been claimed by another writer for {PATIENCE_S:.0f} s")
            time.sleep(wait_s * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
            wait_s = min(2.0 * wait_s, LONGEST_WAIT_S)
        yield until
    finally:
        _remove(server, bucket, mine)


def _alone(server: Server, bucket: str, folder: str, mine: str, until: float) -> bool:
    """Write a claim, and tell whether no other living one is there."""
    server.ask(f"s3://{bucket}/{mine}", lambda client: client.put_object(Bucket=bucket, Key=mine, Body=b""), until)
    listing = server.ask(f"s3://{bucket}/{folder}", lambda c: c.list_objects_v2(Bucket=bucket, Prefix=folder), until)
    claims = {item["Key"]: item["LastModified"] for item in listing.get("Contents", ())}
    dead = {key for key, written in claims.items() if mine in claims and written < claims[mine] - DEAD_AFTER}
    for key in dead:
        _remove(server, bucket, key)
    return claims.keys() - dead == {mine}


def _remove(server: Server, bucket: str, key: str) -> None:
    server.ask(f"s3://{bucket}/{key}", lambda client: client.delete_object(Bucket=bucket, Key=key))
