"""Annotation of a few bursts of a slice, made from that of the whole slice. Nothing about samples belongs here.

Whatever a reader asks for at a kept burst's times and ranges, it finds to the last bit as in the whole slice. What is
tagged by time is kept as it is, since times do not change; what is tagged by line is counted from the first kept line.

===================================================== ===============================================================
``adsHeader/startTime``, ``stopTime``                 of the first and the last kept line, in all files; at the ends of
                                                      the slice as they were
``imageInformation`` first and last line's time       the same
``imageInformation/numberOfLines``                    of the kept bursts
``swathTiming/burstList``                             the kept bursts; ``byteOffset`` for the new measurement file;
                                                      ``burstId`` added where the processor (IPF < 3.40) wrote none
``geolocationGrid``                                   rows from the last at or before the first kept line to the first
                                                      at or after the line behind the last; ``line`` moved
``calibrationVector``                                 chosen as the grid's rows; at least two; ``line`` moved
``noiseRangeVector``, ``noiseVector``                 those nearest in time to first lines of bursts, which we take, and
                                                      those chosen as the grid's rows, which SNAP takes: in SLC products
                                                      their lines are shifted by whole bursts; ``line`` moved
``noiseAzimuthVector``                                points chosen as the grid's rows; ``line`` moved, ends cut to the
                                                      image; vectors left without points are dropped
manifest: files, period, footprint                    of what is kept
manifest: polarisations, subswaths                    those that are kept
all else                                              as it is: orbit, attitude, FM rates, Doppler centroids, antenna
                                                      patterns, noise packets, terrain heights, quality and statistics
===================================================== ===============================================================

FM rates and Doppler centroids are not cut although some entries serve no kept burst: SNAP takes them by their place in
the list, from the same place whether it splits the slice or reads what is made here. Identities of bursts are added
because a part of a slice that crosses the ascending node does not tell on which side the slice began.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import shapely
from lxml import etree

from sen12ts_pipeline.sentinel1.annotation import GridPoints, Swath, read_geolocation_grid
from sen12ts_pipeline.sentinel1.elements import Elements
from sen12ts_pipeline.xml import parse

if TYPE_CHECKING:
    from lxml.etree import _Element

Float64 = npt.NDArray[np.float64]

_INFO = "imageAnnotation/imageInformation/"
_GRID = "geolocationGrid/geolocationGridPointList"
_BURSTS = "swathTiming/burstList"


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """Consecutive bursts of one subswath and polarisation of a slice.

    Attributes
    ----------
    swath : Swath
        Annotation of the whole slice.
    bursts : range
        Indices of the kept bursts, not empty.
    """

    swath: Swath
    bursts: range

    @property
    def first_line(self) -> int:
        """First kept line, counted in the slice."""
        return self.bursts.start * self.swath.lines_per_burst

    @property
    def lines(self) -> int:
        """How many."""
        return len(self.bursts) * self.swath.lines_per_burst

    @property
    def start(self) -> datetime:
        """UTC zero-Doppler time of the first kept line."""
        return self.start_of(self.bursts[0])

    @property
    def stop(self) -> datetime:
        """UTC zero-Doppler time of the last kept line."""
        seconds = (self.swath.lines_per_burst - 1) * self.swath.line_interval_s
        return self.start_of(self.bursts[-1]) + timedelta(seconds=seconds)

    def start_of(self, index: int) -> datetime:
        """UTC zero-Doppler time of a burst's first line."""
        return self.swath.epoch + timedelta(seconds=self.swath.bursts[index].start_s)

    def named(self, member: str) -> str:
        """Name for the part of a file, by its name in the slice: with the times of the part."""
        folder, _, name = member.rpartition("/")
        parts = name.split("-")
        at = parts.index("slc") + 2
        parts[at : at + 2] = (f"{time:%Y%m%dt%H%M%S}" for time in (self.start, self.stop))
        return f"{folder}/{'-'.join(parts)}"


def cut_annotation(body: bytes, cut: Cut, first_byte: int) -> bytes:
    """Annotation of the kept bursts.

    Parameters
    ----------
    body : bytes
        Annotation file of the slice.
    cut : Cut
        What is kept.
    first_byte : int
        Place in the new measurement file at which the first line begins.
    """
    r = _elements(body, cut)
    _set_period(r, cut)
    _set_period(r, cut, _INFO + "productFirstLineUtcTime", _INFO + "productLastLineUtcTime")
    _set(r, _INFO + "numberOfLines", str(cut.lines))
    _cut_bursts(r, cut, first_byte)
    grid = _all(r, _GRID)
    _keep(grid, [_number(r, point, "line") for point in grid], cut.first_line, cut.first_line + cut.lines)
    _move_lines(r, _all(r, _GRID), cut)
    return _written(r)


