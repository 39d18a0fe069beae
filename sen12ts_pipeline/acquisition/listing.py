"""Listings of open S3 buckets, read over plain HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

from sen12ts_pipeline.acquisition.asking import text_of
from sen12ts_pipeline.acquisition.opening import shown
from sen12ts_pipeline.acquisition.provider import Provider
from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.xml import parse


@dataclass(frozen=True, slots=True)
class Object:
    """An object of a bucket: its key, and its size in bytes."""

    key: str
    size: int


def objects(bucket: str, prefix: str, provider: Provider) -> Iterator[Object]:
    """All objects of a bucket whose keys begin with a prefix, in the order of their keys.

    Parameters
    ----------
    bucket : str
        Its URL.
    prefix : str
        What keys begin with.
    provider : Provider
        Whose gate each page passes.

    Raises
    ------
    BadProduct
        When an answer is no listing, or its pages do not go on.
    ConfigurationError, Retryable
        As `cache.Cache.fetched`.
    """
    marker = ""
    while True:
        question = urlencode({"prefix": prefix, "marker": marker} if marker else {"prefix": prefix})
        page, following = read_page(text_of(f"{bucket.rstrip('/')}/?{question}", prefix, provider), bucket=bucket)
        yield from page
        if not following:
            return
        if following <= marker:
            raise BadProduct(shown(bucket), "", f"says that its list goes on after {following!r}, again")
        marker = following


def read_page(listing: bytes, *, bucket: str) -> tuple[tuple[Object, ...], str]:
    """Objects of one page of a listing, and the key after which the next page begins; empty for the last page.

    Parameters
    ----------
    listing : bytes
        ``ListBucketResult`` document.
    bucket : str
        What errors name.

    Raises
    ------
    BadProduct
        When the document is no listing, or says that there is more and not where.
    """
    root = parse(listing, product=bucket, member="")
    if root.tag.rpartition("}")[2] != "ListBucketResult":
        raise BadProduct(bucket, "", f"must answer with a ListBucketResult; got {root.tag}")
    found = tuple(
        Object(str(one.findtext("{*}Key")), int(one.findtext("{*}Size") or 0)) for one in root.iterfind("{*}Contents")
    )
    if (root.findtext("{*}IsTruncated") or "").strip().lower() != "true":
        return found, ""
    # Without a delimiter S3 gives no NextMarker: the last key is where the next page begins.
    marker = root.findtext("{*}NextMarker") or (found[-1].key if found else "")
    if not marker:
        raise BadProduct(bucket, "", "says that its list goes on, and gives no key after which")
    return found, marker
