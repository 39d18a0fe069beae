"""Products on a web server or in an S3 bucket, as SAFE folders or zips."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from sen12ts_pipeline.acquisition import s3
from sen12ts_pipeline.acquisition.files import RemoteFile, SpooledFile
from sen12ts_pipeline.acquisition.http import TOKEN_VARIABLE, HttpFile, inside
from sen12ts_pipeline.acquisition.names import is_litter, missing, product_name, refuse_large, safe_parts
from sen12ts_pipeline.acquisition.spool import Extent, Spool
from sen12ts_pipeline.acquisition.zips import ZipProduct
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.ports import ProductFiles
from sen12ts_pipeline.xml import parse

MANIFEST = "manifest.safe"

Listing = Callable[[], Mapping[str, RemoteFile]]


class RemoteFolder:
    """A SAFE folder on a server.

    Parameters
    ----------
    product : str
        Name without ``.SAFE``.
    listing : callable
        Gives the files by their paths inside the product; called once, when they are first needed.
    spool : Spool
        Where what is fetched is kept.
    """

    def __init__(self, product: str, listing: Listing, spool: Spool) -> None:
        self._product, self._listing, self._spool = product, listing, spool

    def __repr__(self) -> str:
        return f"RemoteFolder({self._product!r})"

    @property
    def product(self) -> str:
        """Name without ``.SAFE``."""
        return self._product

    def members(self) -> tuple[str, ...]:
        """Paths of the files inside the product, with ``/``, sorted."""
        return tuple(sorted(self._files))

    def read(self, member: str) -> bytes:
        """Whole content of a small file; BadProduct if it is missing."""
        file = self._file(member)
        refuse_large(self._product, member, file.version.size)
        return file.read(0, file.version.size)

    def gdal_path(self, member: str) -> str:
        """Path under which GDAL asks the server itself; BadProduct if the file is missing."""
        return self._file(member).gdal_path

    def extent(self, member: str, start: int, length: int) -> Extent:
        """A file of the spool with these bytes; BadProduct if the member is missing."""
        return self._file(member).extent(start, length)

    def _file(self, member: str) -> SpooledFile:
        try:
            return self._files[member]
        except KeyError:
            raise missing(self._product, member) from None

    @functools.cached_property
    def _files(self) -> Mapping[str, SpooledFile]:
        found = {safe_parts(self._product, name): file for name, file in self._listing().items()}
        return {"/".join(p): SpooledFile(f, self._spool) for p, f in found.items() if not any(map(is_litter, p))}


def open_remote(url: str, spool: Spool) -> ProductFiles:
    """Files of the product at an ``http://``, ``https://`` or ``s3://`` URL: a zip if it ends so, else a SAFE folder.

    Nothing is fetched yet.

    Raises
    ------
    ConfigurationError
        When the URL holds a password, or names no object of a bucket.
    """
    parts = urlsplit(url)
    if "@" in parts.netloc:
        rule = f"must not hold a user or password; a bearer token may be set as {TOKEN_VARIABLE}"
        raise ConfigurationError("product", "address", rule, parts.netloc.rpartition("@")[2])
    product = product_name(PurePosixPath(unquote(parts.path)))
    packed = parts.path.lower().endswith(".zip")
    if parts.scheme == "s3":
        bucket, key = s3.split(url)
        if packed:
            return ZipProduct(product, SpooledFile(s3.S3File(bucket, key, product, ""), spool), spool)
        return RemoteFolder(product, lambda: s3.listed(bucket, key.rstrip("/") + "/", product), spool)
    if packed:
        return ZipProduct(product, SpooledFile(HttpFile(url, product, ""), spool), spool)
    return RemoteFolder(product, functools.partial(_in_manifest, url, product, spool), spool)


def _in_manifest(url: str, product: str, spool: Spool) -> Mapping[str, RemoteFile]:
    """Files of a folder that cannot be listed: those that its manifest names."""
    manifest = HttpFile(inside(url, MANIFEST), product, MANIFEST)
    kept = SpooledFile(manifest, spool)
    refuse_large(product, MANIFEST, kept.version.size)
    root = parse(kept.read(0, kept.version.size), product=product, member=MANIFEST)
    names = [element.get("href", "") for element in root.iterfind(".//dataObject//fileLocation")]
    members = {"/".join(safe_parts(product, name)) for name in names}
    return {MANIFEST: manifest, **{name: HttpFile(inside(url, name), product, name) for name in members}}
