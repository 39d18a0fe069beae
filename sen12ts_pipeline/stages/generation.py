"""generation: everything that decides the bytes of an AOI's year; one store holds one generation of it.

Whoever changes a threshold, the elevation model or the labels, or upgrades to another engine version, would mix results
of different recipes in one data set; that is refused, and a new store is asked for.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

from sen12ts_pipeline.dataset.classes import csv_of
from sen12ts_pipeline.domain.recipe import canonical_json
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.ports import ObjectKey
from sen12ts_pipeline.stages.recipes import GENERATION
from sen12ts_pipeline.stages.services import Services


def record(partition: Partition, services: Services) -> None:
    """Record what decides the bytes of an AOI's year, or compare it with what is recorded; errors as `check`."""
    services.store.put_if_absent(_key(partition), canonical_json(_flat(settings(services))))
    check(partition, services)


def check(partition: Partition, services: Services) -> None:
    """Compare what decides the bytes of an AOI's year with what is recorded, if anything is.

    Raises
    ------
    ConfigurationError
        Naming the first setting that differs from the one with which the store was begun; or when the labels are of
        another year than the imagery and that is not allowed.
    """
    _check_label_year(partition, services)
    key = _key(partition)
    if not services.store.exists(key):
        return
    before, now = json.loads(services.store.get(key)), _flat(settings(services))
    for name in sorted({*before, *now}):
        if before.get(name) != now.get(name):
            rule = (
                f"must stay {before.get(name)!r}, with which {partition.aoi} was begun in this store; use a new store"
            )
            raise ConfigurationError(services.store.location(key), name, rule, now.get(name))


def _key(partition: Partition) -> ObjectKey:
    return ObjectKey(f"{partition.aoi}/partitions/{partition.year}/generation.json")


def settings(services: Services) -> dict[str, Any]:
    """What decides bytes, besides the products."""
    return {
        "generation": GENERATION,
        "area": hashlib.sha256(services.area.wkb).hexdigest(),
        "rules": asdict(services.rules),
        "tile_order": services.tile_order,
        "seed": services.seed,
        "profile": services.profile,
        "engine": services.engine.identity.as_json(),
        "masker": services.masker.identity.as_json(),
        "labels": {
            "name": services.label_name,
            "year": services.label_year,
            "sha256": services.labels.identity["sha256"],
            "classes": _own_classes(services),
        },
        **({"optical": {"other_zones": True}} if services.other_zones else {}),
    }


def other_label_year(partition: Partition, services: Services) -> int | None:
    """Year of the labels where it is not that of the imagery; None if it is, or is not known."""
    return services.label_year if services.label_year != partition.year else None


def _check_label_year(partition: Partition, services: Services) -> None:
    if other_label_year(partition, services) is not None and not services.other_label_year:
        rule = f"must be the year of the imagery, {partition.year}, unless labels.allow_other_year is true"
        raise ConfigurationError(f"area {partition.aoi}", "labels.year", rule, services.label_year)


def _own_classes(services: Services) -> str | None:
    """Digest of a class table of the user's own; the delivered ones change with the program only."""
    if isinstance(services.label_classes, str):
        return None
    return hashlib.sha256(csv_of(services.label_classes.values())).hexdigest()


def _flat(value: Any, name: str = "") -> dict[str, Any]:  # noqa: ANN401 - JSON, to any depth
    """Nested mappings as one, with dotted names."""
    if not isinstance(value, dict):
        return {name: value}
    parts = (_flat(part, f"{name}.{key}" if name else str(key)) for key, part in value.items())
    return {key: leaf for part in parts for key, leaf in part.items()}
