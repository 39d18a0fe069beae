"""An archive of a place: products, terrain, labels, area of interest, and the parameters that made them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.simulate.granules import write_granule
from sen12ts_pipeline.simulate.place import Place
from sen12ts_pipeline.simulate.radar import World, write_series
from sen12ts_pipeline.simulate.rasters import write_aoi, write_dem, write_labels
from sen12ts_pipeline.simulate.truth import TRUTH_FILE, marker_text


def simulate(place: Place, out: Path, *, progress: Callable[[str], None] | None = None) -> None:
    """Write the archive of a place, unless it is there already.

    Parameters
    ----------
    place : Place
        What to make.
    out : Path
        Folder; gets ``archive/``, ``dem/dem.tif``, ``labels/labels.tif``, ``aoi/<place>.geojson`` and, last,
        ``truth.json``.
    progress : callable, optional
        Told the name of every product that is finished.

    Raises
    ------
    ConfigurationError
        When the folder holds the archive of another place.
    """
    body = marker_text(place)
    marker = out / TRUTH_FILE
    if marker.exists():
        if marker.read_text() == body:
            return
        raise ConfigurationError(str(marker), "place", "must be the place that is simulated", place.name)
    world = World.of(place)
    archive = out / "archive"
    write_series(world, archive, progress=progress)
    with ThreadPoolExecutor(max_workers=2) as pool:
        jobs = [pool.submit(write_granule, place, world.cover, k, archive) for k in range(len(place.scenes))]
        for job in jobs:
            folder = job.result()
            if progress:
                progress(folder.name)
    write_dem(place, world.relief, out / "dem" / "dem.tif")
    write_labels(place, world.cover, out / "labels" / "labels.tif")
    write_aoi(place, out / "aoi" / f"{place.name}.geojson")
    partial = marker.with_suffix(".part")
    partial.write_text(body)
    partial.rename(marker)
