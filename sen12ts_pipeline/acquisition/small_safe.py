"""Small products: SAFE folders with just the bursts that are needed of a slice, wherever the slice lies.

What is made reads like any other product of ESA's, only shorter; `sentinel1.subset` says what becomes of annotation.
Names are those of burst2safe: the times of the first and the last burst's first lines, orbit and datatake of the slice,
and the checksum of the manifest, which knows every file's digest.
"""

from __future__ import annotations

import binascii
import fcntl
import functools
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from shapely.geometry.base import BaseGeometry

from sen12ts_pipeline.acquisition.spool import read_extent
from sen12ts_pipeline.errors import BadProduct, ConfigurationError, Retryable
from sen12ts_pipeline.ports import ProductFiles
from sen12ts_pipeline.sentinel1 import outlines, subset
from sen12ts_pipeline.sentinel1.annotation import GridPoints, Swath, pass_epoch, read_geolocation_grid
from sen12ts_pipeline.sentinel1.manifest import MANIFEST, read_slice
from sen12ts_pipeline.sentinel1.product import SliceFiles
from sen12ts_pipeline.sentinel1.strips import Strips, TiePoint, head, read_strips
from sen12ts_pipeline.sentinel1.subset import Cut, Listed

HEAD_BYTES = 256 * 2**10
"""What is asked for to learn a measurement file's layout."""

_CODES = {("VV",): "SV", ("VH", "VV"): "DV", ("HH",): "SH", ("HH", "HV"): "DH"}
"""Polarisations in names."""

Note = Callable[[int, int], None]
"""Told the bytes of samples that are there, and those there will be."""


@dataclass(frozen=True, slots=True)
class _Samples:
    """Samples to be copied.

    Attributes
    ----------
    member, source : str
        New measurement file, and that of the slice.
    cut : Cut
        Bursts.
    head : bytes
        What stands before the samples.
    strips : Strips
        Layout of the slice's file.
    """

    member: str
    source: str
    cut: Cut
    head: bytes
    strips: Strips

    @property
    def burst_bytes(self) -> int:
        return self.cut.swath.lines_per_burst * self.strips.line_bytes

    @property
    def size(self) -> int:
        return len(self.head) + len(self.cut.bursts) * self.burst_bytes


@dataclass(frozen=True, slots=True)
class _Plan:
    """All files of a small product but the manifest.

    Attributes
    ----------
    label : str
        Name of the product without the checksum.
    documents : dict
        New path: path in the slice, content.
    samples : tuple of _Samples
        Measurement files.
    grids : tuple of GridPoints
        Geolocation grids of the cuts.
    """

    label: str
    documents: Mapping[str, tuple[str, bytes]]
    samples: tuple[_Samples, ...]
    grids: tuple[GridPoints, ...]

    @property
    def cuts(self) -> list[Cut]:
        return [one.cut for one in self.samples]

    @property
    def digest(self) -> str:
        """Of what decides the product."""
        whole = hashlib.sha256(self.label.encode())
        for member in sorted(self.documents):
            whole.update(member.encode() + b"\0" + hashlib.sha256(self.documents[member][1]).digest())
        return whole.hexdigest()[:12]


def _silent(done: int, total: int) -> None:
    """Nobody is told."""


def write_small(
    files: ProductFiles,
    bursts: Mapping[str, range],
    polarisations: Sequence[str],
    folder: Path,
    *,
    context: bool = True,
    note: Note = _silent,
) -> Path:
    """Write a product with some bursts of a slice.

    Annotation, calibration and noise are read, and of the samples those of the bursts. A product that is there already
    is not made again; one that was begun is continued with the first burst that is missing. Others see it when it is
    complete.

    Parameters
    ----------
    files : ProductFiles
        The slice.
    bursts : mapping of str to range
        Indices from 0 of the bursts of each subswath that is wanted, without a gap.
    polarisations : sequence of str
        Those to take, VV among them (or HH): products are named by it.
    folder : Path
        Where the SAFE folder comes to lie; made if need be.
    context : bool
        Whether subswaths of which nothing is wanted keep their annotation, without bursts. The native engine needs it:
        azimuth times refer to the middle of IW2, and the orbit is that of all subswaths.
    note : callable
        Told of progress after each burst.

    Returns
    -------
    Path
        The SAFE folder.

    Raises
    ------
    ConfigurationError
        When the slice has no such bursts or polarisations.
    BadProduct
        When a file of the slice is missing or damaged, or its samples are packed.
    Retryable
        When a server does not give bytes now, or the folder cannot be written.
    """
    plan = _plan(files, bursts, polarisations, context=context)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _ready(plan, folder) or _make(files, plan, folder, note)
    except OSError as error:
        raise Retryable(f"{folder} cannot take {plan.label}: {error.strerror or error}") from error


