"""Label maps of an area, and the table of their classes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from sen12ts_pipeline.acquisition.auxiliary import Auxiliary
from sen12ts_pipeline.dataset.classes import LandClass, Table, named, table_from, table_of
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.labels.maps import CdlLabels, WorldCoverLabels
from sen12ts_pipeline.labels.names import Codes
from sen12ts_pipeline.labels.rasters import RasterLabels
from sen12ts_pipeline.labels.vectors import CROP_COLUMN, ParcelLabels, VectorLabels
from sen12ts_pipeline.ports import LabelSource
from sen12ts_pipeline.settings.boundary import read_boundary
from sen12ts_pipeline.settings.model import AoiSettings, LabelSettings
from sen12ts_pipeline.wiring.needed import needed


def labels_of(chosen: LabelSettings, path: Path, own: Sequence[LandClass], classes: Table | str) -> LabelSource:
    """Labels of a file or folder, by the kind of their source."""
    if chosen.source in ("parcels", "vector"):
        codes = Codes((one.name, one.code) for one in own) if own else None
        if chosen.source == "parcels":
            return ParcelLabels(path, chosen.column or CROP_COLUMN, codes, chosen.layer)
        return VectorLabels(path, chosen.column, codes, chosen.layer)
    if chosen.source == "worldcover":
        return WorldCoverLabels(path)
    return CdlLabels(path, named(classes)) if chosen.source == "cdl" else RasterLabels(path)


def label_place(aoi: AoiSettings, fetching: Auxiliary) -> Path:
    """File or folder of an area's labels; a map that is published is fetched where no path is set."""
    if aoi.labels.is_fetched:
        return fetching.label_place(aoi.labels.name, aoi.name, read_boundary(aoi))
    return needed(f"area {aoi.name}", "labels.path", aoi.labels.path)


def label_year(aoi: AoiSettings, labels: LabelSource) -> int | None:
    """Year that the labels describe, by the settings or their files, which must not disagree."""
    said, told = aoi.labels.year, labels.year
    if said is not None and told is not None and said != told:
        raise ConfigurationError(f"area {aoi.name}", "labels.year", f"must be the year of the files, {told}", said)
    return told if said is None else said


def year_in(name: str) -> int | None:
    """Year that the name of a published map tells."""
    found = re.search(r"_(\d{4})(?:_|$)", name)
    return int(found[1]) if found else None


def class_table(chosen: LabelSettings, own: Sequence[LandClass]) -> Table | str:
    """Class table of the labels, or its name."""
    if chosen.source == "parcels":
        return {**named("sigpac"), **table_from(own)} if own else "sigpac"
    if own:
        return table_from(own)
    return {"raster": table_of(chosen.name), "vector": ""}.get(chosen.source, chosen.source)
