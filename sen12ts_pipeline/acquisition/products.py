"""The door to products: files of the one at a path or URL, whatever it is packed in."""

from __future__ import annotations

import re
from pathlib import Path

from sen12ts_pipeline.acquisition.files import LocalFile
from sen12ts_pipeline.acquisition.folders import FolderProduct
from sen12ts_pipeline.acquisition.names import product_name
from sen12ts_pipeline.acquisition.remote import RemoteFolder, open_remote
from sen12ts_pipeline.acquisition.spool import Spool
from sen12ts_pipeline.acquisition.zips import ZipProduct
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.ports import ProductFiles

Location = Path | str
"""A path, or an ``http://``, ``https://`` or ``s3://`` URL."""

_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://")
_SCHEMES = ("http", "https", "s3")


def open_product(location: Location, spool: Spool | None = None) -> ProductFiles:
    """Files of the product at a location: a SAFE folder or a zip.

    Parameters
    ----------
    location : Path or str
        Path or URL.
    spool : Spool, optional
        Where what is fetched or unpacked is kept; by default as the environment says.

    Raises
    ------
    ConfigurationError
        When a URL is of another kind.
    """
    spool = spool or Spool.from_environment()
    if is_url(location):
        return open_remote(str(location), spool)
    path = Path(location)
    return FolderProduct(path) if path.is_dir() else ZipProduct(product_name(path), LocalFile(path), spool)


def is_url(location: Location) -> bool:
    """Whether a location is a URL rather than a path; ConfigurationError if it is one of a kind that is not read."""
    match = _SCHEME.match(location) if isinstance(location, str) else None
    if match and match[1].lower() not in _SCHEMES:
        raise ConfigurationError("product", "address", f"must begin with {', '.join(_SCHEMES)} or be a path", location)
    return match is not None


__all__ = ["FolderProduct", "Location", "RemoteFolder", "ZipProduct", "is_url", "open_product", "product_name"]
