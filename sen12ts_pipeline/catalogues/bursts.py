"""Entries of burst catalogues."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sen12ts_pipeline.domain.bursts import BurstId


@dataclass(frozen=True, slots=True, order=True)
class BurstRecord:
    """One burst of one polarisation as a catalogue tells it.

    Attributes
    ----------
    start : datetime
        UTC start of the burst as the catalogue gives it; about a second after the annotation's azimuth time.
    burst : BurstId
        Identity.
    polarisation : str
        ``VV``, ``VH``, ``HH`` or ``HV``.
    product : str
        The slice that holds it, without ``.SAFE``.
    pass_id : str
        Identity of the pass of that slice, as ``Pass.id``.
    relative_orbit : int
        As the catalogue gives it.
    offset, length : int or None
        First byte and number of bytes in the measurement file; None if the catalogue does not say.
    index : int or None
        Place among the bursts of its subswath in the slice, from 0; None if the catalogue does not say.
    ipf : tuple of int
        Processor version (major, minor); (0, 0) if unknown.
    footprint : str
        Outline as WKT, (longitude, latitude) in degrees.
    """

    start: datetime
    burst: BurstId
    polarisation: str
    product: str
    pass_id: str
    relative_orbit: int
    offset: int | None
    length: int | None
    index: int | None
    ipf: tuple[int, int]
    footprint: str
