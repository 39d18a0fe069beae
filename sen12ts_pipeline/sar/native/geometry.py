"""Range-Doppler geometry of one map window: exact at nodes, polynomials of (easting, northing, height) between.

Over a tile, zero-Doppler time and slant range are analytic and smooth: order 4 over 343 Chebyshev nodes reproduces the
exact solution to 1e-8 m, so no point but the nodes is ever solved.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pyproj import Transformer

from sen12ts_pipeline.domain.lattice import to_geographic
from sen12ts_pipeline.sar.native.kernels import doppler, polynomial
from sen12ts_pipeline.sentinel1.orbit import LOCAL_HALF_S, LocalOrbit, Orbit

Float64 = npt.NDArray[np.float64]

SEMI_MAJOR_M, SEMI_MINOR_M = 6_378_137.0, 6_356_752.314245
"""Of the WGS 84 ellipsoid."""

_NODES = 7
_HEIGHT_MARGIN_M = 10.0
_TOLERANCE_S = 1e-6
_RASTER_S = 2.0
"""Step of local orbits: a point is at most 1 s from the middle of one that reaches 4 s."""


@dataclass(frozen=True, slots=True)
class Box:
    """A window of map coordinates and ellipsoidal heights, metres."""

    epsg: int
    west: float
    south: float
    east: float
    north: float
    low: float
    high: float

    @classmethod
    def around(cls, epsg: int, easting: Float64, northing: Float64, heights: Float64) -> Box:
        """Smallest box over a lattice, with a margin in height; `heights` must have a finite value."""
        low, high = float(np.nanmin(heights)) - _HEIGHT_MARGIN_M, float(np.nanmax(heights)) + _HEIGHT_MARGIN_M
        return cls(
            epsg, float(easting.min()), float(northing.min()), float(easting.max()), float(northing.max()), low, high
        )


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """Nodes of a box: Earth-fixed points and the map's axes there.

    Attributes
    ----------
    box : Box
        The window.
    points : float64 (343, 3)
        Earth-fixed, metres.
    axes : float64 (343, 3, 3)
        Rows: unit vectors of grid east, grid north and up.
    metres_east, metres_north : float
        True metres per map metre at the middle of the box.
    """

    box: Box
    points: Float64
    axes: Float64
    metres_east: float
    metres_north: float


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """What one orbit sees of the nodes of a box: the exact solution.

    Attributes
    ----------
    ground : Ground
        The nodes.
    time_s, range_m : float64 (343,)
        Zero-Doppler time from the pass's epoch, and slant range.
    state : tuple of float64 (343, 3)
        The satellite's position, velocity and acceleration at these times.
    """

    ground: Ground
    time_s: Float64
    range_m: Float64
    state: tuple[Float64, Float64, Float64]

    @property
    def look(self) -> Float64:
        """Earth-fixed unit vectors (343, 3) from satellite to ground."""
        return np.asarray((self.ground.points - self.state[0]) / self.range_m[:, None])

    def fm_rate(self, wavelength_m: float) -> Float64:
        """Azimuth FM rate of targets at the nodes (Hz/s), ``-2 (V V - (P - S) A) / (lambda R)``."""
        _, velocity, acceleration = self.state
        speed = (velocity * velocity).sum(1) - (self.look * acceleration).sum(1) * self.range_m
        return np.asarray(-2.0 * speed / (wavelength_m * self.range_m))


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """Polynomials of some quantities over one box.

    Attributes
    ----------
    box : Box
        Where they hold.
    middle : float64 (k,)
        Means of the quantities, from which the polynomials count.
    coefficients : float64 (k, 35)
        Of the terms of `kernels.polynomial`.
    """

    box: Box
    middle: Float64
    coefficients: Float64

    @classmethod
    def through(cls, box: Box, values: Float64) -> Field:
        """Field of the values (k, 343) at the nodes of a box."""
        middle = values.mean(axis=1)
        coefficients = np.empty((len(values), polynomial.TERMS))
        polynomial.weighted_sums(values - middle[:, None], _inverse(), coefficients)
        return cls(box, middle, coefficients)

    def on_lattice(self, easting: Float64, northing: Float64, height: Float64) -> Float64:
        """Values (k, rows, cols) over the lattice of easting (cols,), northing (rows,), with heights (rows, cols)."""
        box = self.box
        x = (2.0 * easting - box.west - box.east) / (box.east - box.west)
        y = (2.0 * northing - box.south - box.north) / (box.north - box.south)
        scale = 2.0 / (box.high - box.low), -(box.low + box.high) / (box.high - box.low)
        coefficients = self.coefficients.copy()
        coefficients[:, 0] += self.middle
        out = np.empty((len(self.middle), *height.shape))
        polynomial.on_lattice(coefficients, x, y, height, scale, out)
        return out


@dataclass(frozen=True, slots=True, eq=False)
class Geometry:
    """Polynomials of one box and orbit; times in seconds from the pass's epoch.

    Attributes
    ----------
    time_and_range, look, nadir : Field
        Two quantities, three, and one.
    """

    time_and_range: Field
    look: Field
    nadir: Field

    def time_range(self, easting: Float64, northing: Float64, height: Float64) -> tuple[Float64, Float64]:
        """Zero-Doppler time (s) and slant range (m) over the lattice of easting (cols,), northing (rows,)."""
        time, distance = self.time_and_range.on_lattice(easting, northing, height)
        return time, distance

    def look_vector(self, easting: Float64, northing: Float64, height: Float64) -> Float64:
        """Unit vector from satellite to ground in (grid east, grid north, up), (3, rows, cols)."""
        return self.look.on_lattice(easting, northing, height)

    def nadir_angle(self, easting: Float64, northing: Float64, height: Float64) -> Float64:
        """Angle at the satellite between the direction to the Earth's centre and the point, radians."""
        return np.asarray(self.nadir.on_lattice(easting, northing, height)[0])

    def at(self, easting: float, northing: float, height: float) -> tuple[float, float]:
        """Time (s) and range (m) of one point."""
        one = np.array([easting]), np.array([northing]), np.array([[height]])
        time, distance = self.time_range(*one)
        return float(time[0, 0]), float(distance[0, 0])


