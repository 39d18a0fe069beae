"""Products on a web server or in an S3 bucket, as SAFE folders or zips."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from sen12ts_pipeline.acquisition import s3
from sen12ts_pipeline.acquisition.checks import NOTHING_KNOWN, Expected, in_manifest
from sen12ts_pipeline.acquisition.files import RemoteFile, SpooledFile
from sen12ts_pipeline.acquisition.http import TOKEN_VARIABLE, HttpFile, inside
from sen12ts_pipeline.acquisition.names import is_litter, missing, product_name, safe_parts
from sen12ts_pipeline.acquisition.provider import ANYBODY, Provider
from sen12ts_pipeline.acquisition.spool import Extent, Spool
from sen12ts_pipeline.acquisition.whole import WholeFile
from sen12ts_pipeline.acquisition.zips import ZipProduct
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.ports import ProductFiles

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
    published : mapping, optional
        What is published of its files; by default what its manifest says.
    """

    def __init__(
        self, product: str, listing: Listing, spool: Spool, published: Mapping[str, Expected] | None = None
    ) -> None:
        self._product, self._listing, self._spool, self._told = product, listing, spool, published

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
        """Whole content of a small file; BadProduct if it is missing, or not what the manifest says."""
        return self._whole(member).read()

    @contextmanager
    def held(self, member: str) -> Iterator[str]:
        """A file of the spool to which all of it was fetched; BadProduct if it is missing, or not as it should be."""
        with self._whole(member).held() as path:
            yield str(path)

    def extent(self, member: str, start: int, length: int) -> Extent:
        """A file of the spool with these bytes; BadProduct if the member is missing."""
        return self._file(member).extent(start, length)

    def _whole(self, member: str) -> WholeFile:
        file = self._file(member)
        expected = NOTHING_KNOWN if member == MANIFEST else self._published.get(member, NOTHING_KNOWN)
        return file.whole(self._product, member, expected)

    @functools.cached_property
    def _published(self) -> Mapping[str, Expected]:
        """What is published of the files; nothing where there is no manifest."""
        if self._told is not None:
            return self._told
        if MANIFEST not in self._files:
            return {}
        return in_manifest(self._whole(MANIFEST).read(), self._product, MANIFEST)

    def _file(self, member: str) -> SpooledFile:
        try:
            return self._files[member]
        except KeyError:
            raise missing(self._product, member) from None

    @functools.cached_property
    def _files(self) -> Mapping[str, SpooledFile]:
        found = {safe_parts(self._product, name): file for name, file in self._listing().items()}
        return {"/".join(p): SpooledFile(f, self._spool) for p, f in found.items() if not any(map(is_litter, p))}


def open_remote(url: str, spool: Spool, provider: Provider = ANYBODY, product: str = "") -> ProductFiles:
    """Files of the product at an ``http://``, ``https://`` or ``s3://`` URL: a zip if it ends so, else a SAFE folder.

    Nothing is fetched yet. The product's name is that at the end of the address, unless it is given.

    Raises
    ------
    ConfigurationError
        When the URL holds a password, or names no object of a bucket.
    """
    parts = urlsplit(url)
    if "@" in parts.netloc:
        rule = f"must not hold a user or password; a bearer token may be set as {TOKEN_VARIABLE}"
        raise ConfigurationError("product", "address", rule, parts.netloc.rpartition("@")[2])
    product = product or product_name(PurePosixPath(unquote(parts.path)))
    if parts.path.lower().endswith(".zip"):
        return ZipProduct(product, SpooledFile(remote_file(url, product, "", provider), spool), spool)
    if parts.scheme == "s3":
        bucket, key = s3.split(url)
        return RemoteFolder(product, lambda: s3.listed(bucket, key.rstrip("/") + "/", product, provider), spool)
    return RemoteFolder(product, functools.partial(_named_in_manifest, url, product, spool, provider), spool)


def remote_file(url: str, product: str, member: str, provider: Provider = ANYBODY) -> RemoteFile:
    """The file at a URL of a web server or bucket; ConfigurationError if it names no object."""
    if url.startswith("s3://"):
        bucket, key = s3.split(url)
        return s3.S3File(bucket, key, product, member, provider=provider)
    return HttpFile(url, product, member, provider)


def _named_in_manifest(url: str, product: str, spool: Spool, provider: Provider) -> Mapping[str, RemoteFile]:
    """Files of a folder that cannot be listed: those that its manifest names."""
    manifest = HttpFile(inside(url, MANIFEST), product, MANIFEST, provider)
    members = in_manifest(SpooledFile(manifest, spool).whole(product, MANIFEST).read(), product, MANIFEST)
    return {MANIFEST: manifest, **{name: HttpFile(inside(url, name), product, name, provider) for name in members}}
