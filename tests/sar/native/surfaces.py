"""Surfaces under a real pass: a tile in the middle of a burst, and elevation models made for it."""

import numpy as np
from pyproj import Transformer

from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.sar.native import geometry
from sen12ts_pipeline.sentinel1.annotation import read_geolocation_grid
from sen12ts_pipeline.terrain.dem import Dem
from tests.sentinel1.annotations import body_of, epoch_of
from tests.terrain.rasters import write_surface


def ground_point(subswath="IW2", line=5, column=10):
    """Longitude and latitude in the middle of a burst of the pass over Morocco, at a column of its geolocation grid."""
    body = body_of("6814", subswath)
    grid = read_geolocation_grid(body, product="P", member="M", epoch=epoch_of(body))
    lines = np.unique(grid.line)
    rows = [np.flatnonzero(grid.line == lines[k])[column] for k in (line, line + 1)]
    return grid.longitude[rows].mean(), grid.latitude[rows].mean()


def tile_at(subswath="IW2", line=5, column=10):
    return TileId.at(*ground_point(subswath, line, column))


def dem_of(path, surface, grid, *, reach_m=4000.0, step_m=10.0, **options):
    """An elevation model in the grid's own system; `surface` takes metres east and north of the grid's centre."""
    easting, northing = grid.centre
    box = (grid.west - reach_m, grid.south - reach_m, grid.east + reach_m, grid.north + reach_m)
    write_surface(path, lambda x, y: surface(x - easting, y - northing), grid.epsg, box, step_m, **options)
    return Dem(path, "ellipsoidal")


def towards_far_range(one, grid, height=500.0):
    """Unit vector (east, north) on the ground along which range grows and zero-Doppler time stays; incidence there."""
    easting, northing = grid.centre
    box = geometry.Box(
        grid.epsg, easting - 1500, northing - 1500, easting + 1500, northing + 1500, height - 50, height + 50
    )
    solved = geometry.fit(geometry.survey(box), one.orbit)
    step = 500.0
    (te, re), (tn, rn) = (
        tuple((a - b) / (2 * step) for a, b in zip(solved.at(*plus, height), solved.at(*minus, height), strict=True))
        for plus, minus in (
            ((easting + step, northing), (easting - step, northing)),
            ((easting, northing + step), (easting, northing - step)),
        )
    )
    east, north = np.array([-tn, te]) / np.hypot(te, tn)
    if east * re + north * rn < 0:
        east, north = -east, -north
    up = -solved.look_vector(np.array([easting]), np.array([northing]), np.array([[height]]))[2, 0, 0]
    return (float(east), float(north)), float(np.degrees(np.arccos(up)))


TO_ECEF = Transformer.from_crs(4979, 4978, always_xy=True)
