"""Whether a file that was fetched is the one that was meant: its size, its first bytes, its checksum."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, BinaryIO

from sen12ts_pipeline.acquisition.names import safe_parts
from sen12ts_pipeline.errors import BadProduct, Retryable
from sen12ts_pipeline.xml import parse

HEAD_BYTES = 64
SHOWN_CHARACTERS = 24
CHUNK_BYTES = 2**20

_ALGORITHMS = {"MD5": "md5", "SHA3-256": "sha3_256", "SHA-256": "sha256", "SHA256": "sha256"}
"""Names of manifests, and those of hashlib."""
_MULTIHASH = {"1220": ("sha256", 64), "1620": ("sha3_256", 64), "d50110": ("md5", 32)}
"""Prefixes of STAC's ``file:checksum`` and hexadecimal digits after them (multiformats, table multicodec)."""
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_JP2 = (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")
"""Signature box of ISO 15444-1, I.5.1, and the start of a bare codestream."""
_BEGINNINGS: Mapping[str, tuple[str, tuple[bytes, ...]]] = {
    "tif": ("a TIFF", _TIFF),
    "tiff": ("a TIFF", _TIFF),
    "jp2": ("a JPEG 2000 image", _JP2),
    "zip": ("a zip", (b"PK",)),
    "xml": ("XML", (b"<",)),
    "safe": ("XML", (b"<",)),
    "json": ("JSON", (b"{",)),
}
_ERROR_PAGE = re.compile(
    rb"^(?:\xef\xbb\xbf)?\s*(?:<!DOCTYPE\s+html|<html|<\?xml[^>]*>\s*<Error|<Error|\{)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Expected:
    """What is known of a file before it is fetched.

    Attributes
    ----------
    size : int or None
        Bytes.
    algorithm, digest : str
        Name of the checksum in hashlib, or ``crc32``, and its hexadecimal digits; empty where none is published.
    by : str
        Who says so.
    """

    size: int | None = None
    algorithm: str = ""
    digest: str = ""
    by: str = ""


NOTHING_KNOWN = Expected()


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a file.

    Attributes
    ----------
    found : str
        In words.
    of_server : bool
        Whether it looks like a message of the server instead of a file.
    """

    found: str
    of_server: bool


def in_manifest(body: bytes, product: str, member: str) -> dict[str, Expected]:
    """Sizes and checksums that a ``manifest.safe`` publishes, by member: MD5 or, in newer products, SHA3-256.

    Raises
    ------
    BadProduct
        When it is malformed, or names a file outside the product.
    """
    found = {}
    for stream in parse(body, product=product, member=member).iterfind(".//dataObject/byteStream"):
        location, checksum = stream.find("fileLocation"), stream.find("checksum")
        if location is None:
            continue
        name = "/".join(safe_parts(product, location.get("href", "")))
        size = stream.get("size", "")
        algorithm = "" if checksum is None else _ALGORITHMS.get(checksum.get("checksumName", "").upper(), "")
        digest = (checksum.text or "").strip().lower() if algorithm and checksum is not None else ""
        found[name] = Expected(int(size) if size.isdecimal() else None, algorithm if digest else "", digest, member)
    return found


def of_multihash(size: object, checksum: object, by: str) -> Expected:
    """What ``file:size`` and ``file:checksum`` of a STAC asset say; a checksum of another form says nothing."""
    text = str(checksum or "").lower()
    for prefix, (algorithm, digits) in _MULTIHASH.items():
        # The length, one byte, is written again between prefix and digest; that of MD5 is part of its prefix here.
        digest = text.removeprefix(prefix).removeprefix("" if algorithm == "md5" else "20")
        if text.startswith(prefix) and re.fullmatch(rf"[0-9a-f]{{{digits}}}", digest):
            return Expected(size if isinstance(size, int) else None, algorithm, digest, by)
    return Expected(size if isinstance(size, int) else None, by=by)


def fault(file: BinaryIO, name: str, expected: Expected) -> Fault | None:
    """What is wrong with a file; None if nothing is.

    Parameters
    ----------
    file : binary file
        Open for reading; where it stands afterwards is not told.
    name : str
        Name of the file, whose ending tells how it must begin.
    expected : Expected
        What it must be.
    """
    size = os.fstat(file.fileno()).st_size
    head = os.pread(file.fileno(), HEAD_BYTES, 0)
    kind, beginnings = _BEGINNINGS.get(name.rpartition(".")[2].lower(), ("", ()))
    error_page = bool(_ERROR_PAGE.match(head)) and not (kind == "JSON" and _without_mark(head).startswith(b"{"))
    shown = f"an answer of {_amount(size)} that begins with {head[:SHOWN_CHARACTERS].decode('latin-1')!r}"
    if expected.size is not None and size != expected.size:
        return Fault(f"{shown} instead of {expected.size} bytes", error_page)
    if size and (error_page or (beginnings and not _without_mark(head).startswith(beginnings))):
        return Fault(f"{shown}, which is not {kind or 'the file'}", error_page)
    if expected.algorithm:
        found = _digest(file, expected.algorithm)
        if found != expected.digest:
            kind = expected.algorithm.upper().replace("_", "-")
            said = f"where {expected.by or 'the archive'} says {expected.digest}"
            return Fault(f"{shown} and has {kind} {found}, {said}", error_page)
    return None


def _without_mark(head: bytes) -> bytes:
    """The first bytes without a byte order mark, and without white space where that makes XML or JSON of them."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return text if text[:1] in (b"<", b"{") else head


def _amount(size: int) -> str:
    return f"{size / 1000:.0f} kB" if size >= 1000 else f"{size} bytes"


def _digest(file: BinaryIO, algorithm: str) -> str:
    file.seek(0)
    if algorithm == "crc32":
        return f"{functools.reduce(lambda sum_, chunk: zlib.crc32(chunk, sum_), _chunks(file), 0):08x}"
    digest = hashlib.new(algorithm, usedforsecurity=False)
    for chunk in _chunks(file):
        digest.update(chunk)
    return digest.hexdigest()


def stream_fault(stream: IO[bytes], expected: Expected) -> str:
    """What is wrong with what a stream gives, which is read to its end; empty if nothing is."""
    digest = hashlib.new(expected.algorithm or "md5", usedforsecurity=False)
    size = 0
    for chunk in _chunks(stream):
        size += len(chunk)
        if expected.algorithm:
            digest.update(chunk)
    if expected.size is not None and size != expected.size:
        return f"{size} bytes, where {expected.by} says {expected.size}"
    if expected.algorithm and digest.hexdigest() != expected.digest:
        return f"another checksum than {expected.by} says"
    return ""


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    return iter(functools.partial(stream.read, CHUNK_BYTES), b"")


def unsound(product: str, member: str, place: str, faults: list[Fault]) -> Exception:
    """What is to be raised for a file that was wrong each time it was fetched.

    BadProduct where it was wrong in one way each time; Retryable where the server told something else, or gave other
    bytes each time.
    """
    found = faults[-1].found
    if faults[-1].of_server or len({f.found for f in faults}) > 1:
        return Retryable(f"{place} gave {found}, {len(faults)} times; try again later")
    return BadProduct(product, member, f"must be whole and unchanged; {place} gave {found}, {len(faults)} times")