def without_bursts(body: bytes, swath: Swath) -> bytes:
    """Annotation of a subswath of which no burst is kept: readers take it for absent, but know its times and ranges."""
    r = Elements(parse(body, product=swath.product, member=swath.member), swath.product, swath.member, swath.epoch)
    _remove(_all(r, _BURSTS))
    _count(r, _BURSTS)
    return _written(r)


def cut_calibration(body: bytes, cut: Cut) -> bytes:
    """Calibration of the kept bursts."""
    r = _elements(body, cut)
    _set_period(r, cut)
    path = "calibrationVectorList"
    vectors = _all(r, path)
    lines = [_number(r, vector, "line") for vector in vectors]
    _keep(vectors, lines, cut.first_line, cut.first_line + cut.lines, least=2)
    _move_lines(r, _all(r, path), cut)
    _count(r, path)
    return _written(r)


def cut_noise(body: bytes, cut: Cut) -> bytes:
    """Thermal noise of the kept bursts, in the form before or after IPF 2.90."""
    r = _elements(body, cut)
    _set_period(r, cut)
    for path in ("noiseRangeVectorList", "noiseVectorList"):
        if r.root.find(path) is not None:
            _cut_range_vectors(r, path, cut)
    if r.root.find("noiseAzimuthVectorList") is not None:
        _cut_azimuth_vectors(r, "noiseAzimuthVectorList", cut)
    return _written(r)


def cut_report(body: bytes, cut: Cut) -> bytes:
    """Report on radio interference; all of it, under the part's times."""
    r = _elements(body, cut)
    _set_period(r, cut)
    return _written(r)


def grid_of(body: bytes, cut: Cut) -> GridPoints:
    """Geolocation grid of an annotation made here."""
    return read_geolocation_grid(body, product=cut.swath.product, member=cut.swath.member, epoch=cut.swath.epoch)


@dataclass(frozen=True, slots=True)
class Listed:
    """A file of the new product.

    Attributes
    ----------
    member, source : str
        Its path, and that of the slice's file from which it was made.
    size : int
        Bytes.
    md5 : str
        Hexadecimal digest.
    """

    member: str
    source: str
    size: int
    md5: str


def cut_manifest(
    body: bytes, cuts: Sequence[Cut], listed: Sequence[Listed], grids: Sequence[GridPoints], member: str
) -> bytes:
    """Manifest of a product of some bursts.

    Parameters
    ----------
    body : bytes
        Manifest of the slice.
    cuts : sequence of Cut
        What is kept.
    listed : sequence of Listed
        All files but the manifest.
    grids : sequence of GridPoints
        Geolocation grids of the cuts.
    member : str
        Name of the manifest, for errors.

    Raises
    ------
    BadProduct
        When the slice's manifest lacks what is to be changed.
    """
    one = cuts[0].swath
    r = Elements(parse(body, product=one.product, member=member), one.product, member, one.epoch)
    _set_manifest_period(r, min(cut.start for cut in cuts), max(cut.stop for cut in cuts))
    _set_text(_one(r, "coordinates"), _footprint(grids))
    _keep_texts(r, "transmitterReceiverPolarisation", {cut.swath.polarisation for cut in cuts})
    _keep_texts(r, "swath", {cut.swath.subswath for cut in cuts})
    _list_files(r, listed)
    return _written(r)


def listed_bytes(manifest: bytes, product: str, member: str) -> int:
    """Bytes of all files that a manifest lists."""
    root = parse(manifest, product=product, member=member)
    return sum(int(stream.get("size", "0")) for stream in root.iter("byteStream"))


def _elements(body: bytes, cut: Cut) -> Elements:
    swath = cut.swath
    return Elements(parse(body, product=swath.product, member=swath.member), swath.product, swath.member, swath.epoch)


def _written(r: Elements) -> bytes:
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + etree.tostring(r.root, encoding="unicode").encode() + b"\n"


def _set_period(r: Elements, cut: Cut, first: str = "adsHeader/startTime", last: str = "adsHeader/stopTime") -> None:
    """Times of the first and last kept line; at the ends of the slice its own texts, which differ by microseconds."""
    if cut.bursts.start > 0:
        _set(r, first, _text(cut.start))
    if cut.bursts.stop < len(cut.swath.bursts):
        _set(r, last, _text(cut.stop))


