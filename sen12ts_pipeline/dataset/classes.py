"""Class tables of labels and of the scene classification, and a colour for every code."""

from __future__ import annotations

import colorsys
import csv
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType

TABLES = ("worldcover", "cdl", "sigpac", "scl")

RGB = tuple[int, int, int]

_GOLDEN = 0.6180339887498949


@dataclass(frozen=True, slots=True, order=True)
class LandClass:
    """A class: its code, its name, and the colour ``#rrggbb`` that its source gives it; empty if it gives none."""

    code: int
    name: str
    color: str

    @property
    def rgb(self) -> RGB:
        """The source's colour, else one that follows from the code."""
        return _rgb(self.color) if self.color else rgb_of_code(self.code)


Table = Mapping[int, LandClass]


@functools.cache
def table(name: str) -> Table:
    """Classes of ``worldcover``, ``cdl``, ``sigpac`` or ``scl`` by code; KeyError for another name."""
    if name not in TABLES:
        raise KeyError(f"no class table is called {name!r}; there are {', '.join(TABLES)}")
    text = resources.files("sen12ts_pipeline.dataset").joinpath("tables", f"{name}.csv").read_text("utf-8")
    rows = csv.DictReader(text.splitlines())
    return MappingProxyType({int(r["code"]): LandClass(int(r["code"]), r["name"], r["color"]) for r in rows})


def classes_of(codes: Iterable[int], name: str = "") -> Table:
    """A class for each code.

    Parameters
    ----------
    codes : iterable of int
        Codes that occur, nodata excluded.
    name : str
        Table to take them from; by default WorldCover if it has all of them. What no table has is called by its code.
    """
    wanted = sorted(set(codes))
    worldcover = table("worldcover")
    known: Table = table(name) if name else worldcover if all(code in worldcover for code in wanted) else {}
    return {code: known.get(code) or LandClass(code, f"code {code}", "") for code in wanted}


def rgb_of_code(code: int) -> RGB:
    """A colour for a code without one: neighbouring codes get hues far apart; the same everywhere."""
    hue = (code * _GOLDEN) % 1.0
    lightness = (0.45, 0.6, 0.72)[code % 3]
    red, green, blue = colorsys.hls_to_rgb(hue, lightness, 0.55)
    return round(red * 255), round(green * 255), round(blue * 255)


def _rgb(color: str) -> RGB:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
