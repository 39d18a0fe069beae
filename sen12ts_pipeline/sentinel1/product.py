"""One slice opened for the engine: its annotation, calibration, noise and measurement files."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from sen12ts_pipeline.domain.passes import Slice
from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.ports import ProductFiles
from sen12ts_pipeline.sentinel1.annotation import Swath, read_swath
from sen12ts_pipeline.sentinel1.calibration import Calibration, Noise, read_calibration, read_noise

_Parsed = TypeVar("_Parsed")

_MEASUREMENT = re.compile(r"^measurement/s1[a-d]-iw[123]-slc-(v[vh])-[^/]*\.tiff$")
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
    _annotations: dict[tuple[str, str], str] = field(init=False, repr=False, default_factory=dict)
    _parsed: dict[str, Any] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        for match in filter(None, map(_ANNOTATION.match, self.files.members())):
            self._annotations.setdefault((match[1].upper(), match[2].upper()), match[0])

    def check(self) -> None:
        """Refuse a product that lacks the annotation of a measurement, or a polarisation that it says it has.

        Raises
        ------
        BadProduct
            Naming what is missing. Without this a pass would look as if it had not imaged the subswath.
        """
        members = set(self.files.members())
        for measurement in sorted(m for m in members if _MEASUREMENT.match(m)):
            name = measurement.replace("measurement/", "annotation/").removesuffix(".tiff") + ".xml"
            if name not in members:
                raise BadProduct(self.files.product, name, f"must be there to read {measurement}; it is missing")
        named = [p for p in ("VH", "VV") if p in self.slice.polarisations]
        found = {p: self.subswaths(p) for p in named}
        if len(set(found.values())) > 1:
            rule = f"must annotate the same subswaths in each polarisation; got {found}"
            raise BadProduct(self.files.product, "annotation", rule)

    def subswaths(self, polarisation: str) -> tuple[str, ...]:
        """Names of the annotated subswaths, ``IW1`` to ``IW3``."""
        return tuple(sorted(subswath for subswath, found in self._annotations if found == polarisation))

    def swath(self, subswath: str, polarisation: str) -> Swath:
        """Annotation of a subswath and polarisation; BadProduct if there is none."""

        def read(body: bytes, member: str) -> Swath:
            track = self.slice.relative_orbit
            return read_swath(body, product=self.files.product, member=member, track=track, epoch=self.epoch)

        return self._once(self._member(subswath, polarisation), read)

    def calibration(self, subswath: str, polarisation: str) -> Calibration:
        """Calibration vectors."""

        def read(body: bytes, member: str) -> Calibration:
            return read_calibration(body, product=self.files.product, member=member, epoch=self.epoch)

        return self._once(self._beside("calibration", subswath, polarisation), read)

    def noise(self, subswath: str, polarisation: str) -> Noise:
        """Thermal noise."""

        def read(body: bytes, member: str) -> Noise:
            return read_noise(body, product=self.files.product, member=member, epoch=self.epoch)

        return self._once(self._beside("noise", subswath, polarisation), read)

    def measurement(self, subswath: str, polarisation: str) -> str:
        """Name of the measurement TIFF that belongs to the annotation by its full name; whether it is there is open."""
        member = self._member(subswath, polarisation)
        return member.replace("annotation/", "measurement/").removesuffix(".xml") + ".tiff"

    def _member(self, subswath: str, polarisation: str) -> str:
        found = self._annotations.get((subswath, polarisation))
        if found is None:
            name = f"annotation/*-{subswath.lower()}-slc-{polarisation.lower()}-*.xml"
            raise BadProduct(self.files.product, name, "the product has no such annotation")
        return found

    def _beside(self, kind: str, subswath: str, polarisation: str) -> str:
        name = self._member(subswath, polarisation).removeprefix("annotation/")
        return f"annotation/calibration/{kind}-{name}"

    def _once(self, member: str, read: Callable[[bytes, str], _Parsed]) -> _Parsed:
        if member not in self._parsed:
            self._parsed[member] = read(self.files.read(member), member)
        parsed: _Parsed = self._parsed[member]
        return parsed