def survey(box: Box) -> Ground:
    """Earth-fixed nodes and map axes of a box; the same for every date."""
    unit = np.cos(np.pi * (np.arange(_NODES) + 0.5) / _NODES)
    x, y, z = (a.ravel() for a in np.meshgrid(unit, unit, unit, indexing="ij"))
    easting = (box.west + box.east + x * (box.east - box.west)) / 2
    northing = (box.south + box.north + y * (box.north - box.south)) / 2
    height = (box.low + box.high + z * (box.high - box.low)) / 2
    points = earth_fixed(box.epsg, easting, northing, height)
    step = 1.0
    east = earth_fixed(box.epsg, easting + step, northing, height) - points
    north = earth_fixed(box.epsg, easting, northing + step, height) - points
    length = np.linalg.norm(east, axis=1), np.linalg.norm(north, axis=1)
    up = np.cross(east, north)
    axes = np.stack(
        [east / length[0][:, None], north / length[1][:, None], up / np.linalg.norm(up, axis=1)[:, None]], 1
    )
    return Ground(box, points, axes, float(length[0].mean()) / step, float(length[1].mean()) / step)


def solve(points: Float64, orbit: LocalOrbit) -> tuple[Float64, Float64]:
    """Zero-Doppler times (s) and slant ranges (m) of Earth-fixed points (n, 3).

    The residual is below 1e-12 s; points that the local orbit does not reach have times beyond it.
    """
    time, distance, _ = _solved(points, orbit)
    return time, distance


def _solved(points: Float64, orbit: LocalOrbit) -> tuple[Float64, Float64, tuple[Float64, Float64, Float64]]:
    """Times, ranges, and the satellite's position, velocity and acceleration."""
    time, state = np.empty(len(points)), np.empty((3, len(points), 3))
    doppler.solve(
        np.ascontiguousarray(points), orbit.coefficients, orbit.centre_s, LOCAL_HALF_S, _TOLERANCE_S, time, state
    )
    away = points - state[0]
    return time, np.sqrt((away * away).sum(1)), (state[0], state[1], state[2])


def solve_far(points: Float64, orbit: Orbit) -> tuple[Float64, Float64]:
    """Zero-Doppler times and slant ranges of points (n, 3) anywhere under a pass; NaN where no state vector reaches."""
    time, distance = np.full(len(points), np.nan), np.full(len(points), np.nan)
    first, last = float(orbit.time_s[0]), float(orbit.time_s[-1])
    for centre in np.arange(first + LOCAL_HALF_S / 2, last, LOCAL_HALF_S):
        local = orbit.local(float(centre))
        t, r = solve(points, local)
        held = np.abs(t - centre) <= LOCAL_HALF_S / 2 + 1e-3
        time[held], distance[held] = t[held], r[held]
    return time, distance


