"""Terrain layers of one grid and track, from orbit and DEM alone: burst choice, angles, masks, area factor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.domain.bursts import BurstId
from sen12ts_pipeline.domain.lattice import Grid
from sen12ts_pipeline.errors import Rejected
from sen12ts_pipeline.ports import Bool, Terrain, UInt8
from sen12ts_pipeline.sar.native import geometry
from sen12ts_pipeline.sar.native.kernels import area, choice, walk
from sen12ts_pipeline.sar.native.lattice import HALO_COLS, HALO_ROWS
from sen12ts_pipeline.sar.native.pair import ASIDE_M, coherence_floor, effective_looks
from sen12ts_pipeline.sar.native.scene import SUBSWATHS, OpenPass, PlacedBurst
from sen12ts_pipeline.sar.native.surface import Surface
from sen12ts_pipeline.terrain.dem import Dem

Float64 = npt.NDArray[np.float64]
Position = Callable[[PlacedBurst], Iterable[Float64]]
"""Line and sample of points in a burst."""

NODE_M = 10.0
"""Step of the nodes on which slopes, masks and facet areas are computed."""

EDGE_MARGIN_LINES = 16.0
EDGE_MARGIN_SAMPLES = 16.0
"""Distance from a burst's valid edge within which it never serves a pixel: half the interpolation kernel, and the shift
of the edge between dates."""

_BESIDE = 8
"""Lines (5 m) beside the grid whose shadows count: as far as a facet reaches through the bins of the area factor."""

_BESIDE_VOID = 6
"""Nodes around a void whose bins lack some of its area."""

REACH_FLOOR_M = 200.0
REACH_PROBE_M = 4_000.0
REACH_LIMIT_M = 12_000.0
_PROBE_STEP_M = 60.0
_PROBE_SHARE = 0.8
FACET_SPLIT = 3, 5
"""Sub-facets of a quad, southwards and eastwards: range runs nearly east or west, and bins are narrower in range."""

BIN_SAMPLES = 2
"""Range samples of a bin. Wider ones would carry the area folded into layover tens of metres out of it."""
SMALLEST_AREA_SHARE = 0.05
"""Of the flat area (Small 2011; SNAP uses the same); smaller areas count as this one.

The mask is shadow, layover and what has no data, nothing else, so grazing ground keeps a value; the bound keeps it, and
what lies in shadow, from being noise divided by nothing.
"""


def make_terrain(grid: Grid, reference: OpenPass, dem: Dem, mask_margin: int = 0) -> Terrain:
    """Terrain layers of a grid as the reference pass sees it.

    Parameters
    ----------
    grid : Grid
        Rows and columns of 10 m.
    reference : OpenPass
        The pass whose orbit and bursts decide.
    dem : Dem
        Heights.
    mask_margin : int
        Pixels by which shadow and layover are grown, to all eight sides.

    Raises
    ------
    Rejected
        Rule ``dem_void`` when the DEM has no height in the grid, ``no_burst`` when no burst serves it.
    """
    nodes = _Nodes(grid, dem, reference, _halo_nodes(grid, dem, reference))
    bursts, chosen = choose_bursts(Surface.of(grid, dem), reference)
    placed = {burst: reference.bursts[burst] for burst in bursts}
    looks = round(effective_looks(placed[bursts[0]], _beside_centre(nodes)), 1)
    incidence, slope = _angles(nodes)
    layover, shadow, unknown = _layover_shadow(nodes, mask_margin)
    inner = nodes.inner
    factor = _area_factor(nodes, shadow, chosen, placed)
    factor[unknown[inner]] = np.nan
    notes: Mapping[str, Any] = {
        "reference_pass": reference.id,
        "reference_products": list(reference.products),
        "orbit": reference.orbit.kind,
        "effective_looks": looks,
        "coherence_floor": round(coherence_floor(looks), 3),
        "reach_m": nodes.halo * NODE_M,
        "void_nodes": int((~np.isfinite(nodes.height)).sum()),
    }
    return Terrain(
        grid=grid,
        bursts=bursts,
        choice=chosen,
        incidence=incidence.astype(np.float32),
        slope=slope.astype(np.float32),
        factor=factor.astype(np.float32),
        shadow=np.ascontiguousarray(_with_margin(shadow, mask_margin)[inner]),
        layover=np.ascontiguousarray(_with_margin(layover, mask_margin)[inner]),
        notes=notes,
    )


def _beside_centre(nodes: _Nodes) -> tuple[Float64, Float64]:
    """Times and ranges (3,) of the grid's centre, and east and north of it."""
    easting, northing = nodes.grid.centre
    height = float(np.nanmean(nodes.height))
    seen = [
        nodes.geometry.at(easting + e, northing + n, height) for e, n in ((0.0, 0.0), (ASIDE_M, 0.0), (0.0, ASIDE_M))
    ]
    return np.array([t for t, _ in seen]), np.array([r for _, r in seen])