def bursts_over(files: ProductFiles, area: BaseGeometry) -> dict[str, range]:
    """Bursts of a slice that meet an area: indices from 0 by subswath.

    Parameters
    ----------
    files : ProductFiles
        The slice.
    area : geometry
        In degrees (longitude, latitude).

    Raises
    ------
    BadProduct
        When the manifest or an annotation is missing or damaged.
    """
    one = read_slice(files)
    opened = SliceFiles(one, files, pass_epoch(one.start))
    found = {}
    for name in opened.subswaths(one.polarisations[-1]):
        swath = opened.swath(name, one.polarisations[-1])
        body = files.read(swath.member)
        grid = read_geolocation_grid(body, product=files.product, member=swath.member, epoch=opened.epoch)
        found[name] = outlines.bursts_over(swath, grid, area)
    return {name: kept for name, kept in found.items() if kept}


def _plan(files: ProductFiles, bursts: Mapping[str, range], polarisations: Sequence[str], *, context: bool) -> _Plan:
    one = read_slice(files)
    opened = SliceFiles(one, files, pass_epoch(one.start))
    opened.check()
    wanted = tuple(sorted(set(polarisations)))
    if wanted not in _CODES or not set(wanted) <= set(one.polarisations):
        rule = f"must be VV, or VH and VV (or HH, or HH and HV), of those that {files.product} has"
        raise ConfigurationError("bursts", "polarisations", rule, f"{', '.join(wanted)} of {one.polarisations}")
    if not bursts:
        raise ConfigurationError("bursts", "subswath", "must name one at least", dict(bursts))
    documents: dict[str, tuple[str, bytes]] = {}
    samples, grids = [], []
    members = set(files.members())
    for polarisation in wanted:
        for name, kept in sorted(bursts.items()):
            cut = Cut(_swath(opened, name, polarisation), kept)
            _check_range(files, cut, name)
            part, grid = _samples(files, cut)
            samples.append(part)
            grids.append(grid)
            documents |= _documents(files, part, members)
        for name in opened.subswaths(polarisation) if context else ():
            if name not in bursts:
                swath = opened.swath(name, polarisation)
                body = subset.without_bursts(files.read(swath.member), swath)
                documents[swath.member] = swath.member, body
    documents |= {m: (m, files.read(m)) for m in members if m.startswith("support/")}
    return _Plan(_label(files.product, wanted, [s.cut for s in samples]), documents, tuple(samples), tuple(grids))


def _swath(opened: SliceFiles, name: str, polarisation: str) -> Swath:
    if name not in opened.subswaths(polarisation):
        rule = f"must be one that {opened.files.product} has in {polarisation}"
        raise ConfigurationError("bursts", "subswath", rule, name)
    return opened.swath(name, polarisation)


def _check_range(files: ProductFiles, cut: Cut, name: str) -> None:
    kept, count = cut.bursts, len(cut.swath.bursts)
    if kept.step != 1 or not 0 <= kept.start < kept.stop <= count:
        rule = f"must be some of the {count} bursts, 1 to {count}, that {files.product} has, without a gap"
        raise ConfigurationError("bursts", name, rule, f"{kept.start + 1} to {kept.stop}")


def _samples(files: ProductFiles, cut: Cut) -> tuple[_Samples, GridPoints]:
    source = cut.swath.member.replace("annotation/", "measurement/").removesuffix(".xml") + ".tiff"
    strips = _layout(files, source, cut.swath)
    grid = subset.grid_of(subset.cut_annotation(files.read(cut.swath.member), cut, 0), cut)
    columns = (grid.sample, grid.line, grid.longitude, grid.latitude, grid.height_m)
    ties: list[TiePoint] = list(zip(*(column.tolist() for column in columns), strict=True))
    return _Samples(cut.named(source), source, cut, head(strips.samples, cut.lines, ties), strips), grid


def _layout(files: ProductFiles, member: str, swath: Swath) -> Strips:
    @functools.cache
    def window(start: int, length: int) -> bytes:
        return read_extent(lambda: files.extent(member, start, length), length)

    def read(start: int, length: int) -> bytes:
        if start + length <= HEAD_BYTES:
            return window(0, HEAD_BYTES)[start : start + length]
        return window(start, length)

    try:
        strips = read_strips(read)
    except ValueError as error:
        reason = f"must be a TIFF of plain lines, of which bursts can be taken; it {error}"
        raise BadProduct(files.product, member, reason) from error
    lines = swath.lines_per_burst * len(swath.bursts)
    if strips.samples != swath.samples or strips.lines < lines:
        found = f"found {strips.lines} lines of {strips.samples}"
        reason = f"needs {lines} lines of {swath.samples} samples, as its annotation says; {found}"
        raise BadProduct(files.product, member, reason)
    return strips


def _documents(files: ProductFiles, part: _Samples, members: set[str]) -> dict[str, tuple[str, bytes]]:
    cut, source = part.cut, part.cut.swath.member
    name = source.removeprefix("annotation/")
    made = {source: subset.cut_annotation(files.read(source), cut, len(part.head))}
    for kind, make in (("calibration", subset.cut_calibration), ("noise", subset.cut_noise)):
        member = f"annotation/calibration/{kind}-{name}"
        made[member] = make(files.read(member), cut)
    report = f"annotation/rfi/rfi-{name}"
    if report in members:
        made[report] = subset.cut_report(files.read(report), cut)
    return {cut.named(member): (member, body) for member, body in made.items()}


