"""What the names of products tell."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

_SLC = re.compile(
    r"(S1[A-D])_IW_SLC__1S(SV|SH|DV|DH)_(\d{8}T\d{6})_(\d{8}T\d{6})_(\d{6})_([0-9A-F]{6})_([0-9A-F]{4})(?:\.SAFE)?",
    re.ASCII,
)
_L2A = re.compile(
    r"(S2[A-D])_MSIL2A_(\d{8}T\d{6})_N(\d{2})(\d{2})_R(\d{3})_T(\d{2}[C-HJ-NP-X][A-HJ-NP-Z][A-HJ-NP-V])"
    r"_(\d{8}T\d{6})(?:\.SAFE)?",
    re.ASCII,
)
_POLARISATIONS = {"SV": ("VV",), "SH": ("HH",), "DV": ("VH", "VV"), "DH": ("HH", "HV")}


@dataclass(frozen=True, slots=True)
class SliceName:
    """Fields of the name of an IW SLC product.

    Attributes
    ----------
    product : str
        Name without ``.SAFE``.
    platform : str
        ``S1A`` to ``S1D``.
    polarisations : tuple of str
        Sorted.
    start, stop : datetime
        UTC, whole seconds.
    orbit : int
        Absolute orbit.
    datatake : int
        Mission datatake number.
    """

    product: str
    platform: str
    polarisations: tuple[str, ...]
    start: datetime
    stop: datetime
    orbit: int
    datatake: int

    @property
    def pass_id(self) -> str:
        """Identity of the pass that the slice belongs to, as ``Pass.id``."""
        return f"{self.platform}_{self.datatake:06X}"

    @classmethod
    def find(cls, text: str) -> SliceName | None:
        """Read a product's name, with or without ``.SAFE``; None if it is none of an IW SLC."""
        match = _SLC.fullmatch(text)
        start, stop = (moment(match[3]), moment(match[4])) if match else (None, None)
        if not match or not start or not stop:
            return None
        product, shape = text.removesuffix(".SAFE"), _POLARISATIONS[match[2]]
        return cls(product, match[1], shape, start, stop, int(match[5]), int(match[6], 16))


@dataclass(frozen=True, slots=True)
class GranuleName:
    """Fields of the name of an L2A product, as in `domain.granules.Granule`."""

    product: str
    mission: str
    datatake_start: datetime
    baseline: tuple[int, int]
    relative_orbit: int
    mgrs: str
    discriminator: str

    @classmethod
    def find(cls, text: str) -> GranuleName | None:
        """Read a product's name, with or without ``.SAFE``; None if it is none of an L2A product."""
        match = _L2A.fullmatch(text)
        start = moment(match[2]) if match else None
        if not match or not start:
            return None
        baseline = int(match[3]), int(match[4])
        return cls(text.removesuffix(".SAFE"), match[1], start, baseline, int(match[5]), match[6], match[7])


def moment(text: str) -> datetime | None:
    """UTC time of a name's ``20200511T135117``; None if it is none."""
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
