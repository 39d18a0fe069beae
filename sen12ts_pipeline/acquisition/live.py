"""Products of live archives: found by their names, and fetched as far as they are needed."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sen12ts_pipeline.acquisition.checks import Expected, of_multihash
from sen12ts_pipeline.acquisition.downloads import Download
from sen12ts_pipeline.acquisition.fallback import FilesOrBursts, Open
from sen12ts_pipeline.acquisition.files import RemoteFile, Version
from sen12ts_pipeline.acquisition.provider import Provider
from sen12ts_pipeline.acquisition.remote import RemoteFolder, open_remote, remote_file
from sen12ts_pipeline.acquisition.spool import Spool
from sen12ts_pipeline.acquisition.zips import ZipProduct
from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.ports import Place, Places, ProductFiles

log = logging.getLogger(__name__)

T = TypeVar("T")

_SLICE = "_IW_SLC__1S"
"""In the name of every IW SLC product."""

ITEM = "item.json"
"""The STAC item of a product that is there as single images, named ``B01.tif`` to ``B12.tif`` and ``SCL.tif``."""


class LiveSource:
    """Implements `ports.Source` over one archive.

    Parameters
    ----------
    places : Places
        Tells where products lie.
    provider : Provider
        How the archive's servers are spoken to.
    spool : Spool
        Where what is fetched of products is kept.
    downloads : Spool
        Where whole products are kept.
    whole : bool
        Whether products are fetched whole, where the archive has them as zips; else by parts, where it can.
    """

    def __init__(self, places: Places, provider: Provider, spool: Spool, downloads: Spool, *, whole: bool) -> None:
        self.places = places
        self._provider, self._spool, self._downloads, self._whole = provider, spool, downloads, whole

    def open(self, product: str) -> ProductFiles:
        """Files of a product, of which nothing is fetched yet.

        Raises
        ------
        BadProduct
            When the archive does not have it.
        Retryable
            When the archive does not answer.
        """
        return LiveProduct(self.places.place(product), self.places, self._opened)

    def _opened(self, at: Place) -> ProductFiles:
        if at.hrefs:
            return open_item(at, self._spool, self._provider)
        if at.zip_url and (self._whole or not at.url):
            return ZipProduct(at.product, Download(at, self._provider, self._downloads), self._spool)
        if at.url:
            return open_remote(at.url, self._spool, self._provider, at.product)
        raise BadProduct(at.product, "", f"must have an address to be fetched; {at.archive} tells none")


class ChainSource:
    """Implements `ports.Source` over several archives: a product comes from the first one that has it.

    Parameters
    ----------
    sources : sequence of LiveSource
        The archives.
    bursts : callable, optional
        Opens a slice at a service that cuts out its bursts: the last resort for slices, because these are the same
        bytes wherever they come from.

    Attributes
    ----------
    notes : list of str
        Products that did not come from the first archive of their kind, and why.
    """

    def __init__(self, sources: Sequence[LiveSource], bursts: Open | None = None) -> None:
        self._sources, self._bursts = tuple(sources), bursts
        self.notes: list[str] = []

    def open(self, product: str) -> ProductFiles:
        """Files of a product, of which nothing is fetched yet.

        Raises
        ------
        BadProduct
            When no archive has it; tells what each one said.
        Retryable
            When an archive does not answer that may have it.
        """
        if self._bursts is not None and _SLICE in product:
            return FilesOrBursts(product, self._whole, self._bursts, self._note)
        return self._whole(product)

    def _whole(self, product: str) -> ProductFiles:
        reasons: list[str] = []
        for source in self._sources:
            if not source.places.serves(product):
                continue
            try:
                files = source.open(product)
            except BadProduct as error:
                reasons.append(error.reason)
                continue
            if reasons:
                self._note(f"{product} comes from {source.places.archive}: {'; '.join(reasons)}")
            return files
        names = ", ".join(source.places.archive for source in self._sources)
        raise BadProduct(product, "", "; ".join(reasons) or f"is of a kind that no archive of {names} has")

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)
            log.info("source", extra={"note": note})


class LiveProduct:
    """Files of a product at the place that its archive tells; if they are not there any more it is asked once again.

    Parameters
    ----------
    at : Place
        Where the product lies, or lay.
    places : Places
        Who knows.
    opened : callable
        Files at a place.
    """

    def __init__(self, at: Place, places: Places, opened: Callable[[Place], ProductFiles]) -> None:
        self._at, self._places, self._opened = at, places, opened
        self._files, self._asked_again, self._asking = opened(at), False, threading.Lock()

    def __repr__(self) -> str:
        return f"LiveProduct({self.product!r}, {self._at.archive!r})"

    @property
    def product(self) -> str:
        """Name without ``.SAFE``."""
        return self._at.product

    def members(self) -> tuple[str, ...]:
        """Paths of the files inside the product, with ``/``, sorted."""
        return self._tried(lambda files: files.members())

    def read(self, member: str) -> bytes:
        """Whole content of a small file; BadProduct if it is missing or wrong."""
        return self._tried(lambda files: files.read(member))

    @contextmanager
    def held(self, member: str) -> Iterator[str]:
        """Path under which GDAL opens all of a member; BadProduct if it is missing or wrong."""
        with ExitStack() as holding:
            yield self._tried(lambda files: holding.enter_context(files.held(member)))

    def extent(self, member: str, start: int, length: int) -> tuple[Path, int]:
        """A file of this machine with these bytes, and their place in it; BadProduct if the member is missing."""
        return self._tried(lambda files: files.extent(member, start, length))

    def _tried(self, ask: Callable[[ProductFiles], T]) -> T:
        files = self._files
        try:
            return ask(files)
        except BadProduct:
            if not self._has_moved(files):
                raise
        return ask(self._files)

    def _has_moved(self, files: ProductFiles) -> bool:
        """Whether the product lies elsewhere than these files; BadProduct if the archive has it no more."""
        with self._asking:
            if self._asked_again:
                return files is not self._files
            at, self._asked_again = self._places.place(self.product, anew=True), True
            if at == self._at:
                return False
            log.info("product has moved", extra={"product": self.product, "archive": at.archive})
            self._at, self._files = at, self._opened(at)
            return True


def open_item(at: Place, spool: Spool, provider: Provider) -> ProductFiles:
    """Files of a product that is there as single images: the images, and the item that describes them.

    Checksums that the item tells are compared, where they have a form that is known.
    """

    def listing() -> Mapping[str, RemoteFile]:
        images = {name: remote_file(href, at.product, name, provider) for name, href in at.hrefs.items()}
        return {ITEM: _Text(at.item.encode(), f"{at.archive} {at.product} {ITEM}"), **images}

    return RemoteFolder(at.product, listing, spool, _published(at))


def _published(at: Place) -> dict[str, Expected]:
    item: dict[str, Any] = json.loads(at.item)
    assets = {asset.get("href"): asset for asset in (item.get("assets") or {}).values()}
    told = ((name, assets.get(href) or {}) for name, href in at.hrefs.items())
    return {name: of_multihash(a.get("file:size"), a.get("file:checksum"), f"{at.archive}'s item") for name, a in told}


class _Text:
    """Implements `files.RemoteFile` over bytes that are here already."""

    def __init__(self, body: bytes, place: str) -> None:
        self._body, self._place = body, place

    @property
    def place(self) -> str:
        """What it is."""
        return self._place

    @property
    def identity(self) -> str:
        """What it is."""
        return self._place

    def version(self) -> Version:
        """Size and checksum."""
        return Version(len(self._body), hashlib.sha256(self._body).hexdigest())

    def fetch(self, start: int, length: int, expected: Version) -> bytes:  # noqa: ARG002 - it does not change
        """These bytes."""
        return self._body[start : start + length]
