"""Orbit files of the Copernicus POD service (EOF): precise (POEORB) and restituted (RESORB) state vectors.

Earth-fixed vectors every 10 s, in metres and metres per second. Neither the ``count`` attribute of their list nor the
validity in name and header tells which vectors a file holds: only the vectors do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.sentinel1 import plausible
from sen12ts_pipeline.sentinel1.elements import Elements, parse_time
from sen12ts_pipeline.sentinel1.orbit import NODES, Orbit
from sen12ts_pipeline.xml import parse

if TYPE_CHECKING:
    from lxml.etree import _Element

Float64 = npt.NDArray[np.float64]

MARGIN_S = 60.0
"""By how much a slice must lie inside the validity of its orbit file."""

FEWEST_NODES = NODES // 2
"""State vectors needed on either side of an interval, so that interpolation is central in all of it."""

_NAME = re.compile(
    r"(?P<name>(?P<platform>S1[A-D])_OPER_AUX_(?P<kind>POEORB|RESORB)_OPOD_(?P<made>\d{8}T\d{6})"
    r"_V(?P<first>\d{8}T\d{6})_(?P<last>\d{8}T\d{6}))(?:\.EOF(?:\.zip)?)?",
    re.ASCII | re.IGNORECASE,
)
_HEADER, _LIST = "Earth_Explorer_Header/", "Data_Block/List_of_OSVs"


@dataclass(frozen=True, slots=True, order=True)
class OrbitFile:
    """What the name of an orbit file says.

    Attributes
    ----------
    name : str
        Without ``.EOF`` and ``.zip``.
    platform : str
        ``S1A`` to ``S1D``.
    kind : str
        ``POEORB`` or ``RESORB``.
    made : datetime
        UTC time of its creation.
    valid_from, valid_to : datetime
        UTC limits of the state vectors, as announced.
    """

    name: str
    platform: str
    kind: str
    made: datetime
    valid_from: datetime
    valid_to: datetime

    @classmethod
    def parse(cls, name: str) -> OrbitFile:
        """Read a file's name, with or without ``.EOF`` or ``.EOF.zip``; ValueError if it is none of an orbit file."""
        match = _NAME.fullmatch(name)
        if not match:
            raise ValueError(f"an orbit file is named S1?_OPER_AUX_(POE|RES)ORB_OPOD_<made>_V<from>_<to>; got {name!r}")
        made, first, last = (
            datetime.strptime(match[field], "%Y%m%dT%H%M%S").replace(tzinfo=UTC) for field in ("made", "first", "last")
        )
        return cls(match["name"], match["platform"].upper(), match["kind"].upper(), made, first, last)

    def room_s(self, start: datetime, stop: datetime) -> float:
        """Seconds between an interval and the nearer limit of the validity; negative where it reaches beyond."""
        return min((start - self.valid_from).total_seconds(), (self.valid_to - stop).total_seconds())


def choose(files: Iterable[OrbitFile], platform: str, start: datetime, stop: datetime) -> OrbitFile | None:
    """Orbit file for a slice.

    Only files of the platform that hold the slice with `MARGIN_S` on either side come into question. Precise orbits go
    before restituted ones, then the file whose limits are farther from the slice, then the one made last.
    """
    fitting = [f for f in files if f.platform == platform and f.room_s(start, stop) >= MARGIN_S]
    return max(fitting, key=lambda f: (f.kind == "POEORB", f.room_s(start, stop), f.made, f.name), default=None)


def read_orbit_file(body: bytes, *, name: str, epoch: datetime, during: tuple[float, float]) -> Orbit:
    """Read the state vectors of an orbit file around an interval.

    Parameters
    ----------
    body : bytes
        Content of the EOF file.
    name : str
        Name for error messages.
    epoch : datetime
        Zero of all times (`pass_epoch`).
    during : tuple of float
        Start and stop of the interval, seconds from the epoch.

    Returns
    -------
    Orbit
        The vectors of the interval and eight on either side, as far as the file has them.

    Raises
    ------
    BadProduct
        When the file is malformed, is neither precise nor restituted or not Earth-fixed; when it has fewer than four
        vectors before or after the interval, or a gap among those that are needed, or they make no smooth orbit.
    """
    r = Elements(parse(body, product=name, member=""), name, "", epoch)
    kind = r.one_of(_HEADER + "Fixed_Header/File_Type", "AUX_POEORB", "AUX_RESORB").removeprefix("AUX_")
    r.one_of(_HEADER + "Variable_Header/Ref_Frame", "EARTH_FIXED")
    vectors = r.root.findall(f"{_LIST}/OSV")
    times = np.array([_seconds(r, v) for v in vectors])
    order = np.argsort(times, kind="stable")
    kept = order[_around(r, times[order], *during)]
    position, velocity = (
        np.array([[r.number(axis, vectors[i]) for axis in axes] for i in kept])
        for axes in (("X", "Y", "Z"), ("VX", "VY", "VZ"))
    )
    orbit = Orbit(times[kept], position, velocity, kind)
    fault = plausible.orbit_fault(orbit)
    if fault:
        raise r.bad(_LIST, fault)
    return orbit


def _seconds(r: Elements, vector: _Element) -> float:
    """Seconds from the epoch of ``UTC=2022-10-24T18:38:58.261101``; the same vector's TAI and UT1 are others."""
    text = r.text("UTC", vector)
    try:
        return (parse_time(text.removeprefix("UTC=")) - r.epoch).total_seconds()
    except ValueError:
        raise r.bad(f"{_LIST}/OSV/UTC", f"needs a UTC time, got {text!r}") from None


def _around(r: Elements, times: Float64, start: float, stop: float) -> slice:
    """The ascending times of an interval and of the eight nodes before and after it."""
    first, end = int(np.searchsorted(times, start, "right")), int(np.searchsorted(times, stop, "left"))
    before, after = first, len(times) - end
    if min(before, after) < FEWEST_NODES:
        span = f" from {times[0]:.1f} to {times[-1]:.1f} s of the day" if len(times) else ""
        raise r.bad(
            _LIST,
            f"needs {FEWEST_NODES} state vectors before and after {start:.1f} to {stop:.1f} s of the day, "
            f"found {before} and {after}: {len(times)} in all{span}",
        )
    kept = slice(max(first - NODES, 0), end + NODES)
    steps = np.diff(times[kept])
    if steps.max() > 1.5 * np.median(steps):
        raise r.bad(_LIST, f"needs state vectors at even steps, found a gap of {steps.max():g} s")
    return kept
