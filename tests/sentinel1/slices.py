"""Every real IW SLC annotation at hand, with its calibration and noise: 108 annotations of 41 slices, 2014 to 2025."""

import functools
import lzma
import re
import tarfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sen12ts_pipeline.sentinel1.annotation import pass_epoch, read_geolocation_grid, read_swath
from sen12ts_pipeline.sentinel1.calibration import read_calibration, read_noise

ARCHIVE = Path(__file__).parents[1] / "data/sentinel1/slices.tar.xz"

_FIRST_TRACK = {"S1A": 73, "S1B": 27}
"""Absolute orbit before the first one of track 1."""


@functools.cache
def files():
    """Bytes of every file, by its path in the archive."""
    with lzma.open(ARCHIVE) as unpacked, tarfile.open(fileobj=unpacked, mode="r|") as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}


@dataclass(frozen=True)
class Annotation:
    """One annotation file and what lies beside it.

    Attributes
    ----------
    name : str
        Path in the archive.
    """

    name: str

    @property
    def body(self):
        return files()[self.name]

    @property
    def slice(self):
        """Last four characters of the product's name, or the start where the source gave none."""
        found = re.search(r"_([0-9A-F]{4})(?:\.SAFE|[-_][^/]*\.xml$)", self.name)
        return found[1] if found else re.search(r"-(\d{8})t", self.name)[1]

    @property
    def subswath(self):
        return re.search(rb"<swath>(\w+)", self.body)[1].decode()

    @property
    def polarisation(self):
        return re.search(rb"<polarisation>(\w+)", self.body)[1].decode()

    @property
    def epoch(self):
        text = re.search(rb"<startTime>(.{19})", self.body)[1].decode()
        return pass_epoch(datetime.fromisoformat(text).replace(tzinfo=UTC))

    @property
    def track(self):
        """Relative orbit, from the absolute one."""
        orbit = int(re.search(rb"<absoluteOrbitNumber>(\d+)", self.body)[1])
        return (orbit - _FIRST_TRACK[re.search(rb"<missionId>(\w+)", self.body)[1].decode()]) % 175 + 1

    @property
    def orbit_source(self):
        return re.search(rb"<orbitSource>(\w+)", self.body)[1].decode()

    @functools.cached_property
    def swath(self):
        return self.read(self.body)

    def read(self, body):
        """The annotation, or a changed one in its place."""
        return read_swath(body, product=self.slice, member=self.name, track=self.track, epoch=self.epoch)

    @functools.cached_property
    def grid(self):
        return read_geolocation_grid(self.body, product=self.slice, member=self.name, epoch=self.epoch)

    @functools.cached_property
    def calibration(self):
        return self._beside("calibration", read_calibration)

    @functools.cached_property
    def noise(self):
        return self._beside("noise", read_noise)

    def _beside(self, kind, read):
        """What is read from the file of a kind; None if the archive has none."""
        name = self.name.replace("annotation/", f"annotation/calibration/{kind}-")
        if name not in files() or name == self.name:
            return None
        return read(files()[name], product=self.slice, member=name, epoch=self.epoch)


@functools.cache
def annotations():
    """All of them, in order of their names."""
    names = (n for n in files() if n.endswith(".xml") and "/calibration/" not in n)
    return tuple(Annotation(name) for name in sorted(names))


def annotation(slice_, subswath, polarisation="VV"):
    """The annotation of a subswath."""
    return next(a for a in annotations() if (a.slice, a.subswath, a.polarisation) == (slice_, subswath, polarisation))


def manifests():
    """Bytes of every manifest, by product."""
    return {n.split(".SAFE")[0]: body for n, body in files().items() if n.endswith("manifest.safe")}
