"""Loops of the simulation: arrays and numbers only.

An orbit comes as the vector of `orbit.Orbit.coefficients`: nodal rate, semi-major axis, eccentricity, cosine and sine
of the inclination, longitude of the node, rate of the node, then radial offset and rate, cross-track offset and rate,
and their reference time; metres, radians, seconds after the ascending node.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

Array = npt.NDArray[np.floating[Any]]
Float32 = npt.NDArray[np.float32]
Complex64 = npt.NDArray[np.complex64]
Int16 = npt.NDArray[np.int16]
Bool = npt.NDArray[np.bool_]
State = tuple[float, float, float, float, float, float, float, float, float]

TAPS = 4
TABLE = 2048
TWO_PI = 2.0 * math.pi


@njit(nogil=True, cache=True)
def orbit_state(t: float, o: Array) -> State:
    """Position, velocity and acceleration, Earth-fixed, as nine numbers.

    Motion in the plane (node direction P, Q in the plane, W normal) that turns with the node's rate relative to the
    Earth: V = v + w x S, A = a + 2 w x v + w x (w x S).
    """
    u = o[0] * t
    cu, su = math.cos(u), math.sin(u)
    node = o[5] + o[6] * t
    cn, sn = math.cos(node), math.sin(node)
    ci, si = o[3], o[4]
    r = o[1] * (1.0 - o[2] * su) + o[7] + o[8] * (t - o[11])
    r1 = -o[1] * o[2] * o[0] * cu + o[8]
    r2 = o[1] * o[2] * o[0] * o[0] * su
    p0, q0, w0 = r * cu, r * su, o[9] + o[10] * (t - o[11])
    p1, q1, w1 = r1 * cu - r * o[0] * su, r1 * su + r * o[0] * cu, o[10]
    p2 = (r2 - r * o[0] * o[0]) * cu - 2.0 * r1 * o[0] * su
    q2 = (r2 - r * o[0] * o[0]) * su + 2.0 * r1 * o[0] * cu
    x = p0 * cn - q0 * sn * ci + w0 * sn * si
    y = p0 * sn + q0 * cn * ci - w0 * cn * si
    z = q0 * si + w0 * ci
    a = p1 * cn - q1 * sn * ci + w1 * sn * si
    b = p1 * sn + q1 * cn * ci - w1 * cn * si
    c = q1 * si + w1 * ci
    g = o[6]
    vx, vy = a - g * y, b + g * x
    ax = p2 * cn - q2 * sn * ci - 2.0 * g * b - g * g * x
    ay = p2 * sn + q2 * cn * ci + 2.0 * g * a - g * g * y
    return x, y, z, vx, vy, c, ax, ay, q2 * si


@njit(nogil=True, cache=True)
def states(t: Array, o: Array) -> Array:
    """`orbit_state` at many times: (n, 9)."""
    out = np.empty((t.size, 9))
    for i in range(t.size):
        out[i, :] = np.array(orbit_state(t[i], o))
    return out


@njit(nogil=True, cache=True)
def zero_doppler(points: Array, o: Array, start: float) -> tuple[Array, Array]:
    """Time and range at which points are seen at zero Doppler, by Newton with the full derivative.

    points : float64 (n, 3); start : first guess, seconds. Returns two float64 (n,).
    """
    n = points.shape[0]
    t_out, r_out = np.empty(n), np.empty(n)
    t = start
    for i in range(n):
        for _ in range(30):
            x, y, z, vx, vy, vz, ax, ay, az = orbit_state(t, o)
            dx, dy, dz = points[i, 0] - x, points[i, 1] - y, points[i, 2] - z
            f = dx * vx + dy * vy + dz * vz
            slope = dx * ax + dy * ay + dz * az - (vx * vx + vy * vy + vz * vz)
            step = f / slope
            t -= step
            if abs(step) < 1e-7:
                break
        x, y, z, vx, vy, vz, ax, ay, az = orbit_state(t, o)
        dx, dy, dz = points[i, 0] - x, points[i, 1] - y, points[i, 2] - z
        t_out[i] = t
        r_out[i] = math.sqrt(dx * dx + dy * dy + dz * dz)
    return t_out, r_out


@njit(nogil=True, cache=True)
def facets(nodes: Array, across: Float32, down: Float32) -> tuple[Array, Array]:
    """Scatterers and area vectors of the facets between nodes.

    nodes : float64 (rows + 1, cols + 1, 3), row 0 north; across, down : float32 (rows, cols), 0..1, where the scatterer
    lies in its facet. Returns positions and area vectors (out of the ground), float64 (rows * cols, 3).
    """
    rows, cols = across.shape
    position, area = np.empty((rows * cols, 3)), np.empty((rows * cols, 3))
    for i in range(rows):
        for j in range(cols):
            k = i * cols + j
            u, v = across[i, j], down[i, j]
            for m in range(3):
                nw, ne, sw, se = nodes[i, j, m], nodes[i, j + 1, m], nodes[i + 1, j, m], nodes[i + 1, j + 1, m]
                position[k, m] = nw + u * (ne - nw) + v * (sw - nw) + u * v * (nw - ne - sw + se)
            for m in range(3):
                b, c = (m + 1) % 3, (m + 2) % 3
                rise_b, rise_c = nodes[i, j + 1, b] - nodes[i + 1, j, b], nodes[i, j + 1, c] - nodes[i + 1, j, c]
                fall_b, fall_c = nodes[i, j, b] - nodes[i + 1, j + 1, b], nodes[i, j, c] - nodes[i + 1, j + 1, c]
                area[k, m] = 0.5 * (rise_b * fall_c - rise_c * fall_b)
    return position, area


@njit(nogil=True, cache=True)
def projected(position: Array, area: Array, t: Array, o: Array) -> Float32:
    """Area seen from the sensor, square metres; 0 where the facet is turned away. float32 (n,)."""
    out = np.empty(t.size, np.float32)
    for i in range(t.size):
        s = orbit_state(t[i], o)
        dx, dy, dz = s[0] - position[i, 0], s[1] - position[i, 1], s[2] - position[i, 2]
        seen = area[i, 0] * dx + area[i, 1] * dy + area[i, 2] * dz
        out[i] = max(0.0, seen / math.sqrt(dx * dx + dy * dy + dz * dz))
    return out


@njit(nogil=True, cache=True)
def ground(height: Array, y: float, x: float) -> float:
    """Bilinear height at node coordinates inside the grid."""
    i, j = int(y), int(x)
    v, u = y - i, x - j
    north = height[i, j] * (1 - u) + height[i, j + 1] * u
    return float(north * (1 - v) + (height[i + 1, j] * (1 - u) + height[i + 1, j + 1] * u) * v)


@njit(nogil=True, cache=True)
def occluded(
    height: Array,
    row: Array,
    col: Array,
    lift: Array,
    rise_row: Array,
    rise_col: Array,
    curve: float,
    top: float,
    step: float,
) -> Bool:
    """Whether terrain stands between points and the sensor, by walking every line of sight.

    height : float64 (rows, cols), metres; row, col, lift : float64 (n,), the points in node units and their height;
    rise_row, rise_col : float64 (n,), nodes walked per metre that the ray rises; curve : rise beyond the straight line
    per squared metre of rise; top : highest terrain; step : walk in nodes. Returns bool (n,).
    """
    rows, cols = height.shape
    out = np.zeros(row.size, np.bool_)
    for k in range(row.size):
        climb = step / math.sqrt(rise_row[k] ** 2 + rise_col[k] ** 2)
        up = climb
        while True:
            z = lift[k] + up + curve * up * up
            y, x = row[k] + up * rise_row[k], col[k] + up * rise_col[k]
            if z > top or y < 0.0 or x < 0.0 or y >= rows - 1.0 or x >= cols - 1.0:
                break
            if ground(height, y, x) > z:
                out[k] = True
                break
            up += climb
    return out


@njit(nogil=True, cache=True)
def same_range(
    height: Array,
    row: Array,
    col: Array,
    lift: Array,
    away_row: Array,
    away_col: Array,
    tangent: Array,
    node_m: float,
    reach_m: float,
    slant_m: float,
) -> Bool:
    """Whether another point of the zero-Doppler plane has the range of a point, by asking all within reach.

    height, row, col, lift : see `occluded`; away_row, away_col : float64 (n,), nodes per node walked away from the
    sensor; tangent : float64 (n,), of the incidence angle; node_m : node spacing; slant_m : range over cosine of the
    incidence angle. Returns bool (n,).
    """
    rows, cols = height.shape
    out = np.zeros(row.size, np.bool_)
    steps = int(reach_m / node_m)
    for k in range(row.size):
        for n in range(-steps, steps + 1):
            if n == 0:
                continue
            y, x = row[k] + n * away_row[k], col[k] + n * away_col[k]
            if y < 0.0 or x < 0.0 or y >= rows - 1.0 or x >= cols - 1.0:
                continue
            d = n * node_m
            rise = ground(height, y, x) - lift[k] - d * d / 12742e3
            longer = d * tangent[k] - rise + (d + rise * tangent[k]) ** 2 / (2.0 * slant_m)
            if longer * n <= 0.0:
                out[k] = True
                break
    return out


@njit(nogil=True, cache=True)
def carrier(eta: float, tau: float, c: Array) -> float:
    """Phase of the TOPS carrier in cycles at a time from the burst's middle and a two-way range time.

    c : steering Doppler rate, reference of eta, then t0 and three coefficients of the FM rate and of the Doppler.
    """
    x = tau - c[2]
    ka = c[3] + x * (c[4] + x * c[5])
    x = tau - c[6]
    fd = c[7] + x * (c[8] + x * c[9])
    kt = ka * c[0] / (ka - c[0])
    e = eta + fd / ka + c[1]
    return float(0.5 * kt * e * e + fd * e)


@njit(nogil=True, cache=True)
def carrier_frequency(eta: Array, tau: Array, c: Array) -> Array:
    """Derivative of `carrier` by time, hertz, at many points: float64 (n,)."""
    out = np.empty(eta.size)
    for i in range(eta.size):
        out[i] = (carrier(eta[i] + 0.5e-3, tau[i], c) - carrier(eta[i] - 0.5e-3, tau[i], c)) * 1e3
    return out


@njit(nogil=True, cache=True)
def spread(
    grid: Complex64,
    table: Float32,
    t: Array,
    r: Array,
    extra: Float32,
    amplitude: Float32,
    z: Complex64,
    field: Float32,
    first: Array,
    burst: float,
    cycles_per_m: float,
    c: Array,
) -> None:
    """Put scatterers onto the oversampled grid of one burst.

    grid : complex64 (2, rows, cols), added to; table : float32 (TABLE + 1, TAPS), weights by fraction;
    t, r : float64 (n,), annotated azimuth time and range; extra : float32 (n,), delay in metres of range;
    amplitude : float32 (n,), root of the area seen, 0 where nothing returns; z : complex64 (n, 2), reflectivity;
    field : float32 (2, n), root of gamma nought; first : float64 (4,), time and range of grid node 0, nodes per second
    and per metre; burst : middle of the burst, seconds; cycles_per_m : -2 / wavelength; c : see `carrier`.
    """
    rows, cols = grid.shape[1], grid.shape[2]
    for i in range(t.size):
        if amplitude[i] == 0.0:
            continue
        y, x = (t[i] - first[0]) * first[2], (r[i] - first[1]) * first[3]
        row, col = math.floor(y) - (TAPS // 2 - 1), math.floor(x) - (TAPS // 2 - 1)
        if row < 0 or col < 0 or row + TAPS > rows or col + TAPS > cols:
            continue
        fy = int((y - math.floor(y)) * TABLE + 0.5)
        fx = int((x - math.floor(x)) * TABLE + 0.5)
        turns = (r[i] + extra[i]) * cycles_per_m - carrier(t[i] - burst, r[i] / 149896229.0, c)
        turns = (turns - math.floor(turns)) * TWO_PI
        rotor = complex(math.cos(turns), math.sin(turns)) * amplitude[i]
        for p in range(2):
            value = np.complex64(rotor * z[i, p] * field[p, i])
            for a in range(TAPS):
                scaled = value * table[fy, a]
                for b in range(TAPS):
                    grid[p, row + a, col + b] += scaled * table[fx, b]


@njit(nogil=True, cache=True)
def digitise(
    signal: Complex64,
    noise: Complex64,
    gain: float,
    noise_rows: Array,
    noise_cols: Array,
    eta0: float,
    tau0: float,
    d_eta: float,
    d_tau: float,
    c: Array,
) -> Int16:
    """Digital numbers of a burst: carrier put on, gain and noise applied, rounded.

    signal, noise : complex64 (2, rows, cols), both without carrier; noise_rows (rows,), noise_cols (2, cols): noise
    power is their product; eta0, tau0 : of sample (0, 0). Returns int16 (2, rows, cols, 2), real and imaginary.
    """
    rows, cols = signal.shape[1], signal.shape[2]
    out = np.empty((2, rows, cols, 2), np.int16)
    for i in range(rows):
        for j in range(cols):
            turns = carrier(eta0 + i * d_eta, tau0 + j * d_tau, c)
            turns = (turns - math.floor(turns)) * TWO_PI
            co, si = math.cos(turns), math.sin(turns)
            for p in range(2):
                sigma = math.sqrt(noise_rows[i] * noise_cols[p, j])
                re = gain * signal[p, i, j].real + sigma * noise[p, i, j].real
                im = gain * signal[p, i, j].imag + sigma * noise[p, i, j].imag
                out[p, i, j, 0] = max(-32768.0, min(32767.0, np.rint(re * co - im * si)))
                out[p, i, j, 1] = max(-32768.0, min(32767.0, np.rint(re * si + im * co)))
    return out
