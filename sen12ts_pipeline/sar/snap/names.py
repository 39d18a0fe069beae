"""Names of bands, all made here: gpt drops what a wrong name stands for, often without a word."""

from __future__ import annotations

from datetime import datetime

from sen12ts_pipeline.sar.snap.operators import Release

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def day_of(first_line: datetime) -> str:
    """Date of a split product's first line as bands of stacks carry it, for example ``04Jan2020``."""
    return f"{first_line.day:02d}{_MONTHS[first_line.month - 1]}{first_line.year:04d}"


def power(quantity: str, subswath: str, polarisation: str) -> str:
    """Band of ``Beta0``, ``Gamma0`` or ``Sigma0``; `subswath` is empty once subswaths are merged."""
    return _joined(quantity, subswath, polarisation)


def interferogram(subswath: str, days: tuple[str, str]) -> tuple[str, str]:
    """Real and imaginary band of the VV interferogram of two days, the earlier one first."""
    real, imaginary = (_joined(f"{part}_ifg", subswath, "VV", *days) for part in "iq")
    return real, imaginary


def stacked(subswath: str, days: tuple[str, str], release: Release) -> tuple[str, str, str, str]:
    """Real and imaginary band of the earlier, then of the later date of a VV stack."""
    earlier, later = _roles(days, release)
    i1, q1, i2, q2 = (_joined(part, subswath, "VV", *role) for role in (earlier, later) for part in "iq")
    return i1, q1, i2, q2


def intensities(subswath: str, days: tuple[str, str], release: Release) -> tuple[str, str]:
    """Power band of the earlier and of the later date of a VV stack."""
    first, second = (_joined("Intensity", subswath, "VV", *role) for role in _roles(days, release))
    return first, second


def _roles(days: tuple[str, str], release: Release) -> tuple[tuple[str, str], tuple[str, str]]:
    return (release.reference, days[0]), (f"{release.secondary}1", days[1])


def _joined(*tokens: str) -> str:
    return "_".join(token for token in tokens if token)