def _label(product: str, polarisations: tuple[str, ...], cuts: Sequence[Cut]) -> str:
    first = min(cut.start for cut in cuts)
    last = max(cut.start_of(cut.bursts[-1]) for cut in cuts)
    _, orbit, datatake, _ = product.rsplit("_", 3)
    times = f"{first:%Y%m%dT%H%M%S}_{last:%Y%m%dT%H%M%S}"
    return f"{product[:3]}_IW_SLC__1S{_CODES[polarisations]}_{times}_{orbit}_{datatake}"


def _ready(plan: _Plan, folder: Path) -> Path | None:
    """The product, if it was made before."""
    for path in sorted(folder.glob(f"{plan.label}_????.SAFE")):
        if (path / MANIFEST).is_file() and _holds(path, plan):
            return path
    return None


def _holds(path: Path, plan: _Plan) -> bool:
    for member, (_, body) in plan.documents.items():
        file = path / member
        if not file.is_file() or file.stat().st_size != len(body) or file.read_bytes() != body:
            return False
    wanted = plan.documents.keys() | {one.member for one in plan.samples} | {MANIFEST}
    found = {file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()}
    return wanted == found and all((path / one.member).stat().st_size == one.size for one in plan.samples)


def _make(files: ProductFiles, plan: _Plan, folder: Path, note: Note) -> Path:
    part = folder / f".{plan.label}.{plan.digest}.part"
    with _locked(part):
        ready = _ready(plan, folder)
        if ready:
            shutil.rmtree(part)
            return ready
        for member, (_, body) in plan.documents.items():
            _write(part / member, body)
        _copy_samples(files, plan, part, note)
        manifest = _manifest(files, plan, part)
        _write(part / MANIFEST, manifest)
        path = folder / f"{plan.label}_{binascii.crc_hqx(manifest, 0xFFFF):04X}.SAFE"
        _make_way(path, manifest)
        part.rename(path)
        return path


def _make_way(path: Path, manifest: bytes) -> None:
    """Remove what is left of the same product; another one of the same name stays."""
    if path.exists():
        if not (path / MANIFEST).is_file() or (path / MANIFEST).read_bytes() != manifest:
            raise ConfigurationError("bursts", "folder", "holds another product of this name; take another", str(path))
        shutil.rmtree(path)


@contextmanager
def _locked(part: Path) -> Iterator[None]:
    """The folder in which a product grows, for this process alone; others wait until it is done or has given up."""
    while True:
        try:
            part.mkdir(exist_ok=True)
            descriptor = os.open(part, os.O_RDONLY)
        except (FileExistsError, FileNotFoundError):  # another has just completed it: it has another name now
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is(part, descriptor):
                yield
                return
        finally:
            os.close(descriptor)


def _is(part: Path, descriptor: int) -> bool:
    """Whether a path still names what is open."""
    try:
        return os.path.samestat(part.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _copy_samples(files: ProductFiles, plan: _Plan, part: Path, note: Note) -> None:
    total = sum(len(one.cut.bursts) * one.burst_bytes for one in plan.samples)
    done = 0
    for one in plan.samples:
        path = part / one.member
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            there = max(file.tell() - len(one.head), 0) // one.burst_bytes
            file.truncate(len(one.head) + there * one.burst_bytes if there else 0)
            if not there:
                file.write(one.head)
            done += there * one.burst_bytes
            for index in one.cut.bursts[there:]:
                file.write(_burst(files, one, index))
                file.flush()
                done += one.burst_bytes
                note(done, total)
            os.fsync(file.fileno())


def _burst(files: ProductFiles, one: _Samples, index: int) -> bytes:
    """Samples of a burst, little-endian."""
    start = one.strips.first + index * one.burst_bytes
    body = read_extent(lambda: files.extent(one.source, start, one.burst_bytes), one.burst_bytes)
    if len(body) != one.burst_bytes:
        reason = f"ends inside burst {index + 1}: {len(body)} of {one.burst_bytes} bytes"
        raise BadProduct(files.product, one.source, reason)
    return np.frombuffer(body, ">i2").astype("<i2").tobytes() if one.strips.big_endian else body


def _manifest(files: ProductFiles, plan: _Plan, part: Path) -> bytes:
    sources = {member: source for member, (source, _) in plan.documents.items() if not member.startswith("support/")}
    sources |= {one.member: one.source for one in plan.samples}
    listed = [Listed(m, source, (part / m).stat().st_size, _md5(part / m)) for m, source in sorted(sources.items())]
    return subset.cut_manifest(files.read(MANIFEST), plan.cuts, listed, plan.grids, MANIFEST)


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, functools.partial(hashlib.md5, usedforsecurity=False)).hexdigest()


def _write(path: Path, body: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
