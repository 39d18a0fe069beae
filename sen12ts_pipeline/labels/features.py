"""Polygons with a class each, read from a vector file where they are needed."""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import numpy.typing as npt
import pyogrio
import shapely
from pyarrow import parquet
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError
from shapely import STRtree

from sen12ts_pipeline.errors import ConfigurationError

KEY, COLUMN_KEY, LAYER_KEY = "labels.path", "labels.column", "labels.layer"
SUFFIXES = (".gpkg", ".shp", ".geojson", ".json", ".fgb", ".parquet", ".geoparquet")
POLYGONS = ("Polygon", "MultiPolygon", "GeometryCollection", "Unknown", "Surface")

Box = tuple[float, float, float, float]
Objects = npt.NDArray[np.object_]

_PARQUET = (".parquet", ".geoparquet")
_INDEXED = (".gpkg", ".fgb")
_SHAPEFILE_PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Features of a file.

    Attributes
    ----------
    wkb : object (n)
        Geometries as well-known binary, None where there is none.
    values : object (n)
        Values of the class column, None where there is none.
    """

    wkb: Objects
    values: Objects


class FeatureFile:
    """A layer of polygons in a GeoPackage, Shapefile, GeoJSON, FlatGeobuf or GeoParquet file.

    A GeoPackage, a FlatGeobuf, and a Shapefile with a ``.qix`` are read by their spatial index; others once a process,
    and kept in memory. Threads share nothing that changes.

    Parameters
    ----------
    path : Path
        The file.
    column : str
        Column that holds the class, in any capitals.
    layer : str
        Layer of a file that has several; by default its only layer with geometries.

    Raises
    ------
    ConfigurationError
        When the file cannot be read, has no such layer or column, no polygons, no coordinate system, or coordinates
        that lie outside the region that its coordinate system is made for.
    """

    def __init__(self, path: Path, column: str, layer: str = "") -> None:
        self.path = Path(path)
        if self.path.suffix.lower() not in SUFFIXES or not self.path.is_file():
            raise ConfigurationError("labels", KEY, f"must be a file of polygons ({', '.join(SUFFIXES)})", str(path))
        self._parquet = self.path.suffix.lower() in _PARQUET
        self._loading = threading.Lock()
        self.layer = "" if self._parquet else _layer(self.path, layer)
        columns, crs, bounds = self._parquet_head() if self._parquet else self._head()
        self.column = _column(self.path, columns, column)
        self.columns = columns
        self.crs = self._system(crs, bounds)

    @property
    def parts(self) -> list[Path]:
        """Files whose content is the source's."""
        if self.path.suffix.lower() != ".shp":
            return [self.path]
        found = {one.suffix.lower(): one for one in self.path.parent.glob(f"{glob_text(self.path.stem)}.*")}
        return [found[suffix] for suffix in _SHAPEFILE_PARTS if suffix in found]

    def values(self, column: str = "") -> list[Any]:
        """Distinct values of a column, by default that of the class, None left out."""
        name = column or self.column
        if self._parquet:
            found = np.array(parquet.read_table(self.path, columns=[name]).column(name).unique().to_pylist(), object)
        elif self.path.suffix.lower() == ".gpkg":
            quoted = [one.replace('"', '""') for one in (name, self.layer)]
            query = 'SELECT DISTINCT "{}" FROM "{}"'.format(*quoted)  # noqa: S608 - names of the file, quoted
            found = self._raw(sql=query, read_geometry=False)[3][0]
        else:
            found = self._raw(layer=self.layer, columns=[name], read_geometry=False)[3][0]
        return [value for value in dict.fromkeys(_nones(found).tolist()) if value is not None]

    def within(self, box: Box) -> Features:
        """Features whose boxes touch a box given in the file's system, in no particular order."""
        if self.path.suffix.lower() in _INDEXED or self.path.with_suffix(".qix").is_file():
            return self._read(box)
        everything, tree = self._whole
        chosen = np.sort(tree.query(shapely.box(*box)))
        return Features(everything.wkb[chosen], everything.values[chosen])

    @property
    def _whole(self) -> tuple[Features, STRtree]:
        with self._loading:
            return self._loaded

    @functools.cached_property
    def _loaded(self) -> tuple[Features, STRtree]:
        everything = self._read_parquet() if self._parquet else self._read(None)
        return everything, STRtree(shapely.from_wkb(everything.wkb, on_invalid="fix"))

    def _read(self, box: Box | None) -> Features:
        _, _, wkb, fields = self._raw(layer=self.layer, columns=[self.column], bbox=box)
        return Features(np.asarray(wkb, object), _nones(fields[0]))

    def _read_parquet(self) -> Features:
        frame = self._parquet_frame()
        wkb = shapely.to_wkb(np.asarray(frame.geometry.array, object))
        return Features(wkb, _nones(frame[self.column].to_numpy(object)))

    def _raw(self, **options: Any) -> tuple[Any, Any, Any, Any]:  # noqa: ANN401 - of pyogrio
        """Head, feature ids, geometries and columns."""
        try:
            found: tuple[Any, Any, Any, Any] = pyogrio.raw.read(self.path, **options)
            return found
        except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
            raise _unreadable(self.path, error) from error

    def _head(self) -> tuple[list[str], object, Box | None]:
        try:
            info = pyogrio.read_info(self.path, layer=self.layer, force_total_bounds=True)
        except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
            raise _unreadable(self.path, error) from error
        kind = (info["geometry_type"] or "none").split(" ")[0]
        if kind not in POLYGONS:
            raise ConfigurationError("labels", KEY, f"must hold polygons, file {self.path}", kind)
        return list(info["fields"]), info["crs"], info["total_bounds"]

    def _parquet_frame(self) -> Any:  # noqa: ANN401 - GeoDataFrame, which is not typed
        try:
            return geopandas.read_parquet(self.path)  # type: ignore[attr-defined,no-untyped-call]
        except (ValueError, OSError) as error:
            raise _unreadable(self.path, error) from error

    def _parquet_head(self) -> tuple[list[str], object, Box | None]:
        frame = self._parquet_frame()
        kinds = set(frame.geometry.geom_type.dropna()) - set(POLYGONS)
        if kinds:
            raise ConfigurationError("labels", KEY, f"must hold polygons, file {self.path}", sorted(kinds))
        columns = [str(name) for name in frame.columns if name != frame.geometry.name]
        return columns, frame.crs, tuple(frame.total_bounds.tolist())

    def _system(self, crs: object, bounds: Box | None) -> str:
        if crs is None:
            rule = f"must have a coordinate system, file {self.path}: give it one (a Shapefile: its .prj)"
            raise ConfigurationError("labels", KEY, rule, None)
        system = CRS.from_user_input(crs)
        if bounds is not None and np.isfinite(bounds).all() and not _plausible(system, bounds):
            rule = f"must have coordinates that fit its coordinate system, {system.name}, file {self.path}"
            raise ConfigurationError("labels", KEY, rule, [round(float(value), 6) for value in bounds])
        return system.to_wkt()


