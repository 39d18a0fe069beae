"""What is measured of every triplet, and between which values it should lie; what lies outside wants a look."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sen12ts_pipeline.domain.layers import FRAME_LAYERS, S1_LAYERS, S1_MASK, S2_BANDS

BINS = 24
"""Bins of a distribution, over the range in which it is shown; what lies outside is counted in the outermost."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A number of a triplet.

    Attributes
    ----------
    name : str
        As the ledger has it; the mean of a layer has the layer's name.
    unit : str
        Of the number.
    least, most : float
        Between which it should lie, both included.
    low, high : float
        Range in which its distribution is shown.
    about : str
        What it says, for people; empty for the mean of a layer.
    """

    name: str
    unit: str
    least: float
    most: float
    low: float
    high: float
    about: str = ""

    def bin(self, value: float) -> int:
        """Number of the bin that counts a value."""
        place = (value - self.low) / (self.high - self.low) * BINS
        return min(max(math.floor(place), 0), BINS - 1)

    def admits(self, value: float) -> bool:
        """Whether a value is one that may be expected."""
        return self.least <= value <= self.most


_FRAME = {
    "vh": ("dB", -34.0, 2.0, -40.0, 8.0),
    "vv": ("dB", -28.0, 8.0, -40.0, 8.0),
    "coherence": ("1", 0.0, 1.0, 0.0, 1.0),
    "phase": ("rad", -math.pi, math.pi, -math.pi, math.pi),
}
_GEOMETRY = {
    "local_incidence_angle": ("degree", 15.0, 65.0, 0.0, 90.0),
    "slope": ("degree", 0.0, 50.0, 0.0, 60.0),
}
_BAND = ("reflectance x 10,000", 1.0, 7000.0, 0.0, 10_000.0)

CHECKS = (
    Measure("outside", "share of pixels", 0.0, 0.0, 0.0, 1.0, "values outside the range that the layer may have"),
    Measure(
        "clipped_low",
        "share of pixels",
        0.0,
        0.5,
        0.0,
        1.0,
        "backscatter at -40 dB, of the worst layer; where nothing is reflected half the pixels lie below their noise",
    ),
    Measure("clipped_high", "share of pixels", 0.0, 0.001, 0.0, 0.01, "backscatter at 30 dB, of the worst layer"),
    Measure("clipped_s2", "share of pixels", 0.0, 0.05, 0.0, 0.2, "reflectance at 0 or 10,000, of the worst band"),
    Measure(
        "coherence_excess",
        "1",
        -0.03,
        1.0,
        -0.2,
        1.0,
        "mean coherence above the floor that the estimate has where there is none, of the worst date",
    ),
    Measure("alignment", "m", 0.0, 15.0, 0.0, 60.0, "distance of the radar's edges from the optical ones"),
    Measure("seam_jump", "rad", 0.0, 0.35, 0.0, 1.2, "jump of the phase where one burst ends and the next begins"),
)
LAYERS = (
    *(Measure(name, *_FRAME[FRAME_LAYERS[k % 4]]) for k, name in enumerate(S1_LAYERS[:16])),
    *(Measure(name, *_GEOMETRY[name]) for name in S1_LAYERS[16:S1_MASK]),
    *(Measure(band, *_BAND) for band in S2_BANDS),
)
MEASURES: Mapping[str, Measure] = {one.name: one for one in (*CHECKS, *LAYERS)}


def outliers(numbers: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """Name and value of each number that was not to be expected."""
    for name, value in sorted(numbers.items()):
        if name in MEASURES and not MEASURES[name].admits(value):
            yield name, value
