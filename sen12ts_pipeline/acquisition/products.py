"""Files of one product, in a SAFE folder or in a zip as the data hubs deliver it."""

from __future__ import annotations

import functools
import lzma
import os
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from sen12ts_pipeline.errors import BadProduct, Retryable
from sen12ts_pipeline.ports import ProductFiles

READ_LIMIT_BYTES = 256 * 2**20
"""Largest member that is read whole; metadata files are a hundred times smaller."""

_GDAL_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_METHODS = {zipfile.ZIP_BZIP2: "BZIP2", zipfile.ZIP_LZMA: "LZMA", 9: "Deflate64", 93: "Zstandard"}
_ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError)
_DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError, OSError)
_SAFE_ENDING = re.compile(r"\.safe$", re.IGNORECASE)


class FolderProduct:
    """A product unpacked in a folder.

    Parameters
    ----------
    path : Path
        The folder, with or without ``.SAFE`` at the end of its name.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path).absolute()

    def __repr__(self) -> str:
        return f"FolderProduct({str(self.path)!r})"

    @property
    def product(self) -> str:
        """Name without ``.SAFE``."""
        return product_name(self.path)

    def members(self) -> tuple[str, ...]:
        """Paths of the files inside the product, with ``/``, sorted."""
        if not self.path.is_dir():
            raise BadProduct(self.product, "", f"is not there any more: no folder {self.path}")
        return tuple(sorted(file.relative_to(self.path).as_posix() for file in self._files()))

    def read(self, member: str) -> bytes:
        """Whole content of a small file; BadProduct if it is missing or unreadable."""
        path = self._path(member)
        try:
            _refuse_large(self.product, member, path.stat().st_size)
            return path.read_bytes()
        except _ABSENT as error:
            raise BadProduct(self.product, member, f"must be a readable file: {error.strerror}") from error
        except OSError as error:
            raise Retryable(f"{path} cannot be read now: {error.strerror}") from error

    def gdal_path(self, member: str) -> str:
        """Path under which GDAL opens the file; BadProduct if it is missing."""
        path = self._path(member)
        if not path.is_file():
            raise BadProduct(self.product, member, "must be a file of the product; it is missing")
        return str(path)

    def _path(self, member: str) -> Path:
        return self.path.joinpath(*_safe_parts(self.product, member))

    def _files(self) -> Iterator[Path]:
        for parent, folders, files in os.walk(self.path, followlinks=True):
            folders[:] = [name for name in folders if not _ignored(name)]
            yield from (Path(parent, name) for name in files if not _ignored(name))


class ZipProduct:
    """A product in a zip, with the SAFE folder as its root or without it.

    The zip is opened for each read, so that threads and forked processes share nothing.

    Parameters
    ----------
    path : Path
        The zip: ``<product>.SAFE.zip`` or ``<product>.zip``.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path).absolute()

    def __repr__(self) -> str:
        return f"ZipProduct({str(self.path)!r})"

    @property
    def product(self) -> str:
        """Name without ``.SAFE`` and ``.zip``."""
        return product_name(self.path)

    def members(self) -> tuple[str, ...]:
        """Paths of the files inside the product, with ``/``, sorted."""
        return tuple(sorted(self._index))

    def read(self, member: str) -> bytes:
        """Whole content of a small file; BadProduct if it is missing or unreadable."""
        info = self._info(member)
        _refuse_large(self.product, member, info.file_size)
        try:
            with zipfile.ZipFile(self.path) as container:
                return container.read(info)
        except _DAMAGE as error:
            raise BadProduct(self.product, member, f"cannot be unpacked: {error}") from error

    def gdal_path(self, member: str) -> str:
        """Path under which GDAL opens the file; BadProduct if it is missing or packed in a way GDAL cannot read."""
        info = self._info(member)
        if info.compress_type not in _GDAL_METHODS:
            method = _METHODS.get(info.compress_type, f"method {info.compress_type}")
            reason = (
                f"must be stored or packed by DEFLATE for GDAL to read it; it is packed by {method}: unpack the zip"
            )
            raise BadProduct(self.product, member, reason)
        return f"/vsizip/{{{self.path}}}/{info.filename}"

    def _info(self, member: str) -> zipfile.ZipInfo:
        try:
            return self._index[member]
        except KeyError:
            raise BadProduct(self.product, member, "must be a file of the product; it is missing") from None

    @functools.cached_property
    def _index(self) -> Mapping[str, zipfile.ZipInfo]:
        """Members below the product's root; the whole zip is refused if one of its names leads out of it."""
        found: dict[tuple[str, ...], zipfile.ZipInfo] = {}
        for info in self._infos():
            parts = _safe_parts(self.product, info.filename)
            if not info.is_dir() and not any(_ignored(part) for part in parts):
                found[parts] = info
        depth = _root_depth(self.product, found)
        return {"/".join(parts[depth:]): info for parts, info in found.items() if len(parts) > depth}

    def _infos(self) -> list[zipfile.ZipInfo]:
        try:
            with zipfile.ZipFile(self.path) as container:
                return container.infolist()
        except FileNotFoundError as error:
            raise BadProduct(self.product, "", f"is not there any more: no file {self.path}") from error
        except _DAMAGE as error:
            raise BadProduct(self.product, "", f"must be a zip: {error}") from error


def open_product(path: Path) -> ProductFiles:
    """Files of the product at a path: a folder or a zip."""
    return FolderProduct(path) if path.is_dir() else ZipProduct(path)


def product_name(path: Path) -> str:
    """Name of the product at a path: without ``.zip`` and ``.SAFE``."""
    return _SAFE_ENDING.sub("", re.sub(r"\.zip$", "", path.name, flags=re.IGNORECASE))


def _root_depth(product: str, found: Mapping[tuple[str, ...], object]) -> int:
    """1 if the product lies in a folder of the zip, 0 if its files lie at the top."""
    roots = {parts[0] for parts in found if len(parts) > 1 and _SAFE_ENDING.search(parts[0])}
    if len(roots) > 1:
        raise BadProduct(product, "", f"must hold one product; the zip holds {', '.join(sorted(roots))}")
    tops = {parts[0] for parts in found}
    return 1 if roots or (len(tops) == 1 and any(parts[1:] == ("manifest.safe",) for parts in found)) else 0


def _safe_parts(product: str, member: str) -> tuple[str, ...]:
    """Parts of a member's path; BadProduct if it could lead out of the product."""
    parts = tuple(part for part in member.split("/") if part not in {"", "."})
    drive = re.match(r"^[A-Za-z]:", member)
    if not parts or ".." in parts or member.startswith("/") or "\\" in member or "\0" in member or drive:
        raise BadProduct(product, member, "must be a path inside the product; it leads out of it")
    return parts


def _ignored(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _refuse_large(product: str, member: str, size: int) -> None:
    if size > READ_LIMIT_BYTES:
        raise BadProduct(product, member, f"must be at most {READ_LIMIT_BYTES} bytes to be read whole; it has {size}")