def _cut_bursts(r: Elements, cut: Cut, first_byte: int) -> None:
    burst_bytes = 4 * cut.swath.samples * cut.swath.lines_per_burst
    bursts = _all(r, _BURSTS)
    for burst, known in zip(bursts, cut.swath.bursts, strict=True):
        if burst.find("burstId") is None:
            etree.SubElement(burst, "burstId").text = str(known.id.number)
    _remove(burst for k, burst in enumerate(bursts) if k not in cut.bursts)
    for k, index in enumerate(cut.bursts):
        _set(r, "byteOffset", str(first_byte + k * burst_bytes), bursts[index])
    _count(r, _BURSTS)


def _cut_range_vectors(r: Elements, path: str, cut: Cut) -> None:
    """Keep the vectors that serve by their times, and those that do by their lines, which may be others."""
    vectors = _all(r, path)
    if not vectors:
        return
    times = np.array([r.seconds("azimuthTime", vector) for vector in vectors])
    lines = np.array([_number(r, vector, "line") for vector in vectors])
    served = [int(np.abs(times - cut.swath.bursts[k].start_s).argmin()) for k in cut.bursts]
    low, high = _bracket(lines, cut.first_line, cut.first_line + cut.lines)
    served += np.flatnonzero((lines >= low) & (lines <= high)).tolist()
    _remove(vector for k, vector in enumerate(vectors) if not min(served) <= k <= max(served))
    _move_lines(r, _all(r, path), cut)
    _count(r, path)


def _cut_azimuth_vectors(r: Elements, path: str, cut: Cut) -> None:
    vectors = _all(r, path)
    lines = [r.numbers("line", vector) for vector in vectors]
    if not lines:
        return
    low, high = _bracket(np.concatenate(lines), cut.first_line, cut.first_line + cut.lines - 1)
    for vector, line in zip(vectors, lines, strict=True):
        kept = np.flatnonzero((line >= low) & (line <= high))
        if len(kept) == 0:
            _remove([vector])
            continue
        values = r.text("noiseAzimuthLut", vector).split()
        _set_list(r, vector, "line", [str(int(line[k]) - cut.first_line) for k in kept])
        _set_list(r, vector, "noiseAzimuthLut", [values[k] for k in kept])
        for name in ("firstAzimuthLine", "lastAzimuthLine"):
            if vector.find(name) is not None:
                inside = min(max(int(_number(r, vector, name)) - cut.first_line, 0), cut.lines - 1)
                _set(r, name, str(inside), vector)
    _count(r, path)


def _bracket(lines: Float64, first: float, last: float) -> tuple[float, float]:
    """The listed line at or before the first, and the one at or after the last; the outermost where there is none."""
    before, after = lines[lines <= first], lines[lines >= last]
    return float(before.max() if len(before) else lines.min()), float(after.min() if len(after) else lines.max())


def _keep(elements: Sequence[_Element], lines: Sequence[float], first: float, last: float, least: int = 1) -> None:
    """Remove the elements whose lines do not serve from the first to the last; at least so many stay."""
    if not elements:
        return
    listed = np.array(lines)
    low, high = _bracket(listed, first, last)
    kept = np.flatnonzero((listed >= low) & (listed <= high))
    if len(kept) < least:
        kept = np.argsort(np.abs(listed - (first + last) / 2), kind="stable")[:least]
    _remove(element for k, element in enumerate(elements) if k not in kept)
    _count_list(elements[kept[0]].getparent())


def _move_lines(r: Elements, elements: Iterable[_Element], cut: Cut) -> None:
    for element in elements:
        _set(r, "line", str(int(_number(r, element, "line")) - cut.first_line), element)


def _set_manifest_period(r: Elements, start: datetime, stop: datetime) -> None:
    for name, time in (("startTime", start), ("stopTime", stop)):
        element = _one(r, name)
        moved = time - r.moment(".", element)
        _set_text(element, _text(time))
        for anx in r.root.iter(f"{{*}}{name}ANX"):
            _set_text(anx, f"{r.number('.', anx) + moved / timedelta(milliseconds=1):.6e}")


def _footprint(grids: Sequence[GridPoints]) -> str:
    """Corners ``lat,lon`` of the hull of all grids' corners."""
    near = grids[0].longitude[0]
    points: list[tuple[float, float]] = []
    for grid in grids:
        edge = np.isin(grid.line, (grid.line.min(), grid.line.max()))
        edge &= np.isin(grid.sample, (grid.sample.min(), grid.sample.max()))
        lon = near + (grid.longitude[edge] - near + 180.0) % 360.0 - 180.0
        points += zip(lon.tolist(), grid.latitude[edge].tolist(), strict=True)
    ring = shapely.get_coordinates(shapely.convex_hull(shapely.multipoints(points)))[:-1]
    return " ".join(f"{lat:.6f},{(lon + 180.0) % 360.0 - 180.0:.6f}" for lon, lat in ring)


