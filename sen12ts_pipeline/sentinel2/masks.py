"""Cloud maskers that need nothing but the scene classification."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from sen12ts_pipeline.domain.layers import SCL_INVALID
from sen12ts_pipeline.ports import Bool, EngineIdentity, UInt8


class SclMasker:
    """Takes some scene classes as invalid, without dilation; implements `ports.CloudMasker`.

    Parameters
    ----------
    invalid : iterable of int
        Scene classes, 0 to 255; by default no data, cloud shadow, cloud medium, cloud high, thin cirrus.
    """

    def __init__(self, invalid: Iterable[int] = SCL_INVALID) -> None:
        self._invalid = tuple(sorted(set(invalid)))
        self._valid_of_class: Bool = np.ones(256, bool)
        self._valid_of_class[list(self._invalid)] = False

    def __repr__(self) -> str:
        return f"SclMasker({self._invalid})"

    @property
    def identity(self) -> EngineIdentity:
        """Name, version and parameters: part of every recipe."""
        return EngineIdentity("scl", "1", {"invalid": list(self._invalid), "dilation_m": 0})

    def valid(self, scl: UInt8) -> Bool:
        """True for valid pixels of a scene classification, same shape."""
        valid: Bool = self._valid_of_class[scl]
        return valid
