"""Labels from polygons: the class of the polygon that holds a pixel's centre.

Where polygons overlap the smaller one counts: all are burnt in one after the other, larger ones first, by their area in
the file's system, then by code and geometry. So the order in a file does not matter, nor its kind.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from affine import Affine
from pyproj import CRS
from rasterio.enums import MergeAlg
from rasterio.errors import NotGeoreferencedWarning
from rasterio.features import rasterize
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from sen12ts_pipeline.domain.lattice import Grid
from sen12ts_pipeline.domain.layers import NODATA
from sen12ts_pipeline.domain.recipe import canonical_json
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.labels.digests import digest_of
from sen12ts_pipeline.labels.features import COLUMN_KEY, KEY, FeatureFile, Features, Objects
from sen12ts_pipeline.labels.names import Codes, dun_codes
from sen12ts_pipeline.labels.places import transformer, without_network
from sen12ts_pipeline.ports import Int16, Label
from sen12ts_pipeline.quiet import ignored

CLASSES_KEY = "labels.classes"
MARGIN_PIXELS = 2
SEGMENT_M, SEGMENT_DEG = 1000.0, 0.005
"""Longest piece of an edge that is reprojected as a straight line: it is off by less than a centimetre."""
CROP_COLUMN, YEAR_COLUMN = "cultiu", "campanya"

Value = int | float | str

_INT16 = np.iinfo(np.int16)


class VectorLabels:
    """Land cover of polygons in any map system; implements `ports.LabelSource`.

    A pixel has the class of the polygon that holds its centre; a centre on an edge that two polygons share belongs to
    one of them. Where no polygon is, or one whose class column is empty, a label is -3000.

    Parameters
    ----------
    path : Path
        A file as `FeatureFile` reads it.
    column : str
        Column of the class: whole numbers, which are the codes, or names.
    codes : Codes, optional
        Codes of the names. With it, a column of numbers must hold these codes only.
    layer : str
        Layer of the file, where it has several.

    Raises
    ------
    ConfigurationError
        As `FeatureFile`, and when a name has no code, with a list of all such names, or a number is no whole one that
        int16 holds.
    """

    year: int | None = None
    silent: tuple[int, ...] = ()

    def __init__(self, path: Path, column: str, codes: Codes | None = None, layer: str = "") -> None:
        without_network()
        self.path = Path(path)
        self._file = FeatureFile(self.path, column, layer)
        self._codes = codes
        self._code_of = self._all_codes()
        geographic = CRS.from_wkt(self._file.crs).is_geographic
        self._segment = SEGMENT_DEG if geographic else SEGMENT_M

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r}, {self._file.column!r})"

    @functools.cached_property
    def identity(self) -> Mapping[str, Any]:
        """Name of the file, and SHA-256 of its content, the layer, the column and the codes of its classes."""
        codes = {str(value): code for value, code in self._code_of.items()}
        choice = {"layer": self._file.layer, "column": self._file.column, "codes": codes}
        whole = {"files": digest_of(self._file.parts), **choice}
        return {"name": self.path.name, "sha256": hashlib.sha256(canonical_json(whole)).hexdigest()}

    def label(self, grid: Grid) -> Label:
        """Codes of the polygons at the pixels' centres, -3000 elsewhere.

        Notes: ``repaired``, ``dropped`` and ``without_class`` count polygons that touch the grid and were mended, have
        no area that could be mended, or have no class; ``without_pixel`` those whose middle lies in the grid and that
        hold no pixel's centre; ``overlapping_pixels`` pixels that several hold.
        """
        parcels, notes = self._parcels(grid)
        indices = _burn(grid, [(one.shape, k) for k, one in enumerate(parcels, start=1)], np.int32)
        table = np.asarray([NODATA, *(one.code for one in parcels)], np.int16)
        counts = _burn(grid, [(one.shape, 1) for one in parcels], np.int32, MergeAlg.add)
        seen = set(np.unique(indices).tolist())
        unseen = [one for k, one in enumerate(parcels, start=1) if k not in seen]
        notes["without_pixel"] = sum(_has_no_pixel(grid, one) for one in unseen)
        notes["overlapping_pixels"] = int((counts > 1).sum())
        codes: Int16 = table[indices]
        return Label(codes, {name: count for name, count in notes.items() if count})

    def _parcels(self, grid: Grid) -> tuple[list[_Parcel], dict[str, int]]:
        """Polygons that touch a grid, in its system and in the order in which they are burnt in."""
        to_source = transformer(self._file.crs, grid)
        margin = MARGIN_PIXELS * grid.spacing_m
        around = shapely.box(grid.west - margin, grid.south - margin, grid.east + margin, grid.north + margin)
        edge = shapely.segmentize(around, grid.spacing_m * 16)
        box = shapely.transform(edge, to_source.transform, interleaved=False).bounds
        found = self._file.within(box)
        shapes, notes = _mended(found)
        has_class = np.array([value is not None for value in found.values], bool)
        usable = has_class & ~shapely.is_empty(shapes)
        notes["without_class"] = int((~has_class).sum())
        codes = np.array([self._code_of[_plain(value)] for value in found.values[usable]], np.int16)
        order = _order(shapes[usable], codes)
        cut = shapely.intersection(shapes[usable][order], shapely.box(*box))
        there = shapely.transform(
            shapely.segmentize(cut, self._segment),
            lambda x, y: to_source.transform(x, y, direction="INVERSE"),
            interleaved=False,
        )
        whole = shapely.within(shapes[usable][order], shapely.box(*box))
        parcels = [
            _Parcel(shape, int(code), bool(inside))
            for shape, code, inside in zip(there, codes[order], whole, strict=True)
            if not shape.is_empty
        ]
        return parcels, notes

    def _all_codes(self) -> dict[Value, int]:
        """Code of every value of the class column."""
        values = [_plain(value) for value in self._file.values()]
        if any(isinstance(value, str) for value in values):
            return self._codes_of_names([str(value) for value in values])
        wrong = sorted(v for v in values if not isinstance(v, int) or not _INT16.min <= v <= _INT16.max or v == NODATA)
        if wrong:
            rule = f"must hold whole numbers from {_INT16.min} to {_INT16.max}, and not {NODATA}"
            raise ConfigurationError("labels", COLUMN_KEY, f"{rule}, column {self._file.column}, {self.path}", wrong)
        if self._codes is not None and (unknown := sorted(set(values) - set(self._codes.table.values()))):
            rule = f"must name every code of the column {self._file.column}, {self.path}"
            raise ConfigurationError("labels", CLASSES_KEY, rule, unknown)
        return {value: int(value) for value in values}

    def _codes_of_names(self, names: Sequence[str]) -> dict[Value, int]:
        if self._codes is None:
            rule = f"must be set where the classes are names (column {self._file.column}): a CSV file code,name,color"
            raise ConfigurationError("labels", CLASSES_KEY, rule, None)
        if unknown := self._codes.unknown(names):
            rule = f"must give a code to every name of the column {self._file.column}, {self.path}"
            raise ConfigurationError("labels", CLASSES_KEY, rule, unknown)
        return {name: code for name in names if (code := self._codes.find(name)) is not None}


class ParcelLabels(VectorLabels):
    """Crops of Catalonia's declarations (DUN) by their Catalan names; implements `ports.LabelSource`.

    Parameters
    ----------
    path : Path
        The crop map of one campaign.
    column : str
        Column of the crop.
    more : Codes, optional
        Codes of the user's own for names, over those of `dun_codes`.
    layer : str
        Layer of the file, where it has several.

    Raises
    ------
    ConfigurationError
        As `VectorLabels`, and when the file holds several campaigns.
    """

    def __init__(self, path: Path, column: str = CROP_COLUMN, more: Codes | None = None, layer: str = "") -> None:
        super().__init__(path, column, dun_codes() | more if more else dun_codes(), layer)
        years = [name for name in self._file.columns if name.casefold() == YEAR_COLUMN]
        told = sorted({int(value) for name in years for value in self._file.values(name)})
        if len(told) > 1:
            rule = f"must be of one campaign (column {years[0]}): take the others out of the file {self.path}"
            raise ConfigurationError("labels", KEY, rule, told)
        self.year = told[0] if told else None


@dataclass(frozen=True, slots=True, eq=False)
class _Parcel:
    """A polygon in a grid's system, cut to the grid's surroundings; `whole` if nothing was cut off."""

    shape: BaseGeometry
    code: int
    whole: bool


def _mended(found: Features) -> tuple[Objects, dict[str, int]]:
    """Valid polygons of features, empty where nothing of one can be used, and how many were mended or are lost."""
    shapes = shapely.from_wkb(found.wkb, on_invalid="ignore")
    broken = (shapes == None) & (found.wkb != None)  # noqa: E711 - of arrays of objects
    if broken.any():
        shapes[broken] = shapely.from_wkb(found.wkb[broken], on_invalid="fix")
    shapes = shapely.force_2d(shapes)
    finite = np.isfinite(shapely.bounds(shapes)).all(axis=1)
    shapes[~finite] = Polygon()
    with ignored(RuntimeWarning):  # which this function does by itself, with filters that all threads share
        faulty = ~shapely.is_valid(shapes)
    shapes[faulty] = shapely.make_valid(shapes[faulty], method="structure", keep_collapsed=False)
    areal = np.array([_polygons(shape) for shape in shapes], object) if len(shapes) else shapes
    lost = shapely.is_empty(areal)
    return areal, {"repaired": int(((broken | faulty) & ~lost).sum()), "dropped": int(lost.sum())}


def _polygons(shape: BaseGeometry) -> BaseGeometry:
    """Those parts of a geometry that have an area."""
    if shape.geom_type in ("Polygon", "MultiPolygon"):
        return shape
    parts = [part for part in shapely.get_parts(shape) if part.geom_type in ("Polygon", "MultiPolygon")]
    return shapely.unary_union(parts) if parts else Polygon()


def _order(shapes: Objects, codes: Int16) -> npt.NDArray[np.intp]:
    """Larger areas first, then by code, then by geometry."""
    bodies = shapely.to_wkb(shapely.normalize(shapes))
    areas = shapely.area(shapes)
    keys = [(-area, code, body) for area, code, body in zip(areas, codes, bodies, strict=True)]
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), np.intp)


def _burn(
    grid: Grid,
    shapes: Sequence[tuple[BaseGeometry, int]],
    dtype: type[np.int32],
    merge: MergeAlg = MergeAlg.replace,
) -> npt.NDArray[np.int32]:
    """Values of polygons at the pixels' centres, 0 elsewhere."""
    if not shapes:
        return np.zeros(grid.shape, dtype)
    with ignored(NotGeoreferencedWarning):  # of a raster in memory, before it gets its place
        burnt: npt.NDArray[np.int32] = rasterize(
            shapes, grid.shape, fill=0, transform=Affine(*grid.transform), dtype=dtype, merge_alg=merge
        )
    return burnt


def _has_no_pixel(grid: Grid, parcel: _Parcel) -> bool:
    """Whether a polygon whose middle lies in a grid holds no pixel's centre, of this grid or another."""
    middle = parcel.shape.representative_point()
    in_grid = grid.west <= middle.x < grid.east and grid.south < middle.y <= grid.north
    return in_grid and parcel.whole and not _burn(grid, [(parcel.shape, 1)], np.int32).any()


def _plain(value: Any) -> Value:  # noqa: ANN401 - of any file
    """A value of a class column: a whole number where it is one, else as text."""
    is_whole = isinstance(value, int | float) and float(value).is_integer()
    return int(value) if is_whole else value if isinstance(value, float) else str(value)
