"""The geoid EGM2008, fetched once as a world grid of 2.5' from PROJ's distribution of grids."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio

from sen12ts_pipeline.acquisition.cache import Cache
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.terrain.geoid import load_geoid

EGM2008_URL = "https://cdn.proj.org/us_nga_egm08_25.tif"
EGM2008_FILE = "us_nga_egm08_25.tif"
FINEST_DEG = 0.05
"""The grid has 2.5'; a coarser one is another."""
LARGEST_MEAN_M = 1.5
"""Of the difference from EGM96, in mean over places between 60 S and 60 N, where it is some decimetres."""


def fetch_egm2008(cache: Cache, url: str = EGM2008_URL) -> Path:
    """The grid, about 80 MB; errors as for `Cache.fetched`.

    Parameters
    ----------
    cache : Cache
        Where it is kept.
    url : str
        Of the grid file.
    """
    return cache.fetched(url, EGM2008_FILE, check_egm2008)


def check_egm2008(path: Path) -> None:
    """Refuse, by ValueError, what is no fine grid of the world or far from EGM96."""
    try:
        grid, known = load_geoid("egm2008", path), load_geoid("egm96", None)
        assert grid is not None  # noqa: S101 - EGM2008 is no ellipsoid
        assert known is not None  # noqa: S101 - nor is EGM96
        if not grid.is_global or max(grid.step_x, grid.step_y) > FINEST_DEG:
            rows, cols = grid.shape
            raise ValueError(f"it must be a grid of the world of 2.5'; it has {rows} x {cols} posts")
        longitude, latitude = (x.ravel() for x in np.meshgrid(np.arange(-175.0, 180, 30), np.arange(-60.0, 61, 20)))
        pairs = zip(longitude, latitude, strict=True)  # one by one, so that only blocks around the places are read
        differences = [
            grid.undulation(np.array([x]), np.array([y])) - known.undulation(np.array([x]), np.array([y]))
            for x, y in pairs
        ]
        mean = float(np.mean(np.abs(differences)))
        with rasterio.open(path) as source:
            source.read(1, window=((source.height - 1, source.height), (source.width - 1, source.width)))
    except (ConfigurationError, rasterio.errors.RasterioError) as error:
        raise ValueError(f"it is no geoid grid that can be read ({error})") from None
    if not mean < LARGEST_MEAN_M:
        raise ValueError(f"it must be within some metres of EGM96; it is {mean:.1f} m off")