def locate(orbit: LocalOrbit, time_s: Float64, range_m: Float64, height_m: Float64) -> Float64:
    """Earth-fixed points (n, 3) at zero-Doppler times, slant ranges and heights, to the right of the orbit.

    Newton's method on ``(P - S) . V = 0``, ``|P - S| = R`` and the ellipsoid raised by the height, from the point on a
    sphere; good to a millimetre.
    """
    position, velocity, _ = orbit.state(time_s)
    radius, speed = (np.sqrt((v * v).sum(1)) for v in (position, velocity))
    down, ahead = -position / radius[:, None], velocity / speed[:, None]
    right = np.cross(down, ahead)
    axes = np.stack([SEMI_MAJOR_M + height_m, SEMI_MAJOR_M + height_m, SEMI_MINOR_M + height_m], 1)
    cosine = (radius**2 + range_m**2 - axes[:, 0] ** 2) / (2 * radius * range_m)
    look = cosine[:, None] * down + np.sqrt(1 - cosine**2)[:, None] * right
    point = position + range_m[:, None] * look
    for _ in range(6):
        away = point - position
        misfit = np.stack(
            [(away * ahead).sum(1), ((away**2).sum(1) - range_m**2) / 2, (((point / axes) ** 2).sum(1) - 1) / 2], 1
        )
        slopes = np.stack([ahead, away, point / axes**2], 1)
        point = point - np.linalg.solve(slopes, misfit[..., None])[..., 0]
    return np.asarray(point)


def localise(orbit: Orbit, point: Float64) -> LocalOrbit:
    """Local orbit that covers the zero-Doppler time of an Earth-fixed point (3,) and seconds around it.

    Local orbits lie on a fixed raster of times, so that all grids of a pass share a few of them.
    """
    ahead = ((point - orbit.position_m) * orbit.velocity_m_s).sum(1)
    # The point lies ahead of the vectors before its time and behind those after; beyond both ends, it is far from all.
    k = min(max(int((ahead > 0.0).sum()), 1), len(ahead) - 1)
    share = ahead[k - 1] / (ahead[k - 1] - ahead[k])
    time = float(orbit.time_s[k - 1] + share * (orbit.time_s[k] - orbit.time_s[k - 1]))
    first, last = (round(float(t) / _RASTER_S) for t in (orbit.time_s[0], orbit.time_s[-1]))
    return _on_raster(orbit, min(max(round(time / _RASTER_S), first - 2), last + 2))


@functools.lru_cache(maxsize=1024)
def _on_raster(orbit: Orbit, step: int) -> LocalOrbit:
    return orbit.local(step * _RASTER_S)


def sight(ground: Ground, orbit: Orbit) -> Sight:
    """Exact solution of an orbit at the nodes of a box."""
    local = localise(orbit, ground.points[len(ground.points) // 2])
    return Sight(ground, *_solved(ground.points, local))


def fit(ground: Ground, orbit: Orbit) -> Geometry:
    """Polynomials of a box for one orbit."""
    seen, box = sight(ground, orbit), ground.box
    look, position = seen.look, seen.state[0]
    down = -position / np.sqrt((position * position).sum(1))[:, None]
    across = np.cross(down, look)
    nadir = np.arctan2(np.sqrt((across * across).sum(1)), (down * look).sum(1))
    in_map = (ground.axes * look[:, None, :]).sum(2)
    return Geometry(
        Field.through(box, np.stack([seen.time_s, seen.range_m])),
        Field.through(box, np.ascontiguousarray(in_map.T)),
        Field.through(box, nadir[None]),
    )


@functools.lru_cache(maxsize=1)
def _inverse() -> Float64:
    """(35, 343): values at the nodes to coefficients."""
    unit = np.cos(np.pi * (np.arange(_NODES) + 0.5) / _NODES)
    x, y, z = (a.ravel() for a in np.meshgrid(unit, unit, unit, indexing="ij"))
    order = polynomial.ORDER
    terms = [
        x**px * y**py * z**pz
        for pz in range(order + 1)
        for py in range(order - pz + 1)
        for px in range(order - pz - py + 1)
    ]
    weights = np.empty((polynomial.TERMS, _NODES**3))
    polynomial.pseudo_inverse(np.stack(terms, 1), weights)
    return weights


def longitude_latitude(points: Float64) -> tuple[Float64, Float64]:
    """Degrees, of Earth-fixed points (n, 3)."""
    lon, lat, _ = _to_earth_fixed().transform(points[:, 0], points[:, 1], points[:, 2], direction="INVERSE")
    return np.asarray(lon), np.asarray(lat)


@functools.lru_cache(maxsize=1)
def _to_earth_fixed() -> Transformer:
    return Transformer.from_crs(4979, 4978, always_xy=True)


def earth_fixed(epsg: int, easting: Float64, northing: Float64, height: Float64) -> Float64:
    """Earth-fixed coordinates (n, 3) of map points (n,) with ellipsoidal heights."""
    lon, lat = to_geographic(epsg).transform(easting, northing)
    return np.stack(_to_earth_fixed().transform(lon, lat, height), 1)
