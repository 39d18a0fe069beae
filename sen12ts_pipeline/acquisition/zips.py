"""Files of a product in a zip as the data hubs deliver it, near or afar."""

from __future__ import annotations

import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, BinaryIO

from sen12ts_pipeline.acquisition.checks import NOTHING_KNOWN, Expected, in_manifest, stream_fault
from sen12ts_pipeline.acquisition.files import ByteFile
from sen12ts_pipeline.acquisition.names import SAFE_ENDING, is_litter, missing, refuse_large, safe_parts
from sen12ts_pipeline.acquisition.spool import Extent, Spool
from sen12ts_pipeline.acquisition.whole import WholeFile
from sen12ts_pipeline.errors import BadProduct

UNPACKED_BYTES = 2**20
"""How much is unpacked at a time."""

_GDAL_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError, OSError)
_LOCAL_HEADER = struct.Struct("<4s22xHH")
"""Signature, lengths of the name and of the extra field: APPNOTE.TXT 6.3.10, 4.3.7."""
_SIGNATURE = b"PK\3\4"
_ENCRYPTED = 1
_MANIFEST = "manifest.safe"
_NEEDED = re.compile(r"^(?:measurement|annotation)/|/IMG_DATA/")


@dataclass(frozen=True, slots=True)
class _Contents:
    """What the central directory says: the zip's identity, its members, and where their headers begin."""

    identity: str
    members: Mapping[str, zipfile.ZipInfo]
    cuts: tuple[int, ...]


class ZipProduct:
    """A product in a zip, with the SAFE folder as its root or without it.

    The zip is opened for each read, so that threads and forked processes share nothing.

    Parameters
    ----------
    product : str
        Name without ``.SAFE`` and ``.zip``.
    file : ByteFile
        The zip.
    spool : Spool
        Where packed members are unpacked, as far as they are needed.
    """

    def __init__(self, product: str, file: ByteFile, spool: Spool) -> None:
        self._product, self._file, self._spool = product, file, spool
        self._known: _Contents | None = None

    def __repr__(self) -> str:
        return f"ZipProduct({self._product!r})"

    @property
    def product(self) -> str:
        """Name without ``.SAFE`` and ``.zip``."""
        return self._product

    def members(self) -> tuple[str, ...]:
        """Paths of the files inside the product, with ``/``, sorted."""
        return tuple(sorted(self._contents().members))

    def read(self, member: str) -> bytes:
        """Whole content of a small file; BadProduct if it is missing or unreadable."""
        info = self._info(member)
        refuse_large(self.product, member, info.file_size)
        return b"".join(self._pieces(member, 0, info.file_size))

    @contextmanager
    def held(self, member: str) -> Iterator[str]:
        """Its place in the zip where GDAL reads that, else a file of the spool to which all of it was unpacked.

        Raises
        ------
        BadProduct
            When the member is missing, encrypted or damaged, or not what the manifest says.
        """
        info = self._info(member)
        with self._file.held() as path:
            if path is not None and info.compress_type in _GDAL_METHODS:
                yield f"/vsizip/{{{path}}}/{info.filename}"
                return
        with self._whole(member, info).held() as unpacked:
            yield str(unpacked)

    def extent(self, member: str, start: int, length: int) -> Extent:
        """These bytes of a member in a local file: the zip itself or a part of it, or unpacked in the spool.

        Raises
        ------
        BadProduct
            When the member is missing, encrypted or damaged.
        """
        info = self._info(member)
        start, stop = (min(place, info.file_size) for place in (start, start + length))
        length = stop - start
        if _plain(info):
            return self._file.extent(self._data_offset(member, info) + start, length)

        def unpack(out: BinaryIO) -> None:
            out.writelines(self._pieces(member, start, length))

        return self._spool.keep((self._contents().identity, info.filename, start, length), length, unpack), 0

    def _whole(self, member: str, info: zipfile.ZipInfo) -> WholeFile:
        """All of a member; of a stored one the checksum that the zip tells, for its bytes are not unpacked."""

        def copy(out: BinaryIO) -> None:
            if _plain(info):
                self._file.copy(self._data_offset(member, info), info.file_size, out)
            else:
                out.writelines(self._pieces(member, 0, info.file_size))

        expected = Expected(info.file_size, "crc32", f"{info.CRC:08x}", "the zip")
        identity = (self._contents().identity, info.filename, "whole")
        return WholeFile(self._spool, self.product, member, self._file.place, identity, info.file_size, copy, expected)

    def _data_offset(self, member: str, info: zipfile.ZipInfo) -> int:
        """Where the bytes of a stored member begin: the local header may be longer than the central one tells."""
        try:
            with self._file.open(self._contents().cuts) as file:
                file.seek(info.header_offset)
                signature, name, extra = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
        except (struct.error, OSError) as error:
            raise BadProduct(self.product, member, f"cannot be unpacked: {error}") from error
        if signature != _SIGNATURE:
            raise BadProduct(self.product, member, "cannot be unpacked: no header where the zip's directory says")
        offset: int = info.header_offset + _LOCAL_HEADER.size + name + extra
        return offset

    def _pieces(self, member: str, start: int, length: int) -> Iterator[bytes]:
        """Bytes of a member, unpacked bit by bit."""
        try:
            with (
                self._file.open(self._contents().cuts) as file,
                zipfile.ZipFile(file) as container,
                container.open(self._info(member)) as stream,
            ):
                for size in _sizes(start):  # its own seek would read far ahead
                    _exactly(stream, size)
                for size in _sizes(length):
                    yield _exactly(stream, size)
                stream.read(1)  # at the member's end its checksum is compared
        except _DAMAGE as error:
            raise BadProduct(self.product, member, f"cannot be unpacked: {error}") from error

    def _info(self, member: str) -> zipfile.ZipInfo:
        try:
            return self._contents().members[member]
        except KeyError:
            raise missing(self.product, member) from None

    def _contents(self) -> _Contents:
        """The zip's directory; read again when the zip was replaced."""
        try:
            identity = self._file.identity()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise BadProduct(self.product, "", f"is not there any more: no file {error.filename}") from error
        except OSError as error:
            raise BadProduct(self.product, "", f"must be a readable zip: {error}") from error
        if self._known is None or self._known.identity != identity:
            self._known = self._read_contents(identity)
        return self._known

    def _read_contents(self, identity: str) -> _Contents:
        """The whole zip is refused if one of its names leads out of it."""
        try:
            with self._file.open() as file, zipfile.ZipFile(file) as container:
                infos, directory = container.infolist(), container.start_dir
        except _DAMAGE as error:
            raise BadProduct(self.product, "", f"must be a zip: {error}") from error
        return _Contents(
            identity, members_of(self.product, infos), (*(info.header_offset for info in infos), directory)
        )