def glob_text(name: str) -> str:
    """A name as a pattern that stands for itself."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def _layer(path: Path, wanted: str) -> str:
    try:
        layers = {str(name): kind for name, kind in pyogrio.list_layers(path)}
    except pyogrio.errors.DataSourceError as error:
        raise _unreadable(path, error) from error
    candidates = [name for name, kind in layers.items() if kind is not None]
    if wanted:
        if wanted not in candidates:
            raise ConfigurationError(
                "labels", LAYER_KEY, f"must be one of {', '.join(candidates)}, file {path}", wanted
            )
        return wanted
    if len(candidates) != 1:
        rule = f"must be set where a file has not one layer with geometries, file {path}"
        raise ConfigurationError("labels", LAYER_KEY, rule, candidates)
    return candidates[0]


def _column(path: Path, columns: Sequence[str], wanted: str) -> str:
    found = [name for name in columns if name == wanted] or [
        name for name in columns if name.casefold() == wanted.casefold()
    ]
    if len(found) != 1:
        raise ConfigurationError("labels", COLUMN_KEY, f"must be one of {', '.join(columns)}, file {path}", wanted)
    return found[0]


def _plausible(system: CRS, bounds: Box) -> bool:
    """Whether a box in a system touches the region that the system is made for, one degree of margin given."""
    area = system.area_of_use
    if area is None:
        return True
    try:
        to_degrees = Transformer.from_crs(system, "EPSG:4326", always_xy=True)
        west, south, east, north = to_degrees.transform_bounds(*bounds)
    except ProjError:
        return False
    if not np.isfinite([west, south, east, north]).all() or south > area.north + 1 or north < area.south - 1:
        return False
    if area.west > area.east or west > east:  # one of them crosses 180 degrees
        return True
    return bool(west <= area.east + 1 and east >= area.west - 1)


def _nones(values: npt.NDArray[Any]) -> Objects:
    """Values as Python's own, NaN and empty text as None."""
    plain = [None if _is_nothing(value) else value for value in np.asarray(values, object).tolist()]
    found = np.empty(len(plain), object)
    found[:] = plain
    return found


def _is_nothing(value: object) -> bool:
    return value is None or value != value or (isinstance(value, str) and not value.strip())


def _unreadable(path: Path, error: Exception) -> ConfigurationError:
    return ConfigurationError("labels", KEY, f"must be a readable file of polygons, file {path}", str(error))
