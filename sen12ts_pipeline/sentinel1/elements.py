"""Reading the elements of a product's XML as values. Which elements there are, the readers know."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.errors import BadProduct

if TYPE_CHECKING:
    from lxml.etree import _Element

Float64 = npt.NDArray[np.float64]

_FARTHEST_S = 3 * 86400.0
"""No time of a product lies farther from the midnight before its pass."""


def parse_time(text: str) -> datetime:
    """UTC time of an annotation or manifest, with or without fraction and trailing Z; ValueError."""
    head, _, fraction = text.strip().rstrip("Zz").partition(".")
    if fraction and not (fraction.isascii() and fraction.isdigit()):
        raise ValueError(f"no fraction of a second: {fraction!r}")
    base = datetime.strptime(head, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    return base.replace(microsecond=int(fraction[:6].ljust(6, "0")))


class Elements:
    """Element access by path; whatever is missing, malformed or out of bounds is a BadProduct that names it.

    Parameters
    ----------
    root : Element
        Of the parsed file.
    product, member : str
        What errors name.
    epoch : datetime
        Zero of all times of the pass.
    """

    def __init__(self, root: _Element, product: str, member: str, epoch: datetime) -> None:
        self.root, self.product, self.member, self.epoch = root, product, member, epoch

    def bad(self, path: str, found: str) -> BadProduct:
        """The error for an element, to be raised."""
        return BadProduct(self.product, self.member, f"element {path}: {found}")

    def text(self, path: str, base: _Element | None = None) -> str:
        """Text without surrounding space, never empty."""
        found = (self.root if base is None else base).findtext(path)
        if found is None or not found.strip():
            raise self.bad(path, "missing or empty")
        return found.strip()

    def number(self, path: str, base: _Element | None = None) -> float:
        """A finite number."""
        text = self.text(path, base)
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.bad(path, f"needs a number, got {text!r}")
        return value

    def within(self, path: str, low: float, high: float, base: _Element | None = None) -> float:
        """A number that no IW product has outside the bounds."""
        value = self.number(path, base)
        if not low <= value <= high:
            raise self.bad(path, f"needs a number from {low:g} to {high:g}, got {value:g}")
        return value

    def whole(self, path: str, low: int, high: int) -> int:
        """A whole number within bounds."""
        value = self.within(path, low, high)
        if value != int(value):
            raise self.bad(path, f"needs a whole number, got {value!r}")
        return int(value)

    def one_of(self, path: str, *allowed: str) -> str:
        """Text, one of some words, in any case; in capitals."""
        text = self.text(path)
        if text.upper() not in allowed:
            raise self.bad(path, f"needs {', '.join(allowed)}, got {text!r}")
        return text.upper()

    def numbers(self, path: str, base: _Element | None = None, *, count: int = 0) -> Float64:
        """Finite numbers, at least one; exactly `count` of them where it is given."""
        text = self.text(path, base)
        try:
            values = np.array(text.split(), dtype=float)
        except ValueError:
            raise self.bad(path, f"needs numbers, got {text[:40]!r}") from None
        if count and len(values) != count:
            raise self.bad(path, f"needs {count} numbers, found {len(values)}")
        if not np.isfinite(values).all():
            raise self.bad(path, f"needs finite numbers, got {text[:40]!r}")
        return values

    def moment(self, path: str, base: _Element | None = None) -> datetime:
        """A UTC time."""
        text = self.text(path, base)
        try:
            return parse_time(text)
        except ValueError:
            raise self.bad(path, f"needs a UTC time, got {text!r}") from None

    def seconds(self, path: str, base: _Element | None = None) -> float:
        """A UTC time as seconds from the epoch."""
        seconds = (self.moment(path, base) - self.epoch).total_seconds()
        if abs(seconds) > _FARTHEST_S:
            raise self.bad(path, f"lies {seconds / 86400:.0f} days from the day of the pass")
        return seconds
