"""The tasks of sarsen, in its own environment: `python -m benchmarks.peers.sarsen_task TASK SCENE OUT`.

The measurement group is a whole subswath, for the release mosaics whatever it opens; the subswath has one burst.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import dask
import numpy as np
import rasterio
from sarsen import Sentinel1SarProduct, terrain_correction

from benchmarks.peers.cost import Meter, Task, run_task

GROUP = "IW2/VV"
CHUNK = 1024


def correct(dem: str, radiometry: str | None, values: dict[str, Any], out: Path) -> dict[str, Any]:
    """Terrain correction of the earlier date, VV, onto the pixels of a DEM."""
    meter = Meter()
    folder, made = Path(values["folder"]), out / "made.tif"
    product = Sentinel1SarProduct(str(folder / values["products"][0]), GROUP)
    with dask.config.set(scheduler="threads", num_workers=1):
        terrain_correction(
            product,
            dem_urlpath=str(folder / dem),
            output_urlpath=str(made),
            correct_radiometry=radiometry,
            interp_method="linear",
            chunks=CHUNK,
        )
    figures = meter.figures(("sarsen", "xarray-sentinel", "xarray", "numpy"))
    return figures | {"pixels": _known(made)}


def _known(path: Path) -> int:
    """Pixels with a value above zero."""
    with rasterio.open(path) as source:
        return sum(int((source.read(1, window=w) > 0).sum(dtype=np.int64)) for _, w in source.block_windows(1))


TASKS: dict[str, Task] = {
    "geometric": partial(correct, "map_dem.tif", None),
    "gamma_bilinear": partial(correct, "map_dem.tif", "gamma_bilinear"),
    "tile_gamma_bilinear": partial(correct, "tile_dem.tif", "gamma_bilinear"),
}

if __name__ == "__main__":
    run_task(TASKS, sys.argv[1:])