def _list_files(r: Elements, listed: Sequence[Listed]) -> None:
    """Make the manifest name the new files, and no others."""
    by_source = {one.source: one for one in listed}
    renamed, gone = {}, set()
    section = _one(r, "dataObjectSection")
    for item in list(section):
        location = item.find(".//fileLocation")
        path = "" if location is None else str(location.get("href", "")).removeprefix("./")
        one = by_source.pop(path, None)
        if one is None:
            gone.add(str(item.get("ID")))
            _remove([item])
        else:
            renamed[str(item.get("ID"))] = _identity(one.member)
            _describe(item, one)
    for pointer in list(r.root.iter("dataObjectPointer")):
        if pointer.get("dataObjectID") in gone:
            _remove([element for element in [pointer.getparent()] if element is not None])
    for one in by_source.values():
        _add_file(r, section, one)
    _rename(r.root, renamed, gone)


def _describe(item: _Element, one: Listed) -> None:
    for stream in item.iter("byteStream"):
        stream.set("size", str(one.size))
    for location in item.iter("fileLocation"):
        location.set("href", f"./{one.member}")
    for checksum in item.iter("checksum"):
        checksum.set("checksumName", "MD5")
        _set_text(checksum, one.md5)


def _add_file(r: Elements, section: _Element, one: Listed) -> None:
    """Name a file that the slice's manifest did not name."""
    name, kind = _identity(one.member), "application/octet-stream" if one.member.endswith(".tiff") else "text/xml"
    item = etree.SubElement(section, "dataObject", ID=name)
    stream = etree.SubElement(item, "byteStream", mimeType=kind, size=str(one.size))
    etree.SubElement(stream, "fileLocation", locatorType="URL", href=f"./{one.member}")
    etree.SubElement(stream, "checksum", checksumName="MD5").text = one.md5
    outer = next(r.root.iter("{*}contentUnit"), None)
    if outer is not None:
        unit = "Measurement Data Unit" if one.member.endswith(".tiff") else "Metadata Unit"
        inner = etree.SubElement(outer, outer.tag, unitType=unit)
        etree.SubElement(inner, "dataObjectPointer", dataObjectID=name)


def _rename(root: _Element, renamed: dict[str, str], gone: set[str]) -> None:
    """Put the new identities where the old ones stand, alone or in lists, and leave out those that are gone."""
    noted = "Annotation"
    names = renamed | {old + noted: new + noted for old, new in renamed.items()}
    lost = gone | {old + noted for old in gone}
    for element in root.iter(etree.Element):
        for key in ("ID", "dataObjectID", "dmdID"):
            text = element.get(key)
            if text is not None:
                element.set(key, " ".join(names.get(str(t), str(t)) for t in text.split() if t not in lost))


def _identity(member: str) -> str:
    """Identity of a file as manifests have it: its name without dashes, and its kind where the name does not tell."""
    folder, _, name = member.rpartition("/")
    return ("product" if folder == "annotation" else "") + name.rsplit(".", 1)[0].replace("-", "")


def _keep_texts(r: Elements, name: str, kept: set[str]) -> None:
    found = list(r.root.iter(f"{{*}}{name}"))
    _remove(element for element in found if (element.text or "").strip().upper() not in kept)


def _one(r: Elements, name: str) -> _Element:
    """The first element of a name, in whatever namespace."""
    found = next(r.root.iter(f"{{*}}{name}"), None)
    if found is None:
        raise r.bad(name, "missing")
    return found


def _all(r: Elements, path: str) -> list[_Element]:
    """Elements of a list that must be there."""
    found = r.root.find(path)
    if found is None:
        raise r.bad(path, "missing")
    return list(found)


def _count(r: Elements, path: str) -> None:
    """Write how many elements a list has, where it says so."""
    for found in r.root.findall(path):
        _count_list(found)


def _count_list(found: _Element | None) -> None:
    if found is not None and found.get("count") is not None:
        found.set("count", str(len(found)))


def _remove(elements: Iterable[_Element]) -> None:
    for element in list(elements):
        parent = element.getparent()
        if parent is not None:
            parent.remove(element)


def _number(r: Elements, element: _Element, name: str) -> float:
    return r.number(name, element)


def _set(r: Elements, path: str, text: str, base: _Element | None = None) -> None:
    found = (r.root if base is None else base).find(path)
    if found is None:
        raise r.bad(path, "missing")
    found.text = text


def _set_text(element: _Element, text: str) -> None:
    element.text = text


def _set_list(r: Elements, base: _Element, name: str, values: Sequence[str]) -> None:
    found = base.find(name)
    if found is None:
        raise r.bad(name, "missing")
    found.text = " ".join(values)
    if found.get("count") is not None:
        found.set("count", str(len(values)))


def _text(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S.%f}"
