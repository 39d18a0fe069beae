"""Lists of orbit files as archives give them: OData products, and the listing of an S3 bucket."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.sentinel1.orbit_file import OrbitFile
from sen12ts_pipeline.xml import parse


def orbit_files_of_odata(answer: Mapping[str, Any]) -> tuple[OrbitFile, ...]:
    """Precise and restituted orbit files among the products of an OData answer, in its order."""
    return _orbit_files(str(entry.get("Name")) for entry in answer.get("value") or ())


def orbit_files_of_bucket(listing: bytes, *, bucket: str) -> tuple[tuple[OrbitFile, ...], str]:
    """Orbit files of one page of an S3 listing, and the marker with which the next page begins; empty for the last.

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
    keys = [str(key.text) for key in root.iterfind("{*}Contents/{*}Key")]
    files = _orbit_files(key.rpartition("/")[2] for key in keys)
    if (root.findtext("{*}IsTruncated") or "").strip().lower() != "true":
        return files, ""
    marker = root.findtext("{*}NextMarker") or (keys[-1] if keys else "")
    if not marker:
        raise BadProduct(bucket, "", "says that its list goes on, and gives no key after which")
    return files, marker


def _orbit_files(names: Iterable[str]) -> tuple[OrbitFile, ...]:
    found = []
    for name in names:
        try:
            found.append(OrbitFile.parse(name))
        except ValueError:
            continue
    return tuple(found)