class _Nodes:
    """Heights and geometry on the grid's pixel centres with a halo as wide as relief can reach."""

    def __init__(self, grid: Grid, dem: Dem, reference: OpenPass, halo: int) -> None:
        self.grid, self.halo = grid, halo
        self.easting = grid.west + NODE_M * (np.arange(-halo, grid.cols + halo, dtype=float) + 0.5)
        self.northing = grid.north - NODE_M * (np.arange(-halo, grid.rows + halo, dtype=float) + 0.5)
        west, east = float(self.easting[0]), float(self.easting[-1])
        south, north = float(self.northing[-1]), float(self.northing[0])
        self.height = dem.window(grid.epsg, (west, south, east, north)).lattice(self.easting, self.northing)
        if not np.isfinite(self.height[self.inner]).any():
            where = f"EPSG:{grid.epsg} {grid.west:.0f} {grid.north:.0f}"
            raise Rejected("dem_void", where, f"{dem.path.name} has no height in the grid")
        surface = geometry.Box.around(grid.epsg, self.easting, self.northing, self.height)
        self.ground = geometry.survey(surface)
        self.geometry = geometry.fit(self.ground, reference.orbit)
        self.time, self.range = self.geometry.time_range(self.easting, self.northing, self.height)

    @property
    def inner(self) -> tuple[slice, slice]:
        """The grid's own pixels."""
        return slice(self.halo, self.halo + self.grid.rows), slice(self.halo, self.halo + self.grid.cols)


def _halo_nodes(grid: Grid, dem: Dem, reference: OpenPass) -> int:
    """Nodes around the grid that hold whatever ground may share a range with it or hide it.

    Ground at a distance d matters if it stands higher or lower than the grid by d over the tangent or cotangent of the
    incidence angle, whichever is larger. It is looked for some kilometres around, and farther only where relief is
    found to reach that far.
    """
    reach = 0.0
    for limit in (REACH_PROBE_M, REACH_LIMIT_M):
        easting = np.arange(grid.west - limit, grid.east + limit + 1.0, _PROBE_STEP_M)
        northing = np.arange(grid.north + limit, grid.south - limit - 1.0, -_PROBE_STEP_M)
        box = float(easting[0]), float(northing[-1]), float(easting[-1]), float(northing[0])
        height = dem.window(grid.epsg, box).lattice(easting, northing)
        aside = np.maximum(np.maximum(grid.west - easting, easting - grid.east), 0.0)
        beyond = np.maximum(np.maximum(grid.south - northing, northing - grid.north), 0.0)
        distance = np.hypot(aside, beyond[:, None])
        own = height[(distance == 0.0) & np.isfinite(height)]
        if len(own) == 0:
            break
        lift = np.maximum(height - own.min(), own.max() - height)
        reaching = lift * _steepness(grid, float(own.mean()), reference) >= distance
        reach = float(np.max(distance, where=reaching, initial=0.0))
        if reach < _PROBE_SHARE * limit:
            break
    return int(np.ceil((reach + REACH_FLOOR_M) / NODE_M))


