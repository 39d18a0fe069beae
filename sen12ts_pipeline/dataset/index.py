"""The index: one row a triplet, as GeoParquet; everything in it comes from the triplets' metadata.

A partition's part is written once; the merged index is made of the parts. The same items give the same bytes.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from typing import Any

from pyarrow import lib as pa
from pyarrow import parquet as pq
from shapely.geometry import shape

from sen12ts_pipeline.domain.lattice import TILE_PIXELS, TileId
from sen12ts_pipeline.domain.splits import split_of

_GEOMETRY = {"encoding": "WKB", "geometry_types": ["Polygon", "MultiPolygon"]}
_GEO = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": _GEOMETRY}}
"""Metadata of GeoParquet 1.1; without a system of coordinates longitude and latitude on WGS 84 are meant."""

SCHEMA = pa.schema(
    [
        ("name", pa.string()),
        ("aoi", pa.string()),
        ("year", pa.int16()),
        ("season", pa.string()),
        ("slot", pa.int8()),
        ("split", pa.string()),
        ("tile", pa.string()),
        ("epsg", pa.int32()),
        ("west", pa.float64()),
        ("south", pa.float64()),
        ("east", pa.float64()),
        ("north", pa.float64()),
        ("lon_min", pa.float64()),
        ("lat_min", pa.float64()),
        ("lon_max", pa.float64()),
        ("lat_max", pa.float64()),
        ("lon", pa.float64()),
        ("lat", pa.float64()),
        ("s1date", pa.date32()),
        ("s2date", pa.date32()),
        ("days", pa.int8()),
        ("track", pa.int16()),
        ("direction", pa.string()),
        ("platform", pa.string()),
        ("scene", pa.string()),
        ("scene_cloud_percent", pa.float64()),
        ("invalid_s1", pa.int32()),
        ("invalid_s2", pa.int32()),
        ("invalid_s1_percent", pa.float64()),
        ("invalid_s2_percent", pa.float64()),
        ("label_histogram", pa.map_(pa.int16(), pa.int32())),
        *((f"{kind}_path", pa.string()) for kind in ("s1", "s2", "label", "quicklook", "metadata")),
        *((f"{kind}_bytes", pa.int64()) for kind in ("s1", "s2", "label", "quicklook")),
        *((f"{kind}_sha256", pa.string()) for kind in ("s1", "s2", "label", "quicklook")),
        ("geometry", pa.binary()),
    ],
    metadata={"geo": json.dumps(_GEO)},
)
"""Columns; map bounds in metres of `epsg`, geographic ones in degrees, paths below the AOI's folder; `split` as
`domain.splits` has it, `geometry` the tile's outline in degrees.

The columns of the quick-look are null where there is none, `scene_cloud_percent` where the products do not tell.
"""

WITHHELD_FILE = "withheld.json"
"""Beside the folder of indexes: triplets that people keep out of them, each name with its reason."""

_PIXELS = TILE_PIXELS * TILE_PIXELS


def part(items: Iterable[Mapping[str, Any]]) -> bytes:
    """Index of some triplets, in the order of tile and slot, as the bytes of a Parquet file.

    Parameters
    ----------
    items : iterable of mapping
        STAC items as `stac.item` makes them.
    """
    return _parquet(_table([row(item) for item in items]))


def merge(parts: Iterable[bytes]) -> bytes:
    """One index of several; a triplet that two parts list alike counts once.

    Raises
    ------
    ValueError
        When two parts say different things of one triplet.
    """
    rows: dict[str, dict[str, Any]] = {}
    for body in parts:
        for one in rows_of(body):
            if rows.setdefault(one["name"], one) != one:
                raise ValueError(f"two parts of the index differ on {one['name']}")
    return _parquet(_table(rows.values()))


def rows_of(body: bytes) -> list[dict[str, Any]]:
    """Rows of an index, the histogram as a mapping.

    Raises
    ------
    ValueError
        When the bytes are no index.
    """
    try:
        found = pq.read_table(pa.BufferReader(body))
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"an index must be a Parquet file: {error}") from error
    if not found.schema.equals(SCHEMA):
        raise ValueError(f"an index must have the columns {SCHEMA.names} with their types; got {found.schema.names}")
    return [one | {"label_histogram": dict(one["label_histogram"])} for one in found.to_pylist()]


def row(item: Mapping[str, Any]) -> dict[str, Any]:
    """Row of a triplet, from its STAC item."""
    properties, assets = item["properties"], item["assets"]
    own = {key.removeprefix("sen12ts:"): value for key, value in properties.items() if key.startswith("sen12ts:")}
    files = {kind: assets[kind] for kind in ("s1", "s2", "label", "quicklook") if kind in assets}
    values = {
        "name": item["id"],
        **{key: own[key] for key in ("aoi", "year", "season", "slot", "tile", "s1date", "s2date", "days", "platform")},
        "split": str(split_of(TileId.parse(own["tile"]))),
        "epsg": int(properties["proj:code"].removeprefix("EPSG:")),
        **dict(zip(("west", "south", "east", "north"), properties["proj:bbox"], strict=True)),
        **dict(zip(("lon_min", "lat_min", "lon_max", "lat_max"), item["bbox"], strict=True)),
        **properties["proj:centroid"],
        "track": own["s1track"],
        "direction": properties["sat:orbit_state"][0].upper(),
        "scene": own["scene"],
        "scene_cloud_percent": own["scene_cloud_percent"],
        "invalid_s1": own["invalid_s1"],
        "invalid_s2": own["invalid_s2"],
        "invalid_s1_percent": 100.0 * own["invalid_s1"] / _PIXELS,
        "invalid_s2_percent": 100.0 * own["invalid_s2"] / _PIXELS,
        "label_histogram": {int(code): count for code, count in own["label_histogram"].items()},
        "metadata_path": f"metadata/{item['id']}.json",
        **{f"{kind}_path": asset["href"].removeprefix("../") for kind, asset in files.items()},
        **{f"{kind}_bytes": asset["file:size"] for kind, asset in files.items()},
        **{f"{kind}_sha256": asset["file:checksum"].removeprefix("1220") for kind, asset in files.items()},
        "geometry": shape(item["geometry"]).wkb,
    }
    return _plain(values)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values in the order and the types in which they come back from a file."""
    table = _table([values])
    one: dict[str, Any] = table.to_pylist()[0]
    return one | {"label_histogram": dict(one["label_histogram"])}


def _table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    ordered = sorted(rows, key=lambda one: (one["aoi"], one["tile"], one["year"], one["season"], one["name"]))
    return pa.Table.from_arrays(
        [_column(field, [one.get(field.name) for one in ordered]) for field in SCHEMA], schema=SCHEMA
    )


def _column(field: pa.Field, values: list[Any]) -> pa.Array:
    if isinstance(field.type, pa.MapType):
        return pa.array([sorted(one.items()) for one in values], field.type)
    if field.type == pa.date32():
        values = [str(one) for one in values]
        return pa.array(values, pa.string()).cast(field.type)
    return pa.array(values, field.type)


def _parquet(table: pa.Table) -> bytes:
    body = io.BytesIO()
    pq.write_table(table, body, compression="zstd", compression_level=9, version="2.6", write_statistics=True)
    return body.getvalue()
