"""Lists of orbit files as archives give them: OData products, and the listing of an S3 bucket."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sen12ts_pipeline.acquisition.listing import read_page
from sen12ts_pipeline.sentinel1.orbit_file import OrbitFile


def orbit_files_of_odata(answer: Mapping[str, Any]) -> tuple[OrbitFile, ...]:
    """Precise and restituted orbit files among the products of an OData answer, in its order."""
    return orbit_files_named(str(entry.get("Name")) for entry in answer.get("value") or ())


def orbit_files_of_bucket(listing: bytes, *, bucket: str) -> tuple[tuple[OrbitFile, ...], str]:
    """Orbit files of one page of an S3 listing, and the marker with which the next page begins; as `read_page`."""
    page, marker = read_page(listing, bucket=bucket)
    return orbit_files_named(one.key.rpartition("/")[2] for one in page), marker


def orbit_files_named(names: Iterable[str]) -> tuple[OrbitFile, ...]:
    """Those of some file names that are names of orbit files."""
    found = []
    for name in names:
        try:
            found.append(OrbitFile.parse(name))
        except ValueError:
            continue
    return tuple(found)
