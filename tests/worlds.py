"""Simulated archives for tests, each made once a session, and runs of the stages over them."""

import dataclasses
import os
import shutil
from datetime import date
from pathlib import Path

from shapely.geometry import Point

from sen12ts_pipeline import wiring
from sen12ts_pipeline.settings.load import adhoc_aoi
from sen12ts_pipeline.settings.model import Settings
from sen12ts_pipeline.simulate.archive import simulate
from sen12ts_pipeline.simulate.place import OpticalScene, Patch, places
from sen12ts_pipeline.stages import steps

TINY = places()["tiny"]
TALL = dataclasses.replace(
    TINY,
    name="tall",
    tiles_down=2,
    passes=6,
    granule_pixels=528,
    scenes=(
        OpticalScene(date(2023, 9, 17), cloud_percent=1.0, patches=(Patch("cloud", 0, 0, 40),)),
        OpticalScene(date(2023, 9, 20), baseline="0301", cloud_percent=5.0, mission="S2B"),
        OpticalScene(date(2023, 9, 28), cloud_percent=1.0),
        OpticalScene(date(2023, 9, 29), cloud_percent=1.0, patches=(Patch("cloud", 0, 1, 164),)),
        OpticalScene(date(2023, 9, 30), cloud_percent=1.0),
        OpticalScene(date(2023, 10, 1), cloud_percent=12.0),
    ),
)
"""Two tiles, the southern one on later lines of the products. Series end on 18 and 30 September.

Both tiles take the optical dates 30, 29, 17, 20, 28 in this order; the southern one loses the 29th to its clouds, so
the northern tile has one spare and the southern one none.
"""
PLACES = {place.name: place for place in (TINY, TALL)}
FALL = "2023-fall"


def world(name, base):
    """Folder of a place's archive, made the first time below a folder of the session."""
    folder = Path(base) / "worlds" / name
    simulate(PLACES[name], folder)
    return folder


def copy(folder, to):
    """A copy of a world in which files may be replaced: links, so that it costs nothing."""
    shutil.copytree(folder, to, copy_function=os.link)
    return to


def rewrite(path, body):
    """Give a file of a copy other bytes, without touching the original."""
    path.unlink()
    path.write_bytes(body)


def area_of(folder, **values):
    """Settings of a world's area."""
    boundary = next((folder / "aoi").glob("*.geojson"))
    known = {
        "year": 2023,
        "catalogue": {"kind": "archive", "root": str(folder / "archive")},
        "dem": {"path": str(folder / "dem/dem.tif"), "vertical": "ellipsoidal"},
        "labels": {"name": "worldcover_2020", "path": str(folder / "labels/labels.tif")},
    }
    return adhoc_aoi(boundary, **known | values)


def area_around(tile):
    """An area, in degrees, that holds the centre of one tile alone."""
    return Point(tile.centre_lonlat).buffer(0.005)


def services_of(folder, store, *, area=None, changes=None, **settings):
    """Services of a world; `changes` replaces ports."""
    services = wiring.assemble(Settings(store=store, **{"workers": 1} | settings), area or area_of(folder))
    return dataclasses.replace(services, **changes or {})


def partition_of(services, season=FALL):
    """Text of a partition."""
    return f"{services.aoi}/{season}"


def run(services, season=FALL, *, refresh=False, until="report"):
    """All steps of a partition, up to one of a name; returns the partition."""
    partition = partition_of(services, season)
    for name, shards, work in steps.sequence(partition, services, refresh=refresh):
        for shard in shards():
            work(shard)
        if name == until:
            break
    return partition


def files_of(store, aoi):
    """Bytes of every file of a data set, by path."""
    root = store / aoi
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def products_of(folder, mission):
    """Folders of a mission's products, in order of their names."""
    return sorted((folder / "archive").rglob(f"{mission}*.SAFE"), key=lambda path: path.name)