def _steepness(grid: Grid, height_m: float, reference: OpenPass) -> float:
    """Tangent or cotangent of the incidence angle at the grid's centre, whichever is larger."""
    easting, northing = (np.array([x]) for x in grid.centre)
    point = geometry.earth_fixed(grid.epsg, easting, northing, np.array([height_m]))
    local = geometry.localise(reference.orbit, point[0])
    time, distance = geometry.solve(point, local)
    look = (point - local.state(time)[0])[0] / distance[0]
    up = -float((look * point[0]).sum() / np.sqrt((point[0] ** 2).sum()))
    tangent = float(np.sqrt(1.0 - up * up) / up)
    return max(tangent, 1.0 / tangent)


def choose_bursts(surface: Surface, reference: OpenPass) -> tuple[tuple[BurstId, ...], UInt8]:
    """Burst of every lattice sample: between subswaths by range margin, within one by azimuth margin.

    Returns
    -------
    bursts : tuple of BurstId
        Those that serve at least one sample, in order.
    choice : uint8 (rows + 10, 2 * cols + 20)
        Index into `bursts`; 255 where none serves.

    Raises
    ------
    Rejected
        Rule ``no_burst`` when no sample is served.
    """
    lattice = surface.lattice
    seen = geometry.sight(surface.ground, reference.orbit)
    candidates = list(reference.near(float(seen.time_s.min()), float(seen.time_s.max())))

    def position(placed: PlacedBurst) -> Float64:
        nodes = np.stack(placed.line_sample(seen.time_s, seen.range_m))
        field = geometry.Field.through(surface.ground.box, nodes)
        return field.on_lattice(lattice.easting, lattice.northing, surface.heights)

    chosen, margin = np.full(lattice.shape, choice.NONE, np.uint8), np.full(lattice.shape, -1.0)
    for subswath in SUBSWATHS:
        _claim_subswath(candidates, subswath, position, chosen, margin)
    used = np.flatnonzero(np.bincount(chosen.ravel(), minlength=256)[: choice.NONE])
    if len(used) == 0:
        box = surface.ground.box
        where = f"EPSG:{box.epsg} {box.west:.0f} {box.north:.0f}"
        raise Rejected("no_burst", where, f"no burst of pass {reference.id} has valid samples there")
    renumber = np.full(256, choice.NONE, np.uint8)
    renumber[used] = np.arange(len(used))
    return tuple(candidates[k].burst.id for k in used), renumber[chosen]


def serving_burst(one: OpenPass, time_s: float, range_m: float) -> BurstId | None:
    """Burst that serves a point of given geometry, by the rule of `choose_bursts`; None where there is none."""
    time, distance = np.array([[time_s]]), np.array([[range_m]])
    candidates = list(one.near(time_s, time_s))
    chosen, margin = np.full((1, 1), choice.NONE, np.uint8), np.full((1, 1), -1.0)
    for subswath in SUBSWATHS:
        _claim_subswath(candidates, subswath, lambda placed: placed.line_sample(time, distance), chosen, margin)
    return None if chosen[0, 0] == choice.NONE else candidates[chosen[0, 0]].burst.id


def _claim_subswath(
    candidates: list[PlacedBurst], subswath: str, position: Position, chosen: UInt8, margin: Float64
) -> None:
    """Let the bursts of a subswath claim what lies farther inside its range than in an earlier one's."""
    mine = [(k, placed) for k, placed in enumerate(candidates) if placed.burst.id.subswath == subswath]
    if not mine:
        return
    own = np.full(chosen.shape, choice.NONE, np.uint8)
    azimuth, range_margin = np.full(chosen.shape, -1.0), np.full(chosen.shape, -1.0)
    for index, placed in mine:
        burst = placed.burst
        window = (
            burst.first_line + EDGE_MARGIN_LINES,
            burst.last_line - EDGE_MARGIN_LINES,
            burst.first_valid + EDGE_MARGIN_SAMPLES,
            burst.last_valid - EDGE_MARGIN_SAMPLES,
        )
        line, sample = position(placed)
        choice.claim(line, sample, index, window, azimuth, range_margin, own)
    better = (own != choice.NONE) & ((chosen == choice.NONE) | (range_margin > margin))
    chosen[better] = own[better]
    margin[better] = range_margin[better]


