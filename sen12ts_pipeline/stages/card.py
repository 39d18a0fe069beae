"""card: what a finished store holds, written beside it for those who use it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from shapely.geometry.base import BaseGeometry

from sen12ts_pipeline.dataset import card, index, stac
from sen12ts_pipeline.dataset.classes import Table, parse_classes, table_from, table_of
from sen12ts_pipeline.dataset.reader import Dataset
from sen12ts_pipeline.dataset.statistics import FILE, Statistics, statistics_of
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.ports import ObjectKey, ObjectStore

Outline = Callable[[str], tuple[BaseGeometry | None, str]]
"""Boundary and label source of an area, as far as they are configured."""


def write(store: ObjectStore, aois: Iterable[str], *, outline: Outline, title: str, licence: str, author: str) -> str:
    """Write card, figures, checksums, licence and citation of some areas; returns the card's location.

    Raises
    ------
    ConfigurationError
        When none of the areas has a finished triplet.
    """
    areas = [area for aoi in aois if (area := _area(store, aoi, outline))]
    if not areas:
        place = store.location(ObjectKey("card.html")).removesuffix("/card.html")
        raise ConfigurationError("store", "store", "must hold an area with finished triplets", place)
    for path, body in card.documents(title, areas, licence=licence, author=author).items():
        store.replace(ObjectKey(path), body)
    return store.location(ObjectKey("card.html"))


def keep_statistics(
    store: ObjectStore, aoi: str, data: Dataset, *, workers: int, progress: Callable[[], object]
) -> None:
    """Compute the statistics of an area's training part and keep them beside its index."""
    found = statistics_of(data, workers=workers, progress=progress)
    store.replace(ObjectKey(f"{aoi}/{FILE}"), found.to_json().encode())


def _area(store: ObjectStore, aoi: str, outline: Outline) -> card.Area | None:
    try:
        rows = index.rows_of(store.get(ObjectKey(f"{aoi}/index/index.parquet")))
    except KeyError:
        return None
    if not rows:
        return None
    item = json.loads(store.get(ObjectKey(f"{aoi}/{rows[0]['metadata_path']}")))
    boundary, labels = outline(aoi)
    labels = labels or str(item["properties"]["sen12ts:provenance"].get("label_source", {}).get("name", ""))
    software = dict(item["properties"]["processing:software"])
    classes = _classes(store, aoi) or table_of(labels)
    return card.Area(aoi, rows, software, labels, classes, boundary, _statistics(store, aoi))


def _classes(store: ObjectStore, aoi: str) -> Table:
    """Class table that lies beside the data set; empty if there is none."""
    try:
        text = store.get(ObjectKey(f"{aoi}/{stac.CLASSES_FILE}")).decode()
    except KeyError:
        return {}
    return table_from(parse_classes(text))


def _statistics(store: ObjectStore, aoi: str) -> Statistics | None:
    try:
        return Statistics.parse(store.get(ObjectKey(f"{aoi}/{FILE}")).decode())
    except KeyError:
        return None
