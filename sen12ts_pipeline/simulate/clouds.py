"""Skies over a simulated ground: clouds with soft edges, and their shadows where the sun throws them.

Clouds are fractal noise above a threshold, at one height. A shadow lies away from the sun, at the height times the
tangent of the sun's zenith angle.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.errors import ConfigurationError

Int16 = npt.NDArray[np.int16]
UInt8 = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]

CLOUD_REFLECTANCE = {
    "B01": 6300, "B02": 6200, "B03": 6200, "B04": 6300, "B05": 6400, "B06": 6500, "B07": 6500, "B08": 6600, "B8A": 6600,
    "B09": 4200, "B11": 4800, "B12": 3600,
}  # fmt: skip
"""Reflectance x 10,000 of a cloud that lets nothing through."""
SKYLIGHT = {
    "B01": 0.45, "B02": 0.40, "B03": 0.33, "B04": 0.28, "B05": 0.26, "B06": 0.24, "B07": 0.23, "B08": 0.22, "B8A": 0.21,
    "B09": 0.20, "B11": 0.14, "B12": 0.12,
}  # fmt: skip
"""Share of its brightness that ground keeps in full shadow: the sky lights it, most in blue."""

SEEN = 0.1
"""Opacity from which on a pixel counts as cloud, and darkness from which on as shadow."""
_SOFTNESS = 0.35


@dataclass(frozen=True, slots=True)
class Weather:
    """What a sky is like.

    Attributes
    ----------
    cover : float
        Share of the ground under cloud, 0 to 1.
    cell_m : float
        Size of the largest clouds, metres.
    height_m : float
        Height above ground.
    sun_zenith_deg, sun_azimuth_deg : float
        Where the sun stands; azimuth from north over east.
    """

    cover: float = 0.06
    cell_m: float = 2500.0
    height_m: float = 1500.0
    sun_zenith_deg: float = 40.0
    sun_azimuth_deg: float = 150.0

    def __post_init__(self) -> None:
        if not (0 < self.cover < 1 and 0 <= self.sun_zenith_deg < 80):
            rule = "cover must lie between 0 and 1, the sun at least 10 degrees above the horizon"
            raise ConfigurationError("weather", "cover, sun_zenith_deg", rule, (self.cover, self.sun_zenith_deg))

    @property
    def shadow_m(self) -> tuple[float, float]:
        """How far east and north of its cloud a shadow lies."""
        distance, azimuth = self.height_m * math.tan(math.radians(self.sun_zenith_deg)), self.sun_azimuth_deg
        return -distance * math.sin(math.radians(azimuth)), -distance * math.cos(math.radians(azimuth))


@dataclass(frozen=True, slots=True, eq=False)
class Sky:
    """A sky over a square of ground.

    Attributes
    ----------
    opacity, darkness : float32 (rows, cols)
        Of clouds, 0 to 1, and of their shadows.
    """

    opacity: Float32
    darkness: Float32

    @classmethod
    def of(cls, weather: Weather, pixels: int, resolution_m: float, seed: int) -> Sky:
        """Draw a sky over ``pixels`` x ``pixels``; shadows of clouds beyond the edges fall into it too."""
        east, north = (round(shift / resolution_m) for shift in weather.shadow_m)
        margin = max(abs(east), abs(north))
        noise = _fractal(pixels + 2 * margin, weather.cell_m / resolution_m, np.random.default_rng([seed, 91]))
        inner = noise[margin : margin + pixels, margin : margin + pixels]
        threshold = float(np.quantile(inner, 1 - weather.cover))
        opacity = np.clip(SEEN + (noise - threshold) / (_SOFTNESS * float(noise.std())), 0, 1).astype(np.float32)
        top, left = margin + north, margin - east
        return cls(
            opacity[margin : margin + pixels, margin : margin + pixels],
            opacity[top : top + pixels, left : left + pixels],
        )

    @property
    def cloud(self) -> Bool:
        """Pixels under cloud."""
        return np.asarray(self.opacity >= SEEN)

    @property
    def shadow(self) -> Bool:
        """Pixels in shadow and not under cloud."""
        return np.asarray((self.darkness >= SEEN) & ~self.cloud)

    def over(self, ground: Mapping[str, Int16]) -> dict[str, Int16]:
        """Reflectance x 10,000 of ground as it is seen through the sky, int16 (rows, cols) by band."""
        seen = {}
        for band, clear in ground.items():
            lit = clear * (1 - (1 - SKYLIGHT[band]) * self.darkness)
            mixed = lit * (1 - self.opacity) + CLOUD_REFLECTANCE[band] * self.opacity
            seen[band] = np.clip(np.rint(mixed), 0, 10_000).astype(np.int16)
        return seen

    def classified(self, ground: UInt8, *, cloud_from: float, shadow_from: float) -> UInt8:
        """Scene classification of a processor that sees clouds and shadows only from an opacity and a darkness on.

        Parameters
        ----------
        ground : uint8 (rows, cols)
            Scene classes of the ground.
        cloud_from : float
            Cloud medium from here on, cloud high where hardly any ground shows.
        shadow_from : float
            Cloud shadow from here on.
        """
        classes = np.where(self.darkness >= shadow_from, np.uint8(3), ground)
        classes = np.where(self.opacity >= cloud_from, np.uint8(8), classes)
        return np.where(self.opacity >= max(cloud_from, 0.7), np.uint8(9), classes)


def _fractal(pixels: int, cell: float, rng: np.random.Generator) -> Float32:
    """Sum of octaves of noise, each of half the size and 0.55 of the height of the one before."""
    total = np.zeros((pixels, pixels), np.float32)
    height = 1.0
    while cell >= 2:
        knots = int(pixels / cell) + 3
        place = np.arange(pixels) / cell
        weights = _between(place, knots)
        total += height * (weights @ rng.standard_normal((knots, knots)) @ weights.T).astype(np.float32)
        cell, height = cell / 2, height * 0.55
    return total


def _between(place: npt.NDArray[np.float64], knots: int) -> npt.NDArray[np.float64]:
    """Weights of the two knots around each place, with a smooth step between them."""
    first = place.astype(np.intp)
    step = place - first
    step = step * step * (3 - 2 * step)
    weights = np.zeros((place.size, knots))
    weights[np.arange(place.size), first] = 1 - step
    weights[np.arange(place.size), first + 1] = step
    return weights