def _angles(nodes: _Nodes) -> tuple[Float64, Float64]:
    """Local incidence angle and slope of the grid's pixels in degrees, from Horn's gradients (1981) in true metres."""
    rows, cols = nodes.inner
    h = nodes.height[rows.start - 1 : rows.stop + 1, cols.start - 1 : cols.stop + 1]
    west = h[:-2, :-2] + 2 * h[1:-1, :-2] + h[2:, :-2]
    east = h[:-2, 2:] + 2 * h[1:-1, 2:] + h[2:, 2:]
    north = h[:-2, :-2] + 2 * h[:-2, 1:-1] + h[:-2, 2:]
    south = h[2:, :-2] + 2 * h[2:, 1:-1] + h[2:, 2:]
    p = (east - west) / (8 * NODE_M * nodes.ground.metres_east)
    q = (north - south) / (8 * NODE_M * nodes.ground.metres_north)
    heights = np.ascontiguousarray(nodes.height[nodes.inner])
    look = nodes.geometry.look_vector(nodes.easting[cols], nodes.northing[rows], heights)
    steepness = p * p + q * q
    cosine = (p * look[0] + q * look[1] - look[2]) / np.sqrt(1 + steepness)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1))), np.degrees(np.arctan(np.sqrt(steepness)))


def _layover_shadow(nodes: _Nodes, margin: int) -> tuple[Bool, Bool, Bool]:
    """Layover, shadow and unknown on the nodes: walks along lines of constant zero-Doppler time, brought back.

    The lines are straight in the map over a window of some kilometres; points lie 5 m apart on lines 5 m apart, as many
    as the grid needs with a margin of pixels.
    """
    nadir = nodes.geometry.nadir_angle(nodes.easting, nodes.northing, nodes.height)
    away = _away_from_radar(nodes)
    step = 5.0 / NODE_M
    along, across = (away[0] * step, away[1] * step), (away[1] * step, -away[0] * step)
    rows, cols = nodes.height.shape
    corner = np.array([[0, 0], [0, cols - 1], [rows - 1, 0], [rows - 1, cols - 1]], float)
    to_line = np.linalg.inv(np.array([along, across]).T)
    inner_r, inner_c = nodes.inner
    inside = np.array([[r, c] for r in (inner_r.start, inner_r.stop - 1) for c in (inner_c.start, inner_c.stop - 1)])
    j_range, i_range = (to_line @ corner.T)[0], (to_line @ inside.T)[1]
    beside = _BESIDE + round(margin * NODE_M / 5.0)
    j0, j1 = int(np.floor(j_range.min())), int(np.ceil(j_range.max()))
    i0, i1 = int(np.floor(i_range.min())) - beside, int(np.ceil(i_range.max())) + beside
    shape = (i1 - i0 + 1, j1 - j0 + 1)
    origin = (i0 * across[0] + j0 * along[0], i0 * across[1] + j0 * along[1])
    flags = [np.zeros(shape, np.bool_) for _ in range(3)]
    walk.walk(nodes.range, nadir, _bounds(nodes, nadir), origin, along, across, *flags)
    on_nodes = [np.empty((rows, cols), np.bool_) for _ in flags]
    to_i, to_j = (*to_line[1], float(-i0)), (*to_line[0], float(-j0))
    for flag, out in zip(flags, on_nodes, strict=True):
        walk.bring_back(flag, to_i, to_j, out)
    layover, shadow, unknown = on_nodes
    return layover, shadow, unknown | _grown(~np.isfinite(nodes.height), _BESIDE_VOID)


