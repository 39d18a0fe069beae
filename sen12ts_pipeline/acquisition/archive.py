"""A folder full of products: where each one lies, and its files."""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from sen12ts_pipeline.acquisition.names import walk_once
from sen12ts_pipeline.acquisition.products import open_product, product_name
from sen12ts_pipeline.acquisition.spool import Spool
from sen12ts_pipeline.errors import BadProduct, ConfigurationError
from sen12ts_pipeline.ports import ProductFiles

log = logging.getLogger(__name__)

_WANTED = re.compile(r"^S1[A-D]_IW_(SLC|SL1)_|^S2[A-D]_MSIL2A_")


class ArchiveSource:
    """Products under a folder, in any depth, as SAFE folders or zips; implements `ports.Source`.

    The folder is walked once, at the first question. Names alone decide what is a product: Sentinel-1 IW SLC and
    Sentinel-2 L2A. A product that is there twice is taken from its folder before its zip, else from the first path.

    Parameters
    ----------
    root : Path
        For example a mirror laid out as ``Sentinel-1/SAR/SLC/2020/05/11/*.SAFE``, or any other tree; symbolic links
        are followed.
    spool : Spool, optional
        Where what is packed is unpacked; by default as the environment says.
    """

    def __init__(self, root: Path, spool: Spool | None = None) -> None:
        self.root = Path(root).absolute()
        self._spool = spool

    def products(self) -> tuple[str, ...]:
        """Names of the products, sorted."""
        return tuple(sorted(self._places))

    def place(self, product: str) -> Path:
        """Folder or zip of a product; BadProduct if it is not in the archive."""
        try:
            return self._places[product]
        except KeyError:
            raise BadProduct(product, "", f"must be a SAFE folder or zip under {self.root}; there is none") from None

    def open(self, product: str) -> ProductFiles:
        """Files of a product; BadProduct if it is not there any more."""
        path = self.place(product)
        if not path.exists():
            raise BadProduct(product, "", f"is not there any more: {path}")
        return open_product(path, self._spool)

    @functools.cached_property
    def _places(self) -> Mapping[str, Path]:
        if not self.root.is_dir():
            raise ConfigurationError("catalogue", "catalogue.root", "must be a folder of products", str(self.root))
        places: dict[str, Path] = {}
        for path in sorted(_walk(self.root), key=lambda path: (not path.is_dir(), path.as_posix())):
            first = places.setdefault(product_name(path), path)
            if first != path:
                log.info("product is there twice", extra={"used": str(first), "ignored": str(path)})
        return places


def _walk(root: Path) -> Iterator[Path]:
    """Folders and zips with the name of a wanted product; nothing inside a product is looked at."""
    for parent, folders, files in walk_once(root):
        products = [name for name in folders if name.lower().endswith(".safe")]
        folders[:] = [name for name in folders if name not in products]
        zips = [name for name in files if name.lower().endswith(".zip")]
        yield from (parent / name for name in products + zips if _WANTED.match(name))