def members_of(product: str, infos: Iterable[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """Entries of a zip by their paths inside the product; BadProduct if one leads out of it, or it holds several."""
    found: dict[tuple[str, ...], zipfile.ZipInfo] = {}
    for info in infos:
        parts = safe_parts(product, info.filename)
        if not info.is_dir() and not any(is_litter(part) for part in parts):
            found[parts] = info
    depth = _root_depth(product, found)
    return {"/".join(parts[depth:]): info for parts, info in found.items() if len(parts) > depth}


def zip_fault(file: BinaryIO, product: str) -> str:
    """What is wrong with the zip of a whole product, every byte of which is looked at; empty if nothing is.

    Each member must unpack to the checksum that the zip tells, and to the size and checksum that ``manifest.safe``
    tells; images and their annotation that the manifest names must be there.
    """
    try:
        with zipfile.ZipFile(file) as container:
            members = members_of(product, container.infolist())
            if _MANIFEST not in members:
                return f"a zip without {_MANIFEST}"
            published = in_manifest(container.read(members[_MANIFEST]), product, _MANIFEST)
            lacking = sorted(m for m in published.keys() - members.keys() if _NEEDED.search(m))
            if lacking:
                return f"a zip that lacks {lacking[0]}"
            for member, info in sorted(members.items()):
                with container.open(info) as stream:
                    found = stream_fault(stream, published.get(member, NOTHING_KNOWN))
                if found:
                    return f"a zip whose {member} has {found}"
    except (BadProduct, *_DAMAGE) as error:
        return f"a zip that cannot be read: {error}"
    return ""


def _plain(info: zipfile.ZipInfo) -> bool:
    """Whether a member's bytes lie in the zip as they are."""
    return info.compress_type == zipfile.ZIP_STORED and not info.flag_bits & _ENCRYPTED


def _sizes(total: int) -> Iterator[int]:
    for left in range(total, 0, -UNPACKED_BYTES):
        yield min(left, UNPACKED_BYTES)


def _exactly(stream: IO[bytes], length: int) -> bytes:
    body = stream.read(length)
    if len(body) != length:
        raise EOFError("ends before the size that the zip's directory tells")
    return body


def _root_depth(product: str, found: Mapping[tuple[str, ...], object]) -> int:
    """1 if the product lies in a folder of the zip, 0 if its files lie at the top."""
    roots = {parts[0] for parts in found if len(parts) > 1 and SAFE_ENDING.search(parts[0])}
    if len(roots) > 1:
        raise BadProduct(product, "", f"must hold one product; the zip holds {', '.join(sorted(roots))}")
    tops = {parts[0] for parts in found}
    return 1 if roots or (len(tops) == 1 and any(parts[1:] == ("manifest.safe",) for parts in found)) else 0
