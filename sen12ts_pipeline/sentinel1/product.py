"""One slice opened for the engine: its annotation, calibration, noise and measurement files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from sen12ts_pipeline.domain.passes import Slice
from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.ports import ProductFiles
from sen12ts_pipeline.sentinel1.annotation import Swath, read_swath
from sen12ts_pipeline.sentinel1.calibration import Calibration, Noise, read_calibration, read_noise

_ANNOTATION = re.compile(r"^annotation/s1[a-d]-(iw[123])-slc-(v[vh]|h[vh])-[^/]*\.xml$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, eq=False)
class SliceFiles:
    """Reads the parts of a slice; what was parsed once is kept.

    Attributes
    ----------
    slice : Slice
        What the manifest says.
    files : ProductFiles
        The product's files.
    epoch : datetime
        Zero of all times of the pass.
    """

    slice: Slice
    files: ProductFiles
    epoch: datetime

    def subswaths(self, polarisation: str) -> tuple[str, ...]:
        """Names of the annotated subswaths, ``IW1`` to ``IW3``."""
        found = [m for m in map(_ANNOTATION.match, self.files.members()) if m]
        return tuple(sorted({m[1].upper() for m in found if m[2].upper() == polarisation}))

    def swath(self, subswath: str, polarisation: str) -> Swath:
        """Annotation of a subswath and polarisation; BadProduct if there is none."""
        member = self._member(subswath, polarisation)
        return _read_swath(self.files, member, self.slice.relative_orbit, self.epoch)

    def calibration(self, subswath: str, polarisation: str) -> Calibration:
        """Calibration vectors."""
        member = self._beside("calibration", subswath, polarisation)
        return _read_calibration(self.files, member, self.epoch)

    def noise(self, subswath: str, polarisation: str) -> Noise:
        """Thermal noise."""
        return _read_noise(self.files, self._beside("noise", subswath, polarisation), self.epoch)

    def measurement(self, subswath: str, polarisation: str) -> str:
        """GDAL path of the measurement TIFF that belongs to the annotation by its full name."""
        member = self._member(subswath, polarisation)
        return self.files.gdal_path(member.replace("annotation/", "measurement/").removesuffix(".xml") + ".tiff")

    def _member(self, subswath: str, polarisation: str) -> str:
        for member in self.files.members():
            match = _ANNOTATION.match(member)
            if match and (match[1].upper(), match[2].upper()) == (subswath, polarisation):
                return member
        name = f"annotation/*-{subswath.lower()}-slc-{polarisation.lower()}-*.xml"
        raise BadProduct(self.files.product, name, "the product has no such annotation")

    def _beside(self, kind: str, subswath: str, polarisation: str) -> str:
        name = self._member(subswath, polarisation).removeprefix("annotation/")
        return f"annotation/calibration/{kind}-{name}"


@lru_cache(maxsize=512)
def _read_swath(files: ProductFiles, member: str, track: int, epoch: datetime) -> Swath:
    return read_swath(files.read(member), product=files.product, member=member, track=track, epoch=epoch)


@lru_cache(maxsize=512)
def _read_calibration(files: ProductFiles, member: str, epoch: datetime) -> Calibration:
    return read_calibration(files.read(member), product=files.product, member=member, epoch=epoch)


@lru_cache(maxsize=512)
def _read_noise(files: ProductFiles, member: str, epoch: datetime) -> Noise:
    return read_noise(files.read(member), product=files.product, member=member, epoch=epoch)
