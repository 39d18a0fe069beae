"""A slice whose bursts the burst service of the Alaska Satellite Facility (ASF) cuts out, one by one.

``<address>/<slice>/<IWn>/<polarisation>/<index>.tiff`` is a TIFF of one burst, index from 0; ``.xml`` beside it has the
metadata of the whole slice in one polarisation::

    <burst>
      <manifest><xfdu:XFDU/></manifest>
      <metadata>
        <product source_filename="s1a-iw1-slc-vv-....xml">
          <swath/> <polarisation/> <content> children of the file's root </content>
        </product>
        <calibration/> <noise/> <rfi/>    likewise
      </metadata>
    </burst>

The layout was read in programs that use the service (ASF's burst2safe, hyp3-isce2), for it is not published.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit

from lxml import etree

from sen12ts_pipeline.acquisition.asf_server import BurstServer
from sen12ts_pipeline.acquisition.names import missing, product_name
from sen12ts_pipeline.acquisition.spool import Extent, Spool, read_extent
from sen12ts_pipeline.errors import BadProduct, ConfigurationError, Retryable
from sen12ts_pipeline.passing import Passing
from sen12ts_pipeline.sentinel1.elements import parse_time
from sen12ts_pipeline.sentinel1.strips import SAMPLE_BYTES, around, read_strips
from sen12ts_pipeline.xml import parse

if TYPE_CHECKING:
    from lxml.etree import _Element

HEAD_ALONE_BYTES = 2**20
"""Questions up to this size that begin before the first line are answered by the header alone."""
BUNDLE_BYTES = 32 * 2**20
"""Room that is made for the metadata of a slice, whose size is not known before they are here."""

_MANIFEST = "manifest.safe"
_POLARISATIONS = {"SV": ("VV",), "SH": ("HH",), "DV": ("VV", "VH"), "DH": ("HH", "HV")}
_FOLDERS = {
    "product": "annotation/",
    "calibration": "annotation/calibration/",
    "noise": "annotation/calibration/",
    "rfi": "annotation/rfi/",
}
_ANNOTATION = re.compile(r"annotation/(s1[a-d]-(iw[123])-slc-([vh]{2})-[^/]*)\.xml")
_DELIVERED = re.compile(r"S1_\d+_(IW[123])_(\d{8}T\d{6})_([VH]{2})_([0-9A-F]{4})-BURST\.tiff?")


@dataclass(frozen=True, slots=True)
class _Timing:
    """What an annotation says of its measurement file.

    Attributes
    ----------
    samples, burst_lines : int
        Size of a burst.
    first : int
        Byte at which the first line begins.
    starts : tuple of datetime
        Zero-Doppler times of the bursts' first lines.
    """

    samples: int
    burst_lines: int
    first: int
    starts: tuple[datetime, ...]

    @property
    def burst_bytes(self) -> int:
        return SAMPLE_BYTES * self.samples * self.burst_lines

    @property
    def stop(self) -> int:
        """Byte behind the last line."""
        return self.first + len(self.starts) * self.burst_bytes


class AsfBursts:
    """Implements `ports.ProductFiles`: a slice that looks whole, of which just the bursts that are read are fetched.

    Measurement files have the byte offsets that the annotation tells. A question of up to 1 MiB that begins before the
    first line is answered by the header alone, or no header could be read without a burst.

    Parameters
    ----------
    product : str
        Name of the slice, with or without ``.SAFE``.
    spool : Spool
        Where what is fetched is kept.
    server : BurstServer
        The service.
    """

    def __init__(self, product: str, spool: Spool, server: BurstServer | None = None) -> None:
        self._spool, self._server = spool, server or BurstServer()
        self._product = product_name(PurePosixPath(product))
        _, orbit, datatake, self._ending = self._product.rsplit("_", 3)
        self._mark = f"-{orbit}-{datatake}-".lower()
        code = re.search(r"_1S(SV|SH|DV|DH)_", self._product)
        if not code or urlsplit(self._server.address).scheme not in ("http", "https"):
            rule = "must be the name of an IW SLC product, and the burst service's address http:// or https://"
            raise ConfigurationError("product", "name", rule, f"{product} at {self._server.address}")
        self._polarisations = _POLARISATIONS[code[1]]
        self._timings: dict[str, _Timing] = {}

    def __repr__(self) -> str:
        return f"AsfBursts({self._product!r})"

    @property
    def product(self) -> str:
        """Name without ``.SAFE``."""
        return self._product

    def members(self) -> tuple[str, ...]:
        """Paths of the slice's manifest, annotation and measurement files, sorted."""
        return tuple(sorted([*self._documents, *self._measurements]))

    def read(self, member: str) -> bytes:
        """Whole content of a metadata file; BadProduct if it is missing."""
        if member not in self._documents:
            raise missing(self._product, member)
        return self._documents[member]

    @contextmanager
    def held(self, member: str) -> Iterator[str]:
        """A file of the spool with the whole member, for which all bursts of a measurement are fetched; BadProduct."""
        if member in self._documents:
            body = self._documents[member]
            with self._spool.held((self._identity, member), len(body), _writing(body)) as path:
                yield str(path)
            return
        if member not in self._measurements:
            raise missing(self._product, member)
        timing = self._timing(member)
        _, after = around(timing.samples, timing.burst_lines * len(timing.starts), timing.first)
        size = timing.stop + len(after)
        fill = functools.partial(self._assemble, member, 0, size)
        with self._spool.held((self._identity, member, 0, size), size, fill) as path:
            yield str(path)

    def extent(self, member: str, start: int, length: int) -> Extent:
        """A file of the spool with these bytes: of a burst as it was delivered, of the header, or put together.

        Raises
        ------
        BadProduct
            When the slice has no such file, or the service no such burst.
        Retryable
            When a burst is not cut out in ten minutes, or is another one again and again.
        """
        if member in self._documents:
            return self._kept(member, self._documents[member]), start
        if member not in self._measurements:
            raise missing(self._product, member)
        timing = self._timing(member)
        before, after = around(timing.samples, timing.burst_lines * len(timing.starts), timing.first)
        stop = min(start + length, timing.stop + len(after))
        if start < timing.first and length <= HEAD_ALONE_BYTES:
            return self._kept(f"{member}\0head", before), start
        if start >= timing.stop:
            return self._kept(f"{member}\0tail", after), start - timing.stop
        index, within = divmod(start - timing.first, timing.burst_bytes)
        if start >= timing.first and stop <= timing.first + (index + 1) * timing.burst_bytes:
            path, at = self._burst(member, index)
            return path, at + within
        fill = functools.partial(self._assemble, member, start, stop)
        return self._spool.keep((self._identity, member, start, stop), stop - start, fill), 0

    @property
    def _identity(self) -> str:
        return f"{self._server.address}/{self._product}"

    def _kept(self, name: str, body: bytes) -> Path:
        return self._spool.keep((self._identity, name), len(body), _writing(body))

    @functools.cached_property
    def _documents(self) -> Mapping[str, bytes]:
        """Metadata files by their paths in the slice; a further polarisation is asked for if the first lacks it."""
        found: dict[str, bytes] = {}
        for polarisation in self._polarisations:
            if not any(f"-slc-{polarisation.lower()}-" in member for member in found):
                found = self._bundle(polarisation) | found
        return found

    @functools.cached_property
    def _measurements(self) -> Mapping[str, re.Match[str]]:
        """Matches of annotation files by the measurement files that belong to them."""
        matches = filter(None, map(_ANNOTATION.fullmatch, self._documents))
        return {f"measurement/{match[1]}.tiff": match for match in matches}

    def _bundle(self, polarisation: str) -> dict[str, bytes]:
        url = f"{self._identity}/IW1/{polarisation}/0.xml"

        def fill(out: BinaryIO) -> None:
            self._server.fetch(url, out, self._check_bundle, product=self._product, member="metadata")

        return self._unpacked(self._spool.keep((url,), BUNDLE_BYTES, fill).read_bytes())

    def _check_bundle(self, _name: str, body: BinaryIO) -> None:
        try:
            self._unpacked(body.read())
        except BadProduct as error:  # of what the service sent, not of the slice
            raise Passing(error.reason) from error

    def _unpacked(self, body: bytes) -> dict[str, bytes]:
        """Files of a bundle; Passing if it is one of another slice."""
        root = parse(body, product=self._product, member="metadata")
        manifest, metadata = root.find("manifest/{*}XFDU"), root.find("metadata")
        if manifest is None or metadata is None:
            raise BadProduct(self._product, "metadata", "must hold a manifest and metadata; the service sent none")
        found = {_MANIFEST: _document(manifest)}
        for item in metadata:
            content, name = item.find("content"), str(item.get("source_filename", "")).rpartition("/")[2]
            if item.tag not in _FOLDERS or content is None:
                continue
            if self._mark not in name:
                raise Passing(f"sent the metadata of another slice: {name or 'a file without name'}")
            content.tag = item.tag
            content.tail = None
            found[_FOLDERS[str(item.tag)] + name] = _document(content)
        return found

    def _timing(self, member: str) -> _Timing:
        if member not in self._timings:
            self._timings[member] = self._read_timing(self._measurements[member])
        return self._timings[member]

    def _read_timing(self, match: re.Match[str]) -> _Timing:
        root = parse(self._documents[match[0]], product=self._product, member=match[0])

        def bad(found: str) -> BadProduct:
            return BadProduct(self._product, match[0], f"element swathTiming: {found}")

        bursts = root.findall("swathTiming/burstList/burst")
        try:
            samples, lines = (int(root.findtext(f"swathTiming/{n}PerBurst") or "") for n in ("samples", "lines"))
            offsets = [int(burst.findtext("byteOffset") or "") for burst in bursts]
            starts = tuple(parse_time(burst.findtext("azimuthTime") or "") for burst in bursts)
        except ValueError as error:
            raise bad(str(error)) from error
        if not offsets:
            raise bad("has no bursts")
        timing = _Timing(samples, lines, offsets[0], starts)
        if offsets != [timing.first + k * timing.burst_bytes for k in range(len(offsets))]:
            raise bad(f"bursts must follow one another in the file; they begin at {offsets}")
        return timing

    def _burst(self, member: str, index: int) -> Extent:
        """File of one burst, and where its samples begin."""
        match = self._measurements[member]
        url = f"{self._identity}/{match[2].upper()}/{match[3].upper()}/{index}.tiff"

        def check(name: str, body: BinaryIO) -> None:
            self._check_burst(member, index, name, body)

        def fill(out: BinaryIO) -> None:
            self._server.fetch(url, out, check, product=self._product, member=member)

        for _ in range(3):
            path = self._spool.keep((url,), self._timing(member).burst_bytes, fill)
            try:
                with path.open("rb") as body:
                    return path, self._samples_at(member, body)
            except FileNotFoundError:
                continue
        raise Retryable(f"{url} is removed again and again before it is read; is SEN12TS_SPOOL_GB large enough?")

    def _check_burst(self, member: str, index: int, name: str, body: BinaryIO) -> None:
        """Passing unless it is the burst that was asked for, and all of it."""
        match, start = self._measurements[member], self._timing(member).starts[index]
        delivered = _DELIVERED.fullmatch(name)
        wanted = (match[2].upper(), match[3].upper(), self._ending)
        if not delivered or delivered.group(1, 3, 4) != wanted or abs(_moment(delivered[2]) - start) > _SECOND:
            asked = f"{wanted[0]} {wanted[1]} of {start:%Y%m%dT%H%M%S}, {wanted[2]}"
            raise Passing(f"sent another burst, {name or 'without name'}, for {asked}")
        self._samples_at(member, body)

    def _samples_at(self, member: str, body: BinaryIO) -> int:
        """Where the samples begin in a delivered file; Passing if it is not one whole burst of plain lines."""
        timing = self._timing(member)

        def read(start: int, length: int) -> bytes:
            return os.pread(body.fileno(), length, start)

        try:
            strips = read_strips(read)
        except ValueError as error:
            raise Passing(f"sent what is no TIFF of plain lines: it {error}") from error
        size = os.fstat(body.fileno()).st_size
        shape = strips.lines, strips.samples, strips.big_endian
        if shape != (timing.burst_lines, timing.samples, False) or size < strips.first + timing.burst_bytes:
            raise Passing(f"sent {size} bytes with {strips.lines} lines of {strips.samples} samples")
        return strips.first

    def _assemble(self, member: str, start: int, stop: int, out: BinaryIO) -> None:
        """Write any bytes of a measurement file."""
        timing = self._timing(member)
        before, after = around(timing.samples, timing.burst_lines * len(timing.starts), timing.first)
        out.write(before[start : min(stop, timing.first)])
        for index in range(len(timing.starts)):
            first = timing.first + index * timing.burst_bytes
            low, high = max(start, first), min(stop, first + timing.burst_bytes)
            if low < high:
                out.write(read_extent(functools.partial(self._within, member, index, low - first), high - low))
        out.write(after[max(start - timing.stop, 0) : max(stop - timing.stop, 0)])

    def _within(self, member: str, index: int, offset: int) -> Extent:
        path, at = self._burst(member, index)
        return path, at + offset


_SECOND = timedelta(seconds=1)


def _writing(body: bytes) -> Callable[[BinaryIO], None]:
    def write(out: BinaryIO) -> None:
        out.write(body)

    return write


def _document(root: _Element) -> bytes:
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + etree.tostring(root, encoding="unicode").encode() + b"\n"


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