def _bounds(nodes: _Nodes, nadir: Float64) -> tuple[Float64, Float64, Float64]:
    """Smallest and largest range and largest angle of every node, were the voids as high or as low as what is known."""
    void = ~np.isfinite(nodes.height)
    if not void.any():
        return nodes.range, nodes.range, nadir
    low, high = (np.where(void, f(nodes.height), nodes.height) for f in (np.nanmin, np.nanmax))
    near, far = (nodes.geometry.time_range(nodes.easting, nodes.northing, h)[1] for h in (high, low))
    return near, far, nodes.geometry.nadir_angle(nodes.easting, nodes.northing, high)


def _grown(mask: Bool, by: int) -> Bool:
    """Mask with its neighbours up to a number of steps away."""
    for _ in range(by):
        grown = mask.copy()
        for near, far in ((slice(1, None), slice(None, -1)), (slice(None, -1), slice(1, None))):
            grown[near] |= mask[far]
            grown[:, near] |= mask[:, far]
        mask = grown
    return mask


def _with_margin(mask: Bool, pixels: int) -> Bool:
    """Mask with what lies up to a number of pixels away, corners too."""
    for _ in range(pixels):
        padded = np.pad(mask, 1)
        rows = padded[:-2] | padded[1:-1] | padded[2:]
        mask = rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:]
    return mask


def _away_from_radar(nodes: _Nodes) -> tuple[float, float]:
    """Unit step in (row, col) along which zero-Doppler time stays and range grows, at the middle of the grid."""
    easting, northing = nodes.grid.centre
    height = float(np.nanmean(nodes.height))
    d = 500.0
    e = nodes.geometry.at(easting + d, northing, height), nodes.geometry.at(easting - d, northing, height)
    n = nodes.geometry.at(easting, northing + d, height), nodes.geometry.at(easting, northing - d, height)
    time_e, time_n = e[0][0] - e[1][0], n[0][0] - n[1][0]
    range_e, range_n = e[0][1] - e[1][1], n[0][1] - n[1][1]
    length = float(np.hypot(time_e, time_n))
    east, north = -time_n / length, time_e / length
    if east * range_e + north * range_n < 0:
        east, north = -east, -north
    return -north, east


def _area_factor(nodes: _Nodes, shadow: Bool, chosen: UInt8, placed: dict[BurstId, PlacedBurst]) -> Float64:
    """gamma0 / beta0 of every pixel of the grid: area of a sample over the projected area of what falls into it."""
    swath = next(iter(placed.values())).swath
    line, sample = nodes.time / swath.line_interval_s, nodes.range / (BIN_SAMPLES * swath.range_spacing_m)
    line -= np.floor(np.nanmin(line)) - 1.0  # whole bins, so that all grids over a pixel see the same ones
    sample -= np.floor(np.nanmin(sample)) - 1.0
    look = nodes.geometry.look_vector(nodes.easting, nodes.northing, nodes.height)
    bins = np.zeros((int(np.nanmax(line)) + 3, int(np.nanmax(sample)) + 3))
    step = NODE_M * nodes.ground.metres_east, NODE_M * nodes.ground.metres_north
    area.accumulate(nodes.height, line, sample, look, shadow, step, FACET_SPLIT, bins)
    inner = nodes.inner
    projected = np.empty(nodes.grid.shape)
    area.look_up(bins, np.ascontiguousarray(line[inner]), np.ascontiguousarray(sample[inner]), projected)
    projected /= BIN_SAMPLES
    spacing = np.array([p.swath.azimuth_spacing_m for p in placed.values()])
    serving = chosen[HALO_ROWS:-HALO_ROWS, HALO_COLS:-HALO_COLS:2]
    of_sample = swath.range_spacing_m * spacing[np.minimum(serving, len(spacing) - 1)]
    up = -look[2][inner]
    flat = of_sample * up / np.sqrt(1 - up * up)
    factor: Float64 = of_sample / np.maximum(projected, SMALLEST_AREA_SHARE * flat)
    return factor
