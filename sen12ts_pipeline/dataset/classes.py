"""Class tables of labels and of the scene classification, a colour for every code, and tables as files."""

from __future__ import annotations

import colorsys
import csv
import functools
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from xml.sax.saxutils import quoteattr

from sen12ts_pipeline.domain.layers import NODATA
from sen12ts_pipeline.errors import ConfigurationError

COLUMNS = ("code", "name", "color")
TABLES = ("worldcover", "cdl", "sigpac", "scl")

RGB = tuple[int, int, int]

_KEY = "labels.classes"
_GOLDEN = 0.6180339887498949
_STYLE = """<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>
<qgis version="3.28" styleCategories="Symbology">
  <pipe>
    <rasterrenderer type="paletted" band="1" opacity="1" alphaBand="-1" nodataColor="">
      <colorPalette>
{entries}
      </colorPalette>
    </rasterrenderer>
  </pipe>
</qgis>
"""


@dataclass(frozen=True, slots=True, order=True)
class LandClass:
    """A class: its code, its name, and the colour ``#rrggbb`` that its source gives it; empty if it gives none."""

    code: int
    name: str
    color: str

    @property
    def hex(self) -> str:
        """`rgb` as ``#rrggbb``."""
        return "#{:02x}{:02x}{:02x}".format(*self.rgb)

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
    return table_from(parse_classes(text))


def parse_classes(text: str) -> tuple[LandClass, ...]:
    """Classes of a table of this program, as `csv_of` writes it."""
    return tuple(LandClass(int(r["code"]), r["name"], r["color"]) for r in csv.DictReader(text.splitlines()))


def read_classes(path: Path) -> tuple[LandClass, ...]:
    """Classes of a user's CSV file with the columns ``code,name,color``; a colour is ``#rrggbb`` or empty.

    A code may have several names, for example where classes of a map are put together.

    Raises
    ------
    ConfigurationError
        Naming the file and its lines when a column is missing, a code is no whole number that int16 holds or is the
        nodata value, a name is empty, or a colour is none.
    """
    try:
        rows = csv.DictReader(path.read_text("utf-8-sig").splitlines())
        found = [(rows.line_num, row) for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(str(path), _KEY, "must be a readable CSV file in UTF-8", str(error)) from error
    missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
    if missing or not found:
        raise ConfigurationError(
            str(path), _KEY, f"must have the columns {','.join(COLUMNS)} and rows", rows.fieldnames
        )
    if faults := [f"line {line}: {fault}" for line, row in found for fault in _faults(row)]:
        raise ConfigurationError(str(path), _KEY, "must hold one class a line", faults)
    return tuple(LandClass(int(r["code"]), r["name"].strip(), (r["color"] or "").strip().lower()) for _, r in found)


def table_from(classes: Iterable[LandClass]) -> Table:
    """Table of some classes; of several with one code the first counts."""
    by_code: dict[int, LandClass] = {}
    for one in classes:
        by_code.setdefault(one.code, one)
    return MappingProxyType(by_code)


def named(table_or_name: Table | str) -> Table:
    """A table, or that of a name; no classes for an empty name."""
    if isinstance(table_or_name, str):
        return table(table_or_name) if table_or_name else MappingProxyType({})
    return table_or_name


def table_of(label_name: str) -> str:
    """Name of the table with which the name of a label source begins; empty if none."""
    return next((one for one in TABLES if label_name.startswith(one)), "")


def classes_of(codes: Iterable[int], known: Table | str = "") -> Table:
    """A class for each code.

    Parameters
    ----------
    codes : iterable of int
        Codes that occur, nodata excluded.
    known : Table or str
        Table to take them from, or its name; by default WorldCover if it has all of them. What no table has is called
        by its code.
    """
    wanted = sorted(set(codes))
    worldcover = table("worldcover")
    if isinstance(known, str) and not known:
        known = worldcover if all(code in worldcover for code in wanted) else {}
    classes = named(known)
    return {code: classes.get(code) or LandClass(code, f"code {code}", "") for code in wanted}


def csv_of(classes: Iterable[LandClass]) -> bytes:
    """A class table as CSV, ``code,name,color``, by code; a class without a colour gets the one it is drawn in."""
    body = io.StringIO()
    writer = csv.writer(body, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((one.code, one.name, one.hex) for one in sorted(classes))
    return body.getvalue().encode()


def style_of(classes: Iterable[LandClass]) -> bytes:
    """A class table as a layer style of QGIS (``.qml``) that paints a label's values by class.

    A colour table inside the file would do the same, but GeoTIFF has them for unsigned integers only.
    """
    entries = "\n".join(
        f'        <paletteEntry value="{one.code}" alpha="255" color="{one.hex}" label={quoteattr(one.name)}/>'
        for one in sorted(classes)
    )
    return _STYLE.format(entries=entries).encode()


def rgb_of_code(code: int) -> RGB:
    """A colour for a code without one: neighbouring codes get hues far apart; the same everywhere."""
    hue = (code * _GOLDEN) % 1.0
    lightness = (0.45, 0.6, 0.72)[code % 3]
    red, green, blue = colorsys.hls_to_rgb(hue, lightness, 0.55)
    return round(red * 255), round(green * 255), round(blue * 255)


def _faults(row: Mapping[str, str | None]) -> list[str]:
    """What is wrong with a row of a user's table."""
    code, name, color = ((row[key] or "").strip() for key in COLUMNS)
    bounds = range(-(2**15), 2**15)
    faults = []
    if not re.fullmatch(r"-?\d{1,6}", code, re.ASCII) or int(code) not in bounds or int(code) == NODATA:
        faults.append(f"code must be a whole number from {bounds[0]} to {bounds[-1]}, and not {NODATA}; got {code!r}")
    if not name:
        faults.append("name must not be empty")
    if color and not re.fullmatch(r"#[0-9a-fA-F]{6}", color):
        faults.append(f"color must be #rrggbb or empty; got {color!r}")
    return faults


def _rgb(color: str) -> RGB:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
