"""Which object store a setting names."""

from __future__ import annotations

from pathlib import Path

from sen12ts_pipeline.state.folder import FolderStore
from sen12ts_pipeline.state.s3 import S3Store
from sen12ts_pipeline.state.s3_server import S3Options


def open_store(place: str | Path, options: S3Options | None = None) -> FolderStore | S3Store:
    """The store in a folder, or in a bucket where the place is written ``s3://bucket/prefix``; errors as theirs."""
    if isinstance(place, str) and place.startswith("s3://"):
        return S3Store(place, options)
    return FolderStore(Path(place))
