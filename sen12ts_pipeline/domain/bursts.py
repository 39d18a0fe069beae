"""Burst identities: ESA's number, the subswath, and the track that follows from the number.

Sources: Sentinel-1 Level-1 Detailed Algorithm Definition (S1-TN-MDA-52-7445), equations 9-89 and 9-91, with the
constants of isce-framework/s1-reader, s1_burst_id.py.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import NewType

Track = NewType("Track", int)

TRACKS = 175
ORBIT_PERIOD_S = 12 * 86400.0 / TRACKS
BURST_PERIOD_S = 2.758273
PREAMBLE_S = 2.299849
BURSTS_PER_CYCLE = 375887
MID_IW2_OFFSET_S = {"IW1": 1.371, "IW2": 0.539, "IW3": -0.539}
"""From a burst's raw-data start to the middle of the IW2 burst of its cycle, measured on 624 bursts with ESA's ids."""

_TEXT = re.compile(r"(\d{6})_(iw[123])", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class BurstId:
    """Burst that repeats every 12 days: ESA's relative number (1 to 375,887) and the subswath (``IW1`` to ``IW3``)."""

    number: int
    subswath: str

    def __post_init__(self) -> None:
        if not 1 <= self.number <= BURSTS_PER_CYCLE or self.subswath not in MID_IW2_OFFSET_S:
            raise ValueError(f"no burst has number {self.number} and subswath {self.subswath!r}")

    def __str__(self) -> str:
        return f"{self.number:06d}_{self.subswath.lower()}"

    @classmethod
    def parse(cls, text: str) -> BurstId:
        """Read the text form, for example ``151199_iw1``."""
        match = _TEXT.fullmatch(text)
        if not match:
            raise ValueError(f"a burst is written NNNNNN_iwN; got {text!r}")
        return cls(int(match[1]), match[2].upper())

    @property
    def before(self) -> BurstId:
        """The burst of the same subswath before this one."""
        return BurstId((self.number - 2) % BURSTS_PER_CYCLE + 1, self.subswath)

    @property
    def after(self) -> BurstId:
        """The burst of the same subswath after this one."""
        return BurstId(self.number % BURSTS_PER_CYCLE + 1, self.subswath)

    @property
    def track(self) -> Track:
        """Relative orbit of the burst's middle, from its number alone."""
        middle_s = (self.number - 0.5) * BURST_PERIOD_S + PREAMBLE_S
        return Track(int(middle_s // ORBIT_PERIOD_S) % TRACKS + 1)


def burst_number(*, anx_s: float, raw_delay_s: float, subswath: str, track: int, after_node: bool) -> int:
    """ESA's burst number from annotated times.

    Parameters
    ----------
    anx_s : float
        ``azimuthAnxTime`` of the burst, seconds.
    raw_delay_s : float
        ``sensingTime - azimuthTime``, seconds.
    subswath : str
        ``IW1`` to ``IW3``.
    track : int
        Relative orbit of the slice's start.
    after_node : bool
        True in a slice that starts after the equator and still counts from the previous node
        (``azimuthAnxTime`` beyond the orbit period already in its first burst).

    Returns
    -------
    int
        1 to 375,887. Equation 9-89: ``1 + floor((t + (track - 1) T_orb - T_pre) / T_beam)``, t at the middle of IW2.
    """
    middle_s = anx_s + raw_delay_s + MID_IW2_OFFSET_S[subswath]
    if after_node:
        middle_s -= ORBIT_PERIOD_S
    number = 1 + math.floor((middle_s + (track - 1) * ORBIT_PERIOD_S - PREAMBLE_S) / BURST_PERIOD_S)
    return (number - 1) % BURSTS_PER_CYCLE + 1
