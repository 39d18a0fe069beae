"""What lies on the ground: fields of land-cover classes, and how each class looks to radar and optics.

Fields are squares of 640 m of the map, not aligned with the tiles; their classes and small differences come from seeded
tables that repeat every 64 fields.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.domain.lattice import CENTRAL_EASTING_M
from sen12ts_pipeline.simulate.geodesy import Array
from sen12ts_pipeline.simulate.place import Place

FIELD_M = 640.0
TABLE = 64
_SHIFT_M = 230.0

CODES = (10, 20, 30, 40, 50, 60, 80, 90)
_WEIGHTS = (0.18, 0.1, 0.18, 0.28, 0.1, 0.08, 0.04, 0.04)
VV_DB = (-11.0, -12.5, -14.0, -10.5, -5.0, -15.5, -20.0, -13.0)
VH_DB = (-16.5, -19.0, -21.0, -17.5, -12.0, -23.0, -28.0, -19.5)
COHERENCE = (0.25, 0.5, 0.62, 0.45, 0.9, 0.82, 0.0, 0.35)
SCENE_CLASS = (4, 4, 4, 4, 5, 5, 6, 4)
REFLECTANCE = {
    "B01": (180, 350, 400, 450, 900, 1300, 500, 250),
    "B02": (220, 450, 500, 600, 1100, 1600, 450, 320),
    "B03": (420, 700, 850, 900, 1300, 2000, 400, 560),
    "B04": (240, 800, 800, 850, 1450, 2400, 250, 500),
    "B05": (720, 1200, 1500, 1500, 1600, 2600, 200, 950),
    "B06": (2100, 1700, 2500, 2800, 1750, 2800, 160, 1700),
    "B07": (2600, 1900, 2900, 3400, 1850, 2950, 140, 2000),
    "B08": (2700, 2050, 3050, 3600, 1950, 3100, 120, 2100),
    "B8A": (2900, 2200, 3250, 3750, 2050, 3250, 100, 2250),
    "B09": (2950, 2250, 3300, 3800, 2100, 3300, 90, 2300),
    "B11": (1400, 2700, 2500, 2200, 2500, 4200, 60, 1500),
    "B12": (650, 1900, 1500, 1300, 2200, 3700, 40, 800),
}
"""Reflectance x 10,000 by class, in the order of the codes."""

Index = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class LandCover:
    """Fields of one place.

    Attributes
    ----------
    kind : intp (64, 64)
        Index of the class of each field of the table.
    brightness_db : float64 (64, 64)
        Difference of the field's backscatter from its class.
    date_db : float64 (passes, 2)
        Difference of each date's backscatter, VV and VH.
    coherence : float64 (pairs, 64, 64)
        Temporal correlation of the reflectivity of each pair of consecutive dates.
    """

    kind: Index
    brightness_db: Array
    date_db: Array
    coherence: Array

    @classmethod
    def of(cls, place: Place) -> LandCover:
        """Draw the fields of a place from its seed."""
        rng = np.random.default_rng([place.seed, 20])
        kind = rng.choice(len(CODES), size=(TABLE, TABLE), p=_WEIGHTS)
        brightness = rng.uniform(-1.2, 1.2, (TABLE, TABLE))
        date_db = rng.uniform(-0.9, 0.9, (place.passes, 2))
        jitter = rng.uniform(-0.06, 0.06, (max(place.passes - 1, 0), TABLE, TABLE))
        coherence = np.clip(np.asarray(COHERENCE)[kind] + jitter, 0.0, 0.95)
        coherence[:, np.asarray(COHERENCE)[kind] == 0.0] = 0.0
        return cls(kind, brightness, date_db, coherence)

    def fields(self, easting: Array, northing: Array) -> Index:
        """Index into the flattened tables of points; shapes broadcast."""
        column = np.floor((easting - CENTRAL_EASTING_M + _SHIFT_M) / FIELD_M).astype(np.intp) % TABLE
        row = np.floor((northing + _SHIFT_M) / FIELD_M).astype(np.intp) % TABLE
        return np.asarray(row * TABLE + column)

    def kinds(self, easting: Array, northing: Array) -> Index:
        """Class index of points; shapes broadcast."""
        return np.asarray(self.kind.ravel()[self.fields(easting, northing)])

    def gamma0_db(self, date_index: int, pol: str) -> Array:
        """Terrain-flattened gamma nought of every field on a date, decibels; flattened table."""
        level = np.asarray(VV_DB if pol == "vv" else VH_DB)[self.kind] + self.brightness_db
        return np.asarray(level + self.date_db[date_index, 0 if pol == "vv" else 1]).ravel()
